"""Records what a storage does to its files: the functions of ``os``, and one of ``fcntl``, that change or sync any."""

import fcntl
import itertools
import os
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests.fsstore.crash import Changed, Entries, Event, Made, Operation, Resized, Synced, SyncedAll, Touched, Written
from tests.fsstore.disk import MODE, MTIME, Inode, snapshot

__all__ = ["Recorder"]

_CLONE = 0x40049409  # FICLONE of ioctl_ficlone(2)


class Recorder:
    """While the ``with`` statement lasts, notes what is done below ``root``, by whichever module.

    Calls are seen that are made as ``os.name(...)``, in any thread; they go through one after the
    other, so that the order noted is the one that was. A call that fails is not noted. Inodes are
    numbered anew, since a file system gives the number of a removed one to the next.

    What is done in another way (``open``, a mapping, ctypes) is not seen: compare
    :meth:`crash.Disk.now` with a snapshot in the end, both without times.
    """

    def __init__(self, root: Path) -> None:
        self.start, self._numbers = snapshot(root)
        self.log: list[Operation] = []
        self._count = itertools.count(len(self.start.inodes))
        self._lock = threading.RLock()
        self._patches = ExitStack()
        self._os: Any = SimpleNamespace()

    def __enter__(self) -> "Recorder":
        calls = {name[4:]: getattr(self, name) for name in dir(self) if name.startswith("_os_")}
        self._os = SimpleNamespace(**{name: getattr(os, name) for name in calls})
        for name, call in calls.items():
            self._patches.enter_context(mock.patch.object(os, name, self._locked(call)))
        self._ioctl = fcntl.ioctl
        self._patches.enter_context(mock.patch.object(fcntl, "ioctl", self._locked(self._clone)))
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    def event(self, what: object) -> None:
        """Note an event of the test's own."""
        with self._lock:
            self.log.append(Event(what))

    def _locked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return call(*args, **kwargs)

        return locked

    def _number(self, status: os.stat_result | None) -> int | None:
        return None if status is None else self._numbers.get((status.st_dev, status.st_ino))

    def _of(self, file: Any, **kwargs: Any) -> int | None:
        """Return the number of a descriptor's or a path's inode, None if that is not below the root."""
        return self._number(_status(file, **kwargs))

    def _place(self, path: Any, dir_fd: int | None) -> tuple[int | None, str]:
        """Return the number of the directory that ``path`` leads to, and the name in it."""
        head, name = os.path.split(os.fsdecode(path).rstrip("/"))
        return self._of(head or ".", dir_fd=dir_fd), name

    def _made(self, status: os.stat_result) -> int:
        number = self._numbers[status.st_dev, status.st_ino] = next(self._count)
        data = None if stat.S_ISDIR(status.st_mode) else b""
        self.log.append(Made(number, Inode(data, ((MODE, stat.S_IMODE(status.st_mode)),))))
        return number

    def _entered(self, path: Any, dir_fd: int | None, number: int | None) -> None:
        """Note that ``path`` now names the inode ``number``, None if it names nothing."""
        directory, name = self._place(path, dir_fd)
        if directory is not None:
            self.log.append(Entries(directory, ((name, number),)))

    def _wrote(self, descriptor: int, data: bytes, offset: int | None = None, flags: int = 0) -> None:
        number = self._of(descriptor)
        if number is None:
            return
        if offset is None:
            offset = os.lseek(descriptor, 0, os.SEEK_CUR) - len(data)
        self.log.append(Written(number, offset, data))
        opened = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        if opened & os.O_SYNC == os.O_SYNC or flags & os.RWF_SYNC:
            self.log.append(Synced(number))
        elif opened & os.O_DSYNC or flags & os.RWF_DSYNC:
            self.log.append(Synced(number, attributes=False))

    def _resized(self, file: Any) -> None:
        number, status = self._of(file), _status(file)
        if number is not None and status is not None:
            self.log.append(Resized(number, status.st_size))

    def _changed_mode(self, file: Any, **kwargs: Any) -> None:
        number, status = self._of(file, **kwargs), _status(file, **kwargs)
        if number is not None and status is not None:
            self.log.append(Changed(number, MODE, stat.S_IMODE(status.st_mode)))

    def _touched(self, call: str, file: Any, **kwargs: Any) -> None:
        number = self._of(file, **kwargs)
        if number is not None:
            self.log.append(Touched(number, call))

    def _os_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        is_nameless = flags & os.O_TMPFILE == os.O_TMPFILE
        before = _status(path, dir_fd=dir_fd)
        descriptor: int = self._os.open(path, flags, mode, dir_fd=dir_fd)
        if is_nameless:
            if self._number(before) is not None:
                self._made(os.fstat(descriptor))
        elif flags & os.O_CREAT and before is None:
            if self._place(path, dir_fd)[0] is not None:
                self._entered(path, dir_fd, self._made(os.fstat(descriptor)))
        elif flags & os.O_TRUNC:
            self._resized(descriptor)
        return descriptor

    def _os_write(self, fd: int, data: Any) -> int:
        count: int = self._os.write(fd, data)
        self._wrote(fd, bytes(data)[:count])
        return count

    def _os_writev(self, fd: int, buffers: Any) -> int:
        count: int = self._os.writev(fd, buffers)
        self._wrote(fd, b"".join(buffers)[:count])
        return count

    def _os_pwrite(self, fd: int, data: Any, offset: int) -> int:
        count: int = self._os.pwrite(fd, data, offset)
        self._wrote(fd, bytes(data)[:count], offset)
        return count

    def _os_pwritev(self, fd: int, buffers: Any, offset: int, flags: int = 0) -> int:
        count: int = self._os.pwritev(fd, buffers, offset, flags)
        self._wrote(fd, b"".join(buffers)[:count], offset, flags)
        return count

    def _os_copy_file_range(self, src: int, dst: int, count: int, offset_src: int, offset_dst: int) -> int:
        done: int = self._os.copy_file_range(src, dst, count, offset_src, offset_dst)
        self._wrote(dst, os.pread(dst, done, offset_dst), offset_dst)
        return done

    def _clone(self, fd: int, request: int, source: int) -> int:
        result = self._ioctl(fd, request, source)
        assert request == _CLONE, f"ioctl {request:#x} is not known"
        self._wrote(fd, os.pread(fd, os.fstat(fd).st_size, 0), 0)
        return result

    def _os_ftruncate(self, fd: int, length: int) -> None:
        self._os.ftruncate(fd, length)
        self._resized(fd)

    def _os_truncate(self, path: Any, length: int) -> None:
        self._os.truncate(path, length)
        self._resized(path)

    def _os_posix_fallocate(self, fd: int, offset: int, length: int) -> None:
        self._os.posix_fallocate(fd, offset, length)
        self._resized(fd)

    def _os_setxattr(self, path: Any, attribute: Any, value: Any, flags: int = 0, **kwargs: Any) -> None:
        self._os.setxattr(path, attribute, value, flags, **kwargs)
        self._changed(path, attribute, bytes(value), **kwargs)

    def _os_removexattr(self, path: Any, attribute: Any, **kwargs: Any) -> None:
        self._os.removexattr(path, attribute, **kwargs)
        self._changed(path, attribute, None, **kwargs)

    def _changed(self, path: Any, attribute: Any, value: bytes | None, **kwargs: Any) -> None:
        number = self._of(path, **kwargs)
        if number is not None:
            self.log.append(Changed(number, os.fsdecode(attribute), value))

    def _os_chmod(self, path: Any, mode: int, **kwargs: Any) -> None:
        self._os.chmod(path, mode, **kwargs)
        self._changed_mode(path, **kwargs)

    def _os_fchmod(self, fd: int, mode: int) -> None:
        self._os.fchmod(fd, mode)
        self._changed_mode(fd)

    def _os_chown(self, path: Any, uid: int, gid: int, **kwargs: Any) -> None:
        self._os.chown(path, uid, gid, **kwargs)
        self._touched("chown", path, **kwargs)

    def _os_fchown(self, fd: int, uid: int, gid: int) -> None:
        self._os.fchown(fd, uid, gid)
        self._touched("fchown", fd)

    def _os_utime(self, path: Any, times: Any = None, **kwargs: Any) -> None:
        self._os.utime(path, times, **kwargs)
        kwargs.pop("ns", None)
        number, status = self._of(path, **kwargs), _status(path, **kwargs)
        if number is not None and status is not None:
            self.log.append(Changed(number, MTIME, status.st_mtime_ns))

    def _os_link(self, src: Any, dst: Any, *, dst_dir_fd: int | None = None, **kwargs: Any) -> None:
        self._os.link(src, dst, dst_dir_fd=dst_dir_fd, **kwargs)
        # Asked of what has the new name: so any source will do, a descriptor's in /proc, too.
        self._entered(dst, dst_dir_fd, self._known(dst, dst_dir_fd))

    def _known(self, path: Any, dir_fd: int | None) -> int | None:
        """Return the number of a new entry's inode.

        :raises LookupError: the entry is below the root, and its inode came from elsewhere.
        """
        number = self._of(path, dir_fd=dir_fd, follow_symlinks=False)
        if number is None and self._place(path, dir_fd)[0] is not None:
            raise LookupError(f"{path}: came from outside the recorded root")
        return number

    def _os_rename(
        self, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None, call: str = "rename"
    ) -> None:
        replaced = self._of(dst, dir_fd=dst_dir_fd, follow_symlinks=False)
        getattr(self._os, call)(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        number = self._known(dst, dst_dir_fd)
        if number is not None and number == replaced:
            return  # two names of one file: rename(2) leaves both
        source, old = self._place(src, src_dir_fd)
        target, new = self._place(dst, dst_dir_fd)
        if source is None or target is None:
            self._entered(src, src_dir_fd, None)
        elif source == target:
            self.log.append(Entries(target, ((old, None), (new, number))))
        else:
            self.log.append(Entries(target, ((new, number),), gone=(source, old)))

    def _os_replace(self, src: Any, dst: Any, **kwargs: Any) -> None:
        self._os_rename(src, dst, call="replace", **kwargs)

    def _os_unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._os.unlink(path, dir_fd=dir_fd)
        self._entered(path, dir_fd, None)

    def _os_remove(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._os.remove(path, dir_fd=dir_fd)
        self._entered(path, dir_fd, None)

    def _os_rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._os.rmdir(path, dir_fd=dir_fd)
        self._entered(path, dir_fd, None)

    def _os_mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._os.mkdir(path, mode, dir_fd=dir_fd)
        status = _status(path, dir_fd=dir_fd, follow_symlinks=False)
        if status is not None and self._place(path, dir_fd)[0] is not None:
            self._entered(path, dir_fd, self._made(status))

    def _os_fsync(self, fd: Any) -> None:
        self._os.fsync(fd)
        self._synced(fd)

    def _os_fdatasync(self, fd: Any) -> None:
        self._os.fdatasync(fd)
        self._synced(fd, attributes=False)

    def _synced(self, fd: Any, attributes: bool = True) -> None:
        number = self._of(fd if isinstance(fd, int) else fd.fileno())
        if number is not None:
            self.log.append(Synced(number, attributes))

    def _os_sync(self) -> None:
        self._os.sync()
        self.log.append(SyncedAll())


def _status(file: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result | None:
    """Return the status of a descriptor or a path, None if there is nothing."""
    try:
        return (
            os.fstat(file) if isinstance(file, int) else os.stat(file, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        )
    except OSError:
        return None
