"""A storage module as the host calls it: one that hangs holds few threads, and what it raises is told apart."""

import errno
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from host.body import Body
from host.errors import Failed, Full, HostError, TryAgain
from modules import Context, ReadStream, StorageModule

__all__ = ["VENDOR_ERRORS", "GuardedModule", "GuardedStream", "Guards"]

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
    def inside(self, *, at_once: bool = False) -> Iterator[None]:
        """Run the block in a place.

        :param at_once: whether to do so if there is none, too.
        :raises TryAgain: there is none, for the module hangs.
        """
        self._enter(at_once=at_once)
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Give up the place for as long as the block runs, which the module called."""
        self._leave()
        try:
            yield
        finally:
            self._enter(at_once=True)  # what is in the middle of a transfer goes first

    def _enter(self, *, at_once: bool) -> None:
        with self._left:
            deadline = time.monotonic() + _PATIENCE
            while self._is_full() and not at_once:
                now = time.monotonic()
                if now >= deadline or max(self._since.values()) < now - _PATIENCE:
                    raise TryAgain(f"the storage module {self._name!r} does not answer: try again later")
                self._left.wait(min(deadline - now, 1.0))
            self._since[threading.get_ident()] = time.monotonic()

    def stuck(self) -> int:
        """Return how many threads have been in the module for so long that it hangs."""
        before = time.monotonic() - _PATIENCE
        return sum(since < before for since in list(self._since.values()))

    def _is_full(self) -> bool:
        inside = len(self._since)
        return inside > 0 and inside >= self._guards.most - self._guards.stuck_elsewhere(self)

    def _leave(self) -> None:
        with self._left:
            self._since.pop(threading.get_ident(), None)
            self._left.notify()


class GuardedModule:
    """One instance of a module. All methods raise :class:`HostError` and nothing else of the module's.

    What the module raised is the error's ``__cause__``; its text stays there.
    """

    def __init__(self, module: StorageModule, guard: Guard, context: Context) -> None:
        self._module = module
        self._guard = guard
        self._context = context

    def new_data(self) -> str:
        """Return a new ``module_data``."""
        with self._calling():
            return str(self._module.new_data(self._context))

    def assign(self, module_data: str, body: Body) -> int:
        """Keep a body, and return how many bytes are kept.

        :raises HostError: it was not kept; of a body that broke off what that raised, whatever the module made of it.
        """
        source = _Source(body, self._guard)
        try:
            with self._calling():
                self._module.assign(self._context, module_data, source)
                size = self._module.get_size(self._context, module_data)
        except HostError:
            if body.error is not None:
                raise body.error from None
            raise
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
        with self._calling():
            return bool(copy_data(self._context, module_data, source))

    def available(self, module_data: str) -> bool:
        """Tell whether the data is here, whole and durable."""
        with self._calling():
            return self._module.available(self._context, module_data)

    def size(self, module_data: str) -> int:
        """Return how many bytes are kept."""
        with self._calling():
            return self._module.get_size(self._context, module_data)

    def open(self, module_data: str, size: int) -> "GuardedStream":
        """Open what is kept, which must have ``size`` bytes."""
        with self._calling():
            kept = self._module.get_size(self._context, module_data)
            if kept != size:
                raise Failed(f"{size} bytes were stored, the storage module has {kept}")
            return GuardedStream(self._module.get_read_stream(self._context, module_data), self._guard)

    def delete(self, module_data: str) -> None:
        """Delete what is kept."""
        with self._calling():
            self._module.delete(self._context, module_data)

    def statistics(self) -> Mapping[str, Any]:
        """Return what the module says of its storage."""
        with self._calling():
            return self._module.statistics(self._context)

    @contextmanager
    def _calling(self) -> Iterator[None]:
        with self._guard.inside(), _judged():
            yield


class GuardedStream:
    """A stream of a module; an error of it is a :class:`HostError`."""

    def __init__(self, stream: ReadStream, guard: Guard) -> None:
        self._stream = stream
        self._guard = guard

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; ``b""`` at the end."""
        with self._guard.inside(), _judged():
            return self._stream.read(size)

    def seek(self, place: int) -> None:
        """Go to ``place``, in bytes from the start."""
        with self._guard.inside(), _judged():
            self._stream.seek(place)

    def close(self) -> None:
        """Close the stream."""
        with self._guard.inside(at_once=True), _judged():
            self._stream.close()


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


@contextmanager
def _judged() -> Iterator[None]:
    """Tell apart what a module raises: full, worth another try, broken. Its text stays here."""
    try:
        yield
    except HostError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise Full("the storage is full") from error
        if error.errno in _LATER or isinstance(error, (TimeoutError, ConnectionError)):
            raise TryAgain("the storage cannot do that now: try again") from error
        raise Failed("the storage module failed") from error
    except VENDOR_ERRORS as error:
        raise Failed("the storage module failed") from error
