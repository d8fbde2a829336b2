"""Sources of data that try a module's patience."""

import io
from collections.abc import Sequence

__all__ = ["Breaking", "Endless", "OneByte", "Pieces"]


class OneByte:
    """Gives one byte a read, whatever is asked for, and can do nothing but read."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 1) if size >= 0 else 1)


class Breaking:
    """Gives ``data``, and then raises ``error``."""

    def __init__(self, data: bytes, error: Exception) -> None:
        self._data = io.BytesIO(data)
        self._error = error

    def read(self, size: int = -1, /) -> bytes:
        data = self._data.read(size)
        if not data:
            raise self._error
        return data


class Pieces:
    """Gives ``data`` in pieces of ``sizes`` bytes, which are begun anew when they are through."""

    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._data = io.BytesIO(data)
        self._sizes = sizes
        self._count = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._sizes[self._count % len(self._sizes)]
        self._count += 1
        return self._data.read(piece if size < 0 else min(piece, size))


class Endless:
    """Gives ``begin``, and then ``block`` again and again, up to ``total`` bytes; ``given`` counts them."""

    def __init__(self, begin: bytes, block: bytes, total: int) -> None:
        self._begin = begin
        self._block = block
        self._total = total
        self.given = 0

    def read(self, size: int, /) -> bytes:
        data, self._begin = (self._begin or self._block)[: min(size, self._total - self.given)], b""
        self.given += len(data)
        return data
