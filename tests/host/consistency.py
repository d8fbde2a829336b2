"""What has to hold in a catalogue at all times, whatever happened before."""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, select

from host.catalogue.schema import KEPT, accounts, data, detached, nodes, pages

__all__ = ["faults"]


def faults(connection: Connection) -> list[str]:
    """Return what is wrong: with the pages, the quotas, what data is named, and where each name is."""
    rows = connection.execute(select(nodes)).all()
    found = [*_of_pages(connection, rows), *_of_quotas(connection, rows), *_of_data(connection, rows)]
    found += [*_of_parents(rows), *_of_tops(connection, rows)]
    return found


def _of_pages(connection: Connection, rows: Any) -> list[str]:
    """Each container's pages begin with "", and each has as many names as it says."""
    names = defaultdict(list)
    for row in rows:
        names[row.parent].append(row.name)
    kept = defaultdict(list)
    for row in connection.execute(select(pages)):
        kept[row.parent].append((row.first, row._mapping["count"]))
    wrong = []
    for container in (row.id for row in rows if row.container):
        counted: Counter[str] = Counter()
        firsts = sorted(first for first, _ in kept[container])
        if firsts[:1] != [""]:
            wrong.append(f"{container} has the pages {firsts}")
            continue
        for name in names[container]:
            counted[max(first for first in firsts if first <= name)] += 1
        wrong += [
            f"the page {first!r} of {container} has {counted[first]} names, not {count}"
            for first, count in kept[container]
            if count != counted[first]
        ]
    return wrong


def _of_quotas(connection: Connection, rows: Any) -> list[str]:
    """What an account uses is what its objects have."""
    sizes = {row.id: row.size for row in connection.execute(select(data.c.id, data.c.size))}
    used: Counter[int] = Counter()
    objects: Counter[int] = Counter()
    for row in rows:
        if row.data is not None:
            used[row.owner] += sizes[row.data]
            objects[row.owner] += 1
    return [
        f"{row.name} uses {used[row.id]} bytes in {objects[row.id]} objects, not {row.used} in {row.objects}"
        for row in connection.execute(select(accounts))
        if (row.used, row.objects) != (used[row.id], objects[row.id])
    ]


def _of_data(connection: Connection, rows: Any) -> list[str]:
    """What is kept has one name, and nothing else has any; no container has data, and every object has."""
    kept = set(connection.scalars(select(data.c.id).where(data.c.state == KEPT)))
    named = [row.data for row in rows if row.data is not None]
    wrong = [f"{row.id} has data {row.data}" for row in rows if row.container == (row.data is not None)]
    return wrong if sorted(named) == sorted(kept) else [*wrong, f"{sorted(kept)} are kept, {sorted(named)} are named"]


def _of_parents(rows: Any) -> list[str]:
    """What is in anything is in a container of its owner."""
    owners = {row.id: row.owner for row in rows if row.container}
    return [
        f"{row.id} is in {row.parent}, which is no container of its owner"
        for row in rows
        if row.parent is not None and owners.get(row.parent) != row.owner
    ]


def _of_tops(connection: Connection, rows: Any) -> list[str]:
    """What has no parent is an account's, or detached."""
    tops = {row.id for row in rows if row.parent is None}
    known = set(connection.scalars(select(detached.c.node)))
    for row in connection.execute(select(accounts.c.root, accounts.c.unnamed)):
        known |= {row.root, row.unnamed}
    return [] if tops == known else [f"the tops are {sorted(tops)}, and not {sorted(known)}"]
