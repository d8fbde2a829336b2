"""Two system calls of Linux that Python does not have. Both only help: without them all works, slower."""

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache

__all__ = ["preallocate", "start_writing"]

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of fallocate(2)
_WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)


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


@cache
def _function(name: str, *types: type) -> Callable[..., int]:
    """Return a function of the C library, or where it has none of that name one that does nothing."""
    try:
        function = ctypes.CDLL(None, use_errno=True)[name]
    except (AttributeError, OSError):
        return lambda *_: 0
    function.argtypes = types
    return function
