"""The journal of a mirror: a file of SQLite that tells what is amiss where.

Each process opens connections of its own, when it needs them. Those that nobody uses are closed before a fork, since
a connection must not be carried across one. docs/formats/stacked.md has the tables.
"""

import errno
import os
import sqlite3
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["GONE", "LACKING", "Journal", "Noted"]

#: What can be amiss: a store has not what it should have, or has what should be gone.
LACKING, GONE = "lacking", "gone"

_APPLICATION = 0x4D697272  # "Mirr"
_BUSY = 30.0  # seconds to wait for another process's transaction
_IDLE = 8  # connections that are kept
_BATCH = 100

_SCHEMA = """
CREATE TABLE amiss (object BLOB NOT NULL, store TEXT NOT NULL, what TEXT NOT NULL, since INTEGER NOT NULL,
    module_data TEXT NOT NULL, PRIMARY KEY (object, store)) WITHOUT ROWID;
CREATE INDEX amiss_since ON amiss (store, what, since);
CREATE TABLE late (object BLOB NOT NULL, store TEXT NOT NULL, module_data TEXT NOT NULL,
    PRIMARY KEY (object, store)) WITHOUT ROWID;
CREATE TABLE counts (store TEXT NOT NULL, what TEXT NOT NULL, objects INTEGER NOT NULL,
    PRIMARY KEY (store, what)) WITHOUT ROWID;
CREATE TRIGGER amiss_more AFTER INSERT ON amiss BEGIN
    INSERT INTO counts VALUES (new.store, new.what, 1)
    ON CONFLICT (store, what) DO UPDATE SET objects = objects + 1;
END;
CREATE TRIGGER amiss_less AFTER DELETE ON amiss BEGIN
    UPDATE counts SET objects = objects - 1 WHERE store = old.store AND what = old.what;
END;
"""

_journals: "weakref.WeakSet[Journal]" = weakref.WeakSet()


class Noted(NamedTuple):
    """What the journal tells of one object."""

    amiss: Mapping[str, str]  #: by store, what is amiss there
    late: Mapping[str, str]  #: by store, ``module_data`` that was made after that of the object


class Journal:
    """A journal that :meth:`make` made, in the file ``path``. Nothing is opened before the first use."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        weakref.finalize(self, _close, self._idle)
        _journals.add(self)

    @staticmethod
    def make(path: str) -> None:
        """Make the file; what is a journal already stays as it is.

        :raises OSError: something else is there, or it cannot be made.
        """
        connection = None
        try:
            connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                _run(connection, _SCHEMA)
            connection.execute("COMMIT")
            _require(connection)
        except sqlite3.Error as error:
            raise _told(error) from error
        finally:
            if connection is not None:
                connection.close()
        with open(lock_of(path), "ab"):
            pass
        # Not the file itself: SQLite has done so, and closing it here would end the locks that this process has on it.
        _sync(os.path.dirname(path))

    def of(self, object_: bytes) -> Noted:
        """Return what is known of an object.

        :raises OSError: the journal cannot be read.
        """
        with self._connection() as connection:
            amiss = connection.execute("SELECT store, what FROM amiss WHERE object = ?", (object_,)).fetchall()
            late = connection.execute("SELECT store, module_data FROM late WHERE object = ?", (object_,)).fetchall()
        return Noted(dict(amiss), dict(late))

    def note(self, object_: bytes, module_data: str, amiss: Mapping[str, str], well: Iterable[str]) -> None:
        """Note durably what is amiss, by store, and which stores are well; of others what is noted stays.

        :raises OSError: it cannot be noted.
        """
        with self._writing() as connection:
            gone = [(object_, store) for store in (*amiss, *well)]
            since = dict(connection.execute("SELECT store, since FROM amiss WHERE object = ?", (object_,)).fetchall())
            connection.executemany("DELETE FROM amiss WHERE object = ? AND store = ?", gone)
            rows = [
                (object_, store, what, since.get(store, int(time.time())), module_data) for store, what in amiss.items()
            ]
            connection.executemany("INSERT INTO amiss VALUES (?, ?, ?, ?, ?)", rows)

    def name(self, object_: bytes, store: str, module_data: str) -> str:
        """Note durably under what ``module_data`` a store has an object, if it has none yet; return what is noted."""
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO late VALUES (?, ?, ?)", (object_, store, module_data))
            query = "SELECT module_data FROM late WHERE object = ? AND store = ?"
            return str(connection.execute(query, (object_, store)).fetchone()[0])

    def forget(self, object_: bytes) -> None:
        """Forget an object, of which nothing is anywhere."""
        with self._writing() as connection:
            connection.execute("DELETE FROM amiss WHERE object = ?", (object_,))
            connection.execute("DELETE FROM late WHERE object = ?", (object_,))

    def all(self) -> Iterator[str]:
        """Return the ``module_data`` of all objects of which something is amiss, each once."""
        last = b""
        while True:
            query = (
                "SELECT object, max(module_data) FROM amiss WHERE object > ? GROUP BY object ORDER BY object LIMIT ?"
            )
            with self._connection() as connection:
                rows = connection.execute(query, (last, _BATCH)).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from (module_data for _, module_data in rows)

    def statistics(self) -> dict[str, dict[str, Any]]:
        """Return by store how many objects it lacks, how many it has that should be gone, and since when."""
        found: dict[str, dict[str, Any]] = {}
        with self._connection() as connection:
            for store, what, objects in connection.execute("SELECT * FROM counts WHERE objects > 0").fetchall():
                query = "SELECT min(since) FROM amiss WHERE store = ? AND what = ?"
                since = connection.execute(query, (store, what)).fetchone()[0]
                found.setdefault(store, {})[what] = {"objects": objects, "since": since}
        return found

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        _close(self._idle)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Give a connection, which goes back to the others unless something goes wrong."""
        try:
            connection = self._idle.pop() if self._idle else self._open()
        except IndexError:  # another thread was quicker
            connection = self._open()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            raise _told(error) from error
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            uri = f"{Path(self._path).as_uri()}?mode=rw"
            connection = sqlite3.connect(uri, timeout=_BUSY, isolation_level=None, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise _told(error) from error
        try:
            _require(connection)
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            connection.close()
            raise _told(error) from error
        except BaseException:
            connection.close()
            raise
        return connection


def lock_of(path: str) -> str:
    """Return the path of the file beside a journal whose bytes are locked."""
    return f"{path}.lock"


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run statements in the transaction that is open, which ``executescript`` would end."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def _require(connection: sqlite3.Connection) -> None:
    """See that the file is a journal.

    :raises OSError: with ``errno.EINVAL``, it is something else.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise OSError(errno.EINVAL, "journal: the file is none of a mirror")


def _told(error: sqlite3.Error) -> OSError:
    """Return an error of SQLite as the contract has it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TimeoutError(f"journal: {error}")
    kind = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}.get(code, errno.EIO)
    return OSError(kind, f"journal: {error}")


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _close(connections: deque[sqlite3.Connection]) -> None:
    while connections:
        try:
            connections.pop().close()
        except IndexError:
            return  # another thread was quicker


def _before_fork() -> None:
    for journal in list(_journals):
        journal.close_idle()


os.register_at_fork(before=_before_fork)
