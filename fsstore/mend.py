"""What the survey changes when it is told to mend. Each step looks again before it touches anything."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from fsstore import quarantine
from fsstore.counters import Counters, Counts
from fsstore.durable import Durability, NotAFile, open_object, stat_object
from fsstore.newfile import Style
from fsstore.quarantine import Entry
from fsstore.report import CORRUPT, Finding
from fsstore.root import Root
from fsstore.walk import Kind, Place, kind_of, walk

__all__ = ["Mender"]


class Mender:
    """The one that changes something in a root."""

    def __init__(self, root: Root, durability: Durability) -> None:
        self._root = root
        self._durability = durability
        self._style = Style(durability)
        self._counters = Counters(root.directory)

    def mend(self, finding: Finding) -> bool:
        """Move what is corrupt into quarantine, or remove what is left over; and tell whether it is out of the way.

        :raises OSError: nothing can be changed there.
        """
        shard, _, name = finding.path.rpartition("/")
        try:
            directory = self._root.shard(shard) if shard else self._root.directory
            descriptor = open_object(directory.descriptor, name)
        except FileNotFoundError:
            return True
        except OSError:  # the device does not give it back: nothing can be done from here
            return False
        try:
            status = os.fstat(descriptor)
            if status.st_ino != finding.inode:
                return finding.inode != 0  # it was replaced; or it could not be opened, and now it can
            if status.st_ctime_ns != finding.changed:
                return False
            if finding.kind == CORRUPT:
                self._put(shard, name, descriptor, finding.reason)
            else:
                self._durability.remove(directory, name)
        except FileNotFoundError:
            return True
        finally:
            os.close(descriptor)
        return True

    def _put(self, shard: str, name: str, descriptor: int, reason: str) -> None:
        size = os.fstat(descriptor).st_size
        if quarantine.put(self._root, self._style, shard, name, descriptor, reason) is not None:
            self._counters.add(-1, -size, 1)

    def prune(self, place: Place, limit: int) -> bool:
        """Remove the directory ``place`` if it is empty, and tell whether it was.

        :param limit: one that was changed later stays, for it is in use; nanoseconds since 1970.
        """
        if os.fstat(place.directory.descriptor).st_ctime_ns > limit:
            return False
        self._root.prune(place.path)
        return os.fstat(place.directory.descriptor).st_nlink == 0

    def restore(self, name: str) -> Entry:
        """Put the entry ``name`` of the quarantine back where it was.

        :raises FileNotFoundError: there is no such entry.
        :raises FileExistsError: the object has been stored anew.
        """
        entry = quarantine.restore(self._root, self._style, name)
        shard, _, identity = entry.path.rpartition("/")
        with suppress(FileNotFoundError):  # it was deleted at once
            directory = self._root.shard(shard)
            status = stat_object(directory.descriptor, identity)
            self._counters.add(1, status.st_size, -1)
        self._counters.read()
        return entry

    def recount(self) -> Iterator[None]:
        """Count all objects, in steps, and correct the counters.

        It goes through the directories once more and reads nothing, so that it is short, for what others
        do meanwhile makes it wrong by a little. Objects that are newer than its start are left out, for
        servers count them. What remains:

        - an old object that is deleted, or replaced, before the count comes to it: it is not found, and
          a deletion is counted by the server too. One too few.
        - a change from before the start that a server has not yet added to the counters, of which each
          process keeps fewer than 64 back: it is found, and added later. One too many, or too few.

        While no server has the storage open it is exact.
        """
        before = self._counters.read()
        start = time.time_ns()
        objects = size = 0
        for place in walk(self._root.directory):
            for name in place.names:
                if kind_of(place, name) is Kind.OBJECT:
                    with suppress(FileNotFoundError, NotAFile):
                        status = stat_object(place.directory.descriptor, name)
                        if status.st_ctime_ns < start:
                            objects += 1
                            size += status.st_size
                yield
        self._counters.correct(Counts(objects, size, len(quarantine.entries(self._root))), before)
