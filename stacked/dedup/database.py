"""The index's database, and transactions on it: SQLite in a file, or PostgreSQL."""

import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from stacked.dedup.tables import metadata, totals

__all__ = ["Database", "Lost"]

_BUSY = 30.0  # seconds to wait for another process's transaction
_POLL = 0.0005  # seconds between two looks whether it has ended: SQLite's own waiting sleeps up to a tenth
_FORMAT = 1  # of a file of SQLite
_NUMBER = 0x6465647570  # of the lock that makes tables in PostgreSQL
_TRIES = 5  # of a transaction that PostgreSQL undid because two waited for each other

T = TypeVar("T")


class Lost(OSError):
    """There is no index."""


class Database:
    """One process's connections to an index.

    Nothing is opened before the first use, and what was opened before a ``fork`` is not used after it.

    :param where: the absolute path of a file, or the URL of a database in PostgreSQL, as SQLAlchemy writes it.
    :raises ValueError: it is neither.
    """

    def __init__(self, where: object) -> None:
        if not isinstance(where, str) or not where or "\0" in where:
            raise ValueError("index: give the path of a file, or the URL of a database in PostgreSQL")
        self.path = where if where.startswith("/") else None
        self._url = _file_url(where) if self.path else _server_url(where)
        self._begin()
        _ALL.add(self)

    def _begin(self) -> None:
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._open = _Open()
        weakref.finalize(self, self._open.close)

    def after_fork(self) -> None:
        """Begin anew in a child process. The connections are the parent's: here they are not even closed."""
        _ABANDONED.append(self._open)
        self._begin()

    def commit(self, work: Callable[[Connection], T], *, durable: bool, is_made: bool = True) -> T:
        """Do ``work`` in a transaction, which may be done again, and return what it returned.

        :param durable: whether it survives a power cut on return. If not, it does once a later one that is
            durable has returned, of whichever process; and it always survives a ``kill``.
        :raises Lost: there is no index.
        :raises OSError: it cannot be done.
        """
        for attempt in range(_TRIES):
            try:
                with self._writing(durable, is_made) as connection:
                    return work(connection)
            except DBAPIError as error:
                if not _is_deadlock(error) or attempt == _TRIES - 1:
                    raise told(error) from error
            except sqlite3.Error as error:
                raise _told_of_sqlite(error) from error
        raise AssertionError("not reached")

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do ``work``, which only reads, and return what it returned.

        :raises Lost: there is no index.
        :raises OSError: it cannot be done.
        """
        try:
            with self._engine().connect() as connection:
                if self.path:
                    _require_made(connection.connection.driver_connection)
                return work(connection)
        except DBAPIError as error:
            raise told(error) from error
        except sqlite3.Error as error:
            raise _told_of_sqlite(error) from error

    def make(self, fill: Callable[[Connection], None]) -> None:
        """Make the tables, and ``fill`` them, unless they are there.

        :raises OSError: it cannot be done.
        """
        if self.path:
            _make_file(self.path)

        def work(connection: Connection) -> None:
            if self.path is None:  # two that make it at once
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _NUMBER})
            if not inspect(connection).has_table(totals.name):
                metadata.create_all(connection, checkfirst=False)
                fill(connection)
                if self.path:
                    connection.execute(text(f"PRAGMA user_version = {_FORMAT}"))

        self.commit(work, durable=True, is_made=False)

    @contextmanager
    def _writing(self, durable: bool, is_made: bool) -> Iterator[Connection]:
        if self.path is None:
            with self._engine().begin() as connection:
                if not durable:
                    connection.execute(_NOT_DURABLE)
                yield connection
            return
        with self._turn:  # here the threads of a process wait without asking all the time
            connection = self._writer()
            raw: Any = connection.connection.driver_connection
            try:
                raw.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
                _begin_sqlite(raw)
                if is_made:
                    _require_made(raw)
                yield connection
                connection.commit()
                if raw.in_transaction:  # nothing was executed by way of SQLAlchemy, which so commits nothing
                    raw.execute("COMMIT")
            except BaseException:
                self._open.close_writer()
                raise

    def _writer(self) -> Connection:
        """Return the connection of who has the turn."""
        engine = self._engine()
        if self._open.writer is None:
            self._open.writer = engine.connect()
            raw: Any = self._open.writer.connection.driver_connection
            raw.execute("PRAGMA busy_timeout = 0")  # it waits by itself: see _begin_sqlite
        return self._open.writer

    def _engine(self) -> Engine:
        """Return the engine. An index that was made anew meanwhile is another one."""
        identity = _identity(self.path)
        with self._guard:
            here = self._open
            if here.engine is not None and here.identity != identity:
                here.engine.dispose()
                self._begin_again()
                here = self._open
            if here.engine is None:
                here.engine, here.identity = self._new_engine(), identity
            return here.engine

    def _begin_again(self) -> None:
        self._open = _Open()
        weakref.finalize(self, self._open.close)

    def _new_engine(self) -> Engine:
        if self.path is None:
            return create_engine(self._url, pool_size=5, max_overflow=-1, connect_args={"connect_timeout": 10})
        where = f"file:{quote(self.path)}?mode=rw"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(where, uri=True, timeout=_BUSY, check_same_thread=False, isolation_level=None)

        engine = create_engine(self._url, pool_size=5, max_overflow=-1, creator=connect)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine


class _Open:
    """What is open, to be closed when nobody uses it any more."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.writer: Connection | None = None
        self.identity: tuple[int, int] | None = None
        self._pid = os.getpid()

    def close(self) -> None:
        """Close all that is idle."""
        if self._pid == os.getpid():
            self.close_writer()
            if self.engine is not None:
                self.engine.dispose()

    def close_writer(self) -> None:
        """Close the connection for writing, with whatever is open on it."""
        writer, self.writer = self.writer, None
        if writer is not None:
            with suppress(DBAPIError, sqlite3.Error):
                writer.detach()
                writer.close()


