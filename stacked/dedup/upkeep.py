"""Upkeep: everything is looked at, what nothing needs goes, and an index that is lost is made anew."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from stacked.dedup.collecting import Collector, version_of
from stacked.dedup.index import Index
from stacked.dedup.manifest import Manifest
from stacked.dedup.reading import read_head, read_manifest, tables
from stacked.dedup.rows import name_of
from stacked.dedup.tables import LIVE, SPOILT
from stacked.dedup.waste import REPLACED
from stacked.store import Inner

__all__ = ["Upkeep"]

_ROOTS = 500  # manifests that are looked up in the index at once
_NAMED = 5  # objects of which the log says what is wrong

log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    root: str
    version: bytes


class Upkeep:
    """One upkeep.

    :param below: where packs and manifests are.
    """

    def __init__(self, index: Index, collector: Collector, below: Inner) -> None:
        self._index = index
        self._books = index.books
        self._collector = collector
        self._below = below
        self._wrong: set[int] = set()  # numbers of objects that miss packs
        self._mourned: set[int] = set()  # objects that are kept and whose manifest is missing: it may come back
        self._spoilt = 0  # packs in which something was found corrupt, or that were missing once
        self._unread = 0  # objects whose manifest is missing or corrupt
        self._adopted = 0

    def run(self, roots: Iterable[str | None]) -> dict[str, Any]:
        """Do all, and return what was done.

        :param roots: the ``module_data`` of the manifests of all objects that are kept; None for one that has none.
        """
        self._index.make(is_empty=False)
        is_rebuilding = self._index.state() == "rebuilding"
        rest = iter(roots)
        while some := list(islice(rest, _ROOTS)):
            self._unread += some.count(None)
            self._look_at_roots([root for root in some if root is not None], is_rebuilding=is_rebuilding)
        self._look_at_objects()
        missing = self._look_at_packs()
        if is_rebuilding:
            self._index.set_ready()
        collected = self._collector.collect(self._below) + self._collector.collect_adopted(self._below)
        below = self._below.upkeep(self._all_below())
        return {
            "wrong": len(self._wrong) + self._unread,
            "adopted": self._adopted,
            "missing": missing,
            "spoilt": self._spoilt,
            "collected": collected,
            "below": below,
        }

    def _look_at_roots(self, roots: list[str], *, is_rebuilding: bool) -> None:
        """Read manifests, and learn of the objects that the index does not know."""
        seen = []
        for root in roots:
            try:
                seen.append(_Seen(root, read_head(self._below, root).version))
            except FileNotFoundError:
                # One that was deleted meanwhile is not in the index either.
                if (numbers := self._index.waste.of_root(root, LIVE)) or is_rebuilding:
                    self._note_unread(root, "its manifest is missing")
                    self._mourned.update(numbers)
            except (TimeoutError, ConnectionError):
                raise  # it is not known what is there
            except (OSError, ValueError) as error:
                self._note_unread(root, str(error))
        known = self._books.known([each.version for each in seen])
        for each in seen:
            if each.version not in known:
                self._adopt(each.root)

    def _adopt(self, root: str) -> None:
        try:
            manifest = read_manifest(self._below, root)
            number = self._books.adopt(root, manifest.head.version)
            # A deletion removes the manifest and then looks for rows: one of both sees the other. Without that, packs
            # that were collected meanwhile would be taken for some that are there.
            version = version_of(self._below, root)
            if version == manifest.head.version:
                self._adopt_parts(number, manifest)
            else:
                self._index.waste.bury([number], 0 if version is None else REPLACED)
        except FileNotFoundError:
            return  # it was deleted meanwhile, or the next upkeep sees it
        except (TimeoutError, ConnectionError):
            raise
        except OSError as error:
            self._note_unread(root, str(error))

    def _adopt_parts(self, number: int, manifest: Manifest) -> None:
        key = self._index.key(is_rebuilding=True)
        if key != manifest.head.key and self._index.totals()["chunks"] == 0 and self._index.state() == "rebuilding":
            self._index.set_key(manifest.head.key)
            key = manifest.head.key
        parts = [manifest.leaves] if manifest.leaves.records else []
        if not all(self._books.adopt_part(number, part, has_hashes=False) for part in parts):
            return
        for table in tables(self._below, manifest):
            if not self._books.adopt_part(number, table, has_hashes=key == manifest.head.key):
                return
        self._books.adopted(number, manifest.head.size)
        self._adopted += 1

    def _look_at_objects(self) -> None:
        """See that the manifest of each object is there, and bury those whose is not."""
        for each in self._books.objects():
            try:
                version = version_of(self._below, each.inner)
            except OSError:
                continue  # it cannot be told, or was told above
            if version != each.name and each.id not in self._mourned:
                self._index.waste.bury([each.id], 0 if version is None else REPLACED)

    def _look_at_packs(self) -> int:
        """See that each pack is there, and return how many are not."""
        missing = 0
        for pack in self._books.packs():
            self._spoilt += pack.state == SPOILT
            if not self._below.available(pack.inner) and (users := self._books.users(pack.id)):
                missing += 1
                self._wrong.update(users)
                log.warning("a pack is missing: %d objects are broken", len(users))
                self._books.mark_spoilt(name_of(pack.inner))
        return missing

    def _all_below(self) -> Iterator[str]:
        """Return the ``module_data`` of all that is kept below."""
        for each in self._books.objects():
            yield each.inner
        for each in self._books.packs():
            yield each.inner

    def _note_unread(self, root: str, reason: str) -> None:
        self._unread += 1
        if self._unread <= _NAMED:
            log.warning("%s: %s", root, reason)
