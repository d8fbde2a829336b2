"""Data has a table of its own; modules have locations, names have pages, accounts have ids.

The tables are a copy of what :mod:`host.catalogue.schema` had then, since that goes on.
"""

import json
import secrets
import time
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
_OLD = ("nodes", "accounts", "vendor_modules", "pending", "garbage")


def upgrade() -> None:
    """Make the new tables beside the old ones, fill them, and drop the old ones."""
    connection = op.get_bind()
    for name in _OLD:
        op.rename_table(name, f"old_{name}")
    for index in ("nodes_parent_name", "nodes_module"):
        op.drop_index(index, "old_nodes")
    if connection.dialect.name == "postgresql":  # there an index that a constraint made keeps its name
        for name in _OLD:
            op.execute(f"ALTER INDEX {name}_pkey RENAME TO old_{name}_pkey")
    _make_tables()
    for row in _rows(connection, "vendor_modules"):
        locations = json.dumps({"": json.loads(row["arguments"])})
        _insert(connection, "vendor_modules", **_only(row, "name module description edition"), locations=locations)
    owners = {row["name"]: number for number, row in enumerate(_rows(connection, "accounts"), 1)}
    _fill_nodes(connection, owners)
    for row in _rows(connection, "accounts"):
        _fill_account(connection, row, owners[row["name"]])
    for name, state in (("pending", "pending"), ("garbage", "garbage")):
        for row in _rows(connection, name):
            given = _only(row, "module module_data since")
            _insert(connection, "data", **given, size=0, state=state, process=row.get("process"))
    for name in ("pending", "garbage", "accounts", "nodes", "vendor_modules"):
        op.drop_table(f"old_{name}")


def _fill_nodes(connection: Connection, owners: dict[str, int]) -> None:
    """Copy containers before what is in them, and give each its pages."""
    kinds = sa.text("SELECT * FROM old_nodes WHERE parent IS NULL")
    level = [dict(row) for row in connection.execute(kinds).mappings()]
    while level:
        below: list[dict[str, Any]] = []
        for row in level:
            _fill_node(connection, row, owners.get(row["owner"], 0))
            if row["container"]:
                query = sa.text("SELECT * FROM old_nodes WHERE parent = :parent ORDER BY name")
                inner = [dict(each) for each in connection.execute(query, {"parent": row["id"]}).mappings()]
                _fill_pages(connection, row["id"], sorted(each["name"] for each in inner))
                below += inner
        level = below


def _fill_node(connection: Connection, row: dict[str, Any], owner: int) -> None:
    data = None
    if row["module"] is not None:
        kept = _only(row, "module module_data size")
        data = _insert(connection, "data", **kept, state="kept", since=row["mtime"], process=None)
    given = _only(row, "id parent name container metadata ctime mtime mimetype encoding")
    _insert(connection, "nodes", **given, owner=owner, etag=secrets.token_hex(8), data=data)


def _fill_pages(connection: Connection, container: str, names: list[str]) -> None:
    names.sort(key=str.encode)
    _insert(connection, "pages", parent=container, first="", count=len(names[:_PAGE]))
    for begin in range(_PAGE, len(names), _PAGE):
        page = names[begin : begin + _PAGE]
        _insert(connection, "pages", parent=container, first=page[0], count=len(page))


def _fill_account(connection: Connection, row: dict[str, Any], identity: int) -> None:
    unnamed, now = objectid.new(), int(time.time())
    place = {"id": unnamed, "parent": None, "name": "", "container": True, "owner": identity, "metadata": "{}"}
    _insert(connection, "nodes", **place, ctime=now, mtime=now, etag=secrets.token_hex(8))
    _insert(connection, "pages", parent=unnamed, first="", count=0)
    count = sa.text("SELECT count(*) FROM nodes WHERE owner = :owner AND data IS NOT NULL")
    objects = connection.scalar(count, {"owner": identity})
    given = _only(row, "name password role policy root quota used")
    _insert(connection, "accounts", **given, id=identity, unnamed=unnamed, quota_objects=None, objects=objects)
    if connection.dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('accounts', 'id'), (SELECT max(id) FROM accounts))")


def _rows(connection: Connection, name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM old_{name}")).mappings()]  # noqa: S608


def _only(row: dict[str, Any], names: str) -> dict[str, Any]:
    return {name: row[name] for name in names.split()}


def _insert(connection: Connection, name: str, **values: Any) -> Any:
    """Insert a row, and return its id if it is one of ``data``."""
    table = _tables[name]
    statement = sa.insert(table).values(values)
    if name != "data":
        connection.execute(statement)
        return None
    return connection.scalar(statement.returning(table.c.id))


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
        sa.Index("data_state_since", "state", "since"),
        sa.Index("data_module", "module"),
        sqlite_autoincrement=True,
    )
    make(
        "copies",
        sa.Column("data", _SERIAL, sa.ForeignKey("data.id"), primary_key=True),
        sa.Column("location", sa.String(64), primary_key=True),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("process", sa.String(32)),
        sa.Column("error", sa.Text),
        sa.Index("copies_due", "due"),
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
        sqlite_autoincrement=True,
    )
    make(
        "failures",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
