"""What every module that keeps objects as files has to do, beside keeping the contract.

The contract itself is what the kit is for: see tests/conformance.
"""

import gc
import io
import os
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from modules import Context, StorageModule

__all__ = ["CONTEXT", "OWN_FILES", "ObjectsAsFiles", "objects_in", "open_files"]

CONTEXT: Context = {"func": {}}
#: Files of a FileStorage that are no objects.
OWN_FILES = ("fsstore.json", "counters")

if TYPE_CHECKING:
    _Base = unittest.TestCase
else:  # a mixin: as a TestCase it would be collected by itself
    _Base = object


def objects_in(root: Path) -> list[Path]:
    """Return the files of objects in a storage, without those that the storage keeps for itself."""
    return sorted(path for path in root.rglob("*") if path.is_file() and path.name not in OWN_FILES)


def open_files() -> int:
    """Return how many descriptors this process has, without what earlier tests left to be collected."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


class ObjectsAsFiles(_Base):
    """Extend it and TestCase, and say how the module is made in ``directory``."""

    def make_module(self, directory: str) -> StorageModule:
        raise NotImplementedError

    def path_of(self, module_data: str) -> Path:
        """Return the file in which the object lies."""
        raise NotImplementedError

    #: Texts of module_data that only look as if the module had made them: format strings of a path.
    forged = '{{"path": "{}"}}'

    def setUp(self) -> None:
        # nose keeps every test to its end, and with it the files that a module has open.
        self.addCleanup(vars(self).pop, "module", None)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name, "storage")
        self.directory.mkdir()
        self.module = self.make_module(str(self.directory))

    def files(self) -> list[Path]:
        found = (path for path in self.directory.parent.rglob("*") if not path.is_dir())
        return sorted(path for path in found if path.name not in OWN_FILES)

    def store(self, data: bytes) -> str:
        module_data = self.module.new_data(CONTEXT)
        self.module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def calls(self, module_data: str) -> list[Callable[[], object]]:
        """Return calls of all methods that take ``module_data``."""
        module = self.module
        return [
            lambda: module.assign(CONTEXT, module_data, io.BytesIO(b"evil")),
            lambda: module.available(CONTEXT, module_data),
            lambda: module.get_read_stream(CONTEXT, module_data),
            lambda: module.get_size(CONTEXT, module_data),
            lambda: module.delete(CONTEXT, module_data),
        ]

    def test_an_object_is_a_plain_file(self) -> None:
        data = os.urandom(100_000)
        module_data = self.store(data)
        self.assertEqual(self.path_of(module_data).read_bytes(), data)
        self.assertEqual(self.files(), [self.path_of(module_data)])

    def test_data_and_name_are_on_the_disk_before_assign_returns(self) -> None:
        synced = set()

        def noted(sync: Callable[[int], None]) -> Callable[[int], None]:
            def call(descriptor: int) -> None:
                synced.add(os.fstat(descriptor).st_ino)
                sync(descriptor)

            return call

        with mock.patch.object(os, "fsync", noted(os.fsync)), mock.patch.object(os, "fdatasync", noted(os.fdatasync)):
            path = self.path_of(self.store(b"data"))
        self.assertLessEqual({path.stat().st_ino, path.parent.stat().st_ino}, synced)

    def test_forged_module_data_is_refused_and_nothing_is_touched(self) -> None:
        outside = self.directory.parent / "outside"
        outside.write_bytes(b"secret")
        paths = ["../outside", "..", "/etc/passwd", str(outside), "", ".", "ab/../../outside", "ab/" + "g" * 32]
        texts = [self.forged.format(path) for path in [*paths, "x\\u0000"]]
        texts += ["", "{}", "[]", "null", "5", "not JSON", "[" * 4000, "{" * 100_000, '{"path": 5}', '{"id": ["x"]}']
        texts += ["x" * 1_000_000, self.module.new_data(CONTEXT) + " " * 1_000_000, '{"other": "' + "0" * 32 + '"}']
        for text in texts:
            for call in self.calls(text):
                with self.subTest(text=text[:60]), self.assertRaises(ValueError) as caught:
                    call()
                self.assertIn("module_data", str(caught.exception))
        self.assertEqual(self.files(), [outside])
        self.assertEqual(outside.read_bytes(), b"secret")

    def test_a_symbolic_link_is_not_followed(self) -> None:
        outside = self.directory.parent / "outside"
        outside.write_bytes(b"secret")
        module_data = self.store(b"data")
        self.path_of(module_data).unlink()
        self.path_of(module_data).symlink_to(outside)
        for call in self.calls(module_data):
            with self.assertRaises((ValueError, OSError)):
                call()
        self.assertEqual(outside.read_bytes(), b"secret")
        self.assertTrue(self.path_of(module_data).is_symlink())

    def test_a_pipe_or_a_directory_is_no_object(self) -> None:
        for make in (os.mkfifo, os.mkdir):
            module_data = self.store(b"data")
            self.path_of(module_data).unlink()
            make(self.path_of(module_data))
            for call in self.calls(module_data):
                with self.subTest(make.__name__), self.assertRaises((ValueError, OSError)):
                    call()
