"""A catalogue as version 0.1.0 made it."""

import io
import json
import time
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import Connection, text

from fsstore import FileStorage
from host.wire import objectid
from modules import StorageModule
from tests.files import CONTEXT

__all__ = ["MANY", "OldCatalogue"]

#: Names of objects in one container, of more than two pages, and not in order. Their data is lost.
MANY = [f"{number:04}" for number in range(2500, 0, -1)] + ["Z", "a", "é", "\uffff", "🐢"]

_TABLES = """
CREATE TABLE processes (id VARCHAR(32) NOT NULL, seen BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE vendor_modules (
    name VARCHAR(64) NOT NULL, module VARCHAR(255) NOT NULL, description TEXT NOT NULL, arguments TEXT NOT NULL,
    edition VARCHAR(32) NOT NULL, PRIMARY KEY (name)
);
CREATE TABLE garbage (
    id {serial} NOT NULL, module VARCHAR(64) NOT NULL, module_data TEXT NOT NULL, since BIGINT NOT NULL,
    PRIMARY KEY (id), FOREIGN KEY(module) REFERENCES vendor_modules (name)
);
CREATE INDEX ix_garbage_module ON garbage (module);
CREATE TABLE nodes (
    id VARCHAR(80) NOT NULL, parent VARCHAR(80), name TEXT NOT NULL, container BOOLEAN NOT NULL,
    owner VARCHAR(64) NOT NULL, metadata TEXT NOT NULL, ctime BIGINT NOT NULL, mtime BIGINT NOT NULL,
    mimetype TEXT, encoding VARCHAR(8), module VARCHAR(64), module_data TEXT, size BIGINT, PRIMARY KEY (id),
    FOREIGN KEY(parent) REFERENCES nodes (id), FOREIGN KEY(module) REFERENCES vendor_modules (name)
);
CREATE UNIQUE INDEX nodes_parent_name ON nodes (parent, name);
CREATE INDEX nodes_module ON nodes (module);
CREATE TABLE pending (
    id {serial} NOT NULL, module VARCHAR(64) NOT NULL, module_data TEXT NOT NULL, since BIGINT NOT NULL,
    process VARCHAR(32) NOT NULL, PRIMARY KEY (id), FOREIGN KEY(module) REFERENCES vendor_modules (name)
);
CREATE INDEX ix_pending_module ON pending (module);
CREATE TABLE accounts (
    name VARCHAR(64) NOT NULL, password TEXT NOT NULL, role VARCHAR(16) NOT NULL, policy VARCHAR(64) NOT NULL,
    root VARCHAR(80) NOT NULL, quota BIGINT, used BIGINT NOT NULL, PRIMARY KEY (name),
    FOREIGN KEY(policy) REFERENCES vendor_modules (name), FOREIGN KEY(root) REFERENCES nodes (id)
)
"""


class OldCatalogue:
    """Makes the tables and fills them: alice has objects and containers, bob has a quota, and a process has died."""

    def __init__(self, connection: Connection, root: str) -> None:
        self._connection = connection
        self._used = 0
        self.ids: dict[str, str] = {}  # by path
        is_sqlite = connection.dialect.name == "sqlite"
        for statement in _TABLES.format(serial="INTEGER" if is_sqlite else "SERIAL").split(";"):
            connection.execute(text(statement))
        FileStorage.prepare(root=root)
        self._module: StorageModule = FileStorage(root=root)
        given = {"module": "fsstore.FileStorage", "description": "Files", "arguments": json.dumps({"root": root})}
        self._insert("vendor_modules", name="default", edition="0" * 32, **given)
        self._account("administrator", None)
        self._account("alice", None)
        self._container("alice", "c/", metadata={"colour": "blue", "ü": [1, {"a": None}]})
        self._object("alice", "c/text", b"data in c", mimetype="text/plain", encoding="utf-8", metadata={"k": "v"})
        self._container("alice", "c/many/")
        self._many(self.ids["alice/c/many/"])
        self._object("alice", "empty", b"")
        self._account("bob", 100)
        self._object("bob", "o", b"of bob")
        now = int(time.time())
        self._insert("garbage", module="default", module_data=self._keep(b"garbage"), since=now - 1000)
        self._insert("processes", id="dead", seen=now - 1000)
        pending = self._keep(b"pending")
        self._insert("pending", module="default", module_data=pending, since=now - 1000, process="dead")

    def _many(self, parent: str) -> None:
        insertion = """INSERT INTO nodes
            (id, parent, name, container, owner, metadata, ctime, mtime, module, module_data, size)
            VALUES (:id, :parent, :name, :container, 'alice', '{}', 1600000000, 1700000000, 'default', :module_data, 0)
            """
        rows = [
            {
                "id": objectid.new(),
                "name": name,
                "parent": parent,
                "container": False,
                "module_data": self._module.new_data(CONTEXT),
            }
            for name in MANY
        ]
        self._connection.execute(text(insertion), rows)
        self.ids |= {f"alice/c/many/{row['name']}": str(row["id"]) for row in rows}

    def _insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self._connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)

    def _keep(self, data: bytes) -> str:
        module_data = self._module.new_data(CONTEXT)
        self._module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def _account(self, name: str, quota: int | None) -> None:
        self._container(name, "")
        password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(f"{name}'s")
        role = "administrator" if name == "administrator" else "user"
        used = {"alice": len(b"data in c"), "bob": len(b"of bob")}.get(name, 0)
        given = {"root": self.ids[f"{name}/"], "quota": quota, "used": used}
        self._insert("accounts", name=name, password=password, role=role, policy="default", **given)

    def _container(self, owner: str, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._node(owner, path, container=True, metadata=metadata or {})

    def _object(self, owner: str, path: str, data: bytes, **facts: Any) -> None:
        given: dict[str, Any] = {"mimetype": "application/octet-stream", "encoding": "base64", "metadata": {}, **facts}
        kept: dict[str, Any] = {"module": "default", "module_data": self._keep(data), "size": len(data)}
        self._node(owner, path, container=False, **given, **kept)

    def _node(self, owner: str, path: str, metadata: dict[str, Any], **values: Any) -> None:
        identity = self.ids[f"{owner}/{path}"] = objectid.new()
        above, _, name = path.removesuffix("/").rpartition("/")
        parent = self.ids[f"{owner}/{above}/" if above else f"{owner}/"] if path else None
        times = {"ctime": 1_600_000_000, "mtime": 1_700_000_000}
        place = {"id": identity, "parent": parent, "name": name, "owner": owner, "metadata": json.dumps(metadata)}
        self._insert("nodes", **place, **times, **values)
