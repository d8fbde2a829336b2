"""Where what lies in a compressed object: the seek table at its end, and the summary before it. No compression here.

The table is that of the zstd seekable format 0.1.0 (facebook/zstd, contrib/seekable_format). The table of a large
object is large: so that nobody has to read all of it, a skippable frame before it, the summary, holds the size of
the object, and for each group of entries where its frames end. docs/formats/compression.md has all of it.
"""

import errno
import struct
import zlib
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from modules import ReadStream
from stacked.streams import read_full

__all__ = ["Frame", "SeekTable", "TableWriter", "corrupt", "frame_at", "frame_size", "frame_start"]

_SMALLEST = 128 * 1024  # bytes of data in each of the first frames
_STEP = 8192  # frames, after which they are twice as large
_DOUBLINGS = 3  # and then no larger any more
_GROUP = 1024  # entries that are read together

_MOST_FRAMES = 2**27  # as the library of zstd has it, with the frame of the summary
_TABLE_MAGIC, _SUMMARY_MAGIC, _FOOTER_MAGIC = 0x184D2A5E, 0x184D2A5D, 0x8F92EAB1
_TAG = b"sum1"
_CHECKSUMS = 0x80  # the descriptor of a table whose entries hold them
_OF_NOTHING = 0x51D8E999  # the checksum of no data

_HEAD = struct.Struct("<II")  # of a skippable frame: magic number, size of what follows
_ENTRY = struct.Struct("<III")  # compressed size, size, checksum
_FOOTER = struct.Struct("<IBI")  # number of entries, descriptor, magic number
_TOTAL = struct.Struct("<4sQ")  # tag, size of the object
_SUM = struct.Struct("<Q")  # where the frames of a group end
_CRC = struct.Struct("<I")
_TAIL = 8192  # bytes that are read at once: the whole table of an object of up to 80 MB


class Frame(NamedTuple):
    """What the table says of a frame."""

    offset: int  #: where it begins, in bytes
    packed: int  #: its size, in bytes
    size: int  #: of its data, in bytes
    checksum: int  #: the lower 32 bits of XXH64 of its data


def corrupt(reason: str) -> OSError:
    """Return the error for an object that is not what was stored."""
    return OSError(errno.EIO, f"the compressed object is corrupt: {reason}")


