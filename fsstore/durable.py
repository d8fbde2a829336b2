"""What survives a power cut: the only room that syncs, and that makes and removes names.

Paths are never handed to the kernel whole. A directory is opened once, and what lies in it is named
relative to that descriptor and without following a symbolic link, so that no link and no directory
that is swapped meanwhile leads anywhere else.
"""

import errno
import os
import stat
import time
from contextlib import suppress
from typing import Any

__all__ = [
    "LEVELS",
    "Directory",
    "Durability",
    "NotAFile",
    "is_gone",
    "is_refusal",
    "open_directory",
    "open_object",
    "require_file",
    "stat_object",
]

#: How much is durable when a call returns, the safest first:
#: *full*: data and names; *data*: what has a name is whole, but a power cut may take the name of what was
#: stored last, or bring back what was deleted last; *none*: only a crash of the process loses nothing.
LEVELS = ("full", "data", "none")

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KIND = 0o170000  # of the mode: what kind of file it is
_OBJECT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: never wait for a planted pipe
# What a file system says that cannot do a thing at all. EPERM: of links and modes, on FAT and through FUSE.
_REFUSALS = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EPERM}
_GONE = {errno.ENOENT, errno.ESTALE}
_FRESH = 1.0  # seconds for which it is believed that the umask is what it was
_NO_DIRECTORY_SYNC = _REFUSALS | {errno.EBADF, errno.EACCES, errno.EISDIR}  # NFS, CIFS and FUSE differ


class NotAFile(OSError):
    """What has the name of an object is none. It says nothing about the device."""


class Directory:
    """An open directory. It is closed when nobody has it any more, so that no thread loses it while it works.

    :param parent: the directory in which it lies, and
    :param name: its name there; None for a root.
    """

    __slots__ = ("_counts", "_device", "_inode", "_name", "_parent", "descriptor", "is_settled", "looked", "synced")

    def __init__(self, descriptor: int, parent: "Directory | None" = None, name: str = "") -> None:
        self.descriptor = descriptor
        self.is_settled = False  # whether its own name is known to be durable
        self.looked = 0.0  # when it was last seen in its place, as time.monotonic has it
        self.synced = 0.0  # when the last sync of its names began that has ended, in seconds since 1970
        self._parent = parent
        self._name = name
        status = os.fstat(descriptor)
        self._device, self._inode = status.st_dev, status.st_ino
        self._counts = status.st_nlink > 0  # whether links are counted here; through FUSE they may not be

    def __del__(self, _close: Any = os.close) -> None:
        _close(self.descriptor)

    def is_in_place(self) -> bool:
        """Tell whether it still has its name, below the root: that it was not removed, and not moved away."""
        directory = self
        while directory._parent is not None:
            if not directory._is_named(directory._parent.descriptor):
                self.is_settled = False
                return False
            directory = directory._parent
        return True

    def _is_named(self, parent: int) -> bool:
        try:
            status = os.stat(self._name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if is_gone(error):
                return False
            raise
        if self._counts and status.st_nlink == 0:  # while it is removed it has its name a little longer than its links
            return False
        return status.st_ino == self._inode and status.st_dev == self._device


class Durability:
    """How much is durable, and what the file system cannot do for it.

    :param level: one of :data:`LEVELS`.
    """

    def __init__(self, level: str) -> None:
        self.level = level
        #: What works less well on this file system than it should, by what was refused.
        self.weaker: dict[str, str] = {}
        self._made_mode = 0
        self._mode_due = 0.0

    def sync_file(self, descriptor: int) -> None:
        """Make the data and the attributes of a file durable: fsync, for fdatasync may leave attributes out."""
        if self.level == "none":
            return
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            self.weaker["file sync"] = "files cannot be synced: a power cut may leave them empty or torn"

    def sync_directory(self, directory: Directory) -> None:
        """Make the names in a directory durable."""
        if self.level != "full":
            return
        began = time.time()
        try:
            os.fsync(directory.descriptor)
            directory.synced = began
        except OSError as error:
            if error.errno not in _NO_DIRECTORY_SYNC:
                raise
            self.weaker["directory sync"] = "directories cannot be synced: a power cut may undo what was done last"

    def make_directory(self, parent: Directory, name: str, mode: int, group: int) -> Directory:
        """Open the directory ``name`` of ``parent``, make it if it is missing, and sync ``parent`` either way.

        Either way, since who made it, another process or thread, may not have come to that yet, and
        what is stored in a directory that a power cut takes away is lost whoever made the directory.
        """
        is_new = True
        try:
            os.mkdir(name, mode, dir_fd=parent.descriptor)
        except FileExistsError:
            is_new = False
        directory = open_directory(parent, name)
        if is_new and group >= 0:
            self.set_group(directory.descriptor, group)
        self.sync_directory(parent)
        directory.is_settled = True
        return directory

    def set_mode(self, descriptor: int, mode: int) -> None:
        """Give a file that was made with ``mode`` and the right to write that mode, without what the umask takes.

        The umask can only be known by what it did to a file; that is looked at once a second.
        """
        now = time.monotonic()
        try:
            if now >= self._mode_due:
                self._made_mode = os.fstat(descriptor).st_mode
                self._mode_due = now + _FRESH
            os.fchmod(descriptor, self._made_mode & mode)
        except OSError as error:
            if not is_refusal(error):
                raise
            self.weaker["modes"] = "modes cannot be set: objects are not read-only"

    def set_group(self, descriptor: int, group: int) -> None:
        """Give a file or a directory to ``group``, where the file system has groups."""
        try:
            os.fchown(descriptor, -1, group)
        except OSError as error:
            if not is_refusal(error):
                raise
            self.weaker["group"] = "the group cannot be set: the file system or the system's rights refuse it"

    def remove(self, directory: Directory, name: str) -> None:
        """Remove the file ``name`` of ``directory``, durably; it may be absent already.

        The directory is synced also when there was nothing to remove: an earlier call may have been
        interrupted between the two.
        """
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory.descriptor)
        self.sync_directory(directory)


def is_gone(error: OSError) -> bool:
    """Tell whether ``error`` says that a file is not there, or its directory; over NFS the latter is ESTALE."""
    return error.errno in _GONE


def is_refusal(error: OSError) -> bool:
    """Tell whether ``error`` says that the file system cannot do a thing at all."""
    return error.errno in _REFUSALS


def open_directory(parent: Directory, name: str) -> Directory:
    """Open the directory ``name`` of the directory ``parent``.

    :raises FileNotFoundError: there is none.
    :raises NotADirectoryError: a file or a symbolic link has that name.
    """
    return Directory(os.open(name, _DIRECTORY, dir_fd=parent.descriptor), parent, name)


def open_object(directory: int, name: str) -> int:
    """Open what is named ``name`` in ``directory`` for reading and return its descriptor.

    Whether it is a plain file is still to be looked at.

    :raises FileNotFoundError: there is nothing of that name.
    """
    return os.open(name, _OBJECT, dir_fd=directory)


def stat_object(directory: int, name: str) -> os.stat_result:
    """Return the status of the file ``name`` of ``directory``.

    :raises FileNotFoundError: there is none.
    :raises NotAFile: what has that name is no plain file.
    """
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    return status if status.st_mode & _KIND == stat.S_IFREG else require_file(status, name)


def require_file(status: os.stat_result, name: str) -> os.stat_result:
    """Return ``status``.

    :raises NotAFile: it is that of something else than a plain file.
    """
    if not stat.S_ISREG(status.st_mode):
        raise NotAFile(errno.EIO, "not a plain file, so not an object", name)
    return status
