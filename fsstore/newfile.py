"""A file on its way: written without a name, and published in one step.

The order is what makes it safe:

1. the data, the checksum and the mode are synced, since a name must not survive a power cut without
   what it names;
2. the file gets its name: by a link if there is none of that name, else by a temporary name and a
   rename, which takes the old one's place in one step;
3. the directory is synced, since a name in memory alone would not survive either.

Until step 2 the file has no name (``O_TMPFILE``), so that a crash meanwhile leaves nothing to clean
up. Where the file system cannot do that it has a temporary one, in the directory that it is for: on
another file system it could not be renamed from.
"""

import errno
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from fsstore import checksum, kernel, sidecar
from fsstore.checksum import Kept
from fsstore.durable import Directory, Durability, is_gone, is_refusal, stat_object

__all__ = ["ONCE", "NewFile", "Style", "is_temporary"]

#: Bytes after which the kernel is told to begin with writing: docs/decisions/009-speed.md.
_EARLY = 1024 * 1024
#: A file that is not kept in the page cache, which others need more, in bytes.
ONCE = 256 * 1024 * 1024
#: A file of a known length from which on its space is taken at once, in bytes.
_PREALLOCATED = 1024 * 1024
#: How often a directory may be removed before it is an error.
_TRIES = 100
_UNNAMED = os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC
_NAMED = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What open(2) says where there is no O_TMPFILE: the file system cannot, or the kernel does not know it.
_NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
_NO_UNNAMED = "no files without a name: a killed writer leaves a temporary one, until the survey removes it"

T = TypeVar("T")


class Style(NamedTuple):
    """What new files are like."""

    durability: Durability
    mode: int = 0o444  # less the umask
    group: int = -1  # -1: as the file system has it
    algorithm: str = ""  # of the checksum; empty: none is kept, for the file is no object