_ALL: weakref.WeakSet[Database] = weakref.WeakSet()
_ABANDONED: list[_Open] = []
_NOT_DURABLE = text("SET LOCAL synchronous_commit = OFF")


def _after_fork() -> None:
    for database in list(_ALL):
        database.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def told(error: DBAPIError) -> OSError:
    """Return what a host is told of an error of the database."""
    if isinstance(error.orig, sqlite3.Error):
        return _told_of_sqlite(error.orig)
    state = getattr(error.orig, "sqlstate", None) or ""  # of PostgreSQL: its manual's appendix A
    if state == "42P01":  # undefined table
        return _lost()
    if state == "53100":
        return OSError(errno.ENOSPC, "index: the disk of the database is full")
    if error.connection_invalidated or state[:2] in ("", "08", "40", "53", "55", "57"):
        return ConnectionError("index: the database is out of reach or busy")
    return OSError(errno.EIO, f"index: {type(error.orig).__name__}, {state}")


def _told_of_sqlite(error: sqlite3.Error) -> OSError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # of an extended code
    if code == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, "index: the disk is full")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TimeoutError("index: it is busy")
    if code == sqlite3.SQLITE_READONLY:
        return OSError(errno.EROFS, "index: it cannot be written to")
    if code == sqlite3.SQLITE_CANTOPEN:
        return _lost()
    return OSError(errno.EIO, f"index: {error}")


def _lost() -> Lost:
    return Lost(errno.EROFS, "index: it is not there: what is stored can be read, and upkeep makes the index anew")


def _is_deadlock(error: DBAPIError) -> bool:
    return (getattr(error.orig, "sqlstate", None) or "") in ("40001", "40P01")


def _file_url(path: str) -> URL:
    return URL.create("sqlite", database=path)


def _server_url(where: str) -> URL:
    try:
        url = make_url(where)
    except ArgumentError:
        raise ValueError("index: neither an absolute path nor a URL such as postgresql+psycopg://HOST/NAME") from None
    if url.get_backend_name() != "postgresql":
        raise ValueError(f"index: {url.get_backend_name()} is not PostgreSQL; of a file of SQLite give the path")
    if url.password is not None:
        raise ValueError("index: a password in the URL would be seen by whoever sees the configuration: use ~/.pgpass")
    return url


def _identity(path: str | None) -> tuple[int, int] | None:
    """Return which file it is that has the index.

    :raises Lost: there is none.
    """
    if path is None:
        return None
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise _lost() from None
    return status.st_dev, status.st_ino


def _make_file(path: str) -> None:
    """Make an empty file, durably, which only this server's account can read: the key will be in it."""
    if not os.path.isdir(os.path.dirname(path)):
        raise FileNotFoundError(errno.ENOENT, f"index: there is no directory {os.path.dirname(path)}")
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
    connection.execute("PRAGMA cache_size = -16384")  # KiB: the hashes are looked up all over the index


def _require_made(raw: Any) -> None:
    """See that the file has the tables: it is made before them."""
    if raw.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
        raise _lost()


def _begin_sqlite(raw: Any) -> None:
    """Begin a transaction, once no other process has one."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_POLL)
