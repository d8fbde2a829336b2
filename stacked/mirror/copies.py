"""An object of a mirror: its copies in all stores, for one call."""

import errno
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from modules import Context, ReadStream, StorageModule
from stacked import record
from stacked.mirror.label import SIZE, DamagedError, Label, open_copy
from stacked.several import judged
from stacked.store import Inner, Store
from stacked.streams import BlockSource, SeekableStream, read_full

__all__ = ["BLOCK", "Copies", "MirrorStream", "decode", "encode"]

BLOCK = 512 * 1024  #: bytes at a time

_LAYER = "mirror"


def encode(inners: Mapping[str, str]) -> str:
    """Return the ``module_data`` of an object, from that of its copies by the stores' names."""
    inner = json.dumps({name: record.nested(text) for name, text in inners.items()})
    return record.encode(_LAYER, inner, sum=_key(inner).hex())


def decode(module_data: str) -> tuple[bytes, dict[str, str]]:
    """Return 16 bytes that tell the object, and the ``module_data`` of its copies by the stores' names.

    One that is changed anywhere is refused, also where the store in question is not asked: see ``sum``.

    :raises ValueError: :func:`encode` did not make it.
    """
    inner, fields = record.decode(_LAYER, module_data, "sum")
    try:
        values = json.loads(inner)
        if not isinstance(values, dict):
            raise ValueError("it has no copies")
        inners = {name: record.text_of(value) for name, value in values.items()}
        if encode(inners) != module_data:
            raise ValueError("it was changed")
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"module_data: not made by the layer {_LAYER}: {error}") from None
    return bytes.fromhex(fields["sum"]), inners


def _key(inner: str) -> bytes:
    return hashlib.sha256(inner.encode("ascii")).digest()[:16]


class Copies:
    """The copies of one object.

    :param stores: all stores of the mirror, by name.
    :param outer: the mirror.
    """

    def __init__(self, module_data: str, stores: Mapping[str, Store], outer: StorageModule, context: Context) -> None:
        self.module_data = module_data
        self.key, inners = decode(module_data)
        #: The ``module_data`` of the copies, by store, in the order in which they are read.
        self.inners = {name: inners[name] for name in stores if name in inners}
        if not self.inners:
            raise ValueError(f"module_data: none of its stores is one of this mirror: {', '.join(inners)}")
        self._stores = stores
        self._outer = outer
        self._context = context

    def add(self, late: Mapping[str, str]) -> None:
        """Add copies whose ``module_data`` was made later."""
        inners = {**late, **self.inners}
        self.inners = {name: inners[name] for name in self._stores if name in inners}

    def inner(self, name: str) -> Inner:
        """Return the store ``name``."""
        return Inner(*self._stores[name].below(self._outer, self._context))

    def open(self, name: str) -> tuple[ReadStream, Label]:
        """Open the copy in the store ``name``.

        :raises FileNotFoundError: it has none.
        """
        return open_copy(self.inner(name), self.inners[name], self.key)

    def label(self, name: str) -> Label:
        """Return the label of the copy in the store ``name``.

        :raises FileNotFoundError: it has none.
        """
        stream, label = self.open(name)
        stream.close()
        return label

    def look(self, name: str) -> Label | None:
        """Return the label of the copy in the store ``name``, which is durable there then; None if it has none."""
        if not self.inner(name).available(self.inners[name]):
            return None
        try:
            return self.label(name)
        except FileNotFoundError:  # it was deleted just now
            return None

    def delete(self, name: str) -> None:
        """Delete the copy in the store ``name``."""
        self.inner(name).delete(self.inners[name])

    def bring(self, source: str, target: str, label: Label, confirm: Callable[[], None]) -> None:
        """Copy from one store to another one, comparing the checksum.

        :param label: of the copy in ``source``.
        :param confirm: called when all was read, before it becomes visible; raises if it is not to.
        :raises DamagedError: of ``source``: the copy is not what its label tells.
        """
        stream, found = self.open(source)
        try:
            if found != label:
                raise OSError(errno.EIO, f"{source} has another version than it had just now")
            blocks = BlockSource(_verified(stream, label, confirm), label.size + SIZE)
            try:
                self.inner(target).assign(self.inners[target], blocks)
                blocks.require_end()
            except OSError:  # it may have kept it all the same
                if self.look(target) != label:
                    raise
        finally:
            stream.close()
        if self.look(target) != label:
            raise OSError(errno.EIO, f"{target} did not keep what it was given")


