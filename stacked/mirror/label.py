"""The label at the end of each copy in a mirror: which version of which object it is, and whether it is whole.

docs/formats/stacked.md has the format. It is at the end, where the size and the checksum of what came before are
known; so a copy that lacks its end is never taken for whole.
"""

import errno
import secrets
import struct
import zlib
from contextlib import suppress
from typing import NamedTuple, Self

from modules import ReadStream
from stacked.store import Inner
from stacked.streams import read_full

__all__ = ["SIZE", "DamagedError", "Label", "open_copy"]

_MAGIC = b"mirror1\n"
_FIELDS = struct.Struct(">8sQQ16s16sI")  # magic, size, turn, version, object, CRC-32 of the data
_SUM = struct.Struct(">I")  # CRC-32 of these fields

#: Bytes of a label.
SIZE = _FIELDS.size + _SUM.size
_LARGEST = 2**63 - 1 - SIZE  # bytes


class DamagedError(OSError):
    """A copy that is there, and is none: what lies there is cut short, changed, or of another object."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EIO, reason)


class Label(NamedTuple):
    """What a label tells. Of two versions the one with the higher turn is the newer one."""

    turn: int
    version: bytes  #: 16 random bytes, other ones for each assign
    size: int  #: bytes of the data
    crc: int  #: CRC-32 of the data
    object: bytes  #: 16 bytes that tell the object

    @classmethod
    def new(cls, turn: int, size: int, crc: int, object_: bytes) -> Self:
        """Return the label of a new version."""
        return cls(turn, secrets.token_bytes(16), size, crc, object_)

    def encode(self) -> bytes:
        """Return the bytes of the label."""
        fields = _FIELDS.pack(_MAGIC, self.size, self.turn, self.version, self.object, self.crc)
        return fields + _SUM.pack(zlib.crc32(fields))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what :meth:`encode` made ``data`` of.

        :raises DamagedError: nothing.
        """
        if len(data) != SIZE or _SUM.unpack(data[_FIELDS.size :])[0] != zlib.crc32(data[: _FIELDS.size]):
            raise DamagedError("the copy has no label at its end: it is cut short or changed")
        magic, size, turn, version, object_, crc = _FIELDS.unpack(data[: _FIELDS.size])
        if magic != _MAGIC or size > _LARGEST:
            raise DamagedError("the label of the copy is of another format")
        return cls(turn, version, size, crc, object_)


def open_copy(inner: Inner, module_data: str, object_: bytes) -> tuple[ReadStream, Label]:
    """Open a copy, at its first byte, and read its label.

    :raises FileNotFoundError: there is none.
    :raises DamagedError: what is there is no copy of that object.
    """
    stream = inner.get_read_stream(module_data)
    try:
        label = _read(stream)
        if label.object != object_:
            raise DamagedError("the copy is of another object")
        stream.seek(0)
    except BaseException:
        with suppress(Exception):  # the first error says more
            stream.close()
        raise
    return stream, label


def _read(stream: ReadStream) -> Label:
    try:
        place = stream.seek(-SIZE, 2)
    except (ValueError, OSError) as error:  # before its start
        if stream.seek(0, 2) >= SIZE:
            raise
        raise DamagedError("the copy is shorter than a label") from error
    label = Label.decode(read_full(stream, SIZE))
    if place != label.size:
        raise DamagedError(f"the copy has {place} bytes, and had {label.size} when it was stored")
    return label
