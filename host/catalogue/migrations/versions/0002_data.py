"""Data has a table of its own; modules have locations, names have pages, accounts have ids.

The tables are a copy of what :mod:`host.catalogue.schema` had then, since that goes on.
"""

import json
import secrets
import time
from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection

from host.wire import objectid

revision = "0002"
down_revision = "0001"

_PAGE = 1024
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TAKEN = sa.text("process IS NOT NULL")
_OLD = ("nodes", "accounts", "vendor_modules", "pending", "garbage")


def upgrade() -> None:
    """Make the new tables beside the old ones, fill them, and drop the old ones."""
    connection = op.get_bind()
    for name in _OLD:
        op.rename_table(name, f"old_{name}")
    for index in ("nodes_parent_name", "nodes_module"):
        op.drop_index(index, "old_nodes")
    # To find what is in a container; and SQLite, when it drops a table, looks for what still refers to each row.
    op.create_index("old_nodes_parent", "old_nodes", ["parent"])
    if connection.dialect.name == "postgresql":
        _free_names(connection)
    _make_tables()
    for row in _rows(connection, "vendor_modules"):
        locations = json.dumps({"": json.loads(row["arguments"])})
        _insert(connection, "vendor_modules", **_only(row, "name module description edition"), locations=locations)
    owners = {row["name"]: number for number, row in enumerate(_rows(connection, "accounts"), 1)}
    objects = _fill_nodes(connection, owners)
    for row in _rows(connection, "accounts"):
        _fill_account(connection, row, owners[row["name"]], objects[row["name"]])
    for name, state in (("pending", "pending"), ("garbage", "garbage")):
        for row in _rows(connection, name):
            given = _only(row, "module module_data since")
            _insert(connection, "data", **given, size=0, state=state, process=row.get("process"))
    for name in ("pending", "garbage", "accounts", "nodes", "vendor_modules"):
        op.drop_table(f"old_{name}")


def _free_names(connection: Connection) -> None:
    """Rename the constraints of the old tables, so that those of the new ones are named as in a new catalogue."""
    query = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)")
    for name in _OLD:
        for constraint in connection.scalars(query, {"name": f"old_{name}"}).all():
            op.execute(f"ALTER TABLE old_{name} RENAME CONSTRAINT {constraint} TO old_{constraint}")


def _fill_nodes(connection: Connection, owners: dict[str, int]) -> Counter[str]:
    """Copy containers before what is in them, give each its pages, and return how many objects each owner has."""
    objects: Counter[str] = Counter()
    level = _old_nodes(connection, "parent IS NULL")
    _copy_nodes(connection, level, owners)
    while level:
        below: list[dict[str, Any]] = []
        for container in level:
            inner = _old_nodes(connection, "parent = :parent", parent=container["id"])
            inner.sort(key=lambda row: row["name"].encode())
            _fill_pages(connection, container["id"], [row["name"] for row in inner])
            for begin in range(0, len(inner), _PAGE):
                _copy_nodes(connection, inner[begin : begin + _PAGE], owners)
            objects.update(row["owner"] for row in inner if not row["container"])
            below += [row for row in inner if row["container"]]
        level = below
    return objects


def _old_nodes(connection: Connection, condition: str, **values: str) -> list[dict[str, Any]]:
    query = sa.text(f"SELECT * FROM old_nodes WHERE {condition}")  # noqa: S608
    return [dict(row) for row in connection.execute(query, values).mappings()]


def _copy_nodes(connection: Connection, rows: list[dict[str, Any]], owners: dict[str, int]) -> None:
    kept = [row for row in rows if row["module"] is not None]
    datas = [
        {**_only(row, "module module_data size"), "state": "kept", "since": row["mtime"], "process": None}
        for row in kept
    ]
    ids: dict[str, int] = {}
    if datas:
        table = _tables["data"]
        made = connection.scalars(sa.insert(table).returning(table.c.id, sort_by_parameter_order=True), datas)
        ids = {row["id"]: identity for row, identity in zip(kept, made, strict=True)}
    columns = "id parent name container metadata ctime mtime mimetype encoding"
    nodes = [
        {
            **_only(row, columns),
            "owner": owners.get(row["owner"], 0),
            "etag": secrets.token_hex(8),
            "data": ids.get(row["id"]),
        }
        for row in rows
    ]
    if nodes:
        connection.execute(sa.insert(_tables["nodes"]), nodes)


