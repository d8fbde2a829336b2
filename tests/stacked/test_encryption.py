"""Encryption."""

import tempfile
import unittest

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import StorageModule
from stacked import keyfile
from stacked.base import StackedModule
from stacked.encryption import EncryptedStorage
from tests.stacked.stack import file_storage


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK
    ring: str

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.ring = f"{directory.name}/keyring"
        keyfile.add(cls.ring)

    def make_module(self) -> StorageModule:
        return EncryptedStorage(file_storage(self.directory), self.ring)


class KitOnLayersTest(KitTest):
    def make_module(self) -> StorageModule:
        return StackedModule(EncryptedStorage(EncryptedStorage(file_storage(self.directory), self.ring), self.ring))
