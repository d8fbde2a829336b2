"""A module that fails in every way, when it is told to: for what stands on several."""

import threading
from collections.abc import Callable
from typing import Any

from modules import Context, ReadStream, Source, StorageModule
from stacked.base import StackedModule
from tests.sources import Breaking

__all__ = ["Moody"]


class Moody(StackedModule):
    """A module on another one that does what its ``mood`` says.

    ===========  =====================================================================
    ``""``       it works
    ``away``     everything raises
    ``late``     assign reads everything, and raises before anything is to be seen
    ``unsure``   assign does everything, and raises then
    ``lazy``     assign does nothing, and says that it did
    ``short``    assign keeps all but the last bytes
    ``deaf``     assign takes an error of its source for the end
    ``hangs``    assign reads a byte, and no more until ``go_on`` is set
    ``slow``     assign reads everything, and goes on to the end when ``go_on`` is set
    ``misses``   it says that it has nothing
    ``breaks``   a stream raises after 100 bytes
    ``ends``     a stream ends after 100 bytes
    ``flips``    a stream gives a wrong byte at the place 50
    ``stays``    delete raises
    ===========  =====================================================================
    """

    def __init__(self, store: StorageModule) -> None:
        super().__init__(store)
        self.mood = ""
        self.go_on = threading.Event()

    def new_data(self, context: Context) -> str:
        self._require()
        return super().new_data(context)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self._require()
        source: Source = _Watched(stream, self)
        if self.mood == "lazy":
            return
        if self.mood in ("late", "short", "slow"):
            data = b"".join(iter(lambda: stream.read(10_000), b""))
            source = Breaking(data, TimeoutError("late")) if self.mood == "late" else _Bytes(data)
            if self.mood == "short":
                source = _Bytes(data[:-5])
            if self.mood == "slow":
                self.go_on.wait(30)
        super().assign(context, module_data, source)
        if self.mood == "unsure":
            raise TimeoutError("unsure")

    def available(self, context: Context, module_data: str) -> bool:
        self._require()
        return self.mood != "misses" and super().available(context, module_data)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        self._require()
        if self.mood == "misses":
            raise FileNotFoundError("it misses it")
        stream = super().get_read_stream(context, module_data)
        return _Stream(stream, self)

    def delete(self, context: Context, module_data: str) -> None:
        self._require()
        if self.mood == "stays":
            raise PermissionError("it stays")
        super().delete(context, module_data)

    def get_size(self, context: Context, module_data: str) -> int:
        self._require()
        return super().get_size(context, module_data)

    def statistics(self, context: Context) -> Any:
        self._require()
        return super().statistics(context)

    def _require(self) -> None:
        if self.mood == "away":
            raise ConnectionError("it is away")


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


class _Watched:
    """A source that hangs, or whose errors are taken for its end."""

    def __init__(self, stream: Source, module: Moody) -> None:
        self._stream = stream
        self._module = module

    def read(self, size: int = -1, /) -> bytes:
        if self._module.mood == "hangs":
            self._stream.read(1)
            self._module.go_on.wait(30)
        try:
            return self._stream.read(size)
        except Exception:
            if self._module.mood == "deaf":
                return b""
            raise


class _Stream:
    """A stream which fails as the mood of its module is when it reads."""

    def __init__(self, stream: ReadStream, module: Moody) -> None:
        self._stream = stream
        self._module = module
        self._place = 0
        self.seek: Callable[..., int] = self._seek
        self.close = stream.close

    def read(self, size: int = -1, /) -> bytes:
        mood, place = self._module.mood, self._place
        if mood == "away" or (mood == "breaks" and place >= 100):
            raise ConnectionError("it is away")
        if mood in ("breaks", "ends") and place < 10_000:
            size = max(0, min(size, 100 - place))
        data = self._stream.read(size)
        self._place += len(data)
        if mood == "flips" and place <= 50 < self._place:
            data = data[: 50 - place] + bytes([data[50 - place] ^ 1]) + data[51 - place :]
        return data

    def _seek(self, offset: int, whence: int = 0) -> int:
        self._place = self._stream.seek(offset, whence)
        return self._place
