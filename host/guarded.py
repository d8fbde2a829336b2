"""A storage module as the host calls it: one that hangs holds few threads, and what it raises is told apart."""

import errno
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from host.body import Body
from host.errors import Failed, Full, HostError, TryAgain
from host.streams import Window
from modules import Context, StorageModule

__all__ = ["VENDOR_ERRORS", "GuardedModule", "Guards"]

#: What a vendor's code may raise where it is called: a module that asks the process to exit must not
#: take everybody's transfers with it.
VENDOR_ERRORS = (Exception, SystemExit)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LATER = {errno.EROFS, errno.EAGAIN, errno.EBUSY, errno.EMFILE, errno.ENFILE}
_PATIENCE = 10.0  # seconds that a call may take, before it is held to hang; and to wait for a place


class Guards:
    """The guards of one process: together, what hangs gets at most ``most`` threads of it.

    A module that does not hang always has one place.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._guards: dict[tuple[str, str], Guard] = {}  # by module and location

    def of(self, where: tuple[str, str]) -> "Guard":
        """Return the guard of a module at a location."""
        return self._guards.get(where) or self._guards.setdefault(where, Guard(where[0], self))

    def stuck_elsewhere(self, guard: "Guard") -> int:
        """Return how many threads hang in other modules."""
        return sum(other.stuck() for other in list(self._guards.values()) if other is not guard)


class Guard:
    """The threads of this process that are in the code of one module.

    What waits for a client's bytes does not count. A thread that finds no place waits for one; it does so in vain if
    those that have the places have been in the module for long, for then it hangs.
    """

    def __init__(self, name: str, guards: Guards) -> None:
        self._name = name
        self._guards = guards
        self._since: dict[int, float] = {}  # by thread: when it went in
        self._left = threading.Condition()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Run the block in a place.

        :raises TryAgain: there is none, for the module hangs.
        """
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Give up the place for as long as the block runs, which the module called."""
        self.leave()
        try:
            yield
        finally:
            self.enter(at_once=True)  # what is in the middle of a transfer goes first

    def enter(self, *, at_once: bool = False) -> None:
        """Take a place, which must be given back.

        :param at_once: whether to do so if there is none, too.
        :raises TryAgain: there is none, for the module hangs.
        """
        with self._left:
            if not at_once and self._is_full():
                self._wait()
            self._since[threading.get_ident()] = time.monotonic()

    def leave(self) -> None:
        """Give the place back."""
        with self._left:
            self._since.pop(threading.get_ident(), None)
            self._left.notify()

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while self._is_full():
            now = time.monotonic()
            if now >= deadline or max(self._since.values()) < now - _PATIENCE:
                raise TryAgain(f"the storage module {self._name!r} does not answer: try again later")
            self._left.wait(min(deadline - now, 1.0))

    def stuck(self) -> int:
        """Return how many threads have been in the module for so long that it hangs."""
        before = time.monotonic() - _PATIENCE
        return sum(since < before for since in list(self._since.values()))

    def _is_full(self) -> bool:
        inside = len(self._since)
        return inside > 0 and inside >= self._guards.most - self._guards.stuck_elsewhere(self)


class GuardedModule:
    """One instance of a module. All methods raise :class:`HostError` and nothing else of the module's.

    What the module raised is the error's ``__cause__``; its text stays there.
    """

    def __init__(self, module: StorageModule, guard: Guard, context: Context) -> None:
        self._module = module
        self._guard = guard
        self._context = context
        self._calling = _Calling(guard)
        self._closing = _Calling(guard, at_once=True)  # what is closed gives back what it holds

    def new_data(self) -> str:
        """Return a new ``module_data``."""
        with self._calling:
            return str(self._module.new_data(self._context))

    def assign(self, module_data: str, body: Body) -> int:
        """Keep a body, and return how many bytes are kept.

        :raises HostError: it was not kept; of a body that broke off what that raised, whatever the module made of it.
        """
        source = _Source(body, self._guard)
        try:
            with self._calling:
                self._module.assign(self._context, module_data, source)
                size = self._module.get_size(self._context, module_data)
        except HostError as error:
            if body.error is None or error is body.error:
                raise
            # What the module made of it is for the log, unless the body tells why it failed.
            raise body.error from body.error.__cause__ or error.__cause__
        if body.error is not None:
            raise body.error
        if not body.ended or size != body.count:
            raise Failed(f"the storage module kept {size} bytes of {body.count} that it read")
        return size

    def copy(self, module_data: str, source: str) -> bool:
        """Copy what is kept as ``source``, and tell whether the module can do that by itself."""
        copy_data = getattr(self._module, "copy_data", None)  # a class of its own making may lack it
        if copy_data is None:
            return False
        with self._calling:
            return bool(copy_data(self._context, module_data, source))

    def available(self, module_data: str) -> bool:
        """Tell whether the data is here, whole and durable."""
        with self._calling:
            return self._module.available(self._context, module_data)

    def size(self, module_data: str) -> int:
        """Return how many bytes are kept."""
        with self._calling:
            return self._module.get_size(self._context, module_data)

    def open(self, module_data: str, size: int, first: int = 0, length: int | None = None, ahead: int = 0) -> Window:
        """Open what is kept, which must have ``size`` bytes, for ``length`` bytes from the byte ``first`` on.

        :param length: None for all the rest.
        :param ahead: bytes that are read at once.
        """
        with self._calling:
            kept = self._module.get_size(self._context, module_data)
            if kept != size:
                raise Failed(f"{size} bytes were stored, the storage module has {kept}")
            stream = self._module.get_read_stream(self._context, module_data)
            return Window(
                stream, first, size - first if length is None else length, ahead, self._calling, self._closing
            )

    def delete(self, module_data: str) -> None:
        """Delete what is kept."""
        with self._calling:
            self._module.delete(self._context, module_data)

    def statistics(self) -> Mapping[str, Any]:
        """Return what the module says of its storage."""
        with self._calling:
            return self._module.statistics(self._context)


class _Source:
    """A body as a module sees it."""

    def __init__(self, body: Body, guard: Guard) -> None:
        self._body = body
        self._guard = guard

    def read(self, size: int = -1, /) -> bytes:
        if self._body.has(size):
            return self._body.read(size)
        with self._guard.outside():
            return self._body.read(size)

    def __length_hint__(self) -> int:
        return self._body.__length_hint__()


class _Calling:
    """Around each call of a module: a place in it, and its errors told apart. It has no state, and serves all threads.

    It is a class, and not a generator, since there are several in each request.
    """

    def __init__(self, guard: Guard, *, at_once: bool = False) -> None:
        self._guard = guard
        self._at_once = at_once

    def __enter__(self) -> None:
        self._guard.enter(at_once=self._at_once)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._guard.leave()
        if isinstance(error, VENDOR_ERRORS) and not isinstance(error, HostError):
            raise _judged(error) from error


def _judged(error: BaseException) -> HostError:
    """Tell apart what a module raises: full, worth another try, broken. Its text stays here."""
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return Full("the storage is full")
        if error.errno in _LATER or isinstance(error, (TimeoutError, ConnectionError)):
            return TryAgain("the storage cannot do that now: try again")
    return Failed("the storage module failed")
