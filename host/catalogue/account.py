"""An account, as the catalogue knows it."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from host.catalogue.prepared import Prepared
from host.catalogue.schema import accounts

__all__ = ["Account", "by_name"]


class Account(NamedTuple):
    """One account. ``quota`` and ``used`` are bytes; a quota of None is no limit.

    ``root`` is the id of the container that is its ``/cdmi/``, ``unnamed`` of the one of what has an id and no name.
    """

    id: int
    name: str
    role: str
    policy: str
    root: str
    unnamed: str
    quota: int | None
    used: int

    @property
    def room(self) -> int | None:
        """Bytes that may still be stored; None for any number."""
        return None if self.quota is None else max(0, self.quota - self.used)


_COLUMNS = [accounts.c[name] for name in Account._fields]
_by_name = Prepared(select(accounts.c.password, *_COLUMNS).where(accounts.c.name == bindparam("name")))


def by_name(connection: Connection, name: str) -> tuple[Account, str] | None:
    """Return the account ``name`` and the hash of its password, or None."""
    row = _by_name.first(connection, name=name)
    return None if row is None else (Account._make(row[1:]), row[0])
