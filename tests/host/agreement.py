"""Whether the catalogue agrees with itself, and with what the modules hold, once upkeep has done all there is to do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, func, select

from host.catalogue.schema import GARBAGE, KEPT, copies, data, detached
from host.cloud import Cloud
from tests.files import objects_in
from tests.host.consistency import faults

__all__ = ["Roots", "disagreements"]


#: Of modules that are a FileStorage at each of their locations: the roots, by the module's name.
Roots = Mapping[str, Sequence[Path]]


def disagreements(cloud: Cloud, roots: Roots) -> list[str]:
    """Return what is wrong in a cloud where nobody works, once copies are at their places and garbage is deleted."""
    cloud.upkeep.replication.work()
    cloud.upkeep.reap(grace=0)
    with cloud.catalogue.reading() as connection:
        found = [*faults(connection), *_left(connection)]
        for module, places in roots.items():
            for root in places:
                found += _files(connection, module, root)
    return found


def _left(connection: Connection) -> Iterator[str]:
    """Tell what there is still to do."""
    for what, query in (
        ("garbage", select(func.count()).select_from(data).where(data.c.state == GARBAGE)),
        ("a removed container", select(func.count()).select_from(detached)),
        ("a copy", select(func.count()).select_from(copies)),
    ):
        if left := connection.scalar(query):
            yield f"{what} that waits: {left}"


def _files(connection: Connection, module: str, root: Path) -> Iterator[str]:
    """Tell how one location of a module and the catalogue differ."""
    query = select(data.c.module_data, data.c.size).where(data.c.module == module, data.c.state == KEPT)
    named = {json.loads(row.module_data)["path"]: row.size for row in connection.execute(query)}
    stored = {str(path.relative_to(root)): path.stat().st_size for path in objects_in(root)}
    for path in sorted(named.keys() | stored.keys()):
        if named.get(path) != stored.get(path):
            yield f"{module}: {path} has {stored.get(path)} bytes, and {named.get(path)} in the catalogue"
