"""No correct module is found wanting."""

import os
import sys
import unittest

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.suite import Promises
from fsstore import FileStorage
from modules import StorageModule
from simple.simple import SimpleStorage
from tests.server import ROOT

sys.path.append(str(ROOT / "examples/newstore"))

from newstore.newstore import NewStorage


class Adopter(Promises, Model):
    """What all adopters here share."""

    effort = QUICK


class SimpleStorageTest(Adopter, unittest.TestCase):
    def make_module(self) -> StorageModule:
        return SimpleStorage(self.directory)


class FileStorageTest(Adopter, unittest.TestCase):
    def make_module(self) -> StorageModule:
        FileStorage.prepare(self.directory)
        return FileStorage(self.directory)


class NewStorageTest(Adopter, unittest.TestCase):
    def make_module(self) -> StorageModule:
        module: StorageModule = NewStorage(self.directory)
        return module


class DirectoryStorageTest(Adopter, unittest.TestCase):
    def make_module(self) -> StorageModule:
        return DirectoryStorage(self.directory)

    def peek(self, module_data: str) -> bytes | None:
        path = os.path.join(self.directory, module_data[-32:])
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return file.read()


class MemoryStorageTest(Adopter, unittest.TestCase):
    lacks = MemoryStorage.LACKS

    def make_module(self) -> StorageModule:
        return MemoryStorage()
