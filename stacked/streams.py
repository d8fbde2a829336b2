"""The streams of stacked modules: what goes down to the module below, and what comes up from it."""

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from operator import length_hint
from types import TracebackType
from typing import Any, Self

from modules import Source

__all__ = ["BlockSource", "SeekableStream", "full_blocks", "hint", "read_full"]

_NONE = -1
_REST = 1024 * 1024  # bytes at a time where all the rest is asked for


class BlockSource:
    """A source of the bytes of ``blocks``, for the module below to read.

    What the iterator raises goes out, and goes out again at the next read: a module that reads on after an
    error does not find an end there.

    :param blocks: none of them is empty.
    :param length: how many bytes will come, or None.
    """

    def __init__(self, blocks: Iterator[bytes], length: int | None = None) -> None:
        self._blocks = blocks
        self._length = length
        self._block = b""
        self._place = 0  # in the block
        self._error: BaseException | None = None
        self._is_ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; with a negative size all the rest."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_REST), b""))
        if size and self._place == len(self._block):
            self._next()
        block, place = self._block, self._place
        self._place = min(place + size, len(block))
        return block if self._place - place == len(block) else block[place : self._place]

    def __length_hint__(self) -> Any:
        return NotImplemented if self._length is None else self._length

    def require_end(self) -> None:
        """See that the module below has read everything, and took no error for the end.

        :raises BaseException: what the iterator raised.
        :raises OSError: with ``errno.EIO``, there is more to be read.
        """
        if self._error is not None:
            raise self._error
        if not self._is_ended:
            raise OSError(errno.EIO, "the module below did not read the data to its end")

    def _next(self) -> None:
        if self._error is not None:
            raise self._error
        try:
            self._block = next(self._blocks, b"")
        except BaseException as error:
            self._error = error
            raise
        self._place = 0
        self._is_ended = not self._block


def full_blocks(source: Source, size: int) -> Iterator[bytes]:
    """Return what ``source`` gives in blocks of ``size`` bytes; the last one may be shorter, and none is empty."""
    while block := read_full(source, size):
        yield block
        if len(block) < size:
            return


def read_full(source: Source, size: int) -> bytes:
    """Return ``size`` bytes of ``source``, or as many as are left."""
    block = source.read(size)
    if not block or len(block) == size:
        return block
    parts, missing = [block], size - len(block)
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def hint(source: Source) -> int | None:
    """Return how many bytes are to come, if ``source`` tells it (PEP 424)."""
    try:
        length = length_hint(source, _NONE)
    except (TypeError, ValueError):  # it tells nonsense
        return None
    return None if length == _NONE else length


class SeekableStream(ABC):
    """A stream over an object of a known size, as :class:`modules.ReadStream` has it; what is read is the subclass's.

    :param size: of the object, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._place = 0
        self._is_closed = False

    @abstractmethod
    def _read_at(self, place: int, size: int) -> bytes:
        """Return at least one byte and at most ``size`` from ``place`` on, where the object has that many."""

    @abstractmethod
    def _release(self) -> None:
        """Give back what the stream holds; called once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes, or all the rest if it is negative or None.

        :raises OSError: with ``errno.EIO``, the object is corrupt.
        """
        self._require_open()
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(_REST), b""))
        wanted = min(size, self._size - self._place)
        if wanted <= 0:
            return b""
        data = self._read_at(self._place, wanted)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to ``offset`` bytes from the start (0), from here (1) or from the end (2), and return the place."""
        self._require_open()
        if whence not in (0, 1, 2):
            raise ValueError(f"whence is {whence}, and not 0, 1 or 2")
        place = offset + (0, self._place, self._size)[whence]
        if place < 0:
            raise ValueError(f"{place} is before the start")
        self._place = place
        return place

    def tell(self) -> int:
        """Return the place, in bytes from the start."""
        self._require_open()
        return self._place

    def close(self) -> None:
        """Close the stream. Closing twice is no error."""
        if not self._is_closed:
            self._is_closed = True
            self._release()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._is_closed

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise ValueError("the stream is closed")
