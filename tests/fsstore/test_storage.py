"""FileStorage, as the host uses it."""

import io
import json
import os
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, make_root
from tests.files import CONTEXT, ObjectsAsFiles, open_files


class FileStorageTest(ObjectsAsFiles, unittest.TestCase):
    def make_module(self, directory: str) -> FileStorage:
        make_root(directory)
        return FileStorage(root=directory)

    def path_of(self, module_data: str) -> Path:
        return Path(self.directory, json.loads(module_data)["path"])

    def calls(self, module_data: str) -> list[Callable[[], object]]:
        other = self.module.new_data(CONTEXT)
        return [
            *super().calls(module_data),
            lambda: self.module.copy_data(CONTEXT, module_data, other),
            lambda: self.module.copy_data(CONTEXT, other, module_data),
        ]

    def test_a_shard_that_is_a_symbolic_link_is_not_entered(self) -> None:
        module_data = self.store(b"data")
        shard = self.path_of(module_data).parent
        elsewhere = self.directory.parent / "elsewhere"
        shard.rename(elsewhere)
        shard.symlink_to(elsewhere)
        time.sleep(0.11)  # for a tenth of a second it is believed that a directory is where it was
        with self.assertRaises(NotADirectoryError):
            self.module.assign(CONTEXT, module_data, io.BytesIO(b"evil"))
        with self.assertRaises(NotADirectoryError):
            self.module.delete(CONTEXT, module_data)
        self.module = self.make_module(str(self.directory))  # which did not know the directory before
        for call in self.calls(module_data):
            with self.assertRaises(NotADirectoryError):
                call()
        self.assertEqual([path.read_bytes() for path in elsewhere.iterdir()], [b"data"])

    def test_published_files_are_read_only_and_obey_the_umask(self) -> None:
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        mode = self.path_of(self.store(b"data")).stat().st_mode
        self.assertEqual(mode & 0o777, 0o440)

    def test_a_stream_has_a_descriptor(self) -> None:
        stream = self.module.get_read_stream(CONTEXT, self.store(b"data"))
        self.addCleanup(stream.close)
        self.assertEqual(os.fstat(stream.fileno()).st_size, 4)  # type: ignore[attr-defined]

    def test_an_instance_that_is_given_up_leaves_no_descriptor(self) -> None:
        before = open_files()
        for _ in range(10):
            self.make_module(str(self.directory))
        self.assertEqual(open_files(), before)


class ArgumentsTest(unittest.TestCase):
    def test_wrong_arguments_are_named(self) -> None:
        cases: list[dict[str, Any]] = [{}, {"root": "relative"}, {"root": 5}, {"root": "/a\0b"}]
        for arguments in cases:
            with self.subTest(arguments), self.assertRaisesRegex(ValueError, "root"):
                FileStorage(**arguments)
        with self.assertRaisesRegex(ValueError, "colour"):
            FileStorage(root="/tmp", colour="red")

    def test_a_root_that_cannot_be_used_is_named(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for path in (file.name, f"{file.name}.missing"):
                with self.subTest(path), self.assertRaisesRegex(OSError, path):
                    FileStorage(root=path)

    def test_a_root_that_is_not_writable_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o555)
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:  # in a process of its own, which can cease to be root
                if os.geteuid() == 0:
                    os.setuid(65534)
                try:
                    FileStorage(root=directory)
                except OSError as error:
                    os.write(writer, str(error).encode())
                os._exit(0)
            os.waitpid(child, 0)
            os.close(writer)
            with open(reader, "rb") as answer:
                self.assertIn(directory, answer.read().decode())

    def test_counters_of_another_user_are_named(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            make_root(directory)
            with mock.patch.object(os, "access", lambda path, mode: not path.endswith("counters")):
                FileStorage(root=directory, read_only=True)
                with self.assertRaisesRegex(PermissionError, f"{directory}/counters is not writable"):
                    FileStorage(root=directory)

    def test_slots_go_on_where_the_counters_cannot_be_written(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            make_root(directory)
            storage = FileStorage(root=directory)
            counted = os.path.join(directory, "counters")
            with open(counted, "w") as file:
                file.write(" ".join(f"{number:020}" for number in (0, 0, 0, 5 * 1024)) + "\n")
            opened = os.open

            def refuse(path: Any, flags: int, *arguments: Any, **others: Any) -> int:
                if flags & os.O_CREAT and path == "counters":
                    raise PermissionError
                return opened(path, flags, *arguments, **others)

            with mock.patch.object(os, "open", refuse):
                path = json.loads(storage.new_data(CONTEXT))["path"]
            self.assertEqual(path[:9], "0000/005/")
