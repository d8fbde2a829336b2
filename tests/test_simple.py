"""The sample."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from simple.simple import SimpleStorage
from tests.files import ObjectsAsFiles


class SimpleStorageTest(ObjectsAsFiles, unittest.TestCase):
    forged = '{{"id": "{}"}}'

    def make_module(self, directory: str) -> SimpleStorage:
        return SimpleStorage(storage_dir=directory)

    def path_of(self, module_data: str) -> Path:
        return self.directory / module_data.split('"')[3]


class ArgumentsTest(unittest.TestCase):
    def test_wrong_arguments_are_named(self) -> None:
        cases: list[dict[str, Any]] = [{}, {"storage_dir": "relative"}, {"storage_dir": 5}]
        for arguments in cases:
            with self.subTest(arguments), self.assertRaisesRegex(ValueError, "storage_dir"):
                SimpleStorage(**arguments)
        with self.assertRaisesRegex(ValueError, "colour"):
            SimpleStorage(storage_dir="/tmp", colour="red")

    def test_a_directory_that_cannot_be_used_is_named(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for path in (file.name, f"{file.name}/below", "/proc/storage"):
                with self.subTest(path), self.assertRaisesRegex(OSError, path):
                    SimpleStorage(storage_dir=path)

    def test_the_directory_is_made(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            SimpleStorage(storage_dir=f"{directory}/new")
            self.assertTrue(Path(directory, "new").is_dir())

    def test_it_is_short(self) -> None:
        source = Path(__file__).resolve().parent.parent / "simple/simple.py"
        self.assertLess(len(source.read_text("utf-8").splitlines()), 120)
