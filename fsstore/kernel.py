"""System calls of Linux that Python lacks, or lacks in places. All only help: without them it works, slower."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable
from functools import cache

__all__ = ["clone", "copy_range", "preallocate", "start_writing"]

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of fallocate(2)
_WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)
_CLONE = 0x40049409  # FICLONE of ioctl_ficlone(2)


def preallocate(descriptor: int, length: int) -> None:
    """Take ``length`` bytes of the disk for a file, whose size stays as it is.

    :raises OSError: with ``errno.ENOSPC``, there are not so many.
    """
    fallocate = _function("fallocate", ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(descriptor, _KEEP_SIZE, 0, length) != 0 and ctypes.get_errno() == errno.ENOSPC:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def start_writing(descriptor: int, offset: int, length: int) -> None:
    """Let the kernel begin to write a part of a file to the disk, and do not wait for it.

    It makes nothing durable; but the sync at the end then has little left to do.
    """
    sync = _function("sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    sync(descriptor, offset, length, _WRITE)


def clone(source: int, target: int) -> None:
    """Let ``target`` have the blocks of ``source`` as well, until one of the two is written to.

    :raises OSError: the file system cannot do that (most say EOPNOTSUPP), or could not do it; then some
        part of ``target`` may have them.
    """
    fcntl.ioctl(target, _CLONE, source)


def copy_range(source: int, target: int, offset: int, length: int) -> int:
    """Copy up to ``length`` bytes of a file to the same place of another one, and return how many; 0 at the end.

    :raises OSError: with ``errno.ENOSYS`` also where Python was built with a C library that lacks it.
    """
    if not hasattr(os, "copy_file_range"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return os.copy_file_range(source, target, length, offset, offset)


@cache
def _function(name: str, *types: type) -> Callable[..., int]:
    """Return a function of the C library, or where it has none of that name one that does nothing."""
    try:
        function = ctypes.CDLL(None, use_errno=True)[name]
    except (AttributeError, OSError):
        return lambda *_: 0
    function.argtypes = types
    return function
