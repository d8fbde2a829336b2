"""Spreads objects over several modules: each is in one of them, which is chosen by what is free there."""

import errno
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from modules import Context, ReadStream, Source
from stacked import record
from stacked.base import Layer
from stacked.kept import Spool, has_upkeep
from stacked.members import READ_ONLY, Choice, members_of, summed
from stacked.mirror.crew import Crew, Hanging
from stacked.several import judged
from stacked.store import Inner, Store
from stacked.streams import hint

__all__ = ["SpreadStorage"]

_PATIENCE = 10.0  # seconds for which a member's statistics are waited for
_TOLD = 20  # objects of which it is told what is wrong


class SpreadStorage(Layer):
    """A module that keeps each object in one of several others.

    A new object goes to a member that is drawn by lot: of two the one with twice as much free is drawn twice as often.

    :param stores: the names under which the members are configured, or a mapping from each name to a state: ``""``,
        ``"draining"`` or ``"read-only"``, which take no new objects. In Python, a list may hold the modules.
    :raises ValueError: it is missing or wrong; or another argument is given.
    """

    layer = "spread"

    def __init__(self, stores: Any = None, **unknown: Any) -> None:
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: SpreadStorage knows no such argument")
        self._stores, self._states = members_of(stores)
        self._hanging = Hanging()
        self._choice = Choice([name for name, state in self._states.items() if not state])

    def stores(self) -> Sequence[Store]:
        return list(self._stores.values())

    def new_data(self, context: Context) -> str:
        errors: list[Exception] = []
        for name in self._choice.order(partial(self._free, context)):
            try:
                return record.encode(self.layer, self._inner(name, context).new_data(), store=name)
            except Exception as error:  # a vendor's module may raise anything, and the next one may be well
                self._choice.avoid(name)
                errors.append(judged(name, error))
        raise errors[0] if errors else OSError(errno.EROFS, "no member takes new objects")

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        name, inner = self._opened(module_data)
        self._require_writable(name)
        source = _Watched(stream)
        try:
            self._inner(name, context).assign(inner, source)
        except OSError as error:
            if error is not source.error:
                self._choice.avoid(name)
            raise

    def available(self, context: Context, module_data: str) -> bool:
        name, inner = self._opened(module_data)
        return self._inner(name, context).available(inner)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        name, inner = self._opened(module_data)
        return self._inner(name, context).get_read_stream(inner)

    def delete(self, context: Context, module_data: str) -> None:
        name, inner = self._opened(module_data)
        self._inner(name, context).delete(inner)

    def get_size(self, context: Context, module_data: str) -> int:
        name, inner = self._opened(module_data)
        return self._inner(name, context).get_size(inner)

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        (name, inner), (source_name, source_inner) = self._opened(module_data), self._opened(source)
        module, inner_context = self._stores[name].below(self, context)
        copy_data = getattr(module, "copy_data", None)  # a class of its own making may lack it
        if name != source_name or copy_data is None:
            module.available(inner_context, inner)  # refuses what it never made
            self._inner(source_name, context).get_size(source_inner)
            return False
        self._require_writable(name)
        try:
            return bool(copy_data(inner_context, inner, source_inner))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                self._choice.avoid(name)
            raise

    def statistics(self, context: Context) -> Mapping[str, Any]:
        below = self._told(context)
        return {
            **summed({name: found.get("capacity") for name, found in below.items()}, self._states),
            "layer": self.layer,
            "states": dict(self._states),
            "avoided": self._choice.avoided(),
            "below": below,
        }

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        objects = dict.fromkeys(self._stores, 0)
        reasons: list[str] = []
        wrong = 0
        below: dict[str, Any] = {}
        with Spool() as spool:
            for module_data in spool.through(kept):
                try:
                    objects[self._opened(module_data)[0]] += 1
                except ValueError as error:
                    wrong += 1
                    reasons += [str(error)][: _TOLD - len(reasons)]
            for name in self._stores:
                try:
                    inner = self._inner(name, context)
                    if has_upkeep(inner):
                        below[name] = inner.upkeep(spool.read(partial(self._inner_of, name)))
                except Exception as error:  # the others need theirs all the same
                    below[name] = {"error": str(error), "wrong": 1}
        wrong += sum(found.get("wrong", 0) for found in below.values())
        return {"objects": objects, "wrong": wrong, "reasons": reasons, "below": below}

    def _opened(self, module_data: str) -> tuple[str, str]:
        """Return the member that has an object, and the ``module_data`` there.

        :raises ValueError: this layer did not make it, or the member is none any more.
        """
        found = record.decode(self.layer, module_data, "store")
        name = found.fields["store"]
        if not isinstance(name, str) or name not in self._stores:
            raise ValueError(f"module_data: it is in {name!r}, which is none of the stores: put it back: {module_data}")
        return name, found.inner

    def _inner(self, name: str, context: Context) -> Inner:
        return Inner(*self._stores[name].below(self, context))

    def _inner_of(self, name: str, module_data: str) -> str | None:
        try:
            member, inner = self._opened(module_data)
        except ValueError:
            return None  # it was counted as wrong
        return inner if member == name else None

    def _require_writable(self, name: str) -> None:
        """See that a member may be written to. One that is draining may: a new object had been promised to it."""
        if self._states[name] == READ_ONLY:
            raise OSError(errno.EROFS, f"{name} is read-only")

    def _told(self, context: Context) -> dict[str, Any]:
        """Return the statistics of each member, or its error."""

        def ask(name: str) -> Mapping[str, Any]:
            return self._inner(name, context).statistics()

        with Crew(self._hanging, _PATIENCE) as crew:
            told = crew.together({name: partial(ask, name) for name in self._stores})
        return {name: {"error": str(one)} if isinstance(one, Exception) else one for name, one in told.items()}

    def _free(self, context: Context) -> dict[str, int]:
        """Return how many bytes are free in each member that tells it; -1 where it cannot be known."""
        return {name: found["capacity"]["free"] for name, found in self._told(context).items() if "capacity" in found}


class _Watched:
    """A source whose errors can be told from those of the member that reads it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = error
            raise

    def __length_hint__(self) -> Any:
        length = hint(self._source)
        return NotImplemented if length is None else length
