"""Who changes an object of a mirror: one after the other, in all processes that have the journal in common."""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turns"]

_SHORTEST, _LONGEST = 0.0005, 0.05  # seconds between two tries
_STRIPES = 64


class Turns:
    """Locks by object.

    :param path: of a file whose bytes are locked, so that other processes are kept out, too; None: threads alone are.
    :param patience: seconds for which a turn is waited for.
    """

    def __init__(self, path: str | None, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._process = 0
        self._locks: list[threading.Lock] = []

    @contextmanager
    def of(self, object_: bytes) -> Iterator[None]:
        """Run the block while nobody else is in one for that object.

        :param object_: 8 bytes at least.
        :raises TimeoutError: somebody is for too long.
        """
        number = int.from_bytes(object_[:8], "big") >> 2  # a place in a file has 63 bits
        if self._path is None:
            lock = self._lock(number)
            if not lock.acquire(timeout=self._patience):
                raise TimeoutError("another change of the object takes too long")
            try:
                yield
            finally:
                lock.release()
            return
        # A lock of the open file, not of the process: it keeps threads apart, and is gone once the file is closed.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._wait(descriptor, number)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, number: int) -> threading.Lock:
        if self._process != os.getpid():  # after a fork they may be held by threads that are none here
            self._locks = [threading.Lock() for _ in range(_STRIPES)]
            self._process = os.getpid()
        return self._locks[number % _STRIPES]

    def _wait(self, descriptor: int, number: int) -> None:
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        end, pause = time.monotonic() + self._patience, _SHORTEST
        while True:
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError("another change of the object takes too long") from None
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST)
