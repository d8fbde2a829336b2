"""The manifest of an object: which chunks it is made of, and where they are. Pure functions.

A manifest has a head of fixed size, which tells the size of the object; a table of the *leaves*, each of which is
a table of chunks and lies in a pack as chunks do; and the last leaf itself. So it stays small however large the
object is. docs/formats/dedup.md has the bytes.
"""

import errno
import functools
import hmac
import struct
from bisect import bisect_right
from typing import NamedTuple

from blake3 import blake3

__all__ = [
    "CHUNK_LIMIT",
    "HEAD_SIZE",
    "KEY_SIZE",
    "LEAF_CHUNKS",
    "Head",
    "Manifest",
    "Record",
    "Table",
    "bound_to",
    "decode",
    "decode_head",
    "encode",
    "hash_chunk",
    "hash_leaf",
    "seed_of",
]

KEY_SIZE = 32  # bytes
#: The longest chunk, in bytes.
CHUNK_LIMIT = 128 * 1024
#: Chunks in a leaf that is full.
LEAF_CHUNKS = 1024
_LEAF_LIMIT = 8 * 1024 * 1024  # bytes: 1024 chunks, each in a pack with a module_data of 4 KiB, are half of that
_LIMIT = 64 * 1024 * 1024  # bytes of a manifest: objects of 10 TiB and more

_MAGIC = b"dedup\x00\x01\n"
_HEAD = struct.Struct(">8s32s32s16sQII32s32s")
_SIGNED = _HEAD.size - 32
HEAD_SIZE = _HEAD.size

_COUNTS = struct.Struct(">II")
_LENGTH = struct.Struct(">H")
_RECORD = struct.Struct(">32sIIIQ")


class Head(NamedTuple):
    """What a manifest begins with."""

    key: bytes
    version: bytes  #: a number that this data of this object has, and nothing else
    size: int  #: of the object, in bytes
    leaves: int  #: bytes of the table of leaves
    tail: int  #: bytes of the last leaf
    digest: bytes  #: of both


class Record(NamedTuple):
    """A part of an object: a chunk or a leaf."""

    hash: bytes
    pack: int  #: which of the table's packs it lies in
    place: int  #: bytes from the start of the pack
    size: int  #: bytes in the pack
    end: int  #: where it ends in what the table describes, in bytes


class Table:
    """Parts in order, and the packs in which they lie, by their ``module_data``."""

    def __init__(self) -> None:
        self.packs: list[str] = []
        self.records: list[Record] = []
        self.end = 0
        self._numbers: dict[str, int] = {}

    def add(self, digest: bytes, pack: str, place: int, size: int, span: int) -> None:
        """Add a part.

        :param span: how many bytes of the object it describes.
        """
        number = self._numbers.get(pack)
        if number is None:
            number = self._numbers[pack] = len(self.packs)
            self.packs.append(pack)
        self.end += span
        self.records.append(Record(digest, number, place, size, self.end))

    def find(self, place: int) -> tuple[Record, int]:
        """Return the part that the byte ``place`` lies in, and where that begins."""
        index = bisect_right(self.records, place, key=_end)
        return self.records[index], self.records[index - 1].end if index else 0

    def encode(self) -> bytes:
        """Return the table as bytes."""
        texts = [pack.encode() for pack in self.packs]
        parts = [_COUNTS.pack(len(texts), len(self.records))]
        for text in texts:
            parts += (_LENGTH.pack(len(text)), text)
        parts += [_RECORD.pack(*record) for record in self.records]
        return b"".join(parts)


class Manifest(NamedTuple):
    """A whole manifest."""

    head: Head
    leaves: Table
    tail: Table


def encode(key: bytes, bound: bytes, version: bytes, leaves: Table, tail: Table) -> bytes:
    """Return a manifest as bytes.

    :param bound: of :func:`bound_to`.
    :raises OSError: with ``errno.EFBIG``, the object is too large.
    """
    first, last = leaves.encode(), tail.encode()
    if len(first) > _LIMIT:
        raise OSError(errno.EFBIG, "the object has too many chunks for one manifest")
    body = _digest(key, "body", first, last)
    size = leaves.end + tail.end
    signed = _HEAD.pack(_MAGIC, key, bound, version, size, len(first), len(last), body, bytes(32))[:_SIGNED]
    return b"".join((signed, _digest(key, "head", signed), first, last))


