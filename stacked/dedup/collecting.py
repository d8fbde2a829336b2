"""How what nothing needs any more is given back to the module below."""

import logging
import time
from collections import deque
from contextlib import suppress

from stacked.dedup.database import Lost
from stacked.dedup.index import Index
from stacked.dedup.reading import read_head
from stacked.dedup.rows import Pack
from stacked.dedup.tables import DEAD
from stacked.dedup.waste import REPLACED, Unfinished
from stacked.store import Inner

__all__ = ["Collector"]

_BATCH = 256  # references that are given back in one transaction, and packs that are then deleted
_PAUSE = 60.0  # seconds between two looks at what others left
_OWED = 10_000  # deletions that one process remembers which the index could not note

log = logging.getLogger(__name__)


class Collector:
    """What one process collects."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._waste = index.waste
        self._next = 0.0
        self._owed: deque[str] = deque(maxlen=_OWED)

    def settle(self, below: Inner, root: str, found: list[tuple[int, bytes]]) -> None:
        """See which of the objects with one manifest is in it, and let the others go.

        :param found: of :meth:`Index.published`.
        """
        if len(found) > 1:
            version = version_of(below, root)
            self._waste.bury([number for number, each in found if each != version], 0 if version is None else REPLACED)

    def deleted(self, below: Inner, root: str) -> None:
        """Give back what an object has whose manifest was just deleted, as far as it is quickly done.

        A disk that is full may let nothing be noted: then it is done later. The object is gone all the same.
        """
        try:
            numbers = self._waste.of_root(root, DEAD)
            if found := self._waste.versions(root):
                # An upload that came to its end meanwhile may have written the manifest again.
                version = version_of(below, root)
                gone = [number for number, each in found if each != version]
                self._waste.bury(gone)
                numbers += gone
            if numbers:
                self.release(below, numbers)
        except Lost:
            raise
        except OSError as error:
            if isinstance(error, (TimeoutError, ConnectionError)):
                raise
            log.warning("what was deleted is to be given back later: %s", error)
            self._owed.append(root)

    def abandon(self, below: Inner, number: int) -> None:
        """Give back what an upload has that came to nothing."""
        self._waste.give_up(number)
        self.release(below, [number])

    def sometimes(self, below: Inner) -> None:
        """Collect a little of what others left, once in a while."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            try:
                self.collect(below, 1)
            except OSError as error:
                log.warning("nothing is collected now: %s", error)

    def collect(self, below: Inner, rounds: int | None = None) -> int:
        """Collect what is due, and return how many packs were deleted.

        :param rounds: how many batches at most; None for all.
        """
        for _ in range(len(self._owed)):
            self.deleted(below, self._owed.popleft())
        for upload in self._waste.unfinished():
            if upload.is_abandoned():
                self._finish(below, upload)
        count = self._delete(below, self._waste.claimed(_BATCH))
        while (rounds is None or rounds > 0) and (numbers := self._waste.due(_BATCH)):
            packs, _ = self._waste.release(numbers, _BATCH)
            count += self._delete(below, packs)
            rounds = None if rounds is None else rounds - 1
        return count

    def collect_adopted(self, below: Inner) -> int:
        """Collect packs that were learnt of from manifests, and return how many were deleted."""
        count = 0
        while packs := self._index.books.claim_idle(_BATCH):
            count += self._delete(below, packs)
        return count

    def release(self, below: Inner, numbers: list[int]) -> None:
        """Give back a batch of what dead objects have; the rest is due."""
        packs, _ = self._waste.release(numbers, _BATCH)
        self._delete(below, packs)

    def _finish(self, below: Inner, upload: Unfinished) -> None:
        """Bring an upload to its end whose process has ended."""
        with suppress(OSError):  # what cannot be told now is left as it is
            if version_of(below, upload.root) == upload.version:
                self.settle(below, upload.root, self._index.published(upload.id))
            else:
                self._waste.give_up(upload.id)

    def _delete(self, below: Inner, packs: list[Pack]) -> int:
        gone = []
        for pack in packs:
            try:
                below.delete(pack.inner)
            except (OSError, ValueError) as error:  # it stays claimed, and is tried again
                log.warning("a pack cannot be deleted: %s", error)
            else:
                gone.append(pack)
        if gone:
            self._waste.forget(gone)
        return len(gone)


def version_of(below: Inner, root: str) -> bytes | None:
    """Return the version of the object in a manifest; None if there is none.

    :raises OSError: it cannot be told.
    """
    try:
        return read_head(below, root).version
    except FileNotFoundError:
        return None
