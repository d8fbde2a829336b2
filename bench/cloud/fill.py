"""A container with very many names, made in the catalogue itself: over HTTP it would take hours.

Whoever changes the catalogue's tables changes :func:`fill`, and nothing else here.
"""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from host import objectid
from host.database import accounts, nodes, writing
from host.tree import new_container
from vsm.data import open_data

__all__ = ["fill"]

_BATCH = 10_000  # rows of a transaction


def fill(data: Path, user: str, container: str, count: int) -> None:
    """Make a container in a user's root, with ``count`` objects that have a name and no data.

    No server may run on the data meanwhile: what it has in memory would be wrong.

    :param data: the cloud's directory.
    :param container: its name; it must not be there.
    """
    cloud = open_data(data)
    try:
        with writing(cloud.engine) as connection:
            root = connection.scalar(select(accounts.c.root).where(accounts.c.name == user))
            parent = new_container(connection, root, container, user, {}, int(time.time()))
        rows = _rows(parent, user, count)
        while batch := list(islice(rows, _BATCH)):
            with writing(cloud.engine) as connection:
                connection.execute(insert(nodes), batch)
    finally:
        cloud.close()


def _rows(parent: str, user: str, count: int) -> Iterator[dict[str, Any]]:
    now = int(time.time())
    same = {
        "parent": parent,
        "container": False,
        "owner": user,
        "metadata": {},
        "ctime": now,
        "mtime": now,
        "mimetype": "application/octet-stream",
        "encoding": "base64",
        "module": "default",
        "module_data": "",
        "size": 0,
    }
    for number in range(count):
        yield {**same, "id": objectid.new(), "name": f"object-{number:09}"}
