"""Pauses after wrong passwords, which all processes of a cloud know of.

They are for a name and the address that the guesses come from: so nobody can lock out somebody else.
"""

import time
from contextlib import suppress

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from host.catalogue.engine import Catalogue
from host.catalogue.schema import failures
from host.errors import TooMany

__all__ = ["Lockout"]

_FREE = 5  # wrong passwords without a pause
_LONGEST = 300  # seconds
_MEMORY = 3600  # seconds after the last pause in which wrong passwords are remembered


class Lockout:
    """The wrong passwords of a cloud."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def failures(self, name: str, address: str) -> tuple[int, float]:
        """Return how many wrong passwords there were, and the second until which there is a pause."""
        query = select(failures.c.count, failures.c.until).where(*_mine(name, address))
        with self._catalogue.reading() as connection:
            row = connection.execute(query).first()
        return (0, 0) if row is None else (row[0], row[1])

    def require(self, until: float) -> None:
        """Check that there is no pause.

        :raises TooMany: there is one.
        """
        left = until - time.time()
        if left > 0:
            seconds = int(left) + 1
            raise TooMany(f"too many wrong passwords: try again in {seconds} seconds", Retry_After=str(seconds))

    def failed(self, name: str, address: str) -> None:
        """Note a wrong password."""
        mine = _mine(name, address)
        count = select(failures.c.count).where(*mine).with_for_update()
        with self._catalogue.writing() as connection:
            before = connection.scalar(count)
            if before is None:
                with suppress(IntegrityError), connection.begin_nested():  # another process may be quicker
                    connection.execute(insert(failures).values(name=name[:64], address=address, count=0, until=0))
                before = connection.scalar(count) or 0
            pause = min(_LONGEST, 2 ** (before - _FREE + 1)) if before >= _FREE - 1 else 0
            values = {"count": before + 1, "until": int(time.time()) + pause}
            connection.execute(update(failures).where(*mine).values(values))

    def forgive(self, name: str, address: str) -> None:
        """Forget the wrong passwords before a right one."""
        with self._catalogue.writing() as connection:
            connection.execute(delete(failures).where(*_mine(name, address)))

    def forget(self) -> None:
        """Forget what was long ago."""
        with self._catalogue.writing() as connection:
            connection.execute(delete(failures).where(failures.c.until < int(time.time()) - _MEMORY))


def _mine(name: str, address: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return failures.c.name == name[:64], failures.c.address == address
