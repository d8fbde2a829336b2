"""Identities for data that is still to come, noted in the catalogue as pending before a byte of it is stored.

A busy process notes several at a time, so that a PUT does not wait for a commit before it begins.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from host.background import Background
from host.catalogue import contents
from host.catalogue.engine import Catalogue
from host.errors import Failed, HostError
from host.loader import Configuration, Loader
from modules import MODULE_DATA_LIMIT

__all__ = ["Reservation", "Reservations"]

_MOST = 32  # identities at a time
_END = 5  # seconds
_IDLE = 60.0  # seconds after which what was noted is given up
_BUSY = 1.0  # seconds: where they last for less, twice as many are noted the next time


@dataclass(frozen=True)
class Reservation:
    """An identity: the id of its row, and of which module at which location it is.

    ``others`` are the other locations that the module has in this ``edition`` of its configuration.
    """

    id: int
    module: str
    location: str
    others: tuple[str, ...]
    edition: str
    module_data: str


class Reservations:
    """What one process, named ``process`` in the catalogue, has noted and not used yet."""

    def __init__(self, catalogue: Catalogue, loader: Loader, process: str) -> None:
        self._catalogue = catalogue
        self._loader = loader
        self._process = process
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}  # by module
        self._unwanted: list[Reservation] = []  # that the catalogue does not know of yet
        self._beside = Background()

    def take(self, name: str) -> Reservation:
        """Return an identity of the module ``name``, at its local location.

        :raises HostError: there is no such module, or it gives none.
        """
        configured = self._loader.configuration(name)
        if configured is None:
            raise Failed("the storage module of this account is not configured")
        with self._lock:
            pool = self._pools.get(name)
            old: list[Reservation] = []
            if pool is None or pool.edition != configured.edition:
                old = [] if pool is None else list(pool.ready)
                pool = self._pools[name] = _Pool(configured.edition)
            if pool.ready:
                return pool.ready.popleft()
            number = pool.begin()
        # Without the lock: a module may hang, and that must not hold up those that find no place in it.
        try:
            self._give_up(old)
            first, *rest = self._note(configured, number)
        finally:
            with self._lock:
                pool.end()
        with self._lock:
            if self._pools.get(name) is pool:
                pool.ready.extend(rest)
                return first
        self._give_up(rest)
        return first

    def give_up_idle(self) -> None:
        """Give up what has not been used for a while: a module that is needed for nothing else could not be removed."""
        before = time.monotonic() - _IDLE
        with self._lock:
            idle = [name for name, pool in self._pools.items() if pool.noted < before]
            pools = [self._pools.pop(name) for name in idle]
        self._give_up([each for pool in pools for each in pool.ready])

    def release(self) -> None:
        """Give up what was not used. Needed before the process ends; what is not released, upkeep finds."""
        with self._lock:
            pools, self._pools = self._pools, {}
        self._give_up([each for pool in pools.values() for each in pool.ready])
        self._beside.wait(_END)

    def _note(self, configured: Configuration, number: int) -> list[Reservation]:
        name = configured.name
        location, *others = self._loader.order(configured)
        module = self._loader.guarded(name, location)
        made = [module.new_data() for _ in range(number)]
        if not all(map(_can_be_kept, made)):
            raise Failed("the storage module made a module_data that cannot be kept")
        try:
            ids = self._catalogue.commit(lambda connection: contents.reserve(connection, name, made, self._process))
        except IntegrityError as error:
            raise Failed("the storage module of this account is not configured") from error
        return [
            Reservation(identity, name, location, tuple(others), configured.edition, module_data)
            for identity, module_data in zip(ids, made, strict=True)
        ]

    def _give_up(self, unused: list[Reservation]) -> None:
        with self._lock:
            unused, self._unwanted = [*self._unwanted, *unused], []
        if not unused:
            return
        try:
            with self._catalogue.writing() as connection:
                for each in unused:
                    contents.abandon(connection, each.id, self._process)
        except SQLAlchemyError:  # it is away: the next time, for no other process does it while this one lives
            with self._lock:
                self._unwanted += unused
            return
        # They are garbage now; but of what was never used nobody needs to wait for upkeep. A module may hang here, too.
        self._beside.start(("unused", unused[0].id), partial(self._delete, unused))

    def _delete(self, unused: list[Reservation]) -> None:
        try:
            for each in unused:
                self._loader.guarded(each.module, each.location).delete(each.module_data)
        except HostError:
            return  # upkeep says what is wrong when it fails too
        with self._catalogue.writing() as connection:
            contents.forget(connection, [each.id for each in unused])


class _Pool:
    """The identities of one module in one edition of its configuration."""

    def __init__(self, edition: str) -> None:
        self.edition = edition
        self.ready: deque[Reservation] = deque()
        self._number = 1
        self.noted = 0.0  # when a thread last began to
        self._at_it = 0

    def begin(self) -> int:
        """Return how many a thread is to note now: one for itself, if another thread is at it."""
        self._at_it += 1
        if self._at_it > 1:
            return 1
        now = time.monotonic()
        is_busy = now - self.noted < _BUSY
        self._number = min(_MOST, self._number * 2) if is_busy else 1
        self.noted = now
        return self._number

    def end(self) -> None:
        """Note that a thread is through."""
        self._at_it -= 1


def _can_be_kept(module_data: str) -> bool:
    """Tell whether every database keeps ``module_data`` as it is."""
    try:
        return len(module_data.encode()) <= MODULE_DATA_LIMIT and "\0" not in module_data
    except UnicodeEncodeError:  # a lone surrogate
        return False
