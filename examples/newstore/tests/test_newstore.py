import unittest
from conformance.suite import Promises
from newstore.newstore import NewStorage


class NewStorageTest(Promises, unittest.TestCase):
    def make_module(self) -> NewStorage:
        return NewStorage(directory=self.directory)
