"""The catalogue's database, and transactions on it: SQLite in a file, or PostgreSQL."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

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
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.engine = _engine(self.url)
        self._plain = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        # Writers of SQLite wait for each other anyway. Here they do so without asking all the time.
        self._turn = threading.RLock()
        self._waiting: list[_Act[Any]] = []

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on which each statement sees the newest committed state."""
        with self._plain.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection with a transaction: committed, durably, unless the block raises."""
        with self._turn if self.is_sqlite else nullcontext(), self.engine.begin() as connection:
            yield connection

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
        """Close the connections. Needed before a ``fork``."""
        self.engine.dispose()

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


def _engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url,
        pool_size=_CONNECTIONS,
        max_overflow=-1,
        connect_args={"timeout": _BUSY, "check_same_thread": False} if is_sqlite else {"connect_timeout": 10},
    )
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    for pragma in (
        "journal_mode = WAL",  # readers and a writer do not wait for each other
        "synchronous = FULL",  # a commit survives a power cut; NORMAL may lose it
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would else fail when two meet.
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return
    raw: Any = connection.connection.driver_connection
    # SQLite's own waiting sleeps up to a tenth of a second between two looks, however short a commit is.
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        _begin_when_free(connection)
    finally:
        raw.execute(f"PRAGMA busy_timeout = {_BUSY * 1000:.0f}")


def _begin_when_free(connection: Connection) -> None:
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_POLL)
