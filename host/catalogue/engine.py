"""The catalogue's database, and transactions on it: SQLite in a file, or PostgreSQL."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from host.errors import Full, HostError, TryAgain

__all__ = ["Catalogue", "told"]

_BUSY = 30.0  # seconds to wait for another process's transaction
_POLL = 0.0005  # seconds between two looks whether it has ended: about what a commit takes
_CONNECTIONS = 40  # as many threads as may be at work at once, with room to spare
_TOGETHER = 64  # acts in one transaction

T = TypeVar("T")


class Catalogue:
    """One process's connections to the catalogue at ``url`` (of SQLAlchemy).

    Nothing is opened before the first use, so one may be made before a ``fork``.

    Each thread keeps a connection for reading, and with SQLite all of them together one for writing: to take one out
    of SQLAlchemy's pool costs more than to read a row.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.engine = _engine(self.url)
        self._plain = _engine(self.url, isolation_level="AUTOCOMMIT")
        self._turn = threading.RLock()
        self._waiting: list[_Act[Any]] = []
        self._writer = _Kept()
        self._readers = threading.local()
        self._all = WeakSet([self._writer])
        # How often a connection was lost: then all are given up, for the server may have been away.
        self._lost = self._renewed = 0
        for engine in (self.engine, self._plain):
            event.listen(engine, "invalidate", self._note_lost)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on which each statement sees the newest committed state."""
        kept = self._reader()
        self._renew()
        connection = kept.connection(self._plain, self._lost)
        try:
            yield connection
            if connection.in_transaction():  # as SQLAlchemy has it: none of the database's is open
                connection.rollback()
        except BaseException:
            kept.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection with a transaction: committed, durably, unless the block raises."""
        if self.is_sqlite:  # whose writers wait for each other anyway, and here do so without asking all the time
            with self._turn, self._in_turn() as connection:
                yield connection
        else:
            self._renew()
            with self.engine.begin() as connection:
                yield connection

    def _reader(self) -> "_Kept":
        """Return what the thread keeps for reading."""
        kept: _Kept | None = getattr(self._readers, "kept", None)
        if kept is None:
            kept = self._readers.kept = _Kept()
            self._all.add(kept)
        return kept

    @contextmanager
    def _in_turn(self) -> Iterator[Connection]:
        """Give the connection of those who have the turn, with a transaction."""
        self._renew()
        connection = self._writer.connection(self.engine, self._lost)
        try:
            with connection.begin():
                yield connection
        except BaseException:
            self._writer.close()
            raise

    def _renew(self) -> None:
        """Give up the connections that are idle, if one was lost: each would fail somebody."""
        if self._renewed != self._lost:
            self._renewed = self._lost
            self.engine.dispose()
            self._plain.dispose()

    def commit(self, work: Callable[[Connection], T], order: int = 0) -> T:
        """Do ``work`` in a transaction, and return what it returned once that is committed, durably.

        What several threads want done at the same time is done in one transaction, for a sync costs more than
        all statements of one. Each has a savepoint: one that raises undoes its own statements alone.

        :param order: acts of one transaction are done in this order. Those that lock rows, as PostgreSQL does,
            lock them in the same order in every process, and so never wait for each other in a circle.
        :raises Exception: what ``work`` raised, or what went wrong with the whole transaction.
        """
        act = _Act(work, order)
        self._waiting.append(act)  # one step, as of any list: it needs no lock
        with self._turn:
            while not act.is_done:  # what waited before it may be all that one transaction takes
                self._do_together()
        return act.outcome()

    def close(self) -> None:
        """Close all connections; no thread may be using one. Needed before a ``fork``."""
        for kept in list(self._all):
            kept.close(for_good=True)
        self.engine.dispose()
        self._plain.dispose()

    def _note_lost(self, *_: Any) -> None:
        self._lost += 1

    def _do_together(self) -> None:
        acts = self._waiting[:_TOGETHER]
        del self._waiting[: len(acts)]
        acts.sort(key=lambda act: act.order)
        try:
            with self.writing() as connection:
                for act in acts:
                    act.do(connection, is_alone=len(acts) == 1)
        except BaseException as error:
            for act in acts:
                act.fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            for act in acts:
                act.is_done = True


