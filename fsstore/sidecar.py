"""Checksums where the file system has no extended attributes: in a file beside each object.

Its name is ``IDENTITY.TIME.sum``: TIME is when the object was last written to, in seconds since 1970,
in hexadecimal digits. So while an object is replaced each of the two has a checksum of its own, and
the name is still right after a copy that keeps times.
"""

import errno
import os
import re
import time
from contextlib import suppress

from fsstore import checksum
from fsstore.durable import Durability, open_object, stat_object

__all__ = ["get", "name_of", "owner", "put"]

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 10_000  # how many checksums of one object may lie there, left over
_NAME = re.compile("([0-9a-f]{32})\\.([0-9a-f]{1,16})\\.sum")


def put(directory: int, identity: str, descriptor: int, text: bytes, durability: Durability) -> str:
    """Keep ``text`` for the object ``identity`` whose file, still without that name, is open.

    The file gets a time that is later than that of the one it replaces, so that a power cut which
    brings back an old name brings back none that this one has; and an even number of seconds, for FAT
    keeps no other.

    :returns: the name under which it is kept.
    """
    seconds = int(time.time()) // 2 * 2
    with suppress(FileNotFoundError):
        seconds = max(seconds, int(stat_object(directory, identity).st_mtime) // 2 * 2 + 2)
    for _ in range(_TRIES):
        os.utime(descriptor, (seconds, seconds))
        name = name_of(identity, os.fstat(descriptor))
        try:
            kept = os.open(name, _NEW, 0o444, dir_fd=directory)
            break
        except FileExistsError:
            seconds += 2
    else:  # such as after the last time that the file system knows
        raise OSError(errno.EOVERFLOW, f"{identity}: no time is left for its checksum", name)
    try:
        os.write(kept, text + b"\n")
        durability.sync_file(kept)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise
    finally:
        os.close(kept)
    return name


def get(directory: int, identity: str, status: os.stat_result) -> bytes | None:
    """Return what is kept for the object ``identity`` whose file has ``status``."""
    try:
        descriptor = open_object(directory, name_of(identity, status))
    except OSError:  # none is kept, or what is there cannot be read: the object has no checksum then
        return None
    try:
        return os.read(descriptor, checksum.LIMIT)
    finally:
        os.close(descriptor)


def owner(name: str) -> tuple[str, int] | None:
    """Return the identity and the time in the name of such a file; None if it is none."""
    match = _NAME.fullmatch(name)
    return None if match is None else (match[1], int(match[2], 16))


def name_of(identity: str, status: os.stat_result) -> str:
    """Return the name of such a file for the object ``identity`` whose file has, or had, ``status``."""
    return f"{identity}.{int(status.st_mtime):x}.sum"
