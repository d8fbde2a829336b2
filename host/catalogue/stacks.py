"""Which module stands on which: in the caller's transaction, or as a mapping that was read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select, text

from host.catalogue.schema import stacks

__all__ = ["Stacks", "lock", "names_above", "read", "way", "write"]

#: The modules that each one stands on, by its name.
Stacks = Mapping[str, Sequence[str]]


def lock(connection: Connection) -> None:
    """Let nobody else change what stands on what, or remove a module, until the transaction has ended."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(text("LOCK TABLE stacks IN SHARE ROW EXCLUSIVE MODE"))


def read(connection: Connection) -> Stacks:
    """Return what stands on what. Of modules there are as many as administrators have configured."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for module, store in connection.execute(select(stacks).order_by(stacks.c.module, stacks.c.store)):
        found[module].append(store)
    return found


def write(connection: Connection, module: str, stores: Iterable[str]) -> None:
    """Note that ``module`` stands on ``stores`` and on nothing else.

    :raises sqlalchemy.exc.IntegrityError: one of them is not configured.
    """
    connection.execute(delete(stacks).where(stacks.c.module == module))
    if rows := [{"module": module, "store": store} for store in stores]:
        connection.execute(insert(stacks), rows)


def way(found: Stacks, top: str, bottom: str) -> list[str] | None:
    """Return the names on the shortest way down from ``top`` to ``bottom``, both included; None if there is none."""
    ways = [[top]]
    seen = {top}
    for names in ways:  # which grows meanwhile
        if names[-1] == bottom:
            return names
        below = [name for name in found.get(names[-1], ()) if name not in seen]
        seen.update(below)
        ways += [[*names, name] for name in below]
    return None


def names_above(found: Stacks, store: str) -> list[str]:
    """Return the names of the modules that stand on ``store``, by way of others too."""
    return [name for name in list(found) if name != store and way(found, name, store) is not None]