class _Kept:
    """A connection that is kept from use to use, until one of the same database is lost."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._lost = 0

    def connection(self, engine: Engine, lost: int) -> Connection:
        """Return it; a new one if connections were lost since it was made."""
        if self._lost != lost:
            self.close(for_good=True)
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = engine.connect()
            self._lost = lost
        return connection

    def close(self, *, for_good: bool = False) -> None:
        """Give it back; or end it, if it is not to be used any more."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            if for_good and not connection.invalidated:
                connection.detach()
            connection.close()

    def __del__(self) -> None:
        self.close()  # the thread has ended


class _Act(Generic[T]):
    """What one thread wants done, and what came of it."""

    def __init__(self, work: Callable[[Connection], T], order: int) -> None:
        self.order = order
        self.is_done = False
        self._work = work
        self._value: list[T] = []
        self._error: BaseException | None = None

    def do(self, connection: Connection, *, is_alone: bool) -> None:
        if is_alone:  # what it raises undoes the whole transaction
            self._value.append(self._work(connection))
            return
        try:
            with connection.begin_nested():
                self._value.append(self._work(connection))
        except Exception as error:
            if _is_over(connection, error):
                raise
            self._error = error

    def fail(self, error: BaseException) -> None:
        """Note that the transaction was not committed, or may not have been."""
        self._error = self._error or error

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value[0]


def _is_over(connection: Connection, error: Exception) -> bool:
    """Tell whether the whole transaction is undone: its connection is lost, or SQLite has given it up.

    SQLite may do so when a disk is full, among others, and then begins another one with the next savepoint.
    https://sqlite.org/lang_transaction.html, section 3
    """
    if connection.invalidated or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    raw = connection.connection.driver_connection
    return isinstance(raw, sqlite3.Connection) and not raw.in_transaction


def told(error: Exception) -> Exception:
    """Return what a client is told of an error of the catalogue, and ``error`` itself if it is none of these."""
    if not isinstance(error, DBAPIError):
        return error
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # of an extended code
    state = getattr(error.orig, "sqlstate", None) or ""  # of PostgreSQL: its manual's appendix A
    answer: HostError
    if code == sqlite3.SQLITE_FULL or state == "53100":
        answer = Full("the disk of the catalogue is full")
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or state.startswith(("40", "55P03", "53")):
        answer = TryAgain("the catalogue is busy: try again")
    elif error.connection_invalidated or state.startswith(("08", "57P")) or _is_unreachable(error):
        answer = TryAgain("the catalogue is out of reach: try again")
    else:
        return error
    answer.__cause__ = error
    return answer


def _is_unreachable(error: DBAPIError) -> bool:
    """Tell whether a connection could not be made at all: then PostgreSQL's driver has no code to give."""
    return type(error.orig).__module__.startswith("psycopg") and type(error.orig).__name__ in (
        "OperationalError",
        "ConnectionTimeout",
    )


def _engine(url: URL, **options: Any) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    # What begins transactions waits for others by itself: see _begin_sqlite.
    patience = {"timeout": _BUSY if options else 0, "check_same_thread": False}
    connect_args = patience if is_sqlite else {"connect_timeout": 10}
    engine = create_engine(url, pool_size=_CONNECTIONS, max_overflow=-1, connect_args=connect_args, **options)
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        if not options:
            event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    for pragma in (
        f"busy_timeout = {_BUSY * 1000:.0f}",  # the last one of another process may be closing the file just now
        "journal_mode = WAL",  # readers and a writer do not wait for each other
        "cache_size = -256",  # KiB: each thread keeps a connection, and the kernel keeps the file's pages as well
        "synchronous = FULL",  # a commit survives a power cut; NORMAL may lose it
        "foreign_keys = ON",
        f"busy_timeout = {patience}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction, once no other process has one.

    SQLite's own waiting sleeps up to a tenth of a second between two looks, however short the other's commit is.
    """
    raw: Any = connection.connection.driver_connection
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            # IMMEDIATE: a transaction that reads first and writes later would else fail when two meet.
            raw.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise OperationalError("BEGIN IMMEDIATE", None, error) from error
        time.sleep(_POLL)
