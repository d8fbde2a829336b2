"""How an object is stored: cut, looked up, and what is new written in packs; the manifest last."""

from modules import Source
from stacked.dedup.cutting import blocks
from stacked.dedup.index import Found, Index, Stored
from stacked.dedup.manifest import LEAF_CHUNKS, Table, bound_to, encode, hash_chunk, hash_leaf
from stacked.dedup.packs import PackWriter
from stacked.dedup.rows import Pack
from stacked.store import Inner

__all__ = ["Upload"]

_PACK = 8 * 1024 * 1024  # bytes, more or less: what is deleted at once, or kept for the sake of one chunk
_LARGEST = 32 * 1024 * 1024  # bytes: packs grow with the upload, since each costs a sync
_WRITERS = 2  # packs that are written at the same time
_REMEMBERED = 10_000  # packs
_RESERVED = 16  # packs that are noted in one transaction at most


class Upload:
    """One upload: what it has stored, and what it refers to.

    :param below: where packs are stored.
    :param root: the ``module_data`` of the manifest.
    """

    def __init__(self, index: Index, below: Inner, root: str) -> None:
        self._key = index.key()
        self._index = index
        self._below = below
        self._root = root
        self.number, self.version = index.begin(root)
        self._reserved: list[Pack] = []
        self._reserves = 1
        self._writers: list[PackWriter] = []
        self._stored = 0  # bytes in packs that were ended
        self._referred: set[int] = set()  # packs to which this upload refers, as far as they are remembered
        self._recent: dict[bytes, Found] = {}  # chunks in packs that are not whole yet
        self._leaves = Table()
        self._tail = Table()

    def store(self, stream: Source) -> bytes:
        """Store what ``stream`` gives, and return the manifest."""
        for chunks in blocks(self._key, stream):
            self._store_chunks(chunks)
        for writer in self._writers:
            writer.end()
        while self._writers:
            self._finish_first()
        bound = bound_to(self._key, self._root)
        manifest = encode(self._key, bound, self.version, self._leaves, self._tail)
        self._index.publishing(self.number, self._leaves.end + self._tail.end, self._reserved)
        return manifest

    def _store_chunks(self, chunks: list[memoryview]) -> None:
        hashes = [hash_chunk(self._key, chunk) for chunk in chunks]
        found = self._look_up(set(hashes) - self._recent.keys())
        for digest, chunk in zip(hashes, chunks, strict=True):
            place = self._recent.get(digest) or found.get(digest) or self._add(digest, chunk)
            self._tail.add(digest, place.pack.inner, place.place, place.size, place.size)
            if len(self._tail.records) == LEAF_CHUNKS:
                self._end_leaf()
        if self._writers:
            self._writers[-1].keep()

    def abandon(self) -> None:
        """See that nothing is written any more."""
        for writer in self._writers:
            writer.abandon()

    def _look_up(self, hashes: set[bytes]) -> dict[bytes, Found]:
        if len(self._referred) > _REMEMBERED:
            self._referred.clear()
        found = self._index.look_up(self.number, hashes, self._referred)
        self._referred.update(each.pack.id for each in found.values())
        return found

    def _end_leaf(self) -> None:
        """Put the last leaf, which is full, into a pack."""
        data = self._tail.encode()
        digest = hash_leaf(self._key, data)
        writer = self._writer()
        place = writer.add(data)
        self._leaves.add(digest, writer.pack.inner, place, len(data), self._tail.end)
        self._tail = Table()

    def _add(self, digest: bytes, chunk: memoryview) -> Found:
        writer = self._writer()
        found = Found(writer.pack, writer.add(chunk), len(chunk))
        writer.stored.append(Stored(digest, found.place, found.size))
        self._recent[digest] = found
        return found

    def _writer(self) -> PackWriter:
        """Return the writer of the pack that is being filled."""
        if self._writers and self._writers[-1].size < min(max(_PACK, self._stored), _LARGEST):
            return self._writers[-1]
        if self._writers:
            self._writers[-1].end()
            self._stored += self._writers[-1].size
        if len(self._writers) == _WRITERS:
            self._finish_first()
        if not self._reserved:
            identities = [self._below.new_data() for _ in range(self._reserves)]
            self._reserved = self._index.reserve(self.number, identities)
            self._reserves = min(2 * self._reserves, _RESERVED)
        self._writers.append(PackWriter(self._below, self._reserved.pop(0)))
        return self._writers[-1]

    def _finish_first(self) -> None:
        writer = self._writers[0]
        writer.finish()
        self._index.fill(self.number, writer.pack, writer.size, writer.stored)
        del self._writers[0]
        for each in writer.stored:
            self._recent.pop(each.hash, None)
