"""Checksums of objects: taken while they are written, kept with them, and compared when they are read.

What is kept is a text of three words, such as ``crc32 89abcdef 4096``: the algorithm, the sum in
hexadecimal digits, and the size of the object in bytes. docs/formats/checksum.md has all of it, and
docs/decisions/008-checksum.md what was measured.
"""

import importlib
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

__all__ = ["ALGORITHMS", "ATTRIBUTE", "LIMIT", "NONE", "Kept", "Sum", "is_whole", "parse", "sum_of"]

#: The extended attribute of an object's file that has the text.
ATTRIBUTE = "user.fsstore.checksum"
#: The longest text, in bytes.
LIMIT = 64
#: What stands for an algorithm where no sum is to be taken.
NONE = "none"

_TEXT = re.compile(rb"([a-z0-9]{1,16}) ([0-9a-f]{8,32}|-) ([0-9]{1,19})\n?")


class Sum(Protocol):
    """A checksum in the making."""

    def update(self, block: bytes | memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


class Kept(NamedTuple):
    """What was kept of an object when it was stored."""

    algorithm: str
    digest: str
    size: int

    def text(self) -> bytes:
        return f"{self.algorithm} {self.digest} {self.size}".encode()


class _Crc32:
    """CRC-32 (ISO 3309, ITU-T V.42), as zlib has it."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0

    def update(self, block: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(block, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def _xxh3() -> Sum:
    """XXH3, 64 bits (xxhash.com), of the package xxhash."""
    made: Sum = importlib.import_module("xxhash").xxh3_64()
    return made


#: How a sum is begun, by the name of its algorithm.
ALGORITHMS: dict[str, Callable[[], Sum]] = {"crc32": _Crc32, "xxh3": _xxh3}


def sum_of(algorithm: str) -> Sum | None:
    """Begin a sum; None where the algorithm is not known here, or its package is missing."""
    make = ALGORITHMS.get(algorithm)
    try:
        return None if make is None else make()
    except ImportError:
        return None


def is_whole(text: bytes, block: bytes | memoryview) -> bool:
    """Tell whether ``text`` is known to be kept of the object that ``block`` is; quick, for small objects.

    False says nothing: then it is to be found out the long way.
    """
    if text[:1] == b"c":
        return text == b"crc32 %08x %d" % (zlib.crc32(block), len(block))
    return text == b"none - %d" % len(block)


def parse(text: bytes) -> Kept | None:
    """Read what :meth:`Kept.text` wrote; None if it is none, for the file may be anybody's."""
    match = _TEXT.fullmatch(text)
    return None if match is None else Kept(match[1].decode(), match[2].decode(), int(match[3]))
