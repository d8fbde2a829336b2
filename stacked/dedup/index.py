"""What is done to the index, each in one transaction. docs/formats/dedup.md has the protocol, and why it is safe."""

import errno
import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, insert, literal, select, update

from stacked.dedup.books import Books
from stacked.dedup.database import Database, Lost
from stacked.dedup.manifest import KEY_SIZE
from stacked.dedup.rows import Pack, count, insert_row, now, object_row, pack_row, refer
from stacked.dedup.tables import LIVE, PUBLISHING, READY, UPLOADING, chunks, objects, packs, settings, totals, uses
from stacked.dedup.waste import Waste

__all__ = ["Found", "Index", "Stored"]


class Found(NamedTuple):
    """Where a chunk is."""

    pack: Pack
    place: int
    size: int


class Stored(NamedTuple):
    """A chunk in a new pack."""

    hash: bytes
    place: int
    size: int


class Index:
    """The index of a deduplicating module.

    All that its methods raise beside what they say are :class:`OSError`; among them :class:`Lost`.

    :param where: as for :class:`Database`.
    """

    def __init__(self, where: object) -> None:
        self._database = Database(where)
        self.waste = Waste(self._database)
        self.books = Books(self._database)

    # The whole of it

    def make(self, *, is_empty: bool) -> None:
        """Make it, if there is none.

        :param is_empty: whether nothing is stored. Else only :meth:`adopt` may be used until :meth:`set_ready`.
        """

        def fill(connection: Connection) -> None:
            rows = {"key": secrets.token_hex(KEY_SIZE), "state": "ready" if is_empty else "rebuilding"}
            connection.execute(insert(settings), [{"name": name, "value": value} for name, value in rows.items()])
            row = dict.fromkeys(("objects", "logical", "chunks", "stored", "garbage"), 0)
            connection.execute(insert(totals).values(id=1, **row))

        self._database.make(fill)

    def key(self, *, is_rebuilding: bool = False) -> bytes:
        """Return the key of the hashes.

        :param is_rebuilding: whether the caller is who makes it anew.
        """
        found = self._database.read(_settings)
        if found["state"] != "ready" and not is_rebuilding:
            raise Lost(errno.EROFS, "index: it is being made anew: once upkeep has come to its end, it can be used")
        return bytes.fromhex(found["key"])

    def state(self) -> str:
        """Return ``ready`` or ``rebuilding``."""
        return self._database.read(_settings)["state"]

    def set_ready(self) -> None:
        """Note that all manifests have been given to :meth:`adopt`."""
        self._set("state", "ready")

    def set_key(self, key: bytes) -> None:
        """Take the key of the manifests that an index is made of, so that what they have is found again."""
        self._set("key", key.hex())

    def totals(self) -> dict[str, int]:
        """Return how much there is."""
        row = self._database.read(lambda connection: connection.execute(select(totals)).mappings().one())
        return {name: value for name, value in row.items() if name != "id"}

    # An upload

    def begin(self, root: str) -> tuple[int, bytes]:
        """Begin an upload, and return its number, and the version of what it makes."""
        version = secrets.token_bytes(16)
        row = object_row(root, version, UPLOADING)
        number = self._database.commit(lambda connection: insert_row(connection, objects, row), durable=False)
        return number, version

    def look_up(self, upload: int, hashes: Collection[bytes], referred: Collection[int]) -> dict[bytes, Found]:
        """Return where those chunks are that are there; from now on the upload refers to their packs.

        :param referred: packs to which it refers already: they are not claimed before it has come to its end.
        """
        found = self._database.read(lambda connection: _find(connection, _LOOK, hashes))
        new = {digest for digest, each in found.items() if each.pack.id not in referred}
        if not new:
            return found

        def work(connection: Connection) -> dict[bytes, Found]:
            _touch(connection, upload)
            held = _find(connection, _LOOK_AND_HOLD, new)
            refer(connection, upload, {each.pack.id for each in held.values()})
            return held

        held = self._database.commit(work, durable=False)
        return {digest: each for digest, each in found.items() if digest not in new} | held

    def reserve(self, upload: int, inners: Iterable[str]) -> list[Pack]:
        """Note packs that the upload is about to write, so that they are found whatever becomes of it."""
        rows = [pack_row(inner) for inner in inners]

        def work(connection: Connection) -> list[Pack]:
            _touch(connection, upload)
            made = [Pack(insert_row(connection, packs, row), row["inner"]) for row in rows]
            refer(connection, upload, {pack.id for pack in made})
            return made

        return self._database.commit(work, durable=True)

    def fill(self, upload: int, pack: Pack, size: int, stored: Sequence[Stored]) -> None:
        """Note that a pack is whole, and its chunks may be referred to."""
        rows = [{"pack": pack.id, **each._asdict()} for each in stored]

        def work(connection: Connection) -> None:
            _touch(connection, upload)
            connection.execute(update(packs).where(packs.c.id == pack.id).values(state=READY, size=size))
            if rows:
                connection.execute(insert(chunks), rows)
            count(connection, chunks=len(rows), stored=size)

        self._database.commit(work, durable=False)

    def publishing(self, upload: int, size: int, unused: Sequence[Pack]) -> None:
        """Note, durably with all that came before, that the manifest is about to be written.

        :param unused: packs that were reserved and not written.
        """
        numbers = [pack.id for pack in unused]

        def work(connection: Connection) -> None:
            _touch(connection, upload, size)
            if numbers:
                connection.execute(delete(uses).where(uses.c.object == upload, uses.c.pack.in_(numbers)))
                connection.execute(delete(packs).where(packs.c.id.in_(numbers)))

        self._database.commit(work, durable=True)

    def published(self, upload: int) -> list[tuple[int, bytes]]:
        """Note that the manifest is written, and return all objects with it and their versions: one is in it.

        :raises TimeoutError: the upload was given up meanwhile.
        """

        def work(connection: Connection) -> list[tuple[int, bytes]]:
            row = connection.execute(select(objects).where(objects.c.id == upload).with_for_update()).one_or_none()
            if row is None or row.state not in (PUBLISHING, LIVE):
                raise _given_up()
            if row.state == PUBLISHING:
                connection.execute(update(objects).where(objects.c.id == upload).values(state=LIVE))
                count(connection, objects=1, logical=row.size)
            alike = select(objects.c.id, objects.c.version).where(objects.c.name == row.name, objects.c.state == LIVE)
            return [(number, version) for number, version in connection.execute(alike)]

        return self._database.commit(work, durable=False)

    def copy(self, root: str, source: bytes) -> tuple[int, bytes] | None:
        """Begin a copy of the object of that version, with references to all of its packs, as one that is published.

        :returns: its number and its version; None if there is no such object any more.
        """
        version = secrets.token_bytes(16)
        row = object_row(root, version, PUBLISHING)

        def work(connection: Connection) -> tuple[int, bytes] | None:
            of_source = select(objects.c.id, objects.c.size).where(
                objects.c.version == source, objects.c.state.in_((PUBLISHING, LIVE))
            )
            found = connection.execute(of_source.with_for_update()).one_or_none()
            if found is None:
                return None
            number = insert_row(connection, objects, row | {"size": found.size})
            same = select(literal(number), uses.c.pack).where(uses.c.object == found.id)
            connection.execute(insert(uses).from_select(["object", "pack"], same))
            return number, version

        return self._database.commit(work, durable=True)

    def _set(self, name: str, value: str) -> None:
        change = update(settings).where(settings.c.name == name).values(value=value)
        self._database.commit(lambda connection: connection.execute(change).rowcount, durable=True)


