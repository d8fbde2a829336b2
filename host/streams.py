"""Parts of objects on their way to a client, or into another object."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from host.errors import Failed

__all__ = ["Source", "Spliced", "Window"]

_NOTHING: AbstractContextManager[None] = nullcontext()


class Stream(Protocol):
    """What is read."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, place: int, /) -> object: ...
    def close(self) -> None: ...


class Source(Protocol):
    """What is read from its begin to its end."""

    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class Window:
    """``length`` bytes of a stream, and not one less: a stream that ends early is an error.

    :param ahead: bytes that are read at once, so that what is wrong with a small object shows before it is sent. A
        stream that is through then is closed, too.
    :param calling: what is put around each later read of the stream.
    :param closing: and around its end.
    """

    def __init__(
        self,
        stream: Stream,
        first: int,
        length: int,
        ahead: int = 0,
        calling: AbstractContextManager[None] = _NOTHING,
        closing: AbstractContextManager[None] = _NOTHING,
    ) -> None:
        self._stream: Stream | None = stream
        self._calling = self._closing = _NOTHING
        self._left = length
        self._ahead = b""
        try:
            if first:
                stream.seek(first)
            blocks = []
            while ahead > 0 and self._left:  # a read may be short
                blocks.append(self._read(ahead))
                ahead -= len(blocks[-1])
            self._ahead = blocks[0] if len(blocks) == 1 else b"".join(blocks)
            if not self._left:
                self.close()
        except BaseException:
            self.close()
            raise
        self._calling, self._closing = calling, closing

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, all the rest if it is negative."""
        if size < 0:
            return b"".join(iter(lambda: self.read(self._left + len(self._ahead)), b""))
        return self._take(size) if self._ahead else self._read(size)

    def close(self) -> None:
        """Close the stream."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with self._closing:
                stream.close()

    def _take(self, size: int) -> bytes:
        data = self._ahead
        if size >= len(data):
            self._ahead = b""
            return data
        self._ahead = data[size:]
        return data[:size]

    def _read(self, size: int) -> bytes:
        size = min(size, self._left)
        if not size:
            return b""
        if self._stream is None:
            raise ValueError("the stream is closed")
        with self._calling:
            data = self._stream.read(size)
        if not data:
            raise Failed(f"the storage module's stream ended {self._left} bytes early")
        if len(data) > size:
            raise Failed(f"the storage module's stream gave {len(data)} bytes where {size} were asked for")
        self._left -= len(data)
        return data


class Spliced:
    """Sources one after the other, each opened when it is its turn; a number is of zeros."""

    def __init__(self, parts: Sequence[Callable[[], Source] | int]) -> None:
        self._parts = list(parts)
        self._open: Source | None = None

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; ``b""`` at the end of all."""
        while self._parts:
            if data := self._next(size):
                return data
            self._parts.pop(0)
        return b""

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _next(self, size: int) -> bytes:
        part = self._parts[0]
        if isinstance(part, int):
            self._parts[0] = part - min(part, size)
            return bytes(min(part, size))
        if self._open is None:
            self._open = part()
        data = self._open.read(size)
        if not data:
            self.close()
        return data
