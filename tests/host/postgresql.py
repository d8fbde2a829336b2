"""Clouds whose catalogue is in PostgreSQL."""

import functools
import unittest
from typing import TYPE_CHECKING

from host.catalogue.engine import Catalogue
from host.catalogue.version import make
from tests.postgresql import database, server

__all__ = ["OnPostgresql"]

if TYPE_CHECKING:
    _Base = unittest.TestCase
else:  # a mixin: as a TestCase it would be collected by itself
    _Base = object


@functools.cache
def _tables() -> str:
    """Return the URL of a database that has the catalogue's tables and nothing in them."""
    url = database()
    catalogue = Catalogue(url)
    make(catalogue)
    catalogue.close()
    return url


class OnPostgresql(_Base):
    """Extend it and CloudTest, in this order."""

    def catalogue_url(self) -> str | None:
        """Return the URL of a database of the test's own."""
        url = server().database(like=_tables())
        self.addCleanup(server().drop, url)
        return url
