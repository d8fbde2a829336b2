"""How an object is read: the manifest first, and of the packs what is asked for."""

import errno
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeVar

from modules import ReadStream
from stacked.dedup.manifest import (
    HEAD_SIZE,
    Head,
    Manifest,
    Record,
    Table,
    decode,
    decode_head,
    decode_table,
    hash_chunk,
    hash_leaf,
)
from stacked.store import Inner
from stacked.streams import SeekableStream, read_full

__all__ = ["ObjectStream", "read_head", "read_manifest", "tables"]

T = TypeVar("T")

_EAGER = 4  # packs that are opened with the object
_OPEN = 4  # packs that are open at the same time


def read_head(below: Inner, root: str) -> Head:
    """Return the head of the manifest with that ``module_data``.

    :raises FileNotFoundError: there is none.
    :raises OSError: with ``errno.EIO``, it is corrupt.
    """
    return _read_head(below.get_read_stream(root), root, lambda head, stream: head)


def read_manifest(below: Inner, root: str) -> Manifest:
    """Return the manifest with that ``module_data``; errors as of :func:`read_head`."""

    def whole(head: Head, stream: ReadStream) -> Manifest:
        body = read_full(stream, head.leaves + head.tail)
        if stream.read(1):
            raise ValueError("the manifest is longer than its head says")
        return decode(head, body)

    return _read_head(below.get_read_stream(root), root, whole)


def _read_head(stream: ReadStream, root: str, then: Callable[[Head, ReadStream], T]) -> T:
    try:
        return then(decode_head(read_full(stream, HEAD_SIZE), root), stream)
    except ValueError as error:
        raise OSError(errno.EIO, f"the object is corrupt: {error}") from None
    finally:
        stream.close()


class Packs:
    """The packs of an object, opened when they are needed.

    :param spoilt: called with the ``module_data`` of a pack that has not what was stored.
    """

    def __init__(self, below: Inner, spoilt: Callable[[str], None]) -> None:
        self._below = below
        self._spoilt = spoilt
        self._streams: OrderedDict[str, ReadStream] = OrderedDict()

    def open(self, pack: str) -> ReadStream:
        """Return a stream of a pack.

        :raises FileNotFoundError: it is not there.
        """
        stream = self._streams.get(pack)
        if stream is None:
            while len(self._streams) >= _OPEN:
                self._streams.popitem(last=False)[1].close()
            stream = self._streams[pack] = self._below.get_read_stream(pack)
        self._streams.move_to_end(pack)
        return stream

    def read(self, table: Table, record: Record, key: bytes, hash_of: Callable[[bytes, bytes], bytes]) -> bytes:
        """Return a chunk or a leaf.

        :raises OSError: with ``errno.EIO``, it is not what was stored.
        """
        pack = table.packs[record.pack]
        try:
            stream = self.open(pack)
            stream.seek(record.place)
            data = read_full(stream, record.size)
        except ValueError as error:
            raise OSError(errno.EIO, f"the object is corrupt: {error}") from error
        except OSError as error:
            if error.errno == errno.EIO:
                self._spoilt(pack)
            raise
        if not hmac.compare_digest(hash_of(key, data), record.hash):
            self._spoilt(pack)
            raise OSError(errno.EIO, "the object is corrupt: a chunk is not what was stored")
        return data

    def close(self) -> None:
        """Close all."""
        while self._streams:
            self._streams.popitem()[1].close()


def tables(below: Inner, manifest: Manifest) -> Iterator[Table]:
    """Return all tables of chunks of an object, from its start to its end.

    :raises OSError: one of them cannot be read; with ``errno.EIO``, it is corrupt.
    """
    packs = Packs(below, lambda pack: None)
    try:
        for record in manifest.leaves.records:
            yield read_leaf(packs, manifest, record)
        yield manifest.tail
    finally:
        packs.close()


def read_leaf(packs: Packs, manifest: Manifest, record: Record) -> Table:
    """Return the leaf that ``record`` tells of."""
    data = packs.read(manifest.leaves, record, manifest.head.key, hash_leaf)
    try:
        return decode_table(data, is_leaf=True)
    except ValueError as error:
        raise OSError(errno.EIO, f"the object is corrupt: {error}") from None


class ObjectStream(SeekableStream):
    """An object that is read. It holds a chunk, a leaf and the manifest.

    :param root: the ``module_data`` of the manifest.
    """

    def __init__(self, below: Inner, root: str, manifest: Manifest, spoilt: Callable[[str], None]) -> None:
        super().__init__(manifest.head.size)
        self._below = below
        self._root = root
        self._manifest = manifest
        self._packs = Packs(below, spoilt)
        self._leaf = (manifest.tail, manifest.leaves.end)  # and where it begins
        self._chunk = (b"", 0)
        if not manifest.leaves.records and len(manifest.tail.packs) <= _EAGER:
            self._open_all(manifest.tail.packs)

    def _open_all(self, packs: list[str]) -> None:
        """Open all packs of a small object, so that it can be read to its end when it is deleted meanwhile."""
        try:
            for pack in packs:
                self._known(lambda: self._packs.open(pack))  # noqa: B023 (called at once)
        except BaseException:
            self._packs.close()
            raise

    def _read_at(self, place: int, size: int) -> bytes:
        parts = [self._part(place, size)]
        got = len(parts[0])
        while got < size:
            parts.append(self._part(place + got, size - got))
            got += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _part(self, place: int, size: int) -> bytes:
        """Return what is asked for, as far as it lies in one chunk."""
        data, begin = self._chunk
        if not begin <= place < begin + len(data):
            data, begin = self._chunk = self._known(lambda: self._find(place))
        offset = place - begin
        return data if offset == 0 and size >= len(data) else data[offset : offset + size]

    def _find(self, place: int) -> tuple[bytes, int]:
        """Return the chunk that a byte lies in, and where it begins."""
        table, begin = self._leaf
        if not begin <= place < begin + table.end:
            table, begin = self._leaf = self._find_leaf(place)
        record, start = table.find(place - begin)
        return self._packs.read(table, record, self._manifest.head.key, hash_chunk), begin + start

    def _find_leaf(self, place: int) -> tuple[Table, int]:
        leaves = self._manifest.leaves
        if place >= leaves.end:
            return self._manifest.tail, leaves.end
        record, start = leaves.find(place)
        table = read_leaf(self._packs, self._manifest, record)
        if table.end != record.end - start:
            raise OSError(errno.EIO, "the object is corrupt: a leaf is of another length")
        return table, start

    def _known(self, work: Callable[[], T]) -> T:
        """Do ``work``; where a pack is missing, tell whether the object is gone or broken."""
        try:
            return work()
        except FileNotFoundError:
            if read_head(self._below, self._root).version != self._manifest.head.version:
                raise FileNotFoundError(errno.ENOENT, "the object was replaced while it was read") from None
            raise OSError(errno.EIO, "the object is broken: chunks of it are missing") from None

    def _release(self) -> None:
        self._packs.close()
