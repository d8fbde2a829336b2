"""Deduplication: what is the same in several objects, or several times in one, is kept once.

docs/formats/dedup.md has the format and the protocol.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from modules import Context, Source
from stacked.base import StackedModule
from stacked.dedup.collecting import Collector, version_of
from stacked.dedup.index import Index
from stacked.dedup.manifest import bound_to, encode
from stacked.dedup.reading import ObjectStream, read_head, read_manifest, tables
from stacked.dedup.rows import name_of
from stacked.dedup.upkeep import Upkeep
from stacked.dedup.upload import Upload
from stacked.store import Inner
from stacked.streams import BlockSource

__all__ = ["DedupStorage"]

_TRIES = 5  # of a copy whose source is replaced meanwhile


class DedupStorage(StackedModule):
    """A module that cuts objects into chunks by their content, and keeps each chunk once in the module below.

    Put it on top of compression, and that on top of encryption.

    :param store: the name under which the module below is configured; in Python, it may be that module.
    :param index: where it is noted which chunks there are: the absolute path of a file, once :meth:`prepare` has
        made it, or the URL of a database in PostgreSQL.
    :raises ValueError: an argument is missing, unknown or wrong.
    """

    layer = "dedup"

    def __init__(self, store: Any = None, index: Any = None, **unknown: Any) -> None:
        super().__init__(store, **unknown)
        self._index = Index(index)
        self._collector = Collector(self._index)

    @classmethod
    def prepare(cls, store: Any = None, index: Any = None, **others: Any) -> None:
        Index(index).make(is_empty=True)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        below, root = self.below(context), self.opened(module_data).inner
        below.available(root)  # what the module below refuses is refused before anything is stored
        upload = Upload(self._index, below, root)
        try:
            manifest = upload.store(stream)
        except BaseException:
            upload.abandon()
            with suppress(OSError):  # it is collected later
                self._collector.abandon(below, upload.number)
            raise
        self._publish(below, root, manifest, upload.number, upload.version)
        self._collector.sometimes(below)

    def available(self, context: Context, module_data: str) -> bool:
        below, root = self.below(context), self.opened(module_data).inner
        if not below.available(root):
            return False
        try:
            seen: set[str] = set()
            for table in tables(below, read_manifest(below, root)):
                for pack in set(table.packs) - seen:
                    if not below.available(pack):
                        return False
                seen = set(table.packs)  # of the last one, so that it does not grow with the object
        except FileNotFoundError:
            return False
        return True

    def get_read_stream(self, context: Context, module_data: str) -> ObjectStream:
        below, root = self.below(context), self.opened(module_data).inner
        return ObjectStream(below, root, read_manifest(below, root), self._spoilt)

    def delete(self, context: Context, module_data: str) -> None:
        below, root = self.below(context), self.opened(module_data).inner
        self._index.key()  # or nothing is deleted
        below.delete(root)
        self._collector.deleted(below, root)
        self._collector.sometimes(below)

    def get_size(self, context: Context, module_data: str) -> int:
        return read_head(self.below(context), self.opened(module_data).inner).size

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        below, root, original = self.below(context), self.opened(module_data).inner, self.opened(source).inner
        below.available(root)
        self._index.key()
        for _ in range(_TRIES):
            manifest = read_manifest(below, original)
            made = self._index.copy(root, manifest.head.version)
            if made is not None:
                key = manifest.head.key
                text = encode(key, bound_to(key, root), made[1], manifest.leaves, manifest.tail)
                self._publish(below, root, text, *made)
                return True
        return False

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        below = self.below(context)
        return Upkeep(self._index, self._collector, below).run(map(self._root_of, kept))

    def figures(self) -> Mapping[str, Any]:
        try:
            state, totals = self._index.state(), self._index.totals()
        except OSError as error:
            return {"index": str(error)}
        logical, stored = totals["logical"], totals["stored"]
        return {"index": state, **totals, "saved": round(1 - stored / logical, 4) if logical else 0.0}

    def _root_of(self, module_data: str) -> str | None:
        """Return the ``module_data`` of a manifest; None if this layer did not make it."""
        with suppress(ValueError):
            return self.opened(module_data).inner
        return None

    def _publish(self, below: Inner, root: str, manifest: bytes, number: int, version: bytes) -> None:
        """Write a manifest, by which an object is there, and note that.

        :raises TimeoutError: it took so long that the upload was given up.
        """
        try:
            source = BlockSource(iter([manifest]), len(manifest))
            below.assign(root, source)
            source.require_end()
        except BaseException:
            with suppress(OSError):  # else it is collected later
                if version_of(below, root) != version:
                    self._collector.abandon(below, number)
                else:  # it is there, and perhaps not durable
                    self._collector.settle(below, root, self._index.published(number))
            raise
        try:
            found = self._index.published(number)
        except TimeoutError:
            if version_of(below, root) == version:
                below.delete(root)
            raise
        with suppress(OSError):  # upkeep sees it, too
            self._collector.settle(below, root, found)

    def _spoilt(self, pack: str) -> None:
        """Note that a pack has not what was stored, so that no new object refers to it."""
        with suppress(OSError):  # there may be no index
            self._index.books.mark_spoilt(name_of(pack))