def _verified(stream: ReadStream, label: Label, confirm: Callable[[], None]) -> Iterator[bytes]:
    """Return all of a copy, in blocks."""
    left, crc = label.size, 0
    while left:
        block = stream.read(min(left, BLOCK))
        if not block:
            raise DamagedError("the copy ends before its end")
        left, crc = left - len(block), zlib.crc32(block, crc)
        yield block
    yield _end(stream, label, crc)
    confirm()


def _end(stream: ReadStream, label: Label, crc: int, known: bytes = b"") -> bytes:
    """Read the label behind the data of a copy, and return it.

    :param crc: of the data, or -1 if it is not known.
    :param known: what was read of it already.
    :raises DamagedError: the copy is not what its label tells.
    """
    tail = known + read_full(stream, SIZE - len(known)) if len(known) < SIZE else known
    if tail != label.encode():  # it is read to its end, so that the store can compare, too
        raise DamagedError("the copy is not what it was when it was opened")
    if crc not in (-1, label.crc):
        raise DamagedError("the copy is corrupt: its checksum is another one")
    return tail


class MirrorStream(SeekableStream):
    """Reads an object from one copy, and where that fails goes on at the same place of another one of the same version.

    :param name: the store of the copy that is open.
    :param others: the stores that may be tried after it.
    :param failed: told of each store that fails.
    """

    def __init__(
        self,
        copies: Copies,
        name: str,
        opened: tuple[ReadStream, Label],
        others: list[str],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._stream, self._label = opened
        super().__init__(self._label.size)
        self._copies: Copies | None = copies
        self._name = name
        self._others = others
        self._failed = failed
        self._at = 0  # where the open copy is
        self._crc = 0  # of all up to there, or -1

    def _read_at(self, place: int, size: int) -> bytes:
        while True:
            try:
                return self._read_copy(place, size)
            except Exception as error:  # a vendor's module may raise anything
                self._failed(self._name, error)
                if isinstance(error, DamagedError) and self._crc != -1 and place:
                    raise  # what was given may have been wrong
                self._fall_over(judged(self._name, error))

    def _read_copy(self, place: int, size: int) -> bytes:
        if place != self._at:
            self._crc = 0 if place == 0 else -1
            self._at = self._stream.seek(place)
        is_last = place + size == self._size
        wanted = size + SIZE if is_last else size
        block = self._stream.read(wanted)
        if not block or len(block) > wanted:
            raise OSError(
                errno.EIO, f"{self._name} gives {len(block)} bytes of {wanted}, {self._size - place} are left"
            )
        self._at = place + len(block)
        data = block[:size]
        crc = zlib.crc32(data, self._crc) if self._crc != -1 else -1
        if is_last and len(data) == size:
            self._at = -1  # somewhere in the label
            _end(self._stream, self._label, crc, block[size:])
        self._crc = crc
        return data

    def _fall_over(self, error: Exception) -> None:
        """Open another copy.

        :raises Exception: ``error``, there is none.
        """
        with suppress(Exception):
            self._stream.close()
        while self._others and self._copies is not None:
            self._name = self._others.pop(0)
            try:
                stream, label = self._copies.open(self._name)
            except Exception as failed:
                self._failed(self._name, failed)
                continue
            try:
                if label == self._label:
                    self._at = stream.seek(self._place)
                    self._stream, stream = stream, self._stream
                    return
            finally:
                stream.close()
        raise error

    def _release(self) -> None:
        self._copies = None  # and with it the context
        self._stream.close()