def decode_head(data: bytes, inner: str) -> Head:
    """Return the head of a manifest.

    :param data: its first :data:`HEAD_SIZE` bytes.
    :param inner: the ``module_data`` under which it is kept.
    :raises ValueError: it is none, or that of another object, or was altered.
    """
    if len(data) != HEAD_SIZE or not data.startswith(_MAGIC):
        raise ValueError("no manifest")
    _, key, bound, version, size, leaves, tail, body, digest = _HEAD.unpack(data)
    if not hmac.compare_digest(digest, _digest(key, "head", data[:_SIGNED])):
        raise ValueError("the head of the manifest was altered")
    if not hmac.compare_digest(bound, bound_to(key, inner)):
        raise ValueError("the manifest is that of another object")
    if leaves > _LIMIT or tail > _LEAF_LIMIT:
        raise ValueError("the manifest is too long")
    return Head(key, version, size, leaves, tail, body)


def decode(head: Head, body: bytes) -> Manifest:
    """Return a whole manifest.

    :param body: all that follows the head.
    :raises ValueError: it was altered.
    """
    if len(body) != head.leaves + head.tail:
        raise ValueError("the manifest is shorter or longer than its head says")
    first, last = body[: head.leaves], body[head.leaves :]
    if not hmac.compare_digest(head.digest, _digest(head.key, "body", first, last)):
        raise ValueError("the manifest was altered")
    leaves, tail = decode_table(first, is_leaf=False), decode_table(last, is_leaf=True)
    if leaves.end + tail.end != head.size:
        raise ValueError("the chunks of the manifest do not add up to the object")
    return Manifest(head, leaves, tail)


def decode_table(data: bytes, *, is_leaf: bool) -> Table:
    """Return the table that ``data`` is.

    :param is_leaf: whether it is of chunks, and not of leaves.
    :raises ValueError: it is none.
    """
    try:
        packs, records = _COUNTS.unpack_from(data)
        place, table = _COUNTS.size, Table()
        for _ in range(packs):
            (length,) = _LENGTH.unpack_from(data, place)
            place += _LENGTH.size + length
            table.packs.append(data[place - length : place].decode())
    except (struct.error, UnicodeDecodeError):
        raise ValueError("no table of chunks") from None
    if place + records * _RECORD.size != len(data) or (is_leaf and records > LEAF_CHUNKS):
        raise ValueError("no table of chunks")
    for record in map(Record._make, _RECORD.iter_unpack(memoryview(data)[place:])):
        span = record.end - table.end
        is_sound = record.size == span <= CHUNK_LIMIT if is_leaf else record.size <= _LEAF_LIMIT
        if not is_sound or span <= 0 or not record.size or record.pack >= packs:
            raise ValueError("no table of chunks")
        table.records.append(record)
        table.end = record.end
    return table


def bound_to(key: bytes, inner: str) -> bytes:
    """Return what binds a manifest to the ``module_data`` under which it is kept."""
    return _digest(key, "bound", inner.encode())


def hash_chunk(key: bytes, data: bytes | memoryview) -> bytes:
    """Return the keyed hash of a chunk: BLAKE3, as all of them here."""
    return blake3(data, key=_key_for(key, "chunk")).digest()


def hash_leaf(key: bytes, data: bytes) -> bytes:
    """Return the keyed hash of a leaf."""
    return _digest(key, "leaf", data)


def seed_of(key: bytes) -> int:
    """Return the seed by which data is cut, of 63 bits, and not 0."""
    return int.from_bytes(_key_for(key, "cut")[:8]) >> 1 | 1


def _digest(key: bytes, purpose: str, *parts: bytes) -> bytes:
    digest = blake3(key=_key_for(key, purpose))
    for part in parts:
        digest.update(part)
    return digest.digest()


@functools.lru_cache(32)
def _key_for(key: bytes, purpose: str) -> bytes:
    """Return the key for one purpose, derived as BLAKE3 has it."""
    return blake3(key, derive_key_context=f"storage-modules 2026 dedup {purpose}").digest()


def _end(record: Record) -> int:
    return record.end
