"""The kit bites: every saboteur is killed, by the tests that are meant to kill it."""

import contextlib
import io
import unittest

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.saboteurs import SABOTEURS
from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.suite import Promises
from modules import StorageModule


class Adopter(Promises, Model):
    """The kit, for a saboteur."""

    saboteur: type[StorageModule]
    effort = QUICK._replace(examples=200)  # of 25 histories none shows what RevivesTheOld does in one run of seven
    patience = 1.0

    def make_module(self) -> StorageModule:
        return self.saboteur(self.directory) if issubclass(self.saboteur, DirectoryStorage) else self.saboteur()


def adopt(saboteur: type[StorageModule]) -> type[unittest.TestCase]:
    """Return the kit for ``saboteur``, with what its kind lacks."""
    lacks = MemoryStorage.LACKS if issubclass(saboteur, MemoryStorage) else {}
    return type(saboteur.__name__, (Adopter, unittest.TestCase), {"saboteur": saboteur, "lacks": lacks})


def outcome(saboteur: type[StorageModule], test: str) -> str:
    """Run one test of the kit on ``saboteur``."""
    result = unittest.TestResult()
    with contextlib.redirect_stderr(io.StringIO()):
        adopt(saboteur)(test).run(result)
    if result.skipped:
        return "not tried"
    return "lives" if result.wasSuccessful() else "killed"


class SaboteursTest(unittest.TestCase):
    def test_every_saboteur_is_killed(self) -> None:
        for saboteur, tests in SABOTEURS.items():
            for test in tests:
                with self.subTest(saboteur=saboteur.__name__, test=test):
                    self.assertEqual(outcome(saboteur, test), "killed", f"{saboteur.__name__} by {test}")

    def test_every_test_kills_one(self) -> None:
        tests = set(unittest.defaultTestLoader.getTestCaseNames(adopt(MemoryStorage)))
        self.assertEqual({test for killers in SABOTEURS.values() for test in killers}, tests)

    def test_there_are_many_and_each_tells_its_fault(self) -> None:
        self.assertGreaterEqual(len(SABOTEURS), 30)
        for saboteur in SABOTEURS:
            self.assertTrue((saboteur.__doc__ or "").endswith("."), saboteur)
            self.assertNotIn(saboteur, (DirectoryStorage, MemoryStorage))
