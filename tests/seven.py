"""What every module that keeps objects as files has to do."""

import gc
import io
import json
import os
import tempfile
import threading
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules import MODULE_DATA_LIMIT, Context, StorageModule
from tests.sources import Breaking, OneByte

CONTEXT: Context = {"func": {}}

if TYPE_CHECKING:
    _Base = unittest.TestCase
else:  # a mixin: as a TestCase it would be collected by itself
    _Base = object


class SevenMethods(_Base):
    """Extend it and TestCase, and say how the module is made in ``directory``."""

    def make_module(self, directory: str) -> StorageModule:
        raise NotImplementedError

    def path_of(self, module_data: str) -> Path:
        """Return the file in which the object lies."""
        raise NotImplementedError

    #: Texts of module_data that only look as if the module had made them: format strings of a path.
    forged = '{{"path": "{}"}}'

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name, "storage")
        self.directory.mkdir()
        self.module = self.make_module(str(self.directory))

    def files(self) -> list[Path]:
        return sorted(path for path in Path(self.directory.parent).rglob("*") if not path.is_dir())

    def store(self, data: bytes) -> str:
        module_data = self.module.new_data(CONTEXT)
        self.module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def read(self, module_data: str) -> bytes:
        stream = self.module.get_read_stream(CONTEXT, module_data)
        try:
            return stream.read()
        finally:
            stream.close()

    def test_what_is_stored_comes_back(self) -> None:
        for data in (b"", b"x", os.urandom(1024 * 1024 + 1)):
            with self.subTest(size=len(data)):
                module_data = self.store(data)
                self.assertEqual(self.read(module_data), data)
                self.assertEqual(self.module.get_size(CONTEXT, module_data), len(data))
                self.assertIs(self.module.available(CONTEXT, module_data), True)
                self.assertEqual(self.path_of(module_data).read_bytes(), data)

    def test_module_data_is_a_short_json_text_of_its_own(self) -> None:
        made = {self.module.new_data(CONTEXT) for _ in range(1000)}
        self.assertEqual(len(made), 1000)
        for module_data in made:
            self.assertLessEqual(len(module_data.encode()), MODULE_DATA_LIMIT)
            self.assertIsInstance(json.loads(module_data), dict)

    def test_a_source_of_single_bytes_is_read_to_its_end(self) -> None:
        module_data = self.module.new_data(CONTEXT)
        self.module.assign(CONTEXT, module_data, OneByte(b"abc" * 1000))
        self.assertEqual(self.read(module_data), b"abc" * 1000)

    def test_a_source_that_breaks_leaves_nothing(self) -> None:
        module_data = self.module.new_data(CONTEXT)
        error = RuntimeError("the client went away")
        with self.assertRaises(RuntimeError) as caught:
            self.module.assign(CONTEXT, module_data, Breaking(bytes(2_000_000), error))
        self.assertIs(caught.exception, error)
        self.assertIs(self.module.available(CONTEXT, module_data), False)
        self.assertEqual(self.files(), [])

    def test_a_source_that_breaks_leaves_the_old_data(self) -> None:
        module_data = self.store(b"old")
        with self.assertRaises(RuntimeError):
            self.module.assign(CONTEXT, module_data, Breaking(b"new", RuntimeError()))
        self.assertEqual(self.read(module_data), b"old")
        self.assertEqual(len(self.files()), 1)

    def test_assign_again_takes_the_place_of_the_old(self) -> None:
        module_data = self.store(b"old")
        stream = self.module.get_read_stream(CONTEXT, module_data)
        self.addCleanup(stream.close)
        self.module.assign(CONTEXT, module_data, io.BytesIO(b"newer"))
        self.assertEqual(self.read(module_data), b"newer")
        self.assertEqual(stream.read(), b"old")
        self.assertEqual(len(self.files()), 1)

    def test_assign_by_many_threads_keeps_one_whole(self) -> None:
        module_data = self.module.new_data(CONTEXT)
        texts = [bytes([i]) * 300_000 for i in range(8)]
        threads = [
            threading.Thread(target=self.module.assign, args=(CONTEXT, module_data, io.BytesIO(t))) for t in texts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIn(self.read(module_data), texts)
        self.assertEqual(len(self.files()), 1)

    def test_streams_seek_and_go_on_after_delete(self) -> None:
        module_data = self.store(b"0123456789")
        first = self.module.get_read_stream(CONTEXT, module_data)
        second = self.module.get_read_stream(CONTEXT, module_data)
        self.module.delete(CONTEXT, module_data)
        self.assertEqual(first.read(3), b"012")
        self.assertEqual(second.seek(-2, 2), 8)
        self.assertEqual(second.read(), b"89")
        self.assertEqual(first.seek(1, 1), 4)
        self.assertEqual(first.read(-1), b"456789")
        self.assertEqual(first.read(1), b"")
        for stream in (first, second):
            stream.close()
            stream.close()
            with self.assertRaises(ValueError):
                stream.read(1)

    def test_delete_leaves_nothing_and_may_be_repeated(self) -> None:
        module_data, neighbour = self.store(b"data"), self.store(b"other")
        for _ in range(2):
            self.module.delete(CONTEXT, module_data)
            self.assertIs(self.module.available(CONTEXT, module_data), False)
        self.assertEqual(self.files(), [self.path_of(neighbour)])

    def test_what_is_absent_is_not_found(self) -> None:
        module_data = self.module.new_data(CONTEXT)
        self.assertIs(self.module.available(CONTEXT, module_data), False)
        self.module.delete(CONTEXT, module_data)
        for method in (self.module.get_size, self.module.get_read_stream):
            with self.assertRaises(FileNotFoundError):
                method(CONTEXT, module_data)

    def test_forged_module_data_is_refused_and_nothing_is_touched(self) -> None:
        outside = self.directory.parent / "outside"
        outside.write_bytes(b"secret")
        paths = [
            "../outside",
            "..",
            "/etc/passwd",
            str(outside),
            "",
            ".",
            "a/../../outside",
            "ab/" + "g" * 32,
            "x\\u0000",
        ]
        texts = [self.forged.format(path) for path in paths]
        texts += ["", "{}", "[]", "null", "5", "not JSON", "[" * 4000, "{" * 100_000, '{"path": 5}', '{"id": ["x"]}']
        texts += ["x" * 1_000_000, '{"p": "' + "x" * 1_000_000 + '"}', '{"other": "' + "0" * 32 + '"}']
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

    def calls(self, module_data: str) -> list[Any]:
        """Return calls of all methods that take ``module_data``."""
        module = self.module
        return [
            lambda: module.assign(CONTEXT, module_data, io.BytesIO(b"evil")),
            lambda: module.available(CONTEXT, module_data),
            lambda: module.get_read_stream(CONTEXT, module_data),
            lambda: module.get_size(CONTEXT, module_data),
            lambda: module.delete(CONTEXT, module_data),
        ]

    def test_a_vanished_directory_is_no_absent_object(self) -> None:
        module_data = self.module.new_data(CONTEXT)
        self.directory.rename(self.directory.parent / "moved")
        for path in sorted(self.directory.parent.rglob("*"), reverse=True):
            path.rmdir()
        with self.assertRaises(OSError):
            self.module.available(CONTEXT, module_data)

    def test_statistics_are_json_with_capacity(self) -> None:
        capacity = json.loads(json.dumps(self.module.statistics(CONTEXT)))["capacity"]
        self.assertGreater(capacity["total"], 0)
        self.assertLessEqual(capacity["free"] + capacity["used"], capacity["total"])

    def test_two_instances_see_the_same_objects(self) -> None:
        module_data = self.store(b"shared")
        self.module = self.make_module(str(self.directory))
        self.assertEqual(self.read(module_data), b"shared")

    def test_no_descriptor_is_left_open(self) -> None:
        gc.collect()  # what earlier tests left
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            module_data = self.store(b"data")
            self.read(module_data)
            self.module.delete(CONTEXT, module_data)
            with self.assertRaises(FileNotFoundError):
                self.module.get_read_stream(CONTEXT, module_data)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