_LOOK = (
    select(chunks.c.hash, chunks.c.place, chunks.c.size, packs.c.id, packs.c.inner)
    .join_from(chunks, packs, packs.c.id == chunks.c.pack)
    .where(chunks.c.hash.in_(bindparam("hashes", expanding=True)), packs.c.state == READY)
)
# Who locks several locks them in this order. PostgreSQL: nobody claims one before this transaction has come to its end.
_LOOK_AND_HOLD = _LOOK.order_by(packs.c.id).with_for_update(read=True, of=packs)
_TOUCH = update(objects).where(objects.c.id == bindparam("upload"), objects.c.state == UPLOADING)
_SEEN = _TOUCH.values(since=bindparam("seen"))
_SEEN_PUBLISHING = _TOUCH.values(since=bindparam("seen"), state=PUBLISHING, size=bindparam("bytes"))


def _find(connection: Connection, statement: Select[Any], hashes: Collection[bytes]) -> dict[bytes, Found]:
    rows = connection.execute(statement, {"hashes": list(hashes)}).all()
    return {row[0]: Found(Pack(row[3], row[4]), row[1], row[2]) for row in rows}


def _settings(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(select(settings))}


def _touch(connection: Connection, upload: int, size: int | None = None) -> None:
    """Note a sign of life of an upload, and with a size that it is publishing.

    :raises TimeoutError: it was given up.
    """
    statement, values = (_SEEN, {}) if size is None else (_SEEN_PUBLISHING, {"bytes": size})
    if connection.execute(statement, {"upload": upload, "seen": now(), **values}).rowcount != 1:
        raise _given_up()


def _given_up() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "index: the upload took so long that it was given up")
