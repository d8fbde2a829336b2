"""What brings data to the other locations of a module: a queue in the catalogue, and what works it off.

A row of ``copies`` is one object's data that is still to come to one location. A process takes it by writing its
name into it, so that no two are at the same one; a dead process's rows are taken back by :mod:`host.upkeep`.
"""

import json
import logging
import threading
import time
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from host.body import Body
from host.catalogue import contents
from host.catalogue.engine import Catalogue
from host.catalogue.schema import KEPT, copies, data, vendor_modules
from host.errors import HostError
from host.loader import Loader, reason

__all__ = ["Replication"]

_BATCH = 100
_LONGEST = 3600  # seconds between two tries

log = logging.getLogger(__name__)


class Replication:
    """The queue, as one process works it off."""

    def __init__(self, catalogue: Catalogue, loader: Loader, process: str) -> None:
        self._catalogue = catalogue
        self._loader = loader
        self._process = process
        #: By module and location, the data that a thread has taken just now.
        self._taken: dict[tuple[str, str], int] = {}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no more copies."""
        self._stopped.set()

    def work(self) -> tuple[int, int]:
        """Bring everything that is due to its location.

        :returns: how many copies arrived, and how many did not.
        """
        counts = [self.bring(*place) for place in self.places()]
        return sum(arrived for arrived, _ in counts), sum(failed for _, failed in counts)

    def places(self) -> list[tuple[str, str]]:
        """Return the modules and locations to which something is due."""
        with self._catalogue.reading() as connection:
            rows = connection.execute(select(vendor_modules.c.name, vendor_modules.c.locations)).all()
        all_of = [
            (name, location)
            for name, locations in rows
            if len(found := json.loads(locations)) > 1
            for location in found
        ]
        return [place for place in all_of if place in self._taken or self._due(*place, limit=1)]

    def bring(self, module: str, location: str) -> tuple[int, int]:
        """Bring what is due of a module to one of its locations. It is for one thread of a process.

        :returns: how many copies arrived, and how many did not.
        """
        taken = self._taken.pop((module, location), None)
        if taken is not None:  # the catalogue was away in the middle of it, and no other process takes it
            self._free(taken, location)
        arrived = failed = 0
        while batch := self._due(module, location, limit=_BATCH):
            for identity, attempts in batch:
                if self._stopped.is_set():
                    return arrived, failed
                self._taken[module, location] = identity
                if self._take(identity, location):
                    is_there = self._bring(identity, location, attempts)
                    arrived, failed = arrived + is_there, failed + (not is_there)
                del self._taken[module, location]
        return arrived, failed

    def status(self) -> list[dict[str, Any]]:
        """Return, for each module and location that something is still to come to, how much, and what is wrong."""
        columns = (data.c.module, copies.c.location)
        query = select(
            *columns,
            func.count().label("waiting"),
            func.sum(data.c.size).label("bytes"),
            func.min(data.c.since).label("since"),
            func.max(copies.c.attempts).label("attempts"),
            func.max(copies.c.error).label("error"),
        )
        query = query.where(copies.c.data == data.c.id, data.c.state == KEPT).group_by(*columns).order_by(*columns)
        with self._catalogue.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _due(self, module: str, location: str, *, limit: int) -> list[tuple[int, int]]:
        query = select(copies.c.data, copies.c.attempts).where(copies.c.module == module)
        query = query.where(copies.c.location == location, copies.c.due <= int(time.time()))
        query = query.where(copies.c.process.is_(None)).order_by(copies.c.due)
        with self._catalogue.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query.limit(limit))]

    def _take(self, identity: int, location: str) -> bool:
        """Take a row for this process, and tell whether it was there and free."""
        free = (copies.c.data == identity, copies.c.location == location, copies.c.process.is_(None))
        with self._catalogue.writing() as connection:
            return bool(connection.execute(update(copies).where(*free).values(process=self._process)).rowcount)

    def _free(self, identity: int, location: str) -> None:
        with self._catalogue.writing() as connection:
            connection.execute(update(copies).where(*self._mine(identity, location)).values(process=None))

    def _mine(self, identity: int, location: str) -> tuple[ColumnElement[bool], ...]:
        return copies.c.data == identity, copies.c.location == location, copies.c.process == self._process

    def _bring(self, identity: int, location: str, attempts: int) -> bool:
        mine = self._mine(identity, location)
        try:
            brought = self._copy(identity, location)
        except HostError as error:
            log.warning("data %d does not come to %r: %s", identity, location, reason(error.__cause__ or error))
            pause = min(_LONGEST, 2 ** min(attempts + 1, 30))
            values = {"attempts": attempts + 1, "due": int(time.time()) + pause, "process": None, "error": str(error)}
            with self._catalogue.writing() as connection:
                connection.execute(update(copies).where(*mine).values(values))
            return False
        with self._catalogue.writing() as connection:
            is_mine = bool(connection.execute(delete(copies).where(*mine)).rowcount)
            if brought is not None and not is_mine:
                # This process was taken for dead: so the data may have been deleted there before it came.
                kept = select(data.c.id).where(data.c.id == identity, data.c.state == KEPT)
                if connection.scalar(kept) is None:
                    contents.waste_again(connection, brought.module, brought.module_data)
        return True

    def _copy(self, identity: int, location: str) -> Row[Any] | None:
        """Bring data to a location, unless something else did or nobody wants it any more.

        :returns: the row of the data if it was brought.
        """
        with self._catalogue.reading() as connection:
            row = connection.execute(select(data).where(data.c.id == identity, data.c.state == KEPT)).first()
        if row is None:
            return None
        there = self._loader.guarded(row.module, location)
        if there.available(row.module_data):
            return None
        error: HostError | None = None
        for source in self._loader.locations(row.module):
            if source == location:
                continue
            try:
                window = self._loader.guarded(row.module, source).open(row.module_data, row.size)
            except HostError as failed:
                error = error or failed
                continue
            try:
                there.assign(row.module_data, Body(window, row.size))
                return row
            except HostError as failed:
                error = error or failed
            finally:
                window.close()
        if error is not None:
            raise error
        return None
