"""How many objects there are, and of how many bytes: kept, so that nobody has to count.

The counters of all processes are one line of text in the file ``counters`` of the root. They are not
synced, and a process adds what it did some at a time: after a crash they may be wrong by a little,
until the survey counts.
"""

import fcntl
import os
import re
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from fsstore.durable import Directory, open_object

__all__ = ["NAME", "Counters", "Counts", "make"]

NAME = "counters"

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_LIMIT = 100  # bytes of the file
_LINE = re.compile(rb"([0-9]{20}) ([0-9]{20}) ([0-9]{20}) ([0-9]{20})\n")
_PENDING = 64  # changes that wait to be added
_PAUSE = 1.0  # seconds that they wait
_TRIES = 5
_WAIT = 0.001  # seconds
_MOST = 64  # slots that are claimed at once


class Counts(NamedTuple):
    """What is counted."""

    objects: int = 0
    bytes: int = 0
    quarantined: int = 0
    slots: int = 0  # identities that were ever made, more or less: see layout.new_path

    def plus(self, other: "Counts") -> "Counts":
        return Counts(
            self.objects + other.objects,
            self.bytes + other.bytes,
            self.quarantined + other.quarantined,
            self.slots + other.slots,
        )

    def clipped(self) -> "Counts":
        """Return them without negative ones, which come of a file that was lost."""
        return Counts(*(max(0, number) for number in self))


def make(root: Directory) -> None:
    """Make the file, which says that there is nothing."""
    os.close(os.open(NAME, _FLAGS, 0o666, dir_fd=root.descriptor))


class Counters:
    """The counters of one root. They may be used by all threads, and after a fork."""

    def __init__(self, root: Directory) -> None:
        self._root = root
        self._slots: Iterator[int] = iter(())
        self.last_slot = 0  # where this process stores what is new, more or less
        self._claim = 1
        self._begin()

    def _begin(self) -> None:
        """Begin with nothing pending: after a fork that is for the parent to add."""
        self._process = os.getpid()
        self._pending = _Pending()
        self._claiming = threading.Lock()  # never waited for
        weakref.finalize(self, _finish, self._root, self._pending, self._process)

    def add(self, objects: int, size: int, quarantined: int = 0) -> None:
        """Count what was done; negative numbers for what is gone."""
        if os.getpid() != self._process:
            self._begin()
        if self._pending.add(Counts(objects, size, quarantined)):
            with suppress(OSError):  # what was stored is stored, also if it cannot be counted
                _change(self._root, self._pending)

    def read(self) -> Counts:
        """Return the counts, with what this process did up to now.

        :raises OSError: they cannot be read.
        """
        if os.getpid() != self._process:
            self._begin()
        try:
            return _change(self._root, self._pending)
        except OSError:  # they cannot be written, for instance on a disk that is full
            return _read(self._root).plus(self._pending.look()).clipped()

    def correct(self, found: Counts, before: Counts) -> None:
        """Set the counts to what was ``found``, and add what was counted since they were ``before``.

        :raises OSError: they cannot be written.
        """
        now = self.read()
        change = Counts(*(one - other for one, other in zip(found, before, strict=True)))
        self._pending.add(change._replace(slots=max(0, found.objects - now.slots)))
        _change(self._root, self._pending)

    def slot(self) -> int:
        """Return how many identities were made before, more or less; each call is a new one.

        They are claimed some at a time, and more each time, so that a process that makes one claims no more.
        """
        slot = next(self._slots, None)
        return self._claim_slots() if slot is None else slot

    def _claim_slots(self) -> int:
        if os.getpid() != self._process:
            self._begin()
        claiming = self._claiming
        if not claiming.acquire(blocking=False):  # another thread is at it; a slot may be given twice
            return self.last_slot
        try:
            claim, self._claim = self._claim, min(2 * self._claim, _MOST)
            claimed = _Pending()
            claimed.add(Counts(slots=claim))
            with suppress(OSError):  # where nothing can be written nothing will be stored: any slot will do
                self.last_slot = max(0, _change(self._root, claimed).slots - claim)
            self._slots = iter(range(self.last_slot + 1, self.last_slot + claim))
            return self.last_slot
        finally:
            claiming.release()


class _Pending:
    """What this process did and has not yet added to the file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never held for long, and not at all after a fork: see Counters._begin
        self._counts = Counts()
        self._changes = 0
        self._due = 0.0

    def add(self, counts: Counts) -> bool:
        """Add ``counts``, and tell whether it is time to write."""
        now = time.monotonic()
        with self._lock:
            self._counts = self._counts.plus(counts)
            self._changes += 1
            is_due = self._changes >= _PENDING or now >= self._due
            if is_due:
                self._changes, self._due = 0, now + _PAUSE
        return is_due

    def take(self) -> Counts:
        """Return what is pending, which then is not any more."""
        with self._lock:
            counts, self._counts = self._counts, Counts()
        return counts

    def look(self) -> Counts:
        """Return what is pending."""
        return self._counts


def _change(root: Directory, pending: _Pending) -> Counts:
    """Add what is pending to the file, and return what it says then."""
    try:
        descriptor = os.open(NAME, _FLAGS, 0o666, dir_fd=root.descriptor)
    except OSError:
        return _read(root).plus(pending.look()).clipped()
    try:
        is_locked = _lock(descriptor)
        text = os.pread(descriptor, _LIMIT, 0)
        if not is_locked or pending.look() == Counts():
            return _parse(text).plus(pending.look()).clipped()
        if not _LINE.fullmatch(text):
            os.ftruncate(descriptor, 0)
        taken = pending.take()
        counts = _parse(text).plus(taken).clipped()
        try:
            os.pwrite(descriptor, " ".join(f"{number:020d}" for number in counts).encode() + b"\n", 0)
        except BaseException:
            pending.add(taken)
            raise
        return counts
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock the file until it is closed, and tell whether that was possible: a process that stands still may have it."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_WAIT)
        except OSError:  # no locks on this file system: two processes may miscount
            return True
    return False


def _read(root: Directory) -> Counts:
    """Return what the file says, where it cannot be written."""
    try:
        descriptor = open_object(root.descriptor, NAME)
    except FileNotFoundError:
        return Counts()
    try:
        return _parse(os.read(descriptor, _LIMIT))
    finally:
        os.close(descriptor)


def _parse(text: bytes) -> Counts:
    """Read the file's line. One that is torn, after a crash, or somebody else's counts for nothing."""
    match = _LINE.fullmatch(text)
    return Counts() if match is None else Counts(*map(int, match.groups()))


def _finish(root: Directory, pending: _Pending, process: int) -> None:
    if os.getpid() == process and pending.look() != Counts():
        with suppress(OSError):
            _change(root, pending)
