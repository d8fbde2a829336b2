"""The module that keeps chunks once."""

import tempfile
import unittest
from pathlib import Path

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import StorageModule
from stacked.base import StackedModule
from stacked.dedup import DedupStorage
from tests.postgresql import fresh_database, needs_postgresql
from tests.stacked.stack import file_storage


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def setUp(self) -> None:
        self.index = self.make_index()  # beside the storage: a file of SQLite has others beside it while it is open
        super().setUp()

    def make_index(self) -> str:
        """Return where the index is to be."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return str(Path(directory.name) / "index")

    def make_module(self) -> StorageModule:
        return self.make_stack(file_storage(self.directory))

    def make_stack(self, store: StorageModule) -> DedupStorage:
        """Return a module on ``store``."""
        DedupStorage.prepare(index=self.index)
        return DedupStorage(store, self.index)

    def tidy(self) -> None:
        self.module.upkeep(self.context, [])


class OnALayerTest(KitTest):
    def make_module(self) -> StorageModule:
        return self.make_stack(StackedModule(file_storage(self.directory)))


@needs_postgresql
class OnPostgresqlTest(KitTest):
    def make_index(self) -> str:
        return fresh_database(self)
