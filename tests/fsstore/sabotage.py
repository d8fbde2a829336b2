"""Faults of a careless storage, made in the system calls: each must be seen in the states of a crash.

They are put around the calls that are recorded, so that they work whatever the storage is like inside.
"""

import errno
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, TypeAlias
from unittest import mock

from fsstore import FileStorage, kernel
from modules import Context, Source

__all__ = ["SABOTEURS", "Sabotage", "clones", "no_clones", "no_extended_attributes", "no_nameless_files"]

Sabotage: TypeAlias = Callable[[], AbstractContextManager[object]]


def _is_directory(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@contextmanager
def _patched(**calls: Callable[..., Any]) -> Iterator[None]:
    """Put each of ``calls`` in the place of the function of os that is called so."""
    with ExitStack() as stack:
        for name, call in calls.items():
            stack.enter_context(mock.patch.object(os, name, call))
        yield


def _syncs_only(is_wanted: Callable[[int], bool]) -> AbstractContextManager[None]:
    def some(sync: Callable[[int], None]) -> Callable[[int], None]:
        return lambda descriptor: sync(descriptor) if is_wanted(descriptor) else None

    return _patched(fsync=some(os.fsync), fdatasync=some(os.fdatasync))


def no_directory_is_synced() -> AbstractContextManager[None]:
    return _syncs_only(lambda descriptor: not _is_directory(descriptor))


def no_file_is_synced() -> AbstractContextManager[None]:
    return _syncs_only(_is_directory)


@contextmanager
def named_before_synced() -> Iterator[None]:
    """A file is synced only when it has its name, just before the directory is."""
    late: list[int] = []
    sync = os.fsync

    def keep(descriptor: int) -> None:
        if not _is_directory(descriptor):
            late.append(os.dup(descriptor))
            return
        with suppress(IndexError):  # another thread may take the last one
            while True:
                file = late.pop()
                sync(file)
                os.close(file)
        sync(descriptor)

    try:
        with _patched(fsync=keep, fdatasync=keep):
            yield
    finally:
        for descriptor in late:
            os.close(descriptor)


def _unsynced_after(name: str) -> AbstractContextManager[None]:
    """After each call of ``name`` the next sync of that directory is left out."""
    real, sync = getattr(os, name), os.fsync
    left_out: set[int] = set()

    def call(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> None:
        real(path, *args, dir_fd=dir_fd, **kwargs)
        left_out.add(os.stat(os.path.dirname(path) or ".", dir_fd=dir_fd).st_ino)

    def some(descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        if inode in left_out:
            left_out.remove(inode)
        else:
            sync(descriptor)

    return _patched(fsync=some, **{name: call})


def a_new_directory_is_not_synced() -> AbstractContextManager[None]:
    return _unsynced_after("mkdir")


def a_deletion_is_not_synced() -> AbstractContextManager[None]:
    return _unsynced_after("unlink")


def removed_before_replaced() -> AbstractContextManager[None]:
    """The old file goes before the new one comes."""

    def after_removal(real: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, *, dst_dir_fd: int | None = None, **kwargs: Any) -> None:
            with suppress(FileNotFoundError):
                os.unlink(target, dir_fd=dst_dir_fd)
            real(source, target, dst_dir_fd=dst_dir_fd, **kwargs)

        return call

    return _patched(rename=after_removal(os.rename), replace=after_removal(os.replace))


class _Ending:
    """A source that ends where the one behind it breaks off."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except Exception:
            return b""


def a_broken_source_is_taken_for_its_end() -> AbstractContextManager[object]:
    real = FileStorage.assign

    def assign(self: FileStorage, context: Context, module_data: str, stream: Source) -> None:
        real(self, context, module_data, _Ending(stream))

    return mock.patch.object(FileStorage, "assign", assign)


@contextmanager
def a_copy_is_not_synced() -> Iterator[None]:
    """What the kernel copied is taken for written."""
    copied: set[int] = set()
    copy, sync = os.copy_file_range, os.fsync

    def noted(source: int, target: int, *args: int) -> int:
        copied.add(os.fstat(target).st_ino)
        return copy(source, target, *args)

    def some(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino not in copied:
            sync(descriptor)

    with no_clones(), _patched(copy_file_range=noted, fsync=some):
        yield


def clones() -> AbstractContextManager[object]:
    """No fault, but a file system that can clone a file, in one step as far as anybody can see."""

    def clone(source: int, target: int) -> None:
        with mmap.mmap(source, 0, access=mmap.ACCESS_READ) as blocks:
            os.pwrite(target, blocks, 0)

    return mock.patch.object(kernel, "clone", clone)


def no_clones() -> AbstractContextManager[object]:
    """No fault, but a file system that cannot, as most."""

    def clone(source: int, target: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    return mock.patch.object(kernel, "clone", clone)


def no_nameless_files() -> AbstractContextManager[None]:
    """No fault, but a file system that knows no O_TMPFILE."""
    real = os.open

    def refusing(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
        return real(path, flags, *args, **kwargs)

    return _patched(open=refusing)


def no_extended_attributes() -> AbstractContextManager[None]:
    """No fault, but a file system that has none."""

    def refusing(path: Any, *args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)

    return _patched(setxattr=refusing, getxattr=refusing, listxattr=refusing, removexattr=refusing)


SABOTEURS: list[Sabotage] = [
    no_directory_is_synced,
    no_file_is_synced,
    named_before_synced,
    a_new_directory_is_not_synced,
    a_deletion_is_not_synced,
    removed_before_replaced,
    a_broken_source_is_taken_for_its_end,
    a_copy_is_not_synced,
]
