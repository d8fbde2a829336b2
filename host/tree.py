"""The names: containers, and objects in them. What an object's data is, the vault knows."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from host import objectid
from host.database import accounts, garbage, nodes, reading, writing
from host.errors import Conflict, NotFound
from host.node import Node

__all__ = ["Tree", "child", "discard", "new_container", "node_of"]


class Tree:
    """All names of a cloud. Each account has a root of its own, and sees nothing beside it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, root: str, names: Sequence[str]) -> Node | None:
        """Return what lies at ``names``, from the container ``root`` down, or None."""
        met = self._walk(root, names)
        return met[-1] if len(met) > len(names) else None

    def container(self, root: str, names: Sequence[str]) -> Node:
        """Return the container at ``names``.

        :raises NotFound: there is nothing.
        :raises Conflict: there, or above, is an object.
        """
        met = self._walk(root, names)
        here = "/".join(names[: len(met) - 1])
        if not met[-1].container:
            raise Conflict(f"/{here} is an object, and holds nothing below it")
        if len(met) <= len(names):
            raise NotFound(f"no container /{'/'.join(names[: len(met)])}: create it first")
        return met[-1]

    def _walk(self, root: str, names: Sequence[str]) -> list[Node]:
        """Return the nodes on the way to ``names``, the root's first, as far as there are any."""
        met = []
        with reading(self._engine) as connection:
            row = connection.execute(select(nodes).where(nodes.c.id == root)).first()
            for name in [*names, None]:
                if row is None:
                    break
                met.append(node_of(row))
                row = None if name is None else child(connection, row.id, name)
        if not met:
            raise NotFound("the account was removed")
        return met

    def children(self, container: Node) -> list[str]:
        """Return the names in ``container`` in order; those of containers end in a slash."""
        query = select(nodes.c.name, nodes.c.container).where(nodes.c.parent == container.id).order_by(nodes.c.name)
        with reading(self._engine) as connection:
            return [f"{name}/" if is_container else name for name, is_container in connection.execute(query)]

    def make_container(self, parent: Node, name: str, metadata: dict[str, Any]) -> Node:
        """Make a container in ``parent``.

        :raises Conflict: the name is taken.
        :raises NotFound: the parent was removed meanwhile.
        """
        try:
            with writing(self._engine) as connection:
                if child(connection, parent.id, name) is not None:
                    raise Conflict(f"{name!r} exists already")
                identity = new_container(connection, parent.id, name, parent.owner, metadata, int(time.time()))
                return node_of(connection.execute(select(nodes).where(nodes.c.id == identity)).one())
        except IntegrityError as error:
            raise NotFound("the container above was removed") from error

    def change(self, node: Node, metadata: dict[str, Any] | None = None, mimetype: str | None = None) -> None:
        """Replace what is given of ``node``, and keep its data."""
        values = {"metadata": metadata, "mimetype": mimetype, "mtime": int(time.time())}
        given = {key: value for key, value in values.items() if value is not None}
        with writing(self._engine) as connection:
            connection.execute(update(nodes).where(nodes.c.id == node.id).values(given))

    def remove(self, node: Node) -> None:
        """Remove ``node`` and all below it; its data becomes garbage."""
        with writing(self._engine) as connection:
            discard(connection, node.id)


def child(connection: Connection, parent: str, name: str) -> Row[Any] | None:
    """Return the row of ``name`` in the container ``parent``, or None."""
    return connection.execute(select(nodes).where(nodes.c.parent == parent, nodes.c.name == name)).first()


def node_of(row: Row[Any]) -> Node:
    """Return the node of a row of the table."""
    return Node(**{**row._mapping, **{key: row._mapping[key] or "" for key in _TEXTS}, "size": row.size or 0})


_TEXTS = ("mimetype", "encoding", "module", "module_data")


def new_container(
    connection: Connection, parent: str | None, name: str, owner: str, metadata: dict[str, Any], now: int
) -> str:
    """Insert a container and return its id."""
    identity = objectid.new()
    connection.execute(
        insert(nodes).values(
            id=identity,
            parent=parent,
            name=name,
            container=True,
            owner=owner,
            metadata=metadata,
            ctime=now,
            mtime=now,
        )
    )
    return identity


def discard(connection: Connection, top: str) -> None:
    """Remove the node ``top`` and all below it, put their data on the garbage list, give back quota."""
    below = select(nodes.c.id).where(nodes.c.id == top).cte("below", recursive=True)
    below = below.union_all(select(nodes.c.id).where(nodes.c.parent == below.c.id))
    doomed: ColumnElement[bool] = nodes.c.id.in_(select(below.c.id))
    sizes = select(nodes.c.owner, func.sum(nodes.c.size)).where(doomed).group_by(nodes.c.owner)
    for owner, size in connection.execute(sizes).all():
        connection.execute(update(accounts).where(accounts.c.name == owner).values(used=accounts.c.used - (size or 0)))
    data = select(nodes.c.module, nodes.c.module_data, literal(int(time.time()))).where(
        doomed, nodes.c.module.is_not(None)
    )
    connection.execute(insert(garbage).from_select(["module", "module_data", "since"], data))
    connection.execute(delete(nodes).where(doomed))
