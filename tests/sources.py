"""Sources of data that try a module's patience."""

import io

__all__ = ["Breaking", "OneByte"]


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