def frame_size(number: int) -> int:
    """Return how many bytes of data the frame ``number`` has, if it is not the last one."""
    return _SMALLEST << min(number // _STEP, _DOUBLINGS)


def frame_start(number: int) -> int:
    """Return which byte of the object is the first one of the frame ``number``."""
    step = min(number // _STEP, _DOUBLINGS)
    return _SMALLEST * _STEP * ((1 << step) - 1) + (number - step * _STEP) * (_SMALLEST << step)


def frame_at(place: int) -> int:
    """Return the number of the frame that the byte ``place`` is in."""
    step = min((place // (_SMALLEST * _STEP) + 1).bit_length() - 1, _DOUBLINGS)
    return step * _STEP + (place - frame_start(step * _STEP)) // (_SMALLEST << step)


def _frames_of(size: int) -> int:
    """Return how many frames an object of ``size`` bytes has."""
    return frame_at(size - 1) + 1 if size else 0


def _groups_of(frames: int) -> int:
    return -(-frames // _GROUP)


def _summary_size(frames: int) -> int:
    return _HEAD.size + _TOTAL.size + _groups_of(frames) * _SUM.size + _CRC.size


class TableWriter:
    """Notes the frames of an object, in eight bytes each, and makes the summary and the table of them."""

    def __init__(self) -> None:
        self._packed = array("I")
        self._checksums = array("I")
        #: Bytes of data in all frames, and of the compressed object so far.
        self.size = self.packed = 0

    def add(self, packed: int, size: int, checksum: int) -> None:
        """Note the next frame: its size, that of its data, and the checksum.

        :raises OSError: with ``errno.EFBIG``, there are too many.
        """
        if len(self._packed) + 1 >= _MOST_FRAMES:
            raise OSError(errno.EFBIG, f"a compressed object has {self.size} bytes at most")
        self._packed.append(packed)
        self._checksums.append(checksum)
        self.size += size
        self.packed += packed

    def blocks(self) -> Iterator[bytes]:
        """Return what comes behind the frames, in pieces, which count as well."""
        for block in self._blocks():
            self.packed += len(block)
            yield block

    def _blocks(self) -> Iterator[bytes]:
        frames, end, sums = len(self._packed), 0, [_TOTAL.pack(_TAG, self.size)]
        for group in range(_groups_of(frames)):
            end += sum(self._packed[group * _GROUP : (group + 1) * _GROUP])
            sums.append(_SUM.pack(end))
        summary = b"".join(sums)
        yield _HEAD.pack(_SUMMARY_MAGIC, len(summary) + _CRC.size) + summary + _CRC.pack(zlib.crc32(summary))
        yield _HEAD.pack(_TABLE_MAGIC, (frames + 1) * _ENTRY.size + _FOOTER.size)
        for group in range(_groups_of(frames)):
            yield self._entries(group)
        yield _last_entry(frames) + _FOOTER.pack(frames + 1, _CHECKSUMS, _FOOTER_MAGIC)

    def _entries(self, group: int) -> bytes:
        first = group * _GROUP
        packed, checksums = self._packed[first : first + _GROUP], self._checksums[first : first + _GROUP]
        rows = enumerate(zip(packed, checksums, strict=True), first)
        return b"".join(_ENTRY.pack(size, _size_in(self.size, number), checksum) for number, (size, checksum) in rows)


class SeekTable:
    """The table of an object, of which as much is read as is asked for.

    The size is under a checksum. Where a frame lies is not, and need not be: the frame itself has one.

    :param stream: the compressed object.
    :raises OSError: with ``errno.EIO``, it is corrupt.
    """

    def __init__(self, stream: ReadStream) -> None:
        self._stream = stream
        self._end = stream.seek(0, 2)
        self._place = self._end
        self._tail_start = max(0, self._end - _TAIL)
        self._tail = self._read(self._tail_start, self._end - self._tail_start)
        self._frames = self._count()
        self._group = -1
        self._offsets: list[int] = []
        self._checksums: tuple[int, ...] = ()
        self._table_start = self._end - _FOOTER.size - (self._frames + 1) * _ENTRY.size
        #: Of the object, in bytes.
        self.size, self._sums = self._summary()

    def frame(self, number: int) -> Frame:
        """Return what the table says of a frame, of those that there are.

        :raises OSError: with ``errno.EIO``, it is corrupt.
        """
        group, at = divmod(number, _GROUP)
        if group != self._group:
            self._load(group)
        begin, end = self._offsets[at : at + 2]
        return Frame(begin, end - begin, _size_in(self.size, number), self._checksums[at])

    def bytes_at(self, place: int, size: int) -> bytes:
        """Return ``size`` bytes of the compressed object.

        :raises OSError: with ``errno.EIO``, there are fewer.
        """
        at = place - self._tail_start
        data = self._tail[at : at + size] if at >= 0 else self._read(place, size)
        if len(data) != size:
            raise corrupt("it is too short")
        return data

    def _read(self, place: int, size: int) -> bytes:
        if place != self._place:
            self._stream.seek(place)
        self._place = -1  # unknown, should the reading fail
        data = read_full(self._stream, size)
        self._place = place + len(data)
        return data

    def _count(self) -> int:
        """Return the number of frames, as the footer has it; there is room for the table of so many."""
        if len(self._tail) != self._end - self._tail_start or len(self._tail) < _ENTRY.size + _FOOTER.size:
            raise corrupt("it is too short")
        entries, descriptor, magic = _FOOTER.unpack(self._tail[-_FOOTER.size :])
        if magic != _FOOTER_MAGIC or descriptor != _CHECKSUMS or not 1 <= entries <= _MOST_FRAMES:
            raise corrupt("it does not end with a seek table")
        frames = int(entries) - 1
        if self._tail[-_ENTRY.size - _FOOTER.size : -_FOOTER.size] != _last_entry(frames):
            raise corrupt("the last entry of the seek table is wrong")
        if _summary_size(frames) + _HEAD.size + entries * _ENTRY.size + _FOOTER.size > self._end:
            raise corrupt("it is shorter than its seek table")
        return frames

    def _summary(self) -> tuple[int, bytes]:
        """Return the size of the object, and the sums of the groups."""
        length = _summary_size(self._frames)
        start = self._table_start - _HEAD.size - length
        data = self.bytes_at(start, length + _HEAD.size)
        of_table = _HEAD.pack(_TABLE_MAGIC, self._end - self._table_start)
        if data[: _HEAD.size] != _HEAD.pack(_SUMMARY_MAGIC, length - _HEAD.size) or data[length:] != of_table:
            raise corrupt("there is no summary before the seek table")
        summary = data[_HEAD.size : length - _CRC.size]
        tag, size = _TOTAL.unpack_from(summary)
        if tag != _TAG or data[length - _CRC.size : length] != _CRC.pack(zlib.crc32(summary)):
            raise corrupt("the summary is wrong")
        sums = summary[_TOTAL.size :]
        end = _SUM.unpack(sums[-_SUM.size :])[0] if sums else 0
        if _frames_of(size) != self._frames or end != start:
            raise corrupt("the summary and the seek table do not agree")
        return size, sums

    def _load(self, group: int) -> None:
        """Read the entries of a group."""
        first, count = group * _GROUP, min(_GROUP, self._frames - group * _GROUP)
        begin = _SUM.unpack_from(self._sums, (group - 1) * _SUM.size)[0] if group else 0
        (end,) = _SUM.unpack_from(self._sums, group * _SUM.size)
        data = self.bytes_at(self._table_start + first * _ENTRY.size, count * _ENTRY.size)
        numbers = struct.unpack(f"<{3 * count}I", data)
        packed, sizes, checksums = numbers[::3], numbers[1::3], numbers[2::3]
        full = frame_size(first)  # of the whole group, for frames become larger where a group begins
        offsets = list(accumulate(packed, initial=begin))
        if offsets[-1] != end or sizes != (full,) * (count - 1) + (_size_in(self.size, first + count - 1),):
            raise corrupt("the sizes in the seek table do not add up")
        if not 0 < min(packed) <= max(packed) <= full + full // 256 + 128:  # ZSTD_compressBound, and the checksum
            raise corrupt("a frame is larger than it can be")
        self._group, self._offsets, self._checksums = group, offsets, checksums


def _last_entry(frames: int) -> bytes:
    """Return the entry of the summary, as that is a frame, too."""
    return _ENTRY.pack(_summary_size(frames), 0, _OF_NOTHING)


def _size_in(size: int, number: int) -> int:
    """Return how many bytes of data a frame has in an object of ``size`` bytes."""
    return min(frame_size(number), size - frame_start(number))
