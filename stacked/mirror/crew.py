"""Work in several stores at once, of which some may hang: a thread for each, and none is waited for for ever."""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

__all__ = ["Crew", "Feed", "GivenUpError", "Hanging"]

_DEPTH = 4  # blocks that wait for a store


class GivenUpError(Exception):
    """What a store reads when the object that it is storing was given up."""


class Hanging:
    """Which stores have threads in them that were given up, for they do not return."""

    def __init__(self) -> None:
        self._threads: dict[threading.Thread, str] = {}

    def add(self, thread: threading.Thread, name: str) -> None:
        """Note that ``thread`` does not return from the store ``name``."""
        self._threads[thread] = name

    def __contains__(self, name: object) -> bool:
        for thread in list(self._threads):
            if not thread.is_alive():  # also in a forked process, in which none of them is
                self._threads.pop(thread, None)
        return name in list(self._threads.values())


class Feed:
    """What a store reads: blocks that come from another thread, and at their end an end or an error.

    :param length: of all that will come, in bytes, or None.
    """

    def __init__(self, length: int | None) -> None:
        self._length = length
        self._changed = threading.Condition(threading.Lock())
        self._blocks: deque[bytes | Callable[[], None] | None] = deque()
        self._block: bytes = b""
        self._place = 0
        #: Whether nobody reads any more.
        self.is_over = False
        self._error: BaseException | None = None
        self._taken = 0
        #: Whether it was read to its end.
        self.is_ended = False

    def put(self, block: bytes | Callable[[], None] | None, patience: float) -> bool:
        """Give a block, something to be done by the reading thread, or None for the end.

        :param patience: seconds for which nothing may be read while there is no room.
        :returns: whether it was taken; not where nobody reads any more, or nobody does for so long.
        """
        with self._changed:
            while len(self._blocks) >= _DEPTH and not self.is_over:
                before = self._taken
                if not self._changed.wait(patience) and before == self._taken:
                    return False
            if self.is_over:
                return False
            self._blocks.append(block)
            self._changed.notify_all()
            return True

    def give_up(self) -> None:
        """Let every further read raise :class:`GivenUpError`, and hold nothing any more."""
        with self._changed:
            self._error = self._error or GivenUpError("the object was given up")
            self._blocks.clear()
            self._changed.notify_all()

    def over(self) -> None:
        """Take nothing any more: nobody reads it."""
        with self._changed:
            self.is_over = True
            self._blocks.clear()
            self._block = b""
            self._changed.notify_all()

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; with a negative size all the rest."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1024 * 1024), b""))
        if size and self._place == len(self._block):
            self._next()
        block, place = self._block, self._place
        self._place = min(place + size, len(block))
        return block if self._place - place == len(block) else block[place : self._place]

    def __length_hint__(self) -> Any:
        return NotImplemented if self._length is None else self._length

    def _next(self) -> None:
        self._block, self._place = b"", 0
        while not self.is_ended:
            with self._changed:
                while not self._blocks and self._error is None:
                    self._changed.wait()
                if self._error is not None:
                    raise self._error
                item = self._blocks.popleft()
                self._taken += 1
                self._changed.notify_all()
            if item is None:
                self.is_ended = True
            elif isinstance(item, bytes):
                self._block = item
                return
            else:
                item()


class _Hand:
    """One thread, and what came of it."""

    def __init__(self, name: str, work: Callable[[], Any], late: Callable[[], None] | None) -> None:
        self.name = name
        self._work = work
        self._late = late
        self._lock = threading.Lock()
        #: Whether nobody waits for it any more.
        self.is_given_up = False
        self.done = threading.Event()
        self.result: Any = None
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, name=f"mirror {name}", daemon=True)

    def give_up(self) -> bool:
        """Wait for it no more, unless it is done. Tell whether it is not."""
        with self._lock:
            self.is_given_up = not self.done.is_set()
            return self.is_given_up

    def _run(self) -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = self._work()
        except Exception as raised:  # the waiting thread looks at it
            error = raised
        except BaseException as raised:  # which ends a thread, and is not to end the one that waits
            error = OSError(errno.EIO, f"{self.name}: {raised!r}")
        with self._lock:
            if not self.is_given_up:
                self.result, self.error = result, error
                self.done.set()
                return
        if self._late is not None:
            with suppress(Exception):  # nobody is left to be told; upkeep finds what is wrong
                self._late()


class Crew:
    """Threads, one for each store, which are waited for at the end of the ``with`` statement.

    :param hanging: where the stores are noted whose threads do not return.
    :param patience: seconds for which one is waited for.
    """

    def __init__(self, hanging: Hanging, patience: float) -> None:
        self._hanging = hanging
        self._patience = patience
        self._hands: dict[str, _Hand] = {}
        self._until = 0.0

    def start(self, name: str, work: Callable[[], Any], late: Callable[[], None] | None = None) -> None:
        """Begin ``work`` in the store ``name``.

        :param late: done by that thread if it returns after nobody waits for it any more.
        """
        hand = self._hands[name] = _Hand(name, work, late)
        if name in self._hanging:
            hand.error = TimeoutError(f"{name} hangs")
            hand.done.set()
        else:
            hand.thread.start()

    def be_patient(self) -> None:
        """Wait for as long as may be waited, from now on, for all stores together."""
        self._until = time.monotonic() + self._patience

    def wait_for(self, event: threading.Event) -> bool:
        """Wait for ``event`` as for a store, and tell whether it came."""
        return event.wait(max(0.0, self._until - time.monotonic()))

    def wait(self, name: str) -> Any:
        """Return what the work in the store ``name`` returned.

        :raises Exception: what it raised.
        :raises TimeoutError: it does not return.
        """
        hand = self._hands[name]
        if not hand.done.wait(max(0.0, self._until - time.monotonic())) and hand.give_up():
            self._hanging.add(hand.thread, name)
            hand.error = TimeoutError(f"{name} does not answer for {self._patience:g} s")
            hand.done.set()
        if hand.error is not None:
            raise hand.error
        return hand.result

    def give_up(self, name: str) -> None:
        """Wait for the store ``name`` no more, which hangs."""
        self._until = 0.0
        self.outcome(name)

    def together(self, works: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Do all ``works``, by the store, and return what each returned, or the error that it raised."""
        for name, work in works.items():
            self.start(name, work)
        self.be_patient()
        return {name: self.outcome(name) for name in works}

    def outcome(self, name: str) -> Any:
        """Return what the work in the store ``name`` returned, or the error that it raised."""
        try:
            return self.wait(name)
        except Exception as error:  # the caller looks at it
            return error

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *error: object) -> None:
        self.be_patient()
        for name, hand in self._hands.items():
            self.outcome(name)
            if hand.thread.ident is not None and not hand.is_given_up:
                hand.thread.join()
