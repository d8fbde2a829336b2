"""What upkeep does to the index, each in one transaction: to go through it, and to make it of manifests."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, exists, select, update

from stacked.dedup.database import Database
from stacked.dedup.manifest import Table
from stacked.dedup.rows import Pack, count, insert_new, name_of, now, object_row, pack_row, refer
from stacked.dedup.tables import ADOPTING, CLAIMED, LIVE, READY, SPOILT, chunks, objects, packs, uses
from stacked.dedup.waste import ADOPTED, claim

__all__ = ["Books", "Kept"]

_ROWS = 500  # in one statement


class Kept(NamedTuple):
    """An object or a pack."""

    id: int
    inner: str  #: the ``module_data`` of its manifest, or of the pack
    name: bytes  #: the version of the object; of a pack, a hash
    state: int


class Books:
    """The part of an index that upkeep uses. All that its methods raise is :class:`OSError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def objects(self) -> Iterator[Kept]:
        """Return all objects that are there."""
        columns = select(objects.c.id, objects.c.root, objects.c.version, objects.c.state)
        return self._pages(columns.where(objects.c.state.in_((LIVE, ADOPTING))).order_by(objects.c.id))

    def packs(self) -> Iterator[Kept]:
        """Return all packs that are whole."""
        columns = select(packs.c.id, packs.c.inner, packs.c.name, packs.c.state)
        return self._pages(columns.where(packs.c.state.in_((READY, SPOILT))).order_by(packs.c.id))

    def _pages(self, wanted: Select[Any]) -> Iterator[Kept]:
        """Return rows, a page at a time: no transaction stays open meanwhile."""
        number = wanted.selected_columns[0]
        last = 0
        while True:
            page = wanted.where(number > last).limit(_ROWS)
            rows = self._database.read(_all(page))
            yield from map(Kept._make, rows)
            if not rows:
                return
            last = int(rows[-1][0])

    def known(self, versions: Collection[bytes]) -> set[bytes]:
        """Return those of the versions of objects that are known, with all that they refer to."""
        wanted = select(objects.c.version).where(objects.c.version.in_(versions), objects.c.state != ADOPTING)
        return self._database.read(lambda connection: set(connection.scalars(wanted)))

    def users(self, pack: int) -> list[int]:
        """Return the objects that refer to a pack."""
        wanted = select(uses.c.object).where(uses.c.pack == pack)
        return self._database.read(lambda connection: list(connection.scalars(wanted)))

    def mark_spoilt(self, name: bytes) -> None:
        """Note that a pack is missing or corrupt: no new object refers to it.

        :param name: of :func:`name_of`.
        """
        change = update(packs).where(packs.c.name == name, packs.c.state == READY).values(state=SPOILT)
        self._database.commit(lambda connection: connection.execute(change).rowcount, durable=True)

    def adopt(self, root: str, version: bytes) -> int:
        """Begin to learn of an object from its manifest, and return its number."""
        row = object_row(root, version, ADOPTING)

        def work(connection: Connection) -> int:
            insert_new(connection, objects, [row])
            return int(connection.scalar(select(objects.c.id).where(objects.c.version == version)) or 0)

        return self._database.commit(work, durable=False)

    def adopt_part(self, number: int, table: Table, *, has_hashes: bool) -> bool:
        """Learn of a part of the object: its chunks, their packs, and that it refers to those.

        :param has_hashes: whether their hashes are by the key of this index, so that they are found again.
        :returns: False if the object is gone, or one of its packs is.
        """
        ends: dict[int, int] = {}
        for record in table.records:
            ends[record.pack] = max(ends.get(record.pack, 0), record.place + record.size)
        sizes = {table.packs[pack]: end for pack, end in ends.items()}

        def work(connection: Connection) -> bool:
            mine = select(objects.c.id).where(objects.c.id == number, objects.c.state == ADOPTING)
            if connection.execute(mine.with_for_update()).first() is None:
                return False
            numbers, grown = _adopt_packs(connection, sizes)
            if numbers.keys() != sizes.keys():
                return False
            refer(connection, number, numbers.values())
            rows = [
                {"pack": numbers[table.packs[each.pack]], "place": each.place, "size": each.size, "hash": each.hash}
                for each in table.records
            ]
            more = _insert_chunks(connection, rows) if has_hashes and rows else 0
            count(connection, chunks=more, stored=grown)
            return True

        return self._database.commit(work, durable=False)

    def adopted(self, number: int, size: int) -> None:
        """Note that all parts of an object were adopted."""
        mine = update(objects).where(objects.c.id == number, objects.c.state == ADOPTING)

        def work(connection: Connection) -> None:
            if connection.execute(mine.values(state=LIVE, size=size)).rowcount:
                count(connection, objects=1, logical=size)

        self._database.commit(work, durable=True)

    def claim_idle(self, limit: int) -> list[Pack]:
        """Claim packs that were adopted a while ago, and to which nothing refers any more."""
        is_idle = ~exists().where(uses.c.pack == packs.c.id)
        is_due = packs.c.adopted.between(1, now() - ADOPTED - 1)
        wanted = select(packs.c.id).where(packs.c.adopted != 0, is_due, packs.c.state != CLAIMED, is_idle).limit(limit)

        def work(connection: Connection) -> list[Pack]:
            return claim(connection, list(connection.scalars(wanted)), [])

        return self._database.commit(work, durable=True)


def _all(wanted: Select[Any]) -> Callable[[Connection], Sequence[Row[Any]]]:
    return lambda connection: connection.execute(wanted).all()


def _adopt_packs(connection: Connection, sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """See that there are rows for packs, and return their numbers, and by how much they are larger than was known.

    :param sizes: of the packs, by their ``module_data``: as far as was seen.
    """
    rows = [pack_row(inner) | {"state": READY, "adopted": now()} for inner in sorted(sizes)]
    if not rows:
        return {}, 0
    insert_new(connection, packs, rows)
    chosen = and_(packs.c.name.in_([name_of(inner) for inner in sizes]), packs.c.state != CLAIMED)
    wanted = select(packs.c.id, packs.c.inner, packs.c.size, packs.c.adopted).where(chosen).order_by(packs.c.id)
    found = connection.execute(wanted.with_for_update()).all()
    grown = 0
    for row in found:
        if row.adopted and sizes[row.inner] > row.size:
            connection.execute(update(packs).where(packs.c.id == row.id).values(size=sizes[row.inner]))
            grown += sizes[row.inner] - row.size
    return {row.inner: row.id for row in found}, grown


def _insert_chunks(connection: Connection, rows: list[dict[str, object]]) -> int:
    """Insert the rows of chunks that are not there, and return how many those were."""
    numbers = {row["pack"] for row in rows}
    wanted = select(chunks.c.pack, chunks.c.place).where(chunks.c.pack.in_(numbers))
    there = {(row.pack, row.place) for row in connection.execute(wanted)}
    new = {(row["pack"], row["place"]): row for row in rows if (row["pack"], row["place"]) not in there}
    if new:
        insert_new(connection, chunks, list(new.values()))
    return len(new)
