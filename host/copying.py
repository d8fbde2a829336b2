"""Data on its way from one module to another: read at a pace that is set, read back, and compared."""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from host.body import BLOCK, Body
from host.catalogue.node import Data
from host.errors import Failed, HostError, TryAgain
from host.guarded import GuardedModule
from host.loader import Loader, reason

__all__ = ["Copier", "Pace", "Unreadable"]

_STEPS = 10  # a second, with a limited rate


class Copier:
    """Copies data, in several threads at once.

    :param rate: bytes a second, of all threads together; None for no limit.
    :param stopped: when it is set, what is being copied is given up.
    """

    def __init__(self, loader: Loader, rate: int | None, stopped: threading.Event) -> None:
        self._loader = loader
        self._stopped = stopped
        self._pace = Pace(rate, stopped.wait)

    def copy(self, old: Data, module: GuardedModule, module_data: str) -> None:
        """Copy data to a module, and see that what it keeps is what was read.

        :raises Unreadable: the old data is not what was stored, or cannot be read.
        :raises HostError: the new one could not be kept.
        """
        digest = self._copy_from_anywhere(old, module, module_data)
        found = hashlib.blake2b()
        with closing(module.open(module_data, old.size)) as window:
            while block := window.read(BLOCK):
                self._require_time()
                found.update(block)
        if found.digest() != digest:
            raise Failed("the storage module gives back other bytes than it was given")

    def _copy_from_anywhere(self, old: Data, module: GuardedModule, module_data: str) -> bytes:
        """Copy data from the first location where all of it can be read, and return the hash of what was read."""
        first: Unreadable | None = None
        for location in self._loader.locations(old.module):
            try:
                return self._copy_from(location, old, module, module_data)
            except Unreadable as error:
                first = first or error
        raise first or Unreadable("its module has no location")

    def _copy_from(self, location: str, old: Data, module: GuardedModule, module_data: str) -> bytes:
        try:
            window = self._loader.guarded(old.module, location).open(old.module_data, old.size)
        except HostError as error:
            raise Unreadable(reason(error.__cause__ or error)) from error
        with closing(window):
            source = _Source(window, self._pace, self._require_time)
            try:
                module.assign(module_data, Body(source, old.size))
            except HostError as error:
                if source.why is not None:
                    raise Unreadable(source.why) from error
                raise
        return source.digest()

    def _require_time(self) -> None:
        if self._stopped.is_set():
            raise TryAgain("stopped")


class Unreadable(Failed):
    """The old data cannot be read; the text says why."""


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Pace:
    """Lets so many bytes a second pass.

    :param wait: for so many seconds.
    """

    def __init__(self, rate: int | None, wait: Callable[[float], object]) -> None:
        self._rate = rate
        self._wait = wait
        self._lock = threading.Lock()
        self._next = 0.0
        #: Bytes to be read at a time.
        self.most = BLOCK if rate is None else min(BLOCK, max(1, rate // _STEPS))

    def let_pass(self, size: int) -> None:
        """Wait until ``size`` bytes may pass."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + size / self._rate
        if begin > now:
            self._wait(begin - now)


class _Source:
    """What is read of an object, at the pace that is set, and what it comes to."""

    def __init__(self, stream: _Stream, pace: Pace, check: Callable[[], object]) -> None:
        self._stream = stream
        self._pace = pace
        self._check = check
        self._hash = hashlib.blake2b()
        self.why: str | None = None  # it could not be read

    def read(self, size: int, /) -> bytes:
        try:
            block = self._stream.read(min(size, self._pace.most))
        except HostError as error:
            self.why = reason(error.__cause__ or error)
            raise
        self._pace.let_pass(len(block))
        self._check()
        self._hash.update(block)
        return block

    def digest(self) -> bytes:
        """Return the hash of what was read."""
        return self._hash.digest()
