"""Bytes to store: made once, since the clock is for the storage alone."""

import io
import os
from functools import cache
from typing import Protocol

__all__ = ["BLOCK", "Repeated", "Source", "block", "source"]

BLOCK = 1024 * 1024  #: bytes a write and a read of a large object
_BYTES = os.urandom(BLOCK)  # a device that compresses gains nothing from these


class Source(Protocol):
    """What gives the data of an object."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, ``b""`` at the end."""


@cache  # a slice is a copy, and no part of the work
def block(size: int) -> bytes:
    """Return ``size`` bytes, at most :data:`BLOCK`."""
    return _BYTES[:size]


def source(size: int) -> Source:
    """Return a source of ``size`` bytes that costs next to nothing to read."""
    return io.BytesIO(block(size)) if size <= BLOCK else Repeated(size)


class Repeated:
    """A source of ``size`` bytes that holds one block of them, whatever the size."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, at most a block."""
        length = min(self._left, BLOCK) if size < 0 else min(self._left, size, BLOCK)
        self._left -= length
        return block(length)
