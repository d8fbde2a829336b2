"""One object, read through and compared with what was kept of it when it was stored."""

import errno
import os
import time
from collections.abc import Callable, Generator
from typing import NamedTuple

from fsstore import checksum, sidecar
from fsstore.checksum import ATTRIBUTE, Kept, Sum
from fsstore.durable import Directory, NotAFile, is_refusal, open_object, stat_object

__all__ = ["Pace", "Seen", "confirm", "scrub"]

_BLOCK = 1024 * 1024  # bytes a read
_PAGE = 4096  # bytes that the disk reads at least
#: Objects from this size on are dropped from the page cache behind the reader, in bytes. Smaller ones leave it by
#: themselves, for what was read once is the first to go; to drop one of 4 KiB took twice as long as to read it.
_DROPPED = 64 * 1024
_NAP = 0.2  # seconds: the longest sleep, so that who wants to stop need not wait
_TRIES = 5
# What a device says that fails, and what a file system says that finds itself corrupt.
_BROKEN = {errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EILSEQ}
# What is said of an object that was removed meanwhile: here, on another machine by NFS, or for a link in its place.
_GONE = {errno.ENOENT, errno.ESTALE, errno.ELOOP, errno.ENXIO}


class Pace:
    """How fast is read.

    :param rate: bytes a second; 0: as fast as it goes.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()  # when all that was read would have been read at that rate

    def took(self, size: int) -> None:
        """Say that ``size`` bytes were read."""
        if self._rate:
            self._due = max(self._due, self._clock()) + max(size, _PAGE) / self._rate

    def is_early(self) -> bool:
        """Tell whether it is too early to read on; if so, first sleep a little."""
        early = self._due - self._clock() if self._rate else 0.0
        if early <= 0:
            return False
        self._sleep(min(early, _NAP))
        return True


class Seen(NamedTuple):
    """What an object was found to be."""

    inode: int
    changed: int  # nanoseconds since 1970: its ctime
    size: int
    reason: str  # why it is not what was stored; empty: it is, as far as can be told
    is_verified: bool  # whether its checksum was compared, or could have been
    is_readable: bool = True
    read: int = 0  # bytes


def scrub(directory: Directory, name: str, pace: Pace | None) -> Generator[None, None, Seen | None]:
    """Look at an object in steps, and return what it is; None if it is gone.

    What looks wrong is looked at again, from the disk, until the same file was wrong twice: it may have been
    replaced meanwhile, and a bit may have tipped over in memory alone.

    :param pace: how fast it is read; None: it is not read at all.
    :raises NotAFile: it is none.
    """
    before: Seen | None = None
    for _ in range(_TRIES):
        seen = yield from _look(directory, name, pace, is_again=before is not None)
        if seen is not None and (not seen.reason or (before is not None and before[:2] == seen[:2])):
            return seen
        before = seen  # if it is gone there may be another one in its place
    return None  # it is gone, or somebody replaces it all the time


def confirm(directory: Directory, name: str) -> Seen | None:
    """Look at an object at once, as :func:`scrub` does in steps; None if it is gone."""
    steps = scrub(directory, name, Pace(0))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            seen: Seen | None = end.value
            return seen


def _look(directory: Directory, name: str, pace: Pace | None, *, is_again: bool) -> Generator[None, None, Seen | None]:
    try:
        status = stat_object(directory.descriptor, name)
        seen = Seen(status.st_ino, status.st_ctime_ns, status.st_size, "", False)
        descriptor = open_object(directory.descriptor, name)
    except NotAFile:
        raise
    except OSError as error:
        if error.errno in _GONE:
            return None
        if error.errno not in _BROKEN:
            raise
        return Seen(0, 0, 0, f"it cannot be opened: {error.strerror}", False, False)
    try:
        seen = yield from _compare(directory, name, descriptor, pace, is_again)
        return seen if os.fstat(descriptor).st_nlink else None
    except OSError as error:
        if error.errno in _GONE:
            return None
        if error.errno not in _BROKEN:
            raise
        return seen._replace(reason=f"it cannot be read: {error.strerror}", is_readable=False)
    finally:
        os.close(descriptor)


def _compare(
    directory: Directory, name: str, descriptor: int, pace: Pace | None, is_again: bool
) -> Generator[None, None, Seen]:
    status = os.fstat(descriptor)
    kept = _kept(directory, name, descriptor, status)
    known = None if kept is None else checksum.sum_of(kept.algorithm)
    seen = Seen(status.st_ino, status.st_ctime_ns, status.st_size, "", known is not None)
    if kept is not None and kept.size != seen.size:
        return seen._replace(reason=f"it has {seen.size} bytes, and had {kept.size} when it was stored")
    if pace is None:
        return seen
    if is_again:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    read = yield from _read(descriptor, seen.size, known, pace)
    seen = seen._replace(read=read)
    if read != seen.size:
        return seen._replace(reason=f"{read} bytes of it can be read, and {seen.size} it should have")
    if kept is not None and known is not None and known.hexdigest() != kept.digest:
        reason = f"its {kept.algorithm} is {known.hexdigest()}, and was {kept.digest} when it was stored"
        return seen._replace(reason=reason)
    return seen


def _kept(directory: Directory, name: str, descriptor: int, status: os.stat_result) -> Kept | None:
    try:
        text = os.getxattr(descriptor, ATTRIBUTE)
    except OSError as error:
        if error.errno != errno.ENODATA and not is_refusal(error):
            raise
        beside = sidecar.get(directory.descriptor, name, status)
        if beside is None:
            return None
        text = beside
    return checksum.parse(text)


def _read(descriptor: int, size: int, known: Sum | None, pace: Pace) -> Generator[None, None, int]:
    """Read a file of ``size`` bytes into a sum, and return how many there are; at most one more is read."""
    place = 0
    while True:
        while pace.is_early():
            yield
        block = os.read(descriptor, min(_BLOCK, size + 1 - place))
        pace.took(len(block))
        if known is not None:
            known.update(block)
        if size >= _DROPPED:
            os.posix_fadvise(descriptor, place, len(block), os.POSIX_FADV_DONTNEED)
        place += len(block)
        if place >= size or not block:
            return place
        yield
