"""The format of compressed objects once more, by its page alone: to read them, and to make wrong ones."""

import struct
import sys
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import NamedTuple
from unittest import mock

import stacked.seektable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Entry", "entries_of", "forged", "of_small_frames", "zstd", "zstd_frames"]

_NOTHING = 0x51D8E999  # the lower half of XXH64 of no data: printf '' | xxh64sum


class Entry(NamedTuple):
    """An entry of the seek table."""

    packed: int
    size: int
    checksum: int


def of_small_frames() -> AbstractContextManager[object]:
    """Make frames of 64 to 512 bytes, in groups of four: so small objects have all that large ones have."""
    return mock.patch.multiple(stacked.seektable, _SMALLEST=64, _STEP=8, _GROUP=4, _TAIL=150)


def entries_of(data: bytes) -> list[Entry]:
    """Return the seek table of a file, as zstd's page on the seekable format has it."""
    count, descriptor, magic = struct.unpack("<IBI", data[-9:])
    if (descriptor, magic) != (0x80, 0x8F92EAB1):
        raise AssertionError(f"the footer is {data[-9:].hex()}")
    table = data[-9 - 12 * count - 8 :]
    if struct.unpack("<II", table[:8]) != (0x184D2A5E, len(table) - 8):
        raise AssertionError(f"the table begins with {table[:8].hex()}")
    return [Entry(*numbers) for numbers in struct.iter_unpack("<III", table[8:-9])]


def zstd_frames(data: bytes) -> list[bytes]:
    """Return the frames of a file, with that of the summary and without that of the table."""
    packed = [entry.packed for entry in entries_of(data)]
    starts = list(accumulate(packed, initial=0))
    return [data[start : start + size] for start, size in zip(starts, packed, strict=False)]


def forged(
    frames: bytes, entries: Sequence[Entry], size: int, ends: Sequence[int] | None = None, group: int = 1024
) -> bytes:
    """Return a file whose checksums are right, of whatever frames and numbers; ``ends`` are those of the groups."""
    groups = [
        b"".join(struct.pack("<III", *e) for e in entries[at : at + group]) for at in range(0, len(entries), group)
    ]
    sums = list(accumulate((e.packed for e in entries), initial=0))
    if ends is None:
        ends = [sums[min((at + 1) * group, len(entries))] for at in range(len(groups))]
    body = struct.pack(f"<4sQ{len(ends)}Q", b"sum1", size, *ends)
    summary = struct.pack("<II", 0x184D2A5D, len(body) + 4) + body + struct.pack("<I", zlib.crc32(body))
    table = b"".join(groups) + struct.pack("<III", len(summary), 0, _NOTHING)
    footer = struct.pack("<IBI", len(entries) + 1, 0x80, 0x8F92EAB1)
    return frames + summary + struct.pack("<II", 0x184D2A5E, len(table) + 9) + table + footer
