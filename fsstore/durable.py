"""Durable files: the only room that syncs, links and renames.

Paths are never handed to the kernel whole. A directory is opened once, and what lies in it is named
relative to that descriptor and without following a symbolic link, so that no link and no directory
that is swapped meanwhile leads anywhere else.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from modules import Source

__all__ = ["make_directory", "open_directory", "open_object", "publish", "remove", "stat_object"]

_BLOCK = 1024 * 1024  # bytes a read: 1.2 times the rate of 64 KiB on ext4
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OBJECT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: never wait for a planted pipe
_WRITE = os.O_WRONLY | os.O_CLOEXEC
_MODE = 0o444  # less the umask: what is published is never written to again
# What open(2) says where there is no O_TMPFILE: the file system cannot, or the kernel does not know it.
_NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


@contextmanager
def open_directory(parent: int, name: str) -> Iterator[int]:
    """Open the directory ``name`` of the directory ``parent`` and give its descriptor.

    :raises FileNotFoundError: there is none.
    :raises NotADirectoryError: a file or a symbolic link has that name.
    """
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_directory(parent: int, name: str) -> None:
    """Make the directory ``name`` of ``parent`` if it is missing, and sync ``parent`` either way."""
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    os.fsync(parent)


def publish(directory: int, name: str, source: Source) -> None:
    """Make what ``source`` gives the file ``name`` of ``directory``, in one step and durably.

    The file has no name while it is written, so that a crash meanwhile leaves nothing to clean up;
    where the file system cannot do that it has a temporary one. Then, in this order:

    1. the data is synced, since a name must not survive a crash without it;
    2. the file gets its name: by a link if there is none of that name, else by a temporary name and
       a rename, which takes the old one's place in one step;
    3. the directory is synced, since a name in memory alone would not survive either.

    An error, of ``source`` too, comes through, and leaves the name as it was. Only if the last step
    fails where a file was replaced the new one stays, whole: the old one cannot be had back.
    """
    descriptor, temporary = _open_new(directory)
    try:
        try:
            _copy(source, descriptor)
            os.fdatasync(descriptor)
            is_new = _name(directory, descriptor, temporary, name)
        except BaseException:
            if temporary is not None:
                _unlink(directory, temporary)
            raise
    finally:
        os.close(descriptor)
    try:
        os.fsync(directory)
    except BaseException:
        if is_new:
            _unlink(directory, name)
        raise


def open_object(directory: int, name: str) -> int:
    """Open the file ``name`` of ``directory`` for reading and return its descriptor.

    :raises FileNotFoundError: there is none.
    :raises OSError: what has that name is no plain file.
    """
    descriptor = os.open(name, _OBJECT, dir_fd=directory)
    try:
        _require_file(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def stat_object(directory: int, name: str) -> os.stat_result:
    """Return the status of the file ``name`` of ``directory``; errors as of :func:`open_object`."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    _require_file(status, name)
    return status


def remove(directory: int, name: str) -> None:
    """Remove the file ``name`` of ``directory``, durably; it may be absent already.

    The directory is synced also when there was nothing to remove: an earlier call may have been
    interrupted between the two.
    """
    with suppress(FileNotFoundError):
        stat_object(directory, name)
        os.unlink(name, dir_fd=directory)
    os.fsync(directory)


def _open_new(directory: int) -> tuple[int, str | None]:
    """Open a new file and return its descriptor and temporary name, None where it needs none."""
    try:
        return os.open(".", _WRITE | os.O_TMPFILE, _MODE, dir_fd=directory), None
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise
    name = _temporary_name()
    return os.open(name, _WRITE | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE, dir_fd=directory), name


def _temporary_name() -> str:
    return f".{secrets.token_hex(16)}.new"


def _copy(source: Source, descriptor: int) -> None:
    while block := source.read(_BLOCK):
        view = memoryview(block)
        while view:
            view = view[os.write(descriptor, view) :]


def _name(directory: int, descriptor: int, temporary: str | None, name: str) -> bool:
    """Give the file its name, and tell whether there was none of that name."""
    if temporary is None:
        try:
            _link(directory, descriptor, name)
        except FileExistsError:
            temporary = _temporary_name()  # only a rename replaces, and that needs a name to begin with
            _link(directory, descriptor, temporary)
        else:
            return True
    try:
        is_new = not _is_file(directory, name)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        _unlink(directory, temporary)
        raise
    return is_new


def _link(directory: int, descriptor: int, name: str) -> None:
    os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=directory, follow_symlinks=True)


def _is_file(directory: int, name: str) -> bool:
    """Tell whether ``name`` is there; a link or a directory of that name is not ours to replace, and an error."""
    try:
        stat_object(directory, name)
    except FileNotFoundError:
        return False
    return True


def _unlink(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):  # somebody else removed it: that is what was wanted
        os.unlink(name, dir_fd=directory)


def _require_file(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EIO, "not a plain file, so not an object", name)
