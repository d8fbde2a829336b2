"""What moves objects from one module to another while the cloud serves them: the whole work, without a command line.

Each object is copied, read back and compared; then one transaction lets its name point to the copy, if it still points
to what was copied. So an object is in one place or in the other, whatever ends the work, and a write that comes in
between wins. What is still to be moved the catalogue tells: the work goes on where it was by looking again.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from host.catalogue import contents, tree
from host.catalogue.account import by_name
from host.catalogue.node import Data
from host.catalogue.schema import KEPT, accounts, data, nodes
from host.cloud import Cloud
from host.copying import Copier, Unreadable
from host.errors import Conflict, HostError, Invalid
from host.loader import FRESH, reason, without
from host.reservations import Reservation

__all__ = ["Choice", "Entry", "Moved", "Moving", "TooManyFailures"]

_PAGE = 200
_IN_A_ROW = 100  # failures after which a module, and not an object, must be what is wrong
_SETTLE = 2 * FRESH  # seconds after which every server knows a new policy


@dataclass(frozen=True)
class Choice:
    """Which objects are moved, and where to: all of one module, or all of one user's that are elsewhere.

    :param before: the id of a row of data: only what was noted before it. What is moved from a module to itself needs
        one, for otherwise there would be no end.
    """

    to: str
    module: str | None = None
    user: str | None = None
    before: int | None = None


class Entry(NamedTuple):
    """An object that is to be moved: its data, its id and its owner's."""

    data: Data
    node: str
    owner: int


class Moved(NamedTuple):
    """What became of an object: ``moved``, ``changed`` meanwhile so that there was nothing to move, or ``failed``."""

    entry: Entry
    outcome: str
    why: str = ""


class TooManyFailures(Exception):
    """So many objects could not be moved, one after the other, that it is no use to go on."""


