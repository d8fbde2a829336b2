"""What keeps a cloud clean while it runs: data that no name points to is deleted, and copies come to their places.

Each server process tells every few seconds that it lives. What a process that is silent was storing
was never acknowledged, and becomes garbage; garbage is deleted after a grace time, in which reads
that were open when it became garbage come to their end.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, select, update

from host import memory
from host.background import Background
from host.catalogue import contents
from host.catalogue.engine import Catalogue
from host.catalogue.schema import GARBAGE, PENDING, copies, data, detached, processes, vendor_modules
from host.errors import HostError
from host.loader import Loader
from host.lockout import Lockout
from host.replication import Replication
from host.vault import Vault

__all__ = ["Upkeep"]

_BEAT = 10  # seconds between two signs of life
_PAUSE = 1  # seconds between two looks for copies to bring to their places
_SILENCE = 120  # seconds after which a process counts as dead
_LATE = 60  # seconds without a sign of life of its own after which a process spares the others
_BATCH = 1000
_END = 5  # seconds

log = logging.getLogger(__name__)


class Upkeep:
    """The upkeep of one process.

    :param vault: that of the same process, whose name in the catalogue it has.
    :param grace: seconds for which garbage is kept.
    """

    def __init__(
        self, catalogue: Catalogue, loader: Loader, vault: Vault, replication: Replication, grace: int
    ) -> None:
        self._catalogue = catalogue
        self._loader = loader
        self._vault = vault
        self._process = vault.process
        self._lockout = Lockout(catalogue)
        self.replication = replication
        self._grace = grace
        self._beside = Background()
        self._beaten: float | None = None
        self._sparing = 0.0  # until when nobody counts as dead
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Give a sign of life, and from now on do the upkeep in threads of this process.

        The signs of life have one of their own: a deletion that takes long must not make the process
        look dead, or others would give up what it is storing. So has each module, and each of its locations.
        """
        self.beat()
        self._begin(self.beat, _BEAT)
        self._begin(self._reap_beside, _BEAT)
        self._begin(self._bring_beside, _PAUSE)
        self._begin(memory.give_back, _BEAT)

    @contextmanager
    def living(self) -> Iterator[None]:
        """Give signs of life for as long as the block runs, so that nobody takes from this process what it is at."""
        self.beat()
        self._begin(self.beat, _BEAT)
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """End the upkeep: what it is doing has some seconds to be done. What is not is done by others."""
        self._stopped.set()
        self.replication.stop()
        for thread in self._threads:
            thread.join(_END)
        self._beside.wait(_END)

    def beat(self) -> None:
        """Tell that this process lives."""
        seen = {"seen": int(time.time())}
        mine = processes.c.id == self._process
        with self._catalogue.writing() as connection:
            if not connection.execute(update(processes).where(mine).values(seen)).rowcount:
                connection.execute(insert(processes).values(id=self._process, **seen))
        now = time.monotonic()
        if self._is_late(now):
            self._sparing = now + _SILENCE
        self._beaten = now

    def reap(self, grace: int | None = None) -> tuple[int, int]:
        """Delete garbage that is older than ``grace`` seconds.

        :param grace: None for what the settings say.
        :returns: how many objects' data were deleted, and how many could not be.
        """
        self._tidy()
        until = self._until(grace)
        counts = [self._reap_module(module, until) for module in self._wasteful(until)]
        return sum(deleted for deleted, _ in counts), sum(failed for _, failed in counts)

    def _reap_beside(self) -> None:
        """Do the same, each module's garbage in a thread of its own."""
        self._tidy()
        until = self._until(None)
        for module in self._wasteful(until):
            self._beside.start(("garbage", module), partial(self._reap_module, module, until))

    def _bring_beside(self) -> None:
        """Bring copies to their places, each place's in a thread of its own."""
        for place in self.replication.places():
            self._beside.start(("copies", *place), partial(self.replication.bring, *place))

    def _tidy(self) -> None:
        self._vault.tidy()
        now = time.monotonic()
        # Where the catalogue was away, nobody could give a sign of life: who comes back first must not take the others,
        # and their uploads, for dead.
        if now >= self._sparing and not self._is_late(now):
            self._bury(int(time.time()))
        self._clear()
        self._lockout.forget()

    def _is_late(self, now: float) -> bool:
        """Tell whether this process itself was not heard of for a while."""
        return self._beaten is not None and now - self._beaten > _LATE

    def _until(self, grace: int | None) -> int:
        """Return since when garbage may stay; what was cleared just now counts."""
        return int(time.time()) - (self._grace if grace is None else grace)

    def _wasteful(self, until: int) -> list[str]:
        """Return the modules that have garbage to be deleted."""
        its = exists().where(data.c.state == GARBAGE, data.c.module == vendor_modules.c.name, data.c.since <= until)
        query = select(vendor_modules.c.name).where(its).order_by(vendor_modules.c.name)
        with self._catalogue.reading() as connection:
            return list(connection.scalars(query))

    def _reap_module(self, module: str, until: int) -> tuple[int, int]:
        """Delete one module's garbage, everywhere."""
        deleted = failed = 0
        last = (-1, 0)
        while not self._stopped.is_set() and (batch := self._garbage(module, until, last)):
            gone, errors = self._delete(module, batch)
            if errors:  # one for all: a storage that is away fails with each
                text = "the storage module %r did not delete %d of %d pieces of garbage: they are tried again later"
                log.error(text, module, len(errors), len(batch), exc_info=errors[0].__cause__ or errors[0])
            with self._catalogue.writing() as connection:
                contents.forget(connection, gone)
            deleted, failed = deleted + len(gone), failed + len(errors)
            last = (batch[-1].since, batch[-1].id)
        return deleted, failed

    def status(self) -> dict[str, Any]:
        """Return what waits: garbage, uploads on their way, removed containers, copies."""
        query = select(data.c.state, func.count()).group_by(data.c.state)
        with self._catalogue.reading() as connection:
            waiting = connection.execute(query.where(data.c.state.in_((GARBAGE, PENDING)))).all()
            removed = connection.scalar(select(func.count()).select_from(detached))
        states = {row[0]: row[1] for row in waiting}
        return {
            "garbage": states.get(GARBAGE, 0),
            "pending": states.get(PENDING, 0),
            "removed_containers": removed,
            "copies": self.replication.status(),
        }

    def _delete(self, module: str, batch: list[Row[Any]]) -> tuple[list[int], list[Exception]]:
        """Delete data everywhere; return the ids of what is gone, and why the rest is not."""
        gone: list[int] = []
        errors: list[Exception] = []
        try:
            places = [self._loader.guarded(module, location) for location in self._loader.locations(module)]
        except (HostError, LookupError) as error:  # the module does not load
            return [], [error] * len(batch)
        for row in batch:
            if self._stopped.is_set():
                break
            try:
                for place in places:
                    place.delete(row.module_data)
                gone.append(row.id)
            except HostError as error:
                errors.append(error)
        return gone, errors

    def _garbage(self, module: str, until: int, after: tuple[int, int]) -> list[Row[Any]]:
        """Return the next garbage; not what a living process is bringing to a location just now."""
        is_later = (data.c.since > after[0]) | ((data.c.since == after[0]) & (data.c.id > after[1]))
        is_taken = exists().where(copies.c.data == data.c.id, copies.c.process.is_not(None))
        query = select(data.c.id, data.c.module_data, data.c.since).where(data.c.module == module)
        query = query.where(data.c.state == GARBAGE, data.c.since <= until, is_later, ~is_taken)
        with self._catalogue.reading() as connection:
            return list(connection.execute(query.order_by(data.c.since, data.c.id).limit(_BATCH)))

    def _bury(self, now: int) -> None:
        """Take from dead processes what they were doing, and forget them."""
        with self._catalogue.writing() as connection:
            connection.execute(delete(processes).where(processes.c.seen < now - _SILENCE))
            alive = select(processes.c.id)
            orphaned: ColumnElement[bool] = data.c.process.not_in(alive) & (data.c.since < now - _SILENCE)
            gone = update(data).where(data.c.state == PENDING, orphaned)
            connection.execute(gone.values(state=GARBAGE, since=0, process=None))
            taken = copies.c.process.is_not(None) & copies.c.process.not_in(alive)
            connection.execute(update(copies).where(taken).values(process=None))
            lost = detached.c.process.not_in(alive) & (detached.c.since < now - _SILENCE)
            connection.execute(update(detached).where(lost).values(process=None))

    def _clear(self) -> None:
        """Remove what is in containers that were removed, some at a time."""
        query = select(detached.c.node).where(detached.c.process.is_(None)).limit(1)
        query = query.with_for_update(skip_locked=True)
        while not self._stopped.is_set():
            with self._catalogue.writing() as connection:
                left = _BATCH
                while left > 0:
                    container = connection.scalar(query)
                    if container is None:
                        return
                    left -= 1 + contents.clear(connection, container, left)

    def _begin(self, work: Callable[[], object], pause: int) -> None:
        thread = threading.Thread(target=self._repeat, args=(work, pause), name="upkeep", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _repeat(self, work: Callable[[], object], pause: int) -> None:
        while not self._stopped.wait(pause):
            try:
                work()
            except Exception:  # the catalogue may be away for a while; the thread must outlive that
                log.exception("upkeep failed: it is tried again in %d seconds", pause)
