"""The names of a container, page by page: counted, and found by their number, at the cost of a page.

A container has at least one row in the table ``pages``, whose ``first`` is "". A name is on the last page that
begins at or before it. All functions work in the caller's transaction, which holds the account's lock
(:func:`host.catalogue.tree.lock`): so no two change one container at the same time.
"""

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from host.catalogue.prepared import Prepared
from host.catalogue.schema import nodes, pages

__all__ = ["add", "begin", "count", "names", "names_after", "remove"]

#: Names of a page. At twice as many it is split.
PAGE = 2048

_on = pages.alias()
#: Where the page of a name begins.
_PAGE_OF = (
    select(func.max(_on.c.first))
    .where(_on.c.parent == bindparam("container"), _on.c.first <= bindparam("name"))
    .scalar_subquery()
)
_CHANGE = Prepared(
    update(pages)
    .where(pages.c.parent == bindparam("container"), pages.c.first == _PAGE_OF)
    .values(count=pages.c.count + bindparam("change"))
    .returning(pages.c.first, pages.c.count)
)
_NAMES = Prepared(
    select(nodes.c.name, nodes.c.container)
    .where(nodes.c.parent == bindparam("container"), nodes.c.name >= bindparam("first"))
    .order_by(nodes.c.name)
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_AFTER = Prepared(
    select(nodes.c.name, nodes.c.container)
    .where(nodes.c.parent == bindparam("container"), nodes.c.name > bindparam("after"))
    .order_by(nodes.c.name)
    .limit(bindparam("limit"))
)
_PAGES = Prepared(
    select(pages.c.first, pages.c.count).where(pages.c.parent == bindparam("container")).order_by(pages.c.first)
)


def begin(connection: Connection, container: str) -> None:
    """Give a new container its first page."""
    connection.execute(insert(pages).values(parent=container, first="", count=0))


def add(connection: Connection, container: str, name: str) -> None:
    """Count ``name``, which was just inserted into ``container``."""
    row = _CHANGE.first(connection, container=container, name=name, change=1)
    if row is not None and row[1] >= 2 * PAGE:
        _split(connection, container, *row)


def remove(connection: Connection, container: str, name: str) -> None:
    """Count ``name``, which was just removed from ``container``, no more."""
    row = _CHANGE.first(connection, container=container, name=name, change=-1)
    if row is not None and row[1] == 0 and row[0]:
        connection.execute(delete(pages).where(pages.c.parent == container, pages.c.first == row[0]))


def count(connection: Connection, container: str) -> int:
    """Return how many names ``container`` has."""
    return int(
        connection.scalar(select(func.coalesce(func.sum(pages.c.count), 0)).where(pages.c.parent == container)) or 0
    )


def names(connection: Connection, container: str, first: int, limit: int) -> list[tuple[str, bool]]:
    """Return up to ``limit`` names from the ``first`` on, in order, and whether each is a container's.

    :param first: a number, the first name's is 0.
    """
    page, skipped = "", first
    if first >= PAGE // 2:  # before that, skipping costs less than looking for the page
        for begins, length in _PAGES.all(connection, container=container):  # a window function takes six times as long
            if skipped < length:
                page = begins
                break
            skipped -= length
        else:
            return []
    found = _NAMES.all(connection, container=container, first=page, limit=limit, offset=skipped)
    return [(name, bool(is_container)) for name, is_container in found]


def names_after(connection: Connection, container: str, after: str, limit: int) -> list[tuple[str, bool]]:
    """Return up to ``limit`` names that come after the name ``after``, likewise."""
    found = _AFTER.all(connection, container=container, after=after, limit=limit)
    return [(name, bool(is_container)) for name, is_container in found]


def _split(connection: Connection, container: str, first: str, length: int) -> None:
    ((middle, _),) = _NAMES.all(connection, container=container, first=first, limit=1, offset=length // 2)
    here = (pages.c.parent == container) & (pages.c.first == first)
    connection.execute(update(pages).where(here).values(count=length // 2))
    connection.execute(insert(pages).values(parent=container, first=middle, count=length - length // 2))
