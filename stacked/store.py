"""The module below: how a module gets hold of another one in which it keeps its data."""

import errno
from collections.abc import Iterable, Mapping
from typing import Any

from modules import Context, ReadStream, Source, StorageModule

__all__ = ["Inner", "Store"]

#: Where the context of an inner call holds the modules that the call came through, the outermost first.
_THROUGH = "through"


class Store:
    """What an argument such as ``store`` means: a module, by the name under which it is configured, or itself.

    :param argument: what the argument is called.
    :raises ValueError: it is neither.
    """

    def __init__(self, argument: str, value: object) -> None:
        if not isinstance(value, StorageModule) and not (isinstance(value, str) and value):
            raise ValueError(f"{argument}: name the module in which this one keeps its data, as it is configured")
        self._argument = argument
        self._value = value
        #: As people call it.
        self.name = value if isinstance(value, str) else type(value).__name__

    def names(self) -> list[str]:
        """Return the name that ``getModule`` is called with, or none."""
        return [self._value] if isinstance(self._value, str) else []

    def below(self, outer: StorageModule, context: Context) -> tuple[StorageModule, Context]:
        """Return the module for one call of a method of ``outer``, and the context that it is to get.

        :raises LookupError: no module is configured under that name.
        :raises OSError: with ``errno.ELOOP``, ``outer`` stands on itself.
        """
        through = context.get(_THROUGH, ())
        if through and any(module is outer for module in through):
            raise OSError(errno.ELOOP, f"{self._argument}: the module stands on itself, by way of {self.name!r}")
        module = self._value if isinstance(self._value, StorageModule) else self._configured(context)
        return module, {**context, _THROUGH: (*through, outer)}

    def _configured(self, context: Context) -> StorageModule:
        get_module = context.get("func", {}).get("getModule")
        if get_module is None:
            raise LookupError(f"{self._argument}: {self.name!r} cannot be had: the host offers no getModule")
        module = get_module(self._value)
        if not isinstance(module, StorageModule):
            raise LookupError(f"{self._argument}: {self.name!r} is no storage module")
        return module


class Inner:
    """The methods of a module below, each with the context of the one call."""

    __slots__ = ("_context", "module")

    def __init__(self, module: StorageModule, context: Context) -> None:
        self.module = module
        self._context = context

    def new_data(self) -> str:
        """Return a new ``module_data``, as the text that a host would keep."""
        return str(self.module.new_data(self._context))

    def assign(self, module_data: str, stream: Source) -> None:
        """Keep what ``stream`` gives."""
        self.module.assign(self._context, module_data, stream)

    def available(self, module_data: str) -> bool:
        """Tell whether the data is there, whole and durable."""
        return self.module.available(self._context, module_data)

    def get_read_stream(self, module_data: str) -> ReadStream:
        """Open the data."""
        return self.module.get_read_stream(self._context, module_data)

    def delete(self, module_data: str) -> None:
        """Destroy the data."""
        self.module.delete(self._context, module_data)

    def get_size(self, module_data: str) -> int:
        """Return the size in bytes."""
        return self.module.get_size(self._context, module_data)

    def statistics(self) -> Mapping[str, Any]:
        """Tell about the storage."""
        return self.module.statistics(self._context)

    def upkeep(self, kept: Iterable[str]) -> Mapping[str, Any]:
        """Have it do what its storage needs."""
        return self.module.upkeep(self._context, kept)