class Moving:
    """The moving of what ``choice`` says.

    :param rate: bytes a second, of all threads together; None for no limit.
    :raises Invalid: there is no such module or user.
    """

    def __init__(self, cloud: Cloud, choice: Choice, rate: int | None = None) -> None:
        self._cloud = cloud
        self._choice = choice
        self._stopped = threading.Event()
        self._copier = Copier(cloud.loader, rate, self._stopped)
        self._turn = threading.Lock()
        self._in_a_row = 0
        self._error: BaseException | None = None
        self._owner = self._require(choice)
        if choice.module == choice.to and choice.before is None:
            with cloud.catalogue.reading() as connection:
                newest = connection.scalar(select(func.max(data.c.id))) or 0
            self._choice = Choice(choice.to, choice.module, before=newest + 1)

    @property
    def before(self) -> int | None:
        """The limit of what is moved: with it the work can be taken up again."""
        return self._choice.before

    def policies(self) -> list[str]:
        """Return the names of the users whose policy :meth:`switch` would change."""
        wanted = accounts.c.policy == self._choice.module
        if self._choice.user is not None:
            wanted = and_(accounts.c.name == self._choice.user, accounts.c.policy != self._choice.to)
        if self._choice.module == self._choice.to:
            return []
        with self._cloud.catalogue.reading() as connection:
            return list(connection.scalars(select(accounts.c.name).where(wanted).order_by(accounts.c.name)))

    def switch(self) -> list[str]:
        """Let what users store from now on go where their objects are moved to; return the names of these users."""
        choice, names = self._choice, self.policies()
        if choice.user is not None and names:
            self._cloud.accounts.put(choice.user, policy=choice.to)
        elif choice.module is not None and names:
            names = self._cloud.accounts.change_policy(choice.module, choice.to)
        if names:
            self._stopped.wait(_SETTLE)
        return names

    def left(self) -> tuple[int, int]:
        """Return how many objects are still to be moved, and how many bytes they have."""
        query = select(func.count(), func.coalesce(func.sum(data.c.size), 0)).join(nodes, nodes.c.data == data.c.id)
        with self._cloud.catalogue.reading() as connection:
            row = connection.execute(query.where(self._wanted())).one()
        return int(row[0]), int(row[1])

    def run(self, threads: int, tell: Callable[[Moved], object]) -> None:
        """Move all of them, and tell of each; one that cannot be moved does not stop the others.

        :param tell: is called by one thread at a time.
        :raises TooManyFailures: this or that is broken.
        :raises sqlalchemy.exc.SQLAlchemyError: the catalogue is away.
        """
        entries = self._entries()
        workers = [threading.Thread(target=self._work, args=(entries, tell), daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Have :meth:`run` come to its end soon. What is being copied is given up."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stopped.is_set()

    def path_of(self, entry: Entry) -> str:
        """Return whose an object is, and where, for people."""
        with self._cloud.catalogue.reading() as connection:
            name = connection.scalar(select(accounts.c.name).where(accounts.c.id == entry.owner))
            found = None if name is None else by_name(connection, name)
            node = tree.by_id(connection, entry.node)
            if found is None or node is None:
                return entry.node
            return f"{name} {tree.path_of(connection, found[0], node).url}"

    def move(self, entry: Entry) -> Moved:
        """Move one object."""
        fill = partial(self._copier.copy, entry.data)
        try:
            self._cloud.vault.keep(self._choice.to, fill, lambda reserved, _: self._exchange(entry, reserved))
        except _Superseded:
            return Moved(entry, "changed")
        except HostError as error:
            if not self._is_there(entry):
                return Moved(entry, "changed")
            is_read = not isinstance(error, Unreadable)
            why = f"cannot be stored: {reason(error.__cause__ or error)}" if is_read else f"cannot be read: {error}"
            return Moved(entry, "failed", without(why, self._cloud.loader.secrets()))
        return Moved(entry, "moved")

    def _require(self, choice: Choice) -> int | None:
        """Check that what is named is there, and return the id of the user's account."""
        for name in (choice.to, choice.module):
            if name is None:
                continue
            try:
                location = self._cloud.loader.locations(name)[0]
            except LookupError as error:
                raise Invalid(f"{error}") from error
            self._cloud.loader.guarded(name, location)
        if choice.user is None:
            return None
        with self._cloud.catalogue.reading() as connection:
            found = by_name(connection, choice.user)
        if found is None:
            raise Invalid(f"no user {choice.user!r}")
        return found[0].id

    def _wanted(self) -> ColumnElement[bool]:
        choice = self._choice
        is_wanted = data.c.state == KEPT
        if choice.user is not None:
            is_wanted &= (nodes.c.owner == self._owner) & (data.c.module != choice.to)
        else:
            is_wanted &= data.c.module == choice.module
        return is_wanted if choice.before is None else is_wanted & (data.c.id < choice.before)

    def _entries(self) -> Iterator[Entry]:
        """Return what is to be moved, the oldest first, page by page: each once, also if it stays where it is."""
        columns = (data.c.id, data.c.module, data.c.module_data, data.c.size, nodes.c.id.label("node"), nodes.c.owner)
        query = select(*columns).join(nodes, nodes.c.data == data.c.id).where(self._wanted())
        last = 0
        while True:
            with self._cloud.catalogue.reading() as connection:
                rows = connection.execute(query.where(data.c.id > last).order_by(data.c.id).limit(_PAGE)).all()
            for row in rows:
                yield Entry(Data(row[0], row[1], row[2], row[3]), row[4], row[5])
            if not rows:
                return
            last = rows[-1].id

    def _work(self, entries: Iterator[Entry], tell: Callable[[Moved], object]) -> None:
        """Move one after the other, as one of several threads."""
        try:
            while True:
                with self._turn:
                    entry = None if self._stopped.is_set() else next(entries, None)
                if entry is None:
                    return
                moved = self.move(entry)
                with self._turn:
                    if moved.outcome != "failed" or not self._stopped.is_set():
                        tell(moved)
                    self._count(moved)
        except BaseException as error:
            self._error = self._error or error
            self._stopped.set()

    def _count(self, moved: Moved) -> None:
        self._in_a_row = self._in_a_row + 1 if moved.outcome == "failed" else 0
        if self._in_a_row >= _IN_A_ROW:
            raise TooManyFailures(f"{_IN_A_ROW} objects in a row could not be moved: given up; see what is wrong")

    def _exchange(self, entry: Entry, reserved: Reservation) -> None:
        """Let the object's name point to the copy."""

        def work(connection: Connection) -> None:
            if not tree.lock(connection, entry.owner):
                raise _Superseded("the account was removed")
            if not contents.exchange(connection, entry.data.id, reserved.id):
                raise _Superseded("it was changed meanwhile")
            self._cloud.vault.count_as_kept(connection, reserved, entry.data.size)

        self._cloud.catalogue.commit(work, order=entry.owner)

    def _is_there(self, entry: Entry) -> bool:
        """Tell whether a name still points to the data."""
        with self._cloud.catalogue.reading() as connection:
            return connection.scalar(select(nodes.c.id).where(nodes.c.data == entry.data.id)) is not None


class _Superseded(Conflict):
    """Nobody needs the copy."""
