"""The marker, and what is refused without it."""

import errno
import io
import json
import os
import resource
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, make_root
from tests.files import CONTEXT, open_files


class RootTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name, "root")
        self.root.mkdir()

    def open(self, **arguments: Any) -> FileStorage:
        return FileStorage(root=str(self.root), **arguments)

    def store(self, module: FileStorage, data: bytes = b"data") -> str:
        module_data = module.new_data(CONTEXT)
        module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def assert_refused(self, number: int, text: str) -> None:
        with self.assertRaisesRegex(OSError, text) as caught:
            self.open()
        self.assertEqual(caught.exception.errno, number)
        self.assertNotIn("\n", str(caught.exception))


class StartTest(RootTest):
    def test_a_directory_without_a_marker_is_refused_and_not_filled(self) -> None:
        self.assert_refused(
            errno.ENODEV, f"{self.root}: no storage is there: mount its disk; only if it is new: .* init {self.root}"
        )
        self.assertEqual(list(self.root.iterdir()), [])

    def test_the_marker_is_made_once(self) -> None:
        FileStorage.prepare(root=str(self.root))
        marker = (self.root / "fsstore.json").read_text()
        self.assertEqual(json.loads(marker).keys(), {"format", "identity", "layout"})
        make_root(str(self.root))
        self.assertEqual((self.root / "fsstore.json").read_text(), marker)
        self.assertEqual(self.open().statistics(CONTEXT)["identity"], json.loads(marker)["identity"])

    def test_two_roots_have_two_identities(self) -> None:
        make_root(str(self.root))
        first = self.open().statistics(CONTEXT)["identity"]
        shutil.rmtree(self.root)
        self.root.mkdir()
        make_root(str(self.root))
        self.assertNotEqual(self.open().statistics(CONTEXT)["identity"], first)

    def test_a_foreign_directory_is_not_made_a_root(self) -> None:
        (self.root / "letters").mkdir()
        with self.assertRaisesRegex(OSError, "holds 'letters' and no fsstore.json"):
            make_root(str(self.root))
        self.assertEqual([path.name for path in self.root.iterdir()], ["letters"])

    def test_a_new_file_system_is_made_a_root(self) -> None:
        (self.root / "lost+found").mkdir()
        make_root(str(self.root))
        self.store(self.open())

    def test_a_root_of_the_first_format_is_adopted_with_its_objects(self) -> None:
        name = "ab" + "1" * 30
        (self.root / "ab").mkdir()
        (self.root / "ab" / name).write_bytes(b"old")
        module_data = json.dumps({"path": f"ab/{name}"})
        make_root(str(self.root))
        module = self.open()
        self.assertTrue(module.available(CONTEXT, module_data))
        with module.get_read_stream(CONTEXT, module_data) as stream:
            self.assertEqual(stream.read(), b"old")
        module.assign(CONTEXT, module_data, io.BytesIO(b"newer"))
        self.assertEqual(module.get_size(CONTEXT, module_data), 5)
        module.delete(CONTEXT, module_data)
        self.assertFalse((self.root / "ab").exists())

    def test_a_newer_format_is_refused(self) -> None:
        for change in ({"format": 3}, {"layout": 3}):
            make_root(str(self.root))
            marker = self.root / "fsstore.json"
            text = json.dumps({**json.loads(marker.read_text()), **change})
            marker.unlink()
            marker.write_text(text)
            self.assert_refused(errno.ENOTSUP, "of format .: this version knows 2: update it")
            shutil.rmtree(self.root)
            self.root.mkdir()

    def test_a_marker_that_is_none_is_refused(self) -> None:
        good = {"format": 2, "identity": "0" * 32, "layout": 2}
        texts = ["", "{}", "[]", "nonsense", "[" * 5000, json.dumps({**good, "identity": "../.."})]
        texts += [
            json.dumps({**good, key: value}) for key, value in (("format", "2"), ("layout", None), ("identity", 5))
        ]
        for text in texts:
            (self.root / "fsstore.json").write_text(text)
            with self.subTest(text[:50]):
                self.assert_refused(errno.EIO, "not the marker of a storage")

    def test_a_marker_that_is_a_link_or_a_pipe_is_refused(self) -> None:
        elsewhere = self.root.parent / "elsewhere"
        elsewhere.mkdir()
        make_root(str(elsewhere))
        (self.root / "fsstore.json").symlink_to(elsewhere / "fsstore.json")
        with self.assertRaises(OSError):
            self.open()
        (self.root / "fsstore.json").unlink()
        os.mkfifo(self.root / "fsstore.json")
        with self.assertRaises(OSError):
            self.open()


