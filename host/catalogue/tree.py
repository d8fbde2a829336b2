"""The names: containers, and objects in them, as they are in the catalogue.

What changes a tree is a function of a connection, in the caller's transaction, which begins with :func:`lock`.
A transaction sees and changes names by their path, and not by what was seen before it began: a request takes
place at its commit, whatever others did while its body arrived.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, insert, literal, null, select, update

from host.catalogue import pages
from host.catalogue.account import Account
from host.catalogue.node import Node
from host.catalogue.prepared import Prepared
from host.catalogue.schema import accounts, data, nodes
from host.errors import Conflict, NotFound
from host.wire import objectid
from host.wire.path import Path

__all__ = [
    "above",
    "by_id",
    "child",
    "container",
    "find",
    "insert_node",
    "locate",
    "lock",
    "new_id",
    "path_of",
    "rename",
    "spot",
    "update_node",
]

#: Containers of a path that one statement walks through.
_STEPS = 8

_insert = Prepared(insert(nodes))
_update = Prepared(
    update(nodes)
    .where(nodes.c.id == bindparam("node"))
    .values({name: bindparam(name) for name in ("metadata", "mimetype", "encoding", "data")})
    .values(mtime=bindparam("now"), etag=bindparam("tag"))
)
_lock = Prepared(select(accounts.c.id).where(accounts.c.id == bindparam("account")).with_for_update())


def _select(last: Any) -> Select[Any]:
    """Select the columns of :class:`Node` from ``last``, a name for the table of nodes."""
    mine = [last.c[column.name] for column in nodes.c]
    return select(*mine, data.c.module, data.c.module_data, data.c.size)


def _walk(steps: int) -> tuple[Any, Any, ColumnElement[bool]]:
    """Return what walks ``steps`` names down from the container ``top``: the last table, all of them, and where."""
    last = nodes.alias()
    if not steps:
        return last, last, last.c.id == bindparam("top")
    joined: Any = last
    where = (last.c.parent == bindparam("top")) & (last.c.name == bindparam("n0"))
    for number in range(1, steps):
        upper, last = last, nodes.alias()
        joined = joined.join(last, (last.c.parent == upper.c.id) & (last.c.name == bindparam(f"n{number}")))
    return last, joined, where


@cache
def _path_query(steps: int) -> Prepared:
    """Return the statement for what is at the end of a walk."""
    last, joined, where = _walk(steps)
    return Prepared(_select(last).select_from(joined.outerjoin(data, data.c.id == last.c.data)).where(where))


@cache
def _spot_query(steps: int) -> Prepared:
    """Return the statement for the container at the end of a walk, and for what has a name in it, if anything has."""
    upper, joined, where = _walk(steps)
    last = nodes.alias()
    joined = joined.outerjoin(last, (last.c.parent == upper.c.id) & (last.c.name == bindparam("name")))
    joined = joined.outerjoin(data, data.c.id == last.c.data)
    query = _select(last).add_columns(upper.c.id, upper.c.container)
    return Prepared(query.select_from(joined).where(where))


_by_id = Prepared(
    _select(nodes).select_from(nodes.outerjoin(data, data.c.id == nodes.c.data)).where(nodes.c.id == bindparam("node"))
)


_up = select(*nodes.c, literal(0).label("height")).where(nodes.c.id == bindparam("node"))
_ups = _up.cte("ups", recursive=True)
_ups = _ups.union_all(select(*nodes.c, _ups.c.height + 1).where(nodes.c.id == _ups.c.parent))
#: A container and all above it. They have no data; to join its table made PostgreSQL read all of it.
_above = Prepared(select(*[_ups.c[column.name] for column in nodes.c], null(), null(), null()).order_by(_ups.c.height))


def lock(connection: Connection, account: int) -> bool:
    """Make every other transaction that changes the account's tree wait, and tell whether there is the account."""
    return _lock.first(connection, account=account) is not None


def find(connection: Connection, top: str, names: Sequence[str]) -> Node | None:
    """Return what lies at ``names``, from the container ``top`` down, or None."""
    node = None if names else by_id(connection, top)
    for begin in range(0, len(names), _STEPS):
        part = names[begin : begin + _STEPS]
        row = _path_query(len(part)).first(connection, top=top, **_numbered(part))
        if row is None:
            return None
        node = Node._make(row)
        top = node.id
    return node


def _numbered(names: Sequence[str]) -> dict[str, str]:
    return {f"n{number}": name for number, name in enumerate(names)}


def spot(connection: Connection, account: Account, path: Path) -> tuple[str, Node | None]:
    """Return the id of the container that a path leads into, and what has the last name there, or None.

    :param path: with one name at least.
    :raises NotFound: there is no such container.
    :raises Conflict: it, or what is above, is an object.
    """
    top, (*uppers, name) = _top(connection, account, path), path.names
    while len(uppers) > _STEPS:
        node = find(connection, top, uppers[:_STEPS])
        top, uppers = "" if node is None else node.id, uppers[_STEPS:]
    row = _spot_query(len(uppers)).first(connection, top=top, name=name, **_numbered(uppers))
    if row is None or not row[-1]:
        return container(connection, account, path.parent).id, None  # tells what is missing
    *found, parent, _ = row
    return parent, None if found[0] is None else Node._make(found)


