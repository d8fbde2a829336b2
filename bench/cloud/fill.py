"""A container with very many names, made in the catalogue itself: over HTTP it would take hours.

Whoever changes the catalogue's tables changes :func:`fill`, and nothing else here.
"""

import secrets
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert

from host.catalogue.account import by_name
from host.catalogue.pages import PAGE
from host.catalogue.schema import nodes, pages
from host.wire import objectid
from host.wire.path import Path as CloudPath
from vsm.data import open_data

__all__ = ["fill"]

_BATCH = 10 * PAGE  # rows of a transaction: a number of whole pages


def fill(data: Path, user: str, container: str, count: int) -> None:
    """Make a container in a user's root, with ``count`` objects that have a name and no data.

    No server may run on the data meanwhile: what it has in memory would be wrong.

    :param data: the cloud's directory.
    :param container: its name; it must not be there.
    """
    cloud = open_data(data)
    try:
        with cloud.catalogue.reading() as connection:
            found = by_name(connection, user)
        if found is None:
            raise LookupError(f"no user {user!r}")
        account = found[0]
        parent = cloud.names.make_container(account, CloudPath((container,), slash=True), {}).id
        with cloud.catalogue.writing() as connection:
            connection.execute(delete(pages).where(pages.c.parent == parent))
        rows = _rows(parent, account.id, count)
        is_first = True
        while batch := list(islice(rows, _BATCH)):
            with cloud.catalogue.writing() as connection:
                connection.execute(insert(nodes), batch)
                _insert_pages(connection, parent, batch, is_first=is_first)
            is_first = False
    finally:
        cloud.close()


def _insert_pages(connection: Connection, parent: str, batch: list[dict[str, Any]], *, is_first: bool) -> None:
    """Note the names of ``batch`` in pages. The first page of a container begins with the empty text."""
    for begin in range(0, len(batch), PAGE):
        page = batch[begin : begin + PAGE]
        name = "" if is_first and not begin else page[0]["name"]
        connection.execute(insert(pages).values(parent=parent, first=name, count=len(page)))


def _rows(parent: str, owner: int, count: int) -> Iterator[dict[str, Any]]:
    now = int(time.time())
    same = {
        "parent": parent,
        "container": False,
        "owner": owner,
        "metadata": "{}",
        "ctime": now,
        "mtime": now,
        "mimetype": "application/octet-stream",
        "encoding": "base64",
    }
    for number in range(count):
        yield {**same, "id": objectid.new(), "name": f"object-{number:09}", "etag": secrets.token_hex(8)}