class RunningTest(RootTest):
    """What happens when the disk goes while a process works; here the directory goes."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(vars(self).pop, "module", None)
        make_root(str(self.root))
        self.module = self.open()
        self.module_data = self.store(self.module)
        self.away = self.root.parent / "away"

    def assert_nothing_is_served_or_filled(self) -> None:
        absent = self.module.new_data(CONTEXT)
        self.module._root._looked = 0.0  # for a second it is believed that all is where it was
        calls = (
            lambda: self.module.assign(CONTEXT, absent, io.BytesIO(b"data")),
            lambda: self.module.available(CONTEXT, absent),
            lambda: self.module.get_size(CONTEXT, absent),
            lambda: self.module.get_read_stream(CONTEXT, absent),
            lambda: self.module.statistics(CONTEXT),
        )
        for call in calls:
            with self.assertRaises(OSError) as caught:
                call()
            self.assertEqual(caught.exception.errno, errno.ENODEV)
            self.assertIn(str(self.root), str(caught.exception))

    def test_a_root_that_is_gone_is_refused(self) -> None:
        self.root.rename(self.away)
        self.assert_nothing_is_served_or_filled()

    def test_an_empty_directory_in_its_place_is_refused_and_not_filled(self) -> None:
        self.root.rename(self.away)
        self.root.mkdir()
        self.assert_nothing_is_served_or_filled()
        self.assertEqual(list(self.root.iterdir()), [])

    def test_another_root_in_its_place_is_refused_and_not_filled(self) -> None:
        self.root.rename(self.away)
        self.root.mkdir()
        make_root(str(self.root))
        before = sorted(self.root.rglob("*"))
        self.assert_nothing_is_served_or_filled()
        self.assertEqual(sorted(self.root.rglob("*")), before)

    def test_a_copy_in_its_place_is_refused_for_what_is_written_goes_to_the_other(self) -> None:
        shutil.copytree(self.root, self.away)
        self.root.rename(self.root.parent / "first")
        self.away.rename(self.root)
        self.assert_nothing_is_served_or_filled()

    def test_a_marker_that_was_copied_back_is_looked_at(self) -> None:
        marker = self.root / "fsstore.json"
        text = marker.read_text()
        marker.rename(self.root.parent / "kept")
        self.assert_nothing_is_served_or_filled()
        marker.write_text(text)
        self.assertFalse(self.module.available(CONTEXT, self.module.new_data(CONTEXT)))
        self.store(self.module)

    def test_all_is_well_again_when_it_is_back(self) -> None:
        self.root.rename(self.away)
        self.assert_nothing_is_served_or_filled()
        self.away.rename(self.root)
        self.assertTrue(self.module.available(CONTEXT, self.module_data))
        self.store(self.module)


class DirectoriesTest(RootTest):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(vars(self).pop, "module", None)
        make_root(str(self.root))
        self.module = self.open()

    def put_at(self, leaf: str, data: bytes = b"data") -> str:
        """Store an object in a directory of choice."""
        module_data = json.dumps({"layout": 2, "path": f"{leaf}/{os.urandom(16).hex()}"})
        self.module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def test_empty_directories_are_removed(self) -> None:
        first, second = self.put_at("0007/123"), self.put_at("0007/123")
        self.module.delete(CONTEXT, first)
        self.assertTrue((self.root / "0007/123").exists())
        self.module.delete(CONTEXT, second)
        self.assertFalse((self.root / "0007").exists())
        self.assertFalse(self.module.available(CONTEXT, first))

    def test_what_another_instance_removes_and_makes_anew_is_found(self) -> None:
        other = self.open()
        first = self.put_at("0007/123")
        self.assertTrue(other.available(CONTEXT, first))
        self.module.delete(CONTEXT, first)
        self.assertFalse(other.available(CONTEXT, first))
        second = self.put_at("0007/123", b"second")
        self.assertEqual(other.get_size(CONTEXT, second), 6)
        other.delete(CONTEXT, second)
        self.assertFalse((self.root / "0007").exists())
        self.put_at("0007/123")

    def test_there_is_a_bound_on_open_descriptors(self) -> None:
        with mock.patch.object(resource, "getrlimit", return_value=(400, 400)):
            self.module = module = self.open()
        before = open_files()
        stored = [self.put_at(f"{number // 50:04x}/{number % 50:03x}") for number in range(300)]
        most = 0
        for module_data in stored * 2:
            self.assertEqual(module.get_size(CONTEXT, module_data), 4)
            most = max(most, len(module._root._shards))
        self.assertEqual(most, 100)
        self.assertLess(open_files(), before + 120)

    def test_new_objects_fill_one_directory_after_the_other(self) -> None:
        counted: dict[str, int] = {}
        for _ in range(2100):
            shard = json.loads(self.module.new_data(CONTEXT))["path"].rpartition("/")[0]
            counted[shard] = counted.get(shard, 0) + 1
        self.assertEqual(counted, {"0000/000": 1024, "0000/001": 1024, "0000/002": 52})

    def test_processes_fill_the_same_directories(self) -> None:
        for _ in range(100):
            self.open().new_data(CONTEXT)
        path = json.loads(self.open().new_data(CONTEXT))["path"]
        self.assertTrue(path.startswith("0000/000/"))
        self.assertEqual(self.module._counters.read().slots, 101)

    def test_modes_and_group_are_as_configured_and_the_umask_is_respected(self) -> None:
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        group = os.getgid() if os.geteuid() else 12345
        for arguments, file_mode, directory_mode in (
            ({}, 0o440, 0o750),
            ({"file_mode": "0400", "directory_mode": "0700"}, 0o400, 0o700),
            ({"group": group}, 0o440, 0o750),
        ):
            self.module = self.open(**arguments)
            path = self.root / json.loads(self.put_at(f"0000/{directory_mode:03x}"))["path"]
            self.assertEqual(path.stat().st_mode & 0o7777, file_mode)
            self.assertEqual(path.parent.stat().st_mode & 0o7777, directory_mode)
            if "group" in arguments:
                self.assertEqual((path.stat().st_gid, path.stat().st_gid), (group, group))
            shutil.rmtree(path.parent)


del RootTest  # it has no tests of its own
