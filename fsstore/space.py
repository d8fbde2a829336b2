"""How much space there is, and how much of it stays free."""

import errno
import os
import time
from typing import Any

from fsstore.arguments import Reserve
from fsstore.durable import Directory

__all__ = ["Space"]

_PAUSE = 0.1  # seconds
_LARGE = 1024 * 1024  # bytes


class Space:
    """The space of the file system of a root.

    :param reserve: what stays free of writes, in bytes and, if it is a part, in inodes too.
    """

    def __init__(self, root: Directory, reserve: Reserve) -> None:
        self._root = root
        self._reserve = reserve
        self._due = 0.0  # when to look again

    def require(self, length: int) -> None:
        """Raise unless a file of ``length`` bytes leaves the reserve free.

        It looks ten times a second, and whenever a file is large: small ones cannot fill much meanwhile.

        :raises OSError: with ``errno.ENOSPC``.
        """
        now = time.monotonic()
        if now < self._due and length < _LARGE:
            return
        status = os.fstatvfs(self._root.descriptor)
        free, reserve = status.f_bavail * status.f_frsize, self._reserved(status)
        if status.f_blocks and free - length < reserve:  # some file systems do not say how large they are
            text = f"{free} bytes are free, {reserve} of them are the reserve: delete something, or add space"
            raise OSError(errno.ENOSPC, text)
        if status.f_files and status.f_favail <= int(status.f_files * self._reserve.part):
            text = f"{status.f_favail} inodes are free: delete something, or make the file system with more of them"
            raise OSError(errno.ENOSPC, text)
        self._due = now + _PAUSE

    def statistics(self) -> dict[str, Any]:
        """Return the values of ``statistics`` that are about space; what cannot be known is -1."""
        status = os.fstatvfs(self._root.descriptor)
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        reserve = self._reserved(status)
        inodes = {"total": -1, "free": -1, "used": -1}
        binds = "bytes"
        if status.f_files:  # some file systems make inodes as they need them
            inodes = {
                "total": status.f_files,
                "free": max(0, status.f_favail - int(status.f_files * self._reserve.part)),
                "used": status.f_files - status.f_ffree,
            }
            if inodes["free"] * total < max(0, free - reserve) * status.f_files:
                binds = "inodes"
        capacity = {"total": -1, "free": -1, "used": -1}
        if status.f_blocks:
            used = total - status.f_bfree * status.f_frsize
            capacity = {"total": total, "free": max(0, free - reserve), "used": used}
        return {
            "capacity": capacity,
            "reserve": reserve,
            "inodes": inodes,
            "binds": binds,
        }

    def _reserved(self, status: os.statvfs_result) -> int:
        return self._reserve.bytes + int(status.f_blocks * status.f_frsize * self._reserve.part)
