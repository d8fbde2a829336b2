"""The catalogue's tables, and transactions on them. SQLAlchemy Core; SQLite in a file by default."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.engine import URL, make_url

from host.errors import Full, HostError, TryAgain

__all__ = [
    "accounts",
    "busy_or_full",
    "connect",
    "garbage",
    "nodes",
    "pending",
    "processes",
    "reading",
    "vendor_modules",
    "writing",
]

_BUSY = 30  # seconds to wait for another process's transaction


class _Json(TypeDecorator[Any]):
    """A JSON value in a text column; the same text on every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

#: What an administrator has configured. ``edition`` changes with every change of the row.
vendor_modules = Table(
    "vendor_modules",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("module", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("arguments", _Json, nullable=False),
    Column("edition", String(32), nullable=False),
)

#: Containers and objects. A root has no parent. An object has ``module``, ``module_data``, ``size``.
nodes = Table(
    "nodes",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("parent", String(80), ForeignKey("nodes.id")),
    Column("name", Text, nullable=False),
    Column("container", Boolean, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("metadata", _Json, nullable=False),
    Column("ctime", BigInteger, nullable=False),
    Column("mtime", BigInteger, nullable=False),
    Column("mimetype", Text),
    Column("encoding", String(8)),
    Column("module", String(64), ForeignKey("vendor_modules.name")),
    Column("module_data", Text),
    Column("size", BigInteger),
    Index("nodes_parent_name", "parent", "name", unique=True),
    Index("nodes_module", "module"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("password", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("policy", String(64), ForeignKey("vendor_modules.name"), nullable=False),
    Column("root", String(80), ForeignKey("nodes.id"), nullable=False),
    Column("quota", BigInteger),
    Column("used", BigInteger, nullable=False),
)


def _data_table(name: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("module", String(64), ForeignKey("vendor_modules.name"), nullable=False, index=True),
        Column("module_data", Text, nullable=False),
        Column("since", BigInteger, nullable=False),
        *columns,
    )


#: Data that a process is storing: its ``new_data`` is made, no name points to it yet.
pending = _data_table("pending", Column("process", String(32), nullable=False))

#: Data that no name points to any more, waiting for its deletion.
garbage = _data_table("garbage")

#: Server processes, and when each of them was last heard of.
processes = Table(
    "processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("seen", BigInteger, nullable=False),
)


def connect(url: str | URL) -> Engine:
    """Open the catalogue at ``url`` (of SQLAlchemy), and make its tables where they are missing.

    :raises sqlalchemy.exc.SQLAlchemyError: there is no such database, or it cannot be written.
    """
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = create_engine(url, connect_args={"timeout": _BUSY} if is_sqlite else {})
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    with writing(engine) as connection:
        metadata.create_all(connection)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection on which each statement sees the newest committed state."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection with a transaction: committed, durably, unless the block raises."""
    with engine.begin() as connection:
        yield connection


def busy_or_full(error: Exception) -> Exception:
    """Return what a client is told of an error of the catalogue, and ``error`` itself if it is none of these."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF  # of an extended code
    told: HostError
    if code == sqlite3.SQLITE_FULL:
        told = Full("the disk of the catalogue is full")
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        told = TryAgain("the catalogue is busy: try again")
    else:
        return error
    told.__cause__ = error
    return told


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut; NORMAL may lose it
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would else fail when two meet.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
