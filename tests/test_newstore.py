"""The example of a vendor's module."""

import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from modules import StorageModule
from tests.files import ObjectsAsFiles
from tests.server import ROOT

sys.path.append(str(ROOT / "examples/newstore"))

from newstore.newstore import NewStorage


class NewStorageTest(ObjectsAsFiles, unittest.TestCase):
    forged = '{{"object": "{}"}}'

    def make_module(self, directory: str) -> StorageModule:
        module: StorageModule = NewStorage(directory=directory, volume="volume")
        return module

    def path_of(self, module_data: str) -> Path:
        return self.directory / "volume" / module_data.split('"')[3]


class ArgumentsTest(unittest.TestCase):
    def test_wrong_arguments_are_named(self) -> None:
        for name, arguments in (
            ("directory", {}),
            ("directory", {"directory": 5}),
            ("volume", {"directory": "/tmp", "volume": "../up"}),
            ("volume", {"directory": "/tmp", "volume": ""}),
            ("colour", {"directory": "/tmp", "colour": "red"}),
        ):
            given: dict[str, Any] = dict(arguments)
            with self.subTest(arguments), self.assertRaisesRegex(ValueError, name):
                NewStorage(**given)

    def test_a_directory_that_cannot_be_used_is_named(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for path in (file.name, f"{file.name}/below", "/proc/storage"):
                with self.subTest(path), self.assertRaisesRegex(OSError, path):
                    NewStorage(directory=path)
