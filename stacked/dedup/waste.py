"""What is done to the index for what nothing needs any more, each in one transaction: docs/formats/dedup.md."""

import time
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, select, update

from stacked.dedup import owner
from stacked.dedup.database import Database
from stacked.dedup.rows import Pack, count, name_of, now
from stacked.dedup.tables import ADOPTING, CLAIMED, DEAD, LIVE, PUBLISHING, UPLOADING, chunks, objects, packs, uses

__all__ = ["ADOPTED", "REPLACED", "Unfinished", "Waste", "claim"]

#: Seconds without a sign of life after which an upload is given up whose process may still be alive.
LEASE = 24 * 3600
#: Seconds for which the chunks of data that was replaced are kept, for those who read it.
REPLACED = 300
#: Seconds for which packs that were learnt of from manifests are kept although none of those is left: others may
#: still give theirs. docs/formats/dedup.md says when that is.
ADOPTED = 7 * 24 * 3600


class Unfinished(NamedTuple):
    """An upload that has not come to its end."""

    id: int
    version: bytes
    root: str
    state: int
    owner: str
    since: int
    size: int

    def is_abandoned(self) -> bool:
        """Tell whether nobody goes on with it."""
        return owner.is_dead(self.owner) or self.since < time.time() - LEASE


class Waste:
    """The part of an index that tells what may go. All that its methods raise is :class:`OSError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give_up(self, upload: int) -> None:
        """Note that an upload whose manifest is not there, and will not be, has come to nothing."""

        def work(connection: Connection) -> None:
            is_open = and_(objects.c.id == upload, objects.c.state.in_((UPLOADING, PUBLISHING)))
            connection.execute(update(objects).where(is_open).values(state=DEAD, since=now()))

        self._database.commit(work, durable=False)

    def bury(self, numbers: Iterable[int], delay: int = 0) -> None:
        """Note that the manifests of objects are not there any more, and will not be.

        :param delay: seconds for which what they refer to is kept all the same.
        """
        numbers = sorted(numbers)

        def work(connection: Connection) -> None:
            chosen = and_(objects.c.id.in_(numbers), objects.c.state.in_((LIVE, ADOPTING)))
            wanted = select(objects.c.state, objects.c.size).where(chosen).order_by(objects.c.id)
            sizes = [row.size for row in connection.execute(wanted.with_for_update()) if row.state == LIVE]
            connection.execute(update(objects).where(chosen).values(state=DEAD, since=now() + delay))
            count(connection, objects=-len(sizes), logical=-sum(sizes))

        self._database.commit(work, durable=False)

    def of_root(self, root: str, *states: int) -> list[int]:
        """Return the objects of a manifest's ``module_data``, in those states."""
        wanted = select(objects.c.id).where(objects.c.name == name_of(root), objects.c.state.in_(states))
        return self._database.read(lambda connection: list(connection.scalars(wanted)))

    def versions(self, root: str) -> list[tuple[int, bytes]]:
        """Return the objects of a manifest's ``module_data`` that were in it, and their versions."""
        is_there = objects.c.state.in_((LIVE, ADOPTING))
        wanted = select(objects.c.id, objects.c.version).where(objects.c.name == name_of(root), is_there)
        return self._database.read(lambda connection: [(row.id, row.version) for row in connection.execute(wanted)])

    def unfinished(self) -> list[Unfinished]:
        """Return the uploads that have not come to their end."""
        columns = [objects.c[name] for name in Unfinished._fields]
        wanted = select(*columns).where(objects.c.state.in_((UPLOADING, PUBLISHING)))
        return self._database.read(lambda connection: [Unfinished(*row) for row in connection.execute(wanted)])

    def due(self, limit: int) -> list[int]:
        """Return dead objects whose references are to be given back."""
        wanted = select(objects.c.id).where(objects.c.state == DEAD, objects.c.since <= now()).limit(limit)
        return self._database.read(lambda connection: list(connection.scalars(wanted)))

    def release(self, numbers: Sequence[int], limit: int) -> tuple[list[Pack], int]:
        """Give back references of dead objects, and claim the packs that nothing refers to any more.

        What is claimed is never referred to again: it may be deleted, and is then to be given to :meth:`forget`.

        :param limit: references, more or less.
        :returns: the packs, and how many references were given back.
        """

        def work(connection: Connection) -> tuple[list[Pack], int]:
            dead = select(objects.c.id).where(objects.c.id.in_(numbers), objects.c.state == DEAD)
            mine = list(connection.scalars(dead.order_by(objects.c.id).with_for_update()))
            wanted = select(uses).where(uses.c.object.in_(mine)).order_by(uses.c.object, uses.c.pack).limit(limit)
            pairs = connection.execute(wanted).all()
            claimed = claim(connection, {row.pack for row in pairs}, mine)
            # In order: all before the last one that was reached have no more.
            done = mine if len(pairs) < limit else [number for number in mine if number < pairs[-1].object]
            connection.execute(delete(objects).where(objects.c.id.in_(done)))
            return claimed, len(pairs)

        return self._database.commit(work, durable=True)

    def claimed(self, limit: int) -> list[Pack]:
        """Return packs that were claimed and are not forgotten yet."""
        wanted = select(packs.c.id, packs.c.inner).where(packs.c.state == CLAIMED).limit(limit)
        return self._database.read(lambda connection: [Pack(*row) for row in connection.execute(wanted)])

    def forget(self, gone: Sequence[Pack]) -> None:
        """Forget packs that are claimed and were deleted."""
        numbers = [pack.id for pack in gone]

        def work(connection: Connection) -> None:
            chosen = and_(packs.c.id.in_(numbers), packs.c.state == CLAIMED)
            wanted = select(packs.c.id, packs.c.size).where(chosen).order_by(packs.c.id)
            rows = connection.execute(wanted.with_for_update()).all()
            size, mine = sum(row.size for row in rows), [row.id for row in rows]
            lost = connection.execute(delete(chunks).where(chunks.c.pack.in_(mine))).rowcount
            connection.execute(delete(packs).where(packs.c.id.in_(mine)))
            count(connection, chunks=-lost, stored=-size, garbage=-size)

        self._database.commit(work, durable=False)


def claim(connection: Connection, wanted: Collection[int], mine: Sequence[int]) -> list[Pack]:
    """Give back the references of ``mine`` to packs, and claim those packs to which that was the last."""
    chosen = packs.c.id.in_(wanted)
    columns = select(packs.c.id, packs.c.inner, packs.c.size, packs.c.adopted)
    rows = connection.execute(columns.where(chosen).order_by(packs.c.id).with_for_update()).all()
    connection.execute(delete(uses).where(uses.c.object.in_(mine), uses.c.pack.in_(wanted)))
    used = set(connection.scalars(select(uses.c.pack).where(uses.c.pack.in_(wanted)).distinct()))
    idle = [row for row in rows if row.id not in used and (not row.adopted or row.adopted < now() - ADOPTED)]
    connection.execute(update(packs).where(packs.c.id.in_([row.id for row in idle])).values(state=CLAIMED))
    count(connection, garbage=sum(row.size for row in idle))
    return [Pack(row.id, row.inner) for row in idle]
