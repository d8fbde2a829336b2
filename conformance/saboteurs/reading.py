"""Saboteurs of get_read_stream."""

import io
import os
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage, MemoryStream
from conformance.saboteurs.registry import killed_by
from modules import Context, ReadStream, Source

__all__: list[str] = []


@killed_by("test_a_stream_begins_at_the_first_byte")
class BeginsAtTheEnd(MemoryStorage):
    """Hands out what it has just written, without going back to the start."""

    def open(self, data: bytes) -> ReadStream:
        stream = MemoryStream(data)
        stream.seek(0, 2)
        return stream


class _OwnStream(MemoryStorage):
    stream: Callable[[bytes], ReadStream]

    def open(self, data: bytes) -> ReadStream:
        return type(self).stream(data)


@killed_by("test_a_read_without_a_size_gives_all_the_rest")
class GivesABlockForAll(_OwnStream):
    """Gives no more than a block, even when all the rest is asked for."""

    class stream(MemoryStream):  # noqa: N801
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(65536 if size is None or size < 0 else size)


@killed_by("test_a_read_gives_no_more_than_asked_for")
class GivesWholeBlocks(_OwnStream):
    """Gives the block that it has, which is longer than what was asked for."""

    class stream(MemoryStream):  # noqa: N801
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(max(size, 4096) if size and size > 0 else size)


@killed_by("test_a_read_past_the_end_gives_what_is_there")
class PadsTheLastBlock(_OwnStream):
    """Fills the last block up with zeros."""

    class stream(MemoryStream):  # noqa: N801
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            return data.ljust(size, b"\0") if data and size and size > 0 else data


@killed_by("test_a_read_of_nothing_gives_nothing")
class TakesNoughtForAll(_OwnStream):
    """Asks `if size`."""

    class stream(MemoryStream):  # noqa: N801
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(size or -1)


@killed_by("test_seek_goes_from_all_three_places")
class TakesRelativeForAbsolute(_OwnStream):
    """Knows one way to seek, from the start."""

    class stream(MemoryStream):  # noqa: N801
        def seek(self, offset: int, whence: int = 0, /) -> int:
            return super().seek(abs(offset), 0)


@killed_by("test_seek_returns_the_new_place")
class ReturnsTheOffset(_OwnStream):
    """Returns what it was given, not where it went."""

    class stream(MemoryStream):  # noqa: N801
        def seek(self, offset: int, whence: int = 0, /) -> int:
            super().seek(offset, whence)
            return offset


@killed_by("test_seek_past_the_end_is_allowed")
class RefusesPastTheEnd(_OwnStream):
    """Refuses a place that holds nothing."""

    class stream(MemoryStream):  # noqa: N801
        def seek(self, offset: int, whence: int = 0, /) -> int:
            place = super().seek(offset, whence)
            if place > len(self.getbuffer()):
                raise ValueError("past the end")
            return place


@killed_by("test_seek_before_the_start_is_refused")
class ClampsAtTheStart(_OwnStream):
    """Goes to the start instead, as io.BytesIO does from here and from the end."""

    stream = io.BytesIO


@killed_by("test_a_closed_stream_refuses")
class NeverCloses(_OwnStream):
    """Closes nothing, and so holds what it has."""

    class stream(MemoryStream):  # noqa: N801
        def close(self) -> None:
            return None


@killed_by("test_closing_twice_is_no_error")
class FailsToCloseTwice(_OwnStream):
    """Gives back what it holds, and then again what it does not hold any more."""

    class stream(MemoryStream):  # noqa: N801
        def close(self) -> None:
            self.seek(0)
            super().close()


@killed_by("test_several_streams_have_a_place_each")
class SharesOneStream(MemoryStorage):
    """Keeps a stream for each object, and gives everybody the same."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.streams: dict[bytes, MemoryStream] = {}

    def open(self, data: bytes) -> ReadStream:
        stream = self.streams.get(data)
        if stream is None or stream.closed:
            stream = self.streams[data] = MemoryStream(data)
        stream.seek(0)
        return stream


class _Lent:
    """A place of its own in a file that all streams of an object share, and nothing to guard that."""

    def __init__(self, file: MemoryStream) -> None:
        self._file = file
        self._place = 0
        self._closed = False

    def read(self, size: int = -1, /) -> bytes:
        if self._closed:
            raise ValueError("closed")
        self._file.seek(self._place)
        time.sleep(0.001)  # where another thread comes in
        data = self._file.read(size)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self._closed:
            raise ValueError("closed")
        if whence == 1:
            offset += self._place
        self._place = self._file.seek(offset, 0 if whence == 1 else whence)
        return self._place

    def close(self) -> None:
        self._closed = True


@killed_by("test_streams_are_read_by_threads_at_once")
class SharesAFile(MemoryStorage):
    """Has one open file for all streams of an object: it seeks, and then another thread does."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.files: dict[bytes, MemoryStream] = {}

    def open(self, data: bytes) -> ReadStream:
        return _Lent(self.files.setdefault(data, MemoryStream(data)))


class _Live(MemoryStream):
    """A stream that looks again for the object whenever it reads."""

    def __init__(self, find: Callable[[], bytes]) -> None:
        super().__init__(find())
        self._find = find

    def read(self, size: int | None = -1, /) -> bytes:
        place = self.tell()
        data = self._find()
        super().seek(0)
        self.truncate()
        self.write(data)
        super().seek(place)
        return super().read(size)


@killed_by("test_an_open_stream_does_not_see_an_assign")
class ReadsWhatIsThereNow(MemoryStorage):
    """Asks for every range anew, and not for the version that it began with."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        last = [self.find(module_data)]

        def find() -> bytes:
            last[0] = self.objects.get(module_data, last[0])
            return last[0]

        return _Live(find)


@killed_by("test_an_open_stream_outlives_a_delete")
class StopsWhenDeleted(MemoryStorage):
    """Fails in the middle of a download because somebody has deleted the object."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        data = self.find(module_data)

        def find() -> bytes:
            self.find(module_data)
            return data

        return _Live(find)


class _Behind:
    """A file behind a header, whose descriptor has the header too."""

    def __init__(self, path: str, header: int) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 (close closes it)
        self._header = header
        self.seek(0)

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        start = self._header if whence == 0 else 0
        if whence == 0 and offset < 0:
            raise ValueError("a place before the start")
        before = self._file.tell()
        place = self._file.seek(offset + start, whence) - self._header
        if place < 0:
            self._file.seek(before)
            raise ValueError("a place before the start")
        return place

    def close(self) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()


@killed_by("test_a_file_descriptor_has_the_object_and_nothing_else")
class HasAHeader(DirectoryStorage):
    """Keeps a header before the data, and offers a descriptor nevertheless."""

    header = b"version 1\n"

    def copy(self, stream: Source, file: BinaryIO) -> None:
        file.write(self.header)
        super().copy(stream, file)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return _Behind(self.path(module_data), len(self.header))

    def get_size(self, context: Context, module_data: str) -> int:
        return super().get_size(context, module_data) - len(self.header)


@killed_by("test_what_is_absent_cannot_be_read")
class ReadsAbsentAsEmpty(MemoryStorage):
    """Gives an empty stream where there is nothing."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return self.open(self.objects.get(self.check(module_data), b""))


@killed_by("test_a_delete_while_others_read_is_clean")
class LooksBeforeItOpens(DirectoryStorage):
    """Looks whether the file is there, and is surprised when it then is not."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        path = self.path(module_data)
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        time.sleep(0.005)  # where another thread deletes it
        try:
            return open(path, "rb")
        except OSError:
            raise AssertionError("cannot happen") from None
