"""What keeps a cloud clean while it runs: data that no name points to is deleted.

Each server process tells every few seconds that it lives. What a process that is silent was storing
was never acknowledged, and becomes garbage; garbage is deleted after a grace time, in which reads
that were open when it became garbage come to their end.
"""

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Engine, delete, insert, literal, select, update

from host.database import garbage, pending, processes, reading, writing
from host.errors import HostError
from host.loader import VENDOR_ERRORS, Loader

__all__ = ["GRACE", "Upkeep"]

#: Seconds for which garbage is kept.
GRACE = 300
_BEAT = 10  # seconds between two signs of life
_SILENCE = 120  # seconds after which a process counts as dead
_BATCH = 1000

log = logging.getLogger(__name__)


class Upkeep:
    """The upkeep of one process. ``process`` is its name in the catalogue."""

    def __init__(self, engine: Engine, loader: Loader, process: str) -> None:
        self._engine = engine
        self._loader = loader
        self._process = process
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Give a sign of life, and from now on do the upkeep in two threads of this process.

        The signs of life have one of their own: a deletion that takes long must not make the process
        look dead, or others would give up what it is storing.
        """
        self.beat()
        for work in (self.beat, self.reap):
            thread = threading.Thread(target=self._repeat, args=(work,), name="upkeep", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End the upkeep, once what it is doing is done."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def beat(self) -> None:
        """Tell that this process lives."""
        seen = {"seen": int(time.time())}
        mine = processes.c.id == self._process
        with writing(self._engine) as connection:
            if not connection.execute(update(processes).where(mine).values(seen)).rowcount:
                connection.execute(insert(processes).values(id=self._process, **seen))

    def reap(self, grace: int = GRACE) -> tuple[int, int]:
        """Delete garbage that is older than ``grace`` seconds.

        :returns: how many objects' data were deleted, and how many could not be.
        """
        now = int(time.time())
        self._bury(now)
        deleted = failed = last = 0
        broken: set[str] = set()
        while batch := self._garbage(now - grace, after=last):
            for last, module, module_data in batch:
                if module not in broken and self._delete(last, module, module_data, broken):
                    deleted += 1
                else:
                    failed += 1
        return deleted, failed

    def _delete(self, row: int, module: str, module_data: str, broken: set[str]) -> bool:
        """Delete one object's data and its row. A module that does not load is added to ``broken``."""
        try:
            instance = self._loader.instance(module)
        except HostError:
            log.exception("the storage module %r does not load: its garbage is deleted later", module)
            broken.add(module)
            return False
        try:
            instance.delete(self._loader.context, module_data)
        except VENDOR_ERRORS:
            log.exception("the storage module %r did not delete garbage %d: it is tried again later", module, row)
            return False
        with writing(self._engine) as connection:
            connection.execute(delete(garbage).where(garbage.c.id == row))
        return True

    def _garbage(self, until: int, after: int) -> list[tuple[int, str, str]]:
        query = select(garbage.c.id, garbage.c.module, garbage.c.module_data)
        query = query.where(garbage.c.since <= until, garbage.c.id > after).order_by(garbage.c.id).limit(_BATCH)
        with reading(self._engine) as connection:
            return [tuple(row) for row in connection.execute(query)]

    def _bury(self, now: int) -> None:
        """Turn into garbage what dead processes were storing, and forget them."""
        with writing(self._engine) as connection:
            connection.execute(delete(processes).where(processes.c.seen < now - _SILENCE))
            orphaned: ColumnElement[bool] = pending.c.process.not_in(select(processes.c.id))
            orphaned &= pending.c.since < now - _SILENCE
            orphans = select(pending.c.module, pending.c.module_data, literal(0)).where(orphaned)
            connection.execute(insert(garbage).from_select(["module", "module_data", "since"], orphans))
            connection.execute(delete(pending).where(orphaned))

    def _repeat(self, work: Callable[[], object]) -> None:
        while not self._stopped.wait(_BEAT):
            try:
                work()
            except Exception:  # the catalogue may be away for a while; the thread must outlive that
                log.exception("upkeep failed: it is tried again in %d seconds", _BEAT)
