"""What names point to: the states of data, what it takes of an account's quota, and how it comes to its end.

All functions work in the caller's transaction. Those that change an account's tree want its lock
(:func:`host.catalogue.tree.lock`).
"""

import json
import time
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update

from host.catalogue import pages, tree
from host.catalogue.node import Node
from host.catalogue.prepared import Prepared
from host.catalogue.schema import GARBAGE, KEPT, PENDING, accounts, copies, data, detached, nodes, vendor_modules
from host.catalogue.schema import pages as page_table
from host.errors import Full

__all__ = [
    "abandon",
    "attach",
    "charge",
    "clear",
    "configured",
    "detach",
    "discard",
    "exchange",
    "forget",
    "keep",
    "queue",
    "release",
    "reserve",
    "waste",
    "waste_again",
]

_set_state = update(data).where(data.c.id == bindparam("data"), data.c.state == bindparam("old"))
_is_current = exists().where(vendor_modules.c.name == data.c.module, vendor_modules.c.edition == bindparam("edition"))
_keep = Prepared(
    _set_state.where(data.c.process == bindparam("process"), _is_current).values(
        state=KEPT, size=bindparam("bytes"), since=bindparam("now"), process=bindparam("nobody")
    )
)
_waste = Prepared(_set_state.values(state=GARBAGE, since=bindparam("now")))
_used = accounts.c.used + bindparam("bytes")
_objects = accounts.c.objects + bindparam("number")
_mine = update(accounts).where(accounts.c.id == bindparam("account")).values(used=_used, objects=_objects)
_give_back = Prepared(_mine)
_take = Prepared(
    _mine.where(
        or_(bindparam("bytes") <= 0, accounts.c.quota.is_(None), _used <= accounts.c.quota),
        or_(bindparam("number") <= 0, accounts.c.quota_objects.is_(None), _objects <= accounts.c.quota_objects),
    )
)


def reserve(connection: Connection, module: str, module_datas: Iterable[str], process: str) -> list[int]:
    """Note data that ``process`` is about to store, and return the ids of the rows."""
    now = int(time.time())
    row = {"module": module, "size": 0, "state": PENDING, "since": now, "process": process}
    rows = [row | {"module_data": module_data} for module_data in module_datas]
    return list(connection.scalars(insert(data).returning(data.c.id, sort_by_parameter_order=True), rows))


def keep(connection: Connection, identity: int, process: str, size: int, edition: str) -> bool:
    """Let data that ``process`` has stored count as kept; a name must be given to it in the same transaction.

    :param size: bytes.
    :param edition: of the module's configuration.
    :returns: False if it is not pending any more, for the process was taken for dead; or if the configuration is
        another one by now.
    """
    now = int(time.time())
    values = {"data": identity, "process": process, "bytes": size, "edition": edition, "now": now}
    return bool(_keep.change(connection, old=PENDING, nobody=None, **values))


def queue(connection: Connection, identity: int, module: str, locations: Sequence[str]) -> None:
    """Note the locations of its module to which data is still to be brought."""
    row = {"data": identity, "module": module, "due": 0, "attempts": 0}
    rows = [row | {"location": location} for location in locations]
    connection.execute(insert(copies), rows)


def waste(connection: Connection, identity: int) -> None:
    """Let kept data that no name points to any more become garbage."""
    _waste.change(connection, data=identity, old=KEPT, now=int(time.time()))


def exchange(connection: Connection, old: int, new: int) -> bool:
    """Let the name that points to kept data ``old`` point to ``new``, which holds the same; ``old`` becomes garbage.

    Nobody sees it: the object keeps its id, its times and its entity tag.

    :returns: False, and nothing has changed, if no name points to ``old`` any more.
    """
    if not connection.execute(update(nodes).where(nodes.c.data == old).values(data=new)).rowcount:
        return False
    waste(connection, old)
    return True


def configured(connection: Connection, module: str) -> tuple[str, list[str]]:
    """Return the edition of a module's configuration as it is now, and its locations, none if there is no such one."""
    query = select(vendor_modules.c.edition, vendor_modules.c.locations).where(vendor_modules.c.name == module)
    row = connection.execute(query).first()
    return ("", []) if row is None else (row.edition, list(json.loads(row.locations)))


def waste_again(connection: Connection, module: str, module_data: str) -> None:
    """Let data count as garbage that may be there again after it was deleted."""
    row = {"module": module, "module_data": module_data, "size": 0, "state": GARBAGE, "since": int(time.time())}
    connection.execute(insert(data).values(row))


