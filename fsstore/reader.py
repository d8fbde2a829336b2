"""The stream that reads an object, and compares its checksum on the way."""

import os
import warnings
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from fsstore import checksum
from fsstore.checksum import Kept, Sum
from fsstore.durable import require_file
from fsstore.newfile import ONCE

__all__ = ["Object", "ObjectStream", "Original"]

_BLOCK = 1024 * 1024  # bytes a read: 1.7 times the rate of 64 KiB
_SMALL = 64 * 1024  # a first block that may be the whole object, in bytes
_LARGE = 1024 * 1024  # an object from which on the kernel is told that all of it will be read, in bytes


class Object(Protocol):
    """What a stream needs of the storage."""

    def corrupt(self, module_data: str, descriptor: int, reason: str, /) -> OSError:
        """Take an object out of service, and return the error to raise."""

    def failed(self, error: OSError, /) -> None:
        """Note an error of the device."""


class Original(NamedTuple):
    """A file that is copied."""

    descriptor: int
    size: int  # bytes
    text: bytes | None  # the checksum that was kept, if one was


class ObjectStream:
    """A stream that reads an object, as :class:`modules.ReadStream` has it, and as a file more.

    Who reads it through, from the first byte to the last and in that order, gets no last byte of a
    corrupt object: the last block is compared before it is given. After a ``seek`` elsewhere, or
    once somebody has asked for the descriptor, it cannot be told any more.

    :param descriptor: of the file; the stream closes it.
    :param text: the checksum that was kept, as :mod:`fsstore.checksum` has it, or None.
    """

    __slots__ = ("_descriptor", "_kept", "_module_data", "_place", "_storage", "_sum", "_text")

    _kept: Kept  # these two only once something is compared
    _sum: Sum | None

    def __init__(self, storage: Object, module_data: str, descriptor: int, text: bytes | None) -> None:
        self._descriptor = descriptor
        self._storage = storage
        self._module_data = module_data
        self._text = text
        self._place = 0  # how far it was compared; -1: it is not

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes, or all the rest if it is negative or None.

        :raises OSError: with ``errno.EIO``, the object is corrupt.
        """
        if size is None or size < 0:
            return self._read_rest()
        try:
            block = os.read(self._descriptor, size)
        except OSError as error:
            self._note(error)
            raise
        if self._place >= 0 and size:
            self._compare(block)
        return block

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Read into ``buffer`` and return how many bytes; 0 at the end."""
        try:
            count = os.readv(self._descriptor, [buffer])
        except OSError as error:
            self._note(error)
            raise
        if self._place >= 0 and len(buffer):
            self._compare(memoryview(buffer).cast("B")[:count])
        return count

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to ``offset`` bytes from the start (0), from here (1) or from the end (2), and return the place."""
        try:
            place = os.lseek(self._descriptor, offset, whence)
        except OSError:
            self._require_open()
            raise
        if place != self._place:
            self._place = 0 if place == 0 else -1
        return place

    def tell(self) -> int:
        """Return the place, in bytes from the start."""
        self._require_open()
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def fileno(self) -> int:
        """Return the descriptor, whose file is the object. What is read by it is not compared."""
        self._require_open()
        self._text, self._place = None, -1
        return self._descriptor

    def original(self) -> Original | None:
        """Return the file, for one who copies it unread.

        :returns: None: it was replaced or deleted since it was opened, and its checksum, if it had one, with it.
        :raises OSError: with ``errno.EIO``, it has not the size that was stored, or is no file.
        """
        self._require_open()
        status = require_file(os.fstat(self._descriptor), self._module_data)
        if self._text is None and not status.st_nlink:
            return None
        size = status.st_size
        kept = None if self._text is None else checksum.parse(self._text)
        if kept is not None and kept.size != size:
            reason = f"it has {size} bytes, and had {kept.size} when it was stored"
            raise self._storage.corrupt(self._module_data, self._descriptor, reason)
        return Original(self._descriptor, size, None if kept is None else kept.text())

    def close(self) -> None:
        """Close the file. Closing twice is no error."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._descriptor < 0

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: it can go elsewhere."""
        return True

    def writable(self) -> bool:
        """Return False: an object is never written to."""
        return False

    def flush(self) -> None:
        """Do nothing, for nothing is ever written; :class:`io.BufferedReader` asks for it."""

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if self._descriptor >= 0:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def _read_rest(self) -> bytes:
        self._require_open()
        blocks = []
        left = os.fstat(self._descriptor).st_size - self.tell()
        while block := self.read(max(left, _BLOCK)):
            blocks.append(block)
            left -= len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def _note(self, error: OSError) -> None:
        self._require_open()
        self._storage.failed(error)

    def _require_open(self) -> None:
        if self._descriptor < 0:
            raise ValueError("the stream is closed")

    def _compare(self, block: bytes | memoryview) -> None:
        """Take ``block`` into the sum; if it is the last one, raise if the object is not what was stored."""
        if self._place == 0 and not self._begin(block):
            return
        kept, self._place = self._kept, self._place + len(block)
        if self._sum is not None:
            self._sum.update(block)
        if kept.size >= ONCE:
            os.posix_fadvise(self._descriptor, 0, self._place, os.POSIX_FADV_DONTNEED)
        if self._place < kept.size and block:
            return
        if self._place != kept.size:
            reason = f"it has {self._place} bytes or more, and had {kept.size} when it was stored"
        elif self._sum is not None and self._sum.hexdigest() != kept.digest:
            reason = f"its {kept.algorithm} is {self._sum.hexdigest()}, and was {kept.digest} when it was stored"
        else:
            return
        raise self._storage.corrupt(self._module_data, self._descriptor, reason)

    def _begin(self, block: bytes | memoryview) -> bool:
        """Tell whether there is anything left to compare, now that the first block was read."""
        text = self._text
        if text is None or (len(block) <= _SMALL and checksum.is_whole(text, block)):
            self._place = -1
            return False
        kept = checksum.parse(text)
        if kept is None:
            self._place = -1
            return False
        self._kept, self._sum = kept, checksum.sum_of(kept.algorithm)
        if kept.size >= _LARGE:
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return True
