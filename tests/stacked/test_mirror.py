"""A mirror, and the kit on mirrors of two and of three."""

import tempfile
import unittest
from pathlib import Path

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import StorageModule
from stacked.base import StackedModule
from stacked.mirror import MirroredStorage
from tests.stacked.stack import file_storage


class TwoTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def make_module(self) -> StorageModule:
        stores = [file_storage(Path(self.directory, name)) for name in ("one", "two")]
        return MirroredStorage([StackedModule(stores[0]), stores[1]])


class ThreeTest(Promises, unittest.TestCase):
    effort = QUICK._replace(rounds=30, races=10)

    def make_module(self) -> StorageModule:
        return MirroredStorage([file_storage(Path(self.directory, name)) for name in ("one", "two", "three")], "all")


class QuorumTest(Promises, Model, unittest.TestCase):
    effort = QUICK._replace(rounds=60, races=10, examples=10)

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()  # the files of SQLite come and go
        self.addCleanup(directory.cleanup)
        self.journal = f"{directory.name}/journal"
        super().setUp()

    def make_module(self) -> StorageModule:
        stores = [file_storage(Path(self.directory, name)) for name in ("one", "two", "three")]
        MirroredStorage.prepare(stores, 2, self.journal)
        return StackedModule(MirroredStorage(stores, 2, self.journal))