class NewFile:
    """A file that is being written. Use it in a ``with``: what was not published is gone afterwards.

    :param find: opens the directory in which the file is to be, and makes it if it is missing. It is
        called again when the directory was removed meanwhile.
    :param style: what the file is to be like.
    :param length: how many bytes it will have, as far as that is known; else 0.
    :param text: the checksum that is kept, where none is taken of what is written: of a copy.
    :raises OSError: with ``errno.ENOSPC``, there is no space for ``length`` bytes.
    """

    def __init__(self, find: Callable[[], Directory], style: Style, length: int = 0, text: bytes | None = None) -> None:
        self._find = find
        self._style = style
        self._text = text
        self._sum = checksum.sum_of(style.algorithm)
        self._length = 0  # bytes for which there is space
        self.size = 0  # bytes that were written
        self._started = 0  # bytes that the kernel was told to write
        self._temporary: str | None = None
        self._sidecar: str | None = None
        self._directory = find()
        self._descriptor = self._open()
        try:
            self.expect(length)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def fileno(self) -> int:
        """Return the descriptor, for one who fills the file without :meth:`write`, and says so by :meth:`wrote`."""
        return self._descriptor

    def expect(self, length: int) -> None:
        """Take the space for ``length`` bytes; less than 1 MiB have their error at once anyhow.

        :raises OSError: with ``errno.ENOSPC``, there is none.
        """
        if length >= _PREALLOCATED:
            self._length = length
            kernel.preallocate(self._descriptor, length)

    def write(self, block: bytes) -> None:
        """Append ``block``."""
        written = os.write(self._descriptor, block)
        if written < len(block):
            view = memoryview(block)
            while written < len(block):
                written += os.write(self._descriptor, view[written:])
        self.wrote(written)
        if self._sum is not None:
            self._sum.update(block)

    def wrote(self, size: int) -> None:
        """Say that ``size`` bytes were appended, and let the disk begin with them."""
        self.size += size
        if self.size - self._started >= _EARLY and self._style.durability.level != "none":
            kernel.start_writing(self._descriptor, self._started, self.size - self._started)
            if self.size >= ONCE:
                os.posix_fadvise(self._descriptor, 0, self._started, os.POSIX_FADV_DONTNEED)
            self._started = self.size

    def publish(self, name: str) -> int | None:
        """Give the file its name, whole and durably.

        An error leaves the name as it was. Only if the last step fails where a file was replaced the
        new one stays, whole: the old one cannot be had back.

        :returns: the size of the file that it replaces, in bytes, or None.
        """
        self._seal(name)
        replaced = self._name(name)
        try:
            self._style.durability.sync_directory(self._directory)
        except BaseException:
            if replaced is None and self._has(name):  # else somebody else has stored the object since
                self._unlink(name)
            raise
        ours, self._sidecar = self._sidecar, None
        if replaced is None:
            return None
        if (theirs := sidecar.name_of(name, replaced)) != ours:
            self._unlink(theirs)
        return replaced.st_size

    def _open(self) -> int:
        durability = self._style.durability
        if "unnamed files" not in durability.weaker:
            try:
                return self._make(".", _UNNAMED)
            except OSError as error:
                if error.errno not in _NO_TMPFILE:
                    raise
                durability.weaker["unnamed files"] = _NO_UNNAMED
        return self._open_named()

    def _open_named(self) -> int:
        name = _temporary_name()
        descriptor = self._make(name, _NAMED)
        self._temporary = name
        return descriptor

    def _make(self, name: str, flags: int) -> int:
        mode = self._style.mode | 0o200  # attributes can only be given to a file that is writable
        return self._in_directory(lambda directory: os.open(name, flags, mode, dir_fd=directory))

    def _in_directory(self, work: Callable[[int], T]) -> T:
        """Do ``work`` in the directory, and again if it was removed meanwhile, because it was empty."""
        for _ in range(_TRIES):
            try:
                return work(self._directory.descriptor)
            except OSError as error:
                is_removed = is_gone(error) or isinstance(error, PermissionError)  # the latter on ext4
                if not is_removed or self._directory.is_in_place():
                    raise
            self._directory = self._find()
        return work(self._directory.descriptor)

    def _seal(self, name: str) -> None:
        """Make the file what it is to be for ever, and durable."""
        durability, mode, group, algorithm = self._style
        if self.size < self._length:
            os.ftruncate(self._descriptor, self.size)  # gives back what was taken for nothing
        if algorithm:
            digest = "-" if self._sum is None else self._sum.hexdigest()
            self._text = Kept(algorithm, digest, self.size).text()
        if self._text is not None:
            self._keep(self._text, name)
        if group >= 0:
            durability.set_group(self._descriptor, group)
        durability.set_mode(self._descriptor, mode)
        durability.sync_file(self._descriptor)

    def _keep(self, text: bytes, name: str) -> None:
        durability = self._style.durability
        if "attributes" not in durability.weaker:
            try:
                return os.setxattr(self._descriptor, checksum.ATTRIBUTE, text)
            except OSError as error:
                if not is_refusal(error):
                    raise
                durability.weaker["attributes"] = "no extended attributes: checksums are kept in files of their own"
        file = self._descriptor
        self._sidecar = self._in_directory(lambda directory: sidecar.put(directory, name, file, text, durability))

    def _name(self, name: str) -> os.stat_result | None:
        """Give the file its name, and return the status of the one that had it before."""
        if self._temporary is None:
            try:
                self._link(name)
                return None
            except FileExistsError:  # only a rename replaces, and that needs a name to begin with
                temporary = _temporary_name()
                self._link(temporary)
                self._temporary = temporary
            except OSError as error:
                if not is_refusal(error) and not isinstance(error, FileNotFoundError):  # the latter: there is no /proc
                    raise
                self._copy(name)
        replaced = _status(self._directory, name)
        self._rename(name)
        return replaced

    def _link(self, name: str) -> None:
        source = f"/proc/self/fd/{self._descriptor}"
        try:
            self._in_directory(lambda directory: os.link(source, name, dst_dir_fd=directory, follow_symlinks=True))
        except OSError:
            if not self._has(name):
                raise

    def _rename(self, name: str) -> None:
        directory = self._directory.descriptor
        try:
            os.rename(self._temporary or "", name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            if not self._has(name):
                raise
        self._temporary = None

    def _has(self, name: str) -> bool:
        """Tell whether the file has that name. NFS may say that a call failed which was done."""
        status = _status(self._directory, name)
        return status is not None and os.path.samestat(status, os.fstat(self._descriptor))

    def _copy(self, name: str) -> None:
        """Go on with a file that has a temporary name, where one without a name cannot get one."""
        self._style.durability.weaker["unnamed files"] = _NO_UNNAMED
        unnamed, self._descriptor = self._descriptor, self._open_named()
        try:
            offset = 0
            while block := os.pread(unnamed, _EARLY, offset):
                offset += os.write(self._descriptor, block)
        finally:
            os.close(unnamed)
        if self._sidecar is not None:
            self._unlink(self._sidecar)
        self._seal(name)

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):  # somebody else removed it: that is what was wanted
            os.unlink(name, dir_fd=self._directory.descriptor)

    def _close(self) -> None:
        try:
            for name in (self._temporary, self._sidecar):
                if name is not None:
                    self._unlink(name)
        finally:
            os.close(self._descriptor)


def is_temporary(name: str) -> bool:
    """Tell whether ``name`` is one that a file may have until it is published."""
    return re.fullmatch(r"\.[0-9a-f]{32}\.new", name) is not None


def _temporary_name() -> str:
    return f".{secrets.token_hex(16)}.new"


def _status(directory: Directory, name: str) -> os.stat_result | None:
    """Return the status of ``name``; a link or a directory of that name is not ours to replace, and an error."""
    try:
        return stat_object(directory.descriptor, name)
    except FileNotFoundError:
        return None