def _fill_pages(connection: Connection, container: str, names: list[str]) -> None:
    _insert(connection, "pages", parent=container, first="", count=len(names[:_PAGE]))
    for begin in range(_PAGE, len(names), _PAGE):
        page = names[begin : begin + _PAGE]
        _insert(connection, "pages", parent=container, first=page[0], count=len(page))


def _fill_account(connection: Connection, row: dict[str, Any], identity: int, objects: int) -> None:
    unnamed, now = objectid.new(), int(time.time())
    place = {"id": unnamed, "parent": None, "name": "", "container": True, "owner": identity, "metadata": "{}"}
    _insert(connection, "nodes", **place, ctime=now, mtime=now, etag=secrets.token_hex(8))
    _insert(connection, "pages", parent=unnamed, first="", count=0)
    given = _only(row, "name password role policy root quota used")
    _insert(connection, "accounts", **given, id=identity, unnamed=unnamed, quota_objects=None, objects=objects)
    if connection.dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('accounts', 'id'), (SELECT max(id) FROM accounts))")


def _rows(connection: Connection, name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM old_{name}")).mappings()]  # noqa: S608


def _only(row: dict[str, Any], names: str) -> dict[str, Any]:
    return {name: row[name] for name in names.split()}


def _insert(connection: Connection, table: str, /, **values: Any) -> None:
    connection.execute(sa.insert(_tables[table]).values(values))


_tables: dict[str, sa.Table] = {}


def _make_tables() -> None:
    def make(name: str, *items: Any, **options: Any) -> None:
        _tables[name] = op.create_table(name, *items, **options)

    make(
        "vendor_modules",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("module", sa.String(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("locations", sa.Text, nullable=False),
        sa.Column("edition", sa.String(32), nullable=False),
    )
    make(
        "data",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("module", sa.String(64), sa.ForeignKey("vendor_modules.name"), nullable=False),
        sa.Column("module_data", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("process", sa.String(32)),
        sa.Index("data_state_module_since", "state", "module", "since"),
        sa.Index("data_module", "module"),
        sqlite_autoincrement=True,
    )
    make(
        "copies",
        sa.Column("data", _SERIAL, sa.ForeignKey("data.id"), primary_key=True),
        sa.Column("location", sa.String(64), primary_key=True),
        sa.Column("module", sa.String(64), nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("process", sa.String(32)),
        sa.Column("error", sa.Text),
        sa.Index("copies_module_location_due", "module", "location", "due"),
        sa.Index("copies_taken", "process", sqlite_where=_TAKEN, postgresql_where=_TAKEN),
    )
    make(
        "nodes",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("parent", sa.String(80), sa.ForeignKey("nodes.id")),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("container", sa.Boolean, nullable=False),
        sa.Column("owner", sa.Integer, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("ctime", sa.BigInteger, nullable=False),
        sa.Column("mtime", sa.BigInteger, nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("mimetype", sa.Text),
        sa.Column("encoding", sa.String(8)),
        sa.Column("data", _SERIAL, sa.ForeignKey("data.id")),
        sa.Index("nodes_parent_name", "parent", "name", unique=True),
        sa.Index("nodes_data", "data", unique=True),
    )
    make(
        "pages",
        sa.Column("parent", sa.String(80), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("first", _NAME, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    make(
        "detached",
        sa.Column("node", sa.String(80), sa.ForeignKey("nodes.id"), primary_key=True),
        sa.Column("process", sa.String(32)),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    make(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("policy", sa.String(64), sa.ForeignKey("vendor_modules.name"), nullable=False),
        sa.Column("root", sa.String(80), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("unnamed", sa.String(80), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("quota", sa.BigInteger),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("quota_objects", sa.BigInteger),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Index("accounts_root", "root", unique=True),
        sa.Index("accounts_unnamed", "unnamed", unique=True),
        sqlite_autoincrement=True,
    )
    make(
        "failures",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
