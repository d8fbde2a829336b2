"""All tests of clouds once more, with the catalogue in PostgreSQL."""

import importlib
import pkgutil
import unittest

import tests.host
from tests.host.cloud import CloudTest
from tests.host.postgresql import OnPostgresql
from tests.postgresql import needs_postgresql

#: Left out, and why.
_SQLITE_ALONE = {
    "SqliteTest": "how a file of SQLite is opened, and what SQLite does when it gives up a transaction",
    "ClosingSqliteTest": "how a file of SQLite is closed",
    "BusySqliteTest": "SQLite has one writer at a time, and the others ask until it has ended",
    "SqliteFileTest": "what is in the file",
}


def _modules() -> list[str]:
    """Return the names of the modules with tests of the host.

    They are imported whole: a runner would take a class that is imported for one of this module's.
    """
    found = [each.name for each in pkgutil.walk_packages(tests.host.__path__, "tests.host.")]
    return [name for name in found if name.rpartition(".")[2].startswith("test_") and name != __name__]


def _classes() -> list[type[CloudTest]]:
    """Return the classes of tests of clouds, each from the module that has it."""
    return [
        cls
        for name in _modules()
        for cls in vars(importlib.import_module(name)).values()
        if isinstance(cls, type) and issubclass(cls, CloudTest) and cls.__module__ == name
    ]


def _copies() -> dict[str, type[unittest.TestCase]]:
    """Return each of these classes as one of this module, on PostgreSQL."""
    made: dict[str, type[unittest.TestCase]] = {}
    for cls in _classes():
        has_tests = bool(unittest.defaultTestLoader.getTestCaseNames(cls))
        if has_tests and cls.__name__ not in _SQLITE_ALONE and not issubclass(cls, OnPostgresql):
            room = "".join(part.title() for part in cls.__module__.rpartition(".test_")[2].split("_"))
            name = cls.__name__ if cls.__name__.startswith(room) else f"{room}{cls.__name__}"
            assert name not in made, name
            made[name] = needs_postgresql(type(name, (OnPostgresql, cls), {"__module__": __name__}))
    return made


globals().update(_copies())


class LeftOutTest(unittest.TestCase):
    def test_what_is_left_out_is_still_there(self) -> None:
        self.assertLessEqual(_SQLITE_ALONE.keys(), {cls.__name__ for cls in _classes()})
