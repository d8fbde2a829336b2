"""A module that compresses what it is given, in the zstd seekable format, and keeps it in another module."""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, ClassVar

from modules import Context, ReadStream, Source
from stacked.base import StackedModule
from stacked.seektable import Frame, SeekTable, TableWriter, corrupt, frame_at, frame_size, frame_start
from stacked.streams import BlockSource, SeekableStream, read_full

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["CompressedStorage"]

_LEVELS = range(1, 20)
_WORTH = 0.97  # what must become smaller than that part of it is compressed, and else left as it is
_PROBED = 10  # the first level that is slow on what cannot be compressed: see docs/decisions/012-stacked.md
_AS_IT_IS = -131072  # the level at which nothing is looked for
_KEPT = 8  # compressors for the next calls: as many as threads of a process commonly are at work

_MAGIC = b"\x28\xb5\x2f\xfd"
_HAS_CHECKSUM = 0x04  # in the byte behind it
_CHECKSUM_SIZE = 4  # bytes at the end of a frame
_LIMITS: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 20}  # the largest frame has 1 MiB


class CompressedStorage(StackedModule):
    """A module that keeps its objects in one other, compressed.

    :param store: the name under which the module below is configured; in Python, it may be that module.
    :param level: of zstd, from 1, which is quick, to 19, which compresses most.
    :raises ValueError: an argument is missing, unknown or wrong.
    """

    layer = "compression"
    defeats: ClassVar[Mapping[str, str]] = {
        "dedup": "after a change all that follows in a frame is compressed to other bytes, so nothing is found twice"
    }

    def __init__(self, store: Any = None, level: Any = 3, **unknown: Any) -> None:
        super().__init__(store, **unknown)
        if type(level) is not int or level not in _LEVELS:
            raise ValueError(f"level: {level!r} is not a whole number from 1 (quick) to 19 (small)")
        self._level = level
        self._idle: deque[_Compressor] = deque(maxlen=_KEPT)
        self._saved: dict[int, _Saved] = {}

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        inner, table = self.opened(module_data).inner, TableWriter()
        try:
            compressor = self._idle.pop()
        except IndexError:
            compressor = _Compressor(self._level)
        source = BlockSource(compressor.blocks(stream, table))
        self.below(context).assign(inner, source)
        source.require_end()
        self._idle.append(compressor)  # not after an error: then it may be anywhere in a frame
        self._of_this_process().add(table.size, table.packed)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        inner = super().get_read_stream(context, module_data)
        try:
            return _Decompressed(inner)
        except BaseException:
            inner.close()
            raise

    def get_size(self, context: Context, module_data: str) -> int:
        inner = super().get_read_stream(context, module_data)
        try:
            return SeekTable(inner).size
        finally:
            inner.close()

    def figures(self) -> Mapping[str, Any]:
        taken, kept = self._of_this_process().figures()
        return {"level": self._level, "since_start": {"taken": taken, "kept": kept}}

    def _of_this_process(self) -> "_Saved":
        # By process, for a fork copies the figures, and the lock as it is.
        return self._saved.setdefault(os.getpid(), _Saved())


class _Saved:
    """How many bytes were taken and kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = self._kept = 0

    def add(self, taken: int, kept: int) -> None:
        """Count an object."""
        with self._lock:
            self._taken += taken
            self._kept += kept

    def figures(self) -> tuple[int, int]:
        """Return both."""
        with self._lock:
            return self._taken, self._kept


class _Compressor:
    """Makes frames, for one call at a time. To make one of these costs as much as to compress some kilobytes."""

    def __init__(self, level: int) -> None:
        self._probe = _context(1) if level >= _PROBED else None
        self._context = _context(level)
        self._as_it_is = _context(_AS_IT_IS)

    def blocks(self, stream: Source, table: TableWriter) -> Iterator[bytes]:
        """Return the compressed object in pieces: its frames, each noted in ``table``, and what follows them."""
        for number in count():
            data = read_full(stream, frame_size(number))
            if not data:
                break
            frame = self.frame(data)
            table.add(len(frame), len(data), int.from_bytes(frame[-_CHECKSUM_SIZE:], "little"))
            yield frame
            if len(data) < frame_size(number):
                break
        yield from table.blocks()

    def frame(self, data: bytes) -> bytes:
        """Return a frame of ``data``, which is left as it is where compression is not worth it."""
        frame = _frame(self._probe or self._context, data)
        if self._probe is not None and len(frame) < len(data) * _WORTH:
            frame = _frame(self._context, data)
        # A frame that is not smaller is of blocks that are left as they are, by zstd itself.
        is_worth = len(frame) < len(data) * _WORTH or len(frame) >= len(data)
        return frame if is_worth else _frame(self._as_it_is, data)


class _Decompressed(SeekableStream):
    """What was compressed. It holds one frame.

    :param inner: the compressed object, which is closed with the stream.
    :raises OSError: with ``errno.EIO``, it is corrupt.
    """

    def __init__(self, inner: ReadStream) -> None:
        self._inner = inner
        self._table = SeekTable(inner)
        self._number = -1
        self._data = b""
        super().__init__(self._table.size)

    def _read_at(self, place: int, size: int) -> bytes:
        number = frame_at(place)
        if number != self._number:
            frame = self._table.frame(number)
            self._data = _data_of(frame, self._table.bytes_at(frame.offset, frame.packed))
            self._number = number
        start = place - frame_start(number)
        return self._data[start : start + size]

    def _release(self) -> None:
        self._data = b""
        self._inner.close()


def _context(level: int) -> zstd.ZstdCompressor:
    """Return a context in which frames of a level are made, each with a checksum at its end."""
    parameter = zstd.CompressionParameter
    return zstd.ZstdCompressor(options={parameter.compression_level: level, parameter.checksum_flag: 1})


def _frame(context: zstd.ZstdCompressor, data: bytes) -> bytes:
    """Return ``data`` as a frame whose header has its size."""
    context.set_pledged_input_size(len(data))
    return context.compress(data, context.FLUSH_FRAME)


def _data_of(frame: Frame, packed: bytes) -> bytes:
    """Return the data of a frame, having compared its size and its checksum with what the table says.

    :raises OSError: with ``errno.EIO``, it is another frame, or corrupt.
    """
    checksum = packed[-_CHECKSUM_SIZE:]
    if int.from_bytes(checksum, "little") != frame.checksum or packed[: len(_MAGIC)] != _MAGIC:
        raise corrupt("a frame is not the one of the seek table")
    try:
        # The size is compared before anything is decompressed, and the checksum, if the frame has one, behind it.
        if zstd.get_frame_info(packed).decompressed_size != frame.size or not packed[len(_MAGIC)] & _HAS_CHECKSUM:
            raise corrupt("the header of a frame does not agree with the seek table")
        decompressor = zstd.ZstdDecompressor(options=_LIMITS)
        data = decompressor.decompress(packed, frame.size + 1)
    except zstd.ZstdError as error:
        raise corrupt(f"a frame cannot be decompressed: {error}") from None
    if len(data) != frame.size or not decompressor.eof or decompressor.unused_data:
        raise corrupt("a frame is longer or shorter than the seek table says")
    return data
