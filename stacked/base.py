"""The base of the modules that stand on others, and of those that stand on one: that forwards the seven methods."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from modules import Context, ReadStream, Source, StorageModule
from stacked import record
from stacked.record import Record
from stacked.store import Inner, Store

__all__ = ["Layer", "StackedModule"]


class Layer(StorageModule):
    """A module that keeps its objects in other ones."""

    #: As ``module_data`` and ``statistics`` call it.
    layer: ClassVar[str]
    #: Layers that are of no use anywhere below this one, each with the reason.
    defeats: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def stores(self) -> Sequence[Store]:
        """Return the modules that it stands on."""

    def stands_on(self, context: Context) -> Sequence[str]:
        for layer in self.layers(context):
            if layer in self.defeats:
                raise ValueError(f"store: {self.layer} on {layer}: {self.defeats[layer]}: put {layer} on top of it")
        return [name for store in self.stores() for name in store.names()]

    def layers(self, context: Context) -> Iterator[str]:
        """Return the layers below, from top to bottom, as far as they are of this package.

        :raises LookupError: a module is not configured.
        :raises OSError: with ``errno.ELOOP``, one stands on itself.
        """
        for store in self.stores():
            module, inner_context = store.below(self, context)
            if isinstance(module, Layer):
                yield module.layer
                yield from module.layers(inner_context)


class StackedModule(Layer):
    """A module that keeps its objects in one other, and by itself changes nothing.

    A subclass names its layer and overrides what it does otherwise. All seven are forwarded by hand here,
    so that it is seen what is forwarded, and nothing else is.

    :param store: the name under which the module below is configured; in Python, it may be that module.
    :raises ValueError: it is missing, or neither; or another argument is given.
    """

    layer = "plain"
    #: What ``module_data`` holds beside that of the module below.
    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Any = None, **unknown: Any) -> None:
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: {type(self).__name__} knows no such argument")
        self._store = Store("store", store)

    def stores(self) -> Sequence[Store]:
        return [self._store]

    def below(self, context: Context) -> Inner:
        """Return the module below, for one call."""
        return Inner(*self._store.below(self, context))

    def opened(self, module_data: str) -> Record:
        """Return what ``module_data`` of this layer holds.

        :raises ValueError: this layer did not make it.
        """
        return record.decode(self.layer, module_data, *self.fields)

    def new_data(self, context: Context) -> str:
        return record.encode(self.layer, self.below(context).new_data())

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.below(context).assign(self.opened(module_data).inner, stream)

    def available(self, context: Context, module_data: str) -> bool:
        return self.below(context).available(self.opened(module_data).inner)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return self.below(context).get_read_stream(self.opened(module_data).inner)

    def delete(self, context: Context, module_data: str) -> None:
        self.below(context).delete(self.opened(module_data).inner)

    def get_size(self, context: Context, module_data: str) -> int:
        return self.below(context).get_size(self.opened(module_data).inner)

    def statistics(self, context: Context) -> Mapping[str, Any]:
        below = self.below(context).statistics()
        return {
            "capacity": below["capacity"],
            "layer": self.layer,
            **self.figures(),
            "below": {self._store.name: below},
        }

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        return self.below(context).upkeep(self.opened(module_data).inner for module_data in kept)

    def figures(self) -> Mapping[str, Any]:
        """Return what this layer saved or cost, for :meth:`statistics`."""
        return {}
