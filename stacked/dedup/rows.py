"""Rows of the index: how they are made, and what is done with them everywhere."""

import hashlib
import time
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from stacked.dedup import owner
from stacked.dedup.tables import WRITING, totals, uses

__all__ = ["Pack", "count", "insert_new", "insert_row", "name_of", "now", "object_row", "pack_row", "refer"]


class Pack(NamedTuple):
    """A pack, as the index knows it."""

    id: int
    inner: str  #: its ``module_data``


def name_of(text: str) -> bytes:
    """Return a hash of ``module_data`` of the module below, which a database can look for."""
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def now() -> int:
    """Return the time, in seconds since 1970."""
    return int(time.time())


def object_row(root: str, version: bytes, state: int) -> dict[str, Any]:
    """Return the row of a new object of this process."""
    mine = {"owner": owner.me(), "since": now()}
    return {"version": version, "name": name_of(root), "root": root, "state": state, "size": 0, **mine}


def pack_row(inner: str) -> dict[str, Any]:
    """Return the row of a new pack."""
    return {"name": name_of(inner), "inner": inner, "state": WRITING, "size": 0, "adopted": 0}


def insert_row(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """Insert a row, and return the number that it got."""
    (key,) = connection.execute(insert(table).values(row)).inserted_primary_key or (0,)
    return int(key)


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, except those that are there."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def refer(connection: Connection, number: int, wanted: Collection[int]) -> None:
    """Note that an object refers to packs. The caller has locked them, or nobody else knows of them."""
    if wanted:
        insert_new(connection, uses, [{"object": number, "pack": pack} for pack in sorted(wanted)])


def count(connection: Connection, **changes: int) -> None:
    """Change the totals: last in each transaction, as all that write wait for each other here."""
    values = {name: totals.c[name] + change for name, change in changes.items() if change}
    if values:
        connection.execute(update(totals).values(values))