def locate(connection: Connection, account: Account, path: Path) -> Node | None:
    """Return what lies at a path of an account, or None.

    :raises NotFound: the path begins with an id that the account does not have.
    """
    return find(connection, _top(connection, account, path), path.names)


def container(connection: Connection, account: Account, path: Path) -> Node:
    """Return the container at a path.

    :raises NotFound: there is nothing.
    :raises Conflict: there, or above, is an object.
    """
    top = _top(connection, account, path)
    node = find(connection, top, path.names)
    if node is None or not node.container:
        for length in range(len(path.names) + 1):
            upper = find(connection, top, path.names[:length])
            here = Path(path.names[:length], slash=False, id=path.id).url
            if upper is None:
                raise NotFound(f"no container {here}: create it first")
            if not upper.container:
                raise Conflict(f"{here} is an object, and holds nothing below it")
        raise NotFound("the account was removed")
    return node


def _top(connection: Connection, account: Account, path: Path) -> str:
    """Return the id of what the names of a path begin at."""
    if path.id is None:
        return account.root
    node = by_id(connection, path.id)
    if node is not None and node.owner == account.id:
        top = [node, *above(connection, node)][-1]
        if top.id in (account.root, account.unnamed):  # else it is being removed, or not there yet
            return node.id
    raise NotFound(f"nothing has the id {path.id}")


def child(connection: Connection, parent: str, name: str) -> Node | None:
    """Return what has ``name`` in the container ``parent``, or None."""
    return find(connection, parent, [name])


def by_id(connection: Connection, identity: str) -> Node | None:
    """Return what has the id ``identity``, or None. Whether any name leads there is another question."""
    row = _by_id.first(connection, node=identity)
    return None if row is None else Node._make(row)


def above(connection: Connection, node: Node) -> list[Node]:
    """Return the containers above ``node``, the nearest first. The last has no parent."""
    if node.parent is None:
        return []
    return [Node._make(row) for row in _above.all(connection, node=node.parent)]


def path_of(connection: Connection, account: Account, node: Node) -> Path:
    """Return the path of names that leads to ``node``, or of its id if it has no name."""
    uppers = above(connection, node)
    top = uppers[-1] if uppers else node
    if top.id != account.root:
        return Path((), slash=node.container, id=node.id)
    names = [each.name for each in reversed([node, *uppers[:-1]])] if uppers else []
    return Path(tuple(names), slash=node.container)


def new_id(enterprise_number: int) -> Callable[[], str]:
    """Return a function that makes object ids."""
    return lambda: objectid.new(enterprise_number)


def insert_node(
    connection: Connection,
    identity: str,
    owner: int,
    parent: str | None,
    name: str,
    metadata: dict[str, Any],
    *,
    mimetype: str | None = None,
    encoding: str | None = None,
    data: int | None = None,
) -> str:
    """Insert a container, or an object if there is ``data``, and return its entity tag.

    :raises sqlalchemy.exc.IntegrityError: the name is taken, or there is no such parent.
    """
    etag = secrets.token_hex(8)
    now = int(time.time())
    row = {"id": identity, "parent": parent, "name": name, "container": data is None, "owner": owner}
    row |= {"metadata": json.dumps(metadata), "ctime": now, "mtime": now, "etag": etag}
    row |= {"mimetype": mimetype, "encoding": encoding, "data": data}
    _insert.change(connection, **row)
    if parent is not None:
        pages.add(connection, parent, name)
    if data is None:
        pages.begin(connection, identity)
    return etag


def update_node(connection: Connection, node: Node, **values: Any) -> str:
    """Change what is given of ``node``, and with it its time and its entity tag, which is returned.

    :param values: ``metadata``, a mapping, ``mimetype``, ``encoding`` and ``data``, the id of a row.
    """
    etag = secrets.token_hex(8)
    row = {"mimetype": node.mimetype, "encoding": node.encoding, "data": node.data_id, **values}
    row["metadata"] = json.dumps(values["metadata"]) if "metadata" in values else node.metadata_text
    _update.change(connection, node=node.id, now=int(time.time()), tag=etag, **row)
    return etag


def rename(connection: Connection, node: Node, parent: str | None, name: str) -> None:
    """Give ``node`` another name, in another container or the same one; without a parent it has none.

    :raises sqlalchemy.exc.IntegrityError: the name is taken.
    """
    if node.parent is not None:
        pages.remove(connection, node.parent, node.name)
    connection.execute(update(nodes).where(nodes.c.id == node.id).values(parent=parent, name=name))
    if parent is not None:
        pages.add(connection, parent, name)