def abandon(connection: Connection, identity: int, process: str) -> bool:
    """Let data that ``process`` could not store become garbage, and tell whether it was pending still."""
    mine = (data.c.id == identity) & (data.c.state == PENDING) & (data.c.process == process)
    return bool(connection.execute(update(data).where(mine).values(state=GARBAGE, since=0, process=None)).rowcount)


def forget(connection: Connection, identities: Sequence[int]) -> None:
    """Forget garbage that was deleted everywhere."""
    connection.execute(delete(copies).where(copies.c.data.in_(identities)))
    connection.execute(delete(data).where(data.c.id.in_(identities), data.c.state == GARBAGE))


def charge(connection: Connection, account: int, size: int, number: int) -> None:
    """Take ``size`` bytes and ``number`` objects of the account's quota, or give them back where negative.

    :raises Full: the quota does not have room for them.
    """
    if not _take.change(connection, account=account, bytes=size, number=number):
        raise Full("the quota does not have room for this object")


def discard(connection: Connection, node: Node) -> None:
    """Remove an object: its data becomes garbage, and its part of the quota is given back."""
    if node.parent is not None:
        pages.remove(connection, node.parent, node.name)
    connection.execute(delete(nodes).where(nodes.c.id == node.id))
    waste(connection, node.data.id)
    _give_back.change(connection, account=node.owner, bytes=-node.size, number=-1)


def detach(connection: Connection, node: Node, process: str | None = None) -> None:
    """Take the name of a container, so that nothing leads to it and to what is below it any more."""
    tree.rename(connection, node, None, node.id)
    connection.execute(insert(detached).values(node=node.id, process=process, since=int(time.time())))


def attach(connection: Connection, container: str, process: str) -> bool:
    """Let a detached container that ``process`` was making be one that gets a name, in the same transaction.

    :returns: False if it is being cleared, for the process was taken for dead.
    """
    mine = (detached.c.node == container) & (detached.c.process == process)
    return bool(connection.execute(delete(detached).where(mine)).rowcount)


def release(connection: Connection, container: str) -> bool:
    """Let a detached container that a process was making be one that is to be cleared, and tell whether it was one."""
    return bool(connection.execute(update(detached).where(detached.c.node == container).values(process=None)).rowcount)


def clear(connection: Connection, container: str, limit: int) -> int:
    """Remove up to ``limit`` of what is below a detached container, and each container once it is empty.

    A container in it becomes a detached one itself; so each step is as small as ``limit`` has it.

    :returns: how many were removed; fewer than ``limit`` if that was all.
    """
    waiting, removed = [container], 0
    while waiting and removed < limit:
        inner, number = _clear_one(connection, waiting.pop(), limit - removed)
        waiting += inner
        removed += number
    return removed


def _clear_one(connection: Connection, container: str, limit: int) -> tuple[list[str], int]:
    """Remove up to ``limit`` of what is in a container; return the containers among it, and how much there was."""
    # The account first, as everybody does who changes its tree: so none wait in a circle, and what is seen below stays.
    tree.lock(connection, connection.scalar(select(nodes.c.owner).where(nodes.c.id == container)) or 0)
    query = select(nodes.c.id, nodes.c.owner, nodes.c.container, nodes.c.data, data.c.size)
    query = query.outerjoin(data, data.c.id == nodes.c.data).where(nodes.c.parent == container)
    rows = connection.execute(query.order_by(nodes.c.name).limit(limit)).all()
    inner = [row.id for row in rows if row.container]
    objects = [row for row in rows if not row.container]
    if objects:
        size = sum(row.size for row in objects)
        _give_back.change(connection, account=objects[0].owner, bytes=-size, number=-len(objects))
    if inner:
        now = int(time.time())
        connection.execute(update(nodes).where(nodes.c.id.in_(inner)).values(parent=None, name=nodes.c.id))
        connection.execute(insert(detached), [{"node": node, "process": None, "since": now} for node in inner])
    if objects:
        connection.execute(delete(nodes).where(nodes.c.id.in_([row.id for row in objects])))
        waste_all = update(data).where(data.c.id.in_([row.data for row in objects]))
        connection.execute(waste_all.values(state=GARBAGE, since=int(time.time())))
    if len(rows) < limit:
        connection.execute(delete(detached).where(detached.c.node == container))
        connection.execute(delete(page_table).where(page_table.c.parent == container))
        connection.execute(delete(nodes).where(nodes.c.id == container))
    return inner, len(rows)
