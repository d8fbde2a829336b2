"""Space, counters, read-only: what statistics says, and what is refused."""

import errno
import fcntl
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, make_root
from fsstore.arguments import Reserve, check
from fsstore.counters import Counters, Counts
from fsstore.root import open_root
from tests.files import CONTEXT, objects_in
from tests.fsstore.system import System, recorded
from tests.sources import Breaking


class Hinted(io.BytesIO):
    """A source that tells its length."""

    def __length_hint__(self) -> int:
        return len(self.getvalue())


TIB = 2**40


class StorageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.addCleanup(vars(self).pop, "module", None)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        make_root(str(self.root))
        self.module = self.open()

    def open(self, **arguments: Any) -> FileStorage:
        return FileStorage(root=str(self.root), **arguments)

    def store(self, data: bytes = b"data") -> str:
        module_data = self.module.new_data(CONTEXT)
        self.module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def statistics(self, *names: str) -> list[Any]:
        found = self.module.statistics(CONTEXT)
        return [found[name] for name in names]

    def file_system(self, **values: int) -> Any:
        """Let the file system have other numbers: 1000 blocks of 1 MiB, half of them free, and 1000 inodes."""
        fields = {"f_bsize": 2**20, "f_frsize": 2**20, "f_blocks": 1000, "f_bfree": 600, "f_bavail": 500}
        fields |= {"f_files": 1000, "f_ffree": 700, "f_favail": 700, **values}
        return mock.patch.object(os, "fstatvfs", lambda _: mock.Mock(**fields))

    def assert_full(self) -> None:
        with self.assertRaises(OSError) as caught:
            self.store()
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(objects_in(self.root), [])


class ReserveTest(StorageTest):
    def test_what_is_free_is_what_may_be_written(self) -> None:
        self.module = self.open(reserve="10%")
        with self.file_system():
            capacity, reserve, inodes, binds = self.statistics("capacity", "reserve", "inodes", "binds")
        mib = 2**20
        self.assertEqual(capacity, {"total": 1000 * mib, "free": 400 * mib, "used": 400 * mib})
        self.assertEqual((reserve, binds), (100 * mib, "bytes"))
        self.assertEqual(inodes, {"total": 1000, "free": 600, "used": 300})

    def test_what_binds_is_told(self) -> None:
        with self.file_system(f_ffree=100, f_favail=100):
            self.assertEqual(self.statistics("binds"), ["inodes"])
        with self.file_system(f_files=0, f_ffree=0, f_favail=0):
            self.assertEqual(self.statistics("binds", "inodes"), ["bytes", {"total": -1, "free": -1, "used": -1}])

    def test_a_write_into_the_reserve_is_refused_early_and_leaves_nothing(self) -> None:
        for reserve in (501 * 2**20, "501 MiB", "50.1%"):
            self.module = self.open(reserve=reserve)
            with self.subTest(reserve), self.file_system(), recorded(System()) as system:
                self.assert_full()
            self.assertEqual(system.calls, [])

    def test_without_inodes_a_write_is_refused(self) -> None:
        with self.file_system(f_favail=10, f_ffree=10):
            self.assert_full()

    def test_a_known_length_that_does_not_fit_is_refused_before_it_is_read(self) -> None:
        class Known(Breaking):
            def __length_hint__(self) -> int:
                return TIB * 1024

        with self.assertRaises(OSError) as caught:
            self.module.assign(CONTEXT, self.module.new_data(CONTEXT), Known(b"data", AssertionError("it was read")))
        self.assertEqual(caught.exception.errno, errno.ENOSPC)

    def test_where_nothing_is_known_of_the_space_nothing_is_refused(self) -> None:
        unknown = dict.fromkeys(("f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"), 0)
        with self.file_system(**unknown):
            self.module.assign(CONTEXT, self.module.new_data(CONTEXT), Hinted(bytes(2**21)))
            self.assertEqual(self.statistics("capacity"), [{"total": -1, "free": -1, "used": -1}])

    def test_a_known_length_takes_its_space_and_gives_back_what_was_too_much(self) -> None:
        class Known(io.BytesIO):
            def __length_hint__(self) -> int:
                return 8 * 2**20

        for size in (8 * 2**20, 3_000_000, 10 * 2**20):
            module_data = self.module.new_data(CONTEXT)
            self.module.assign(CONTEXT, module_data, Known(b"x" * size))
            status = (self.root / json.loads(module_data)["path"]).stat()
            self.assertEqual(status.st_size, size)
            self.assertLess(status.st_blocks * 512, size + 65536)

    def test_space_that_ends_while_an_object_is_written_ends_the_write(self) -> None:
        module, after = self.module, [500, 500, 1]

        class Source(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                module._space._due = 0.0
                return super().read(size)

        with (
            mock.patch.object(
                os,
                "fstatvfs",
                lambda _: mock.Mock(
                    f_frsize=2**20,
                    f_blocks=1000,
                    f_bfree=600,
                    f_files=0,
                    f_bavail=after.pop(0) if len(after) > 1 else after[0],
                ),
            ),
            self.assertRaises(OSError) as caught,
        ):
            module.assign(CONTEXT, module.new_data(CONTEXT), Source(b"x" * 5_000_000))
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        self.assertEqual(objects_in(self.root), [])

    def test_a_deletion_is_never_refused(self) -> None:
        module_data = self.store()
        self.module = self.open(reserve="99%", read_only=True)
        with self.file_system(f_bavail=0, f_bfree=0, f_favail=0):
            self.module.delete(CONTEXT, module_data)
        self.assertEqual(objects_in(self.root), [])


class ReadOnlyTest(StorageTest):
    def assert_no_writes(self, stored: str, text: str) -> None:
        with self.assertRaisesRegex(OSError, text) as caught:
            self.store()
        self.assertEqual(caught.exception.errno, errno.EROFS)
        with self.module.get_read_stream(CONTEXT, stored) as stream:
            self.assertEqual(stream.read(), b"data")
        self.assertTrue(self.module.available(CONTEXT, stored))

    def test_by_hand(self) -> None:
        stored = self.store()
        self.module = self.open(read_only=True)
        self.assert_no_writes(stored, "it is configured so")
        self.assertEqual(self.statistics("read_only"), ["it is configured so"])

    def test_a_device_that_fails_takes_no_more_writes(self) -> None:
        for call in ("write", "fsync", "link", "setxattr"):
            for number in (errno.EIO, errno.EROFS):
                self.module = self.open()
                stored = self.store()
                with recorded(System(call, number)), self.assertRaises(OSError):
                    self.store()
                with self.subTest(call, number=number):
                    self.assert_no_writes(stored, "the device failed")
                    self.module.delete(CONTEXT, stored)
                    self.assertIn("mend it", self.statistics("read_only")[0])
                    self.assertEqual(self.statistics("errors"), [{errno.errorcode[number]: 1}])
        self.module = self.open()
        self.store()

    def test_an_error_of_the_source_says_nothing_of_the_device(self) -> None:
        class Source:
            def read(self, size: int = -1, /) -> bytes:
                raise OSError(errno.EIO, "the client's disk")

        with self.assertRaisesRegex(OSError, "the client's disk"):
            self.module.assign(CONTEXT, self.module.new_data(CONTEXT), Source())
        self.assertEqual(self.statistics("read_only", "errors"), [None, {}])

    def test_a_length_that_the_source_cannot_tell_says_nothing_of_the_device(self) -> None:
        elsewhere = OSError(errno.EIO, "elsewhere")
        hint = mock.patch.object(Hinted, "__length_hint__", side_effect=elsewhere)
        with hint, self.assertRaisesRegex(OSError, "elsewhere"):
            self.module.assign(CONTEXT, self.module.new_data(CONTEXT), Hinted(b"data"))
        self.store()

    def test_a_planted_pipe_says_nothing_of_the_device(self) -> None:
        module_data = self.store()
        path = self.root / json.loads(module_data)["path"]
        path.unlink()
        os.mkfifo(path)
        with self.assertRaises(OSError):
            self.module.delete(CONTEXT, module_data)
        self.assertEqual(self.statistics("read_only"), [None])

    def test_a_full_disk_is_no_failed_one(self) -> None:
        with recorded(System("write", errno.ENOSPC)), self.assertRaises(OSError):
            self.store()
        self.assertEqual(self.statistics("read_only", "errors"), [None, {"ENOSPC": 1}])
        self.store()


class CountersTest(StorageTest):
    def counted(self) -> list[Any]:
        return self.statistics("objects", "bytes")

    def test_what_is_stored_replaced_and_deleted_is_counted(self) -> None:
        stored = [self.store(b"x" * 10) for _ in range(100)]
        self.assertEqual(self.counted(), [100, 1000])
        self.module.assign(CONTEXT, stored[0], io.BytesIO(b"x" * 5))
        self.assertEqual(self.counted(), [100, 995])
        for module_data in stored[:50] * 2:
            self.module.delete(CONTEXT, module_data)
        self.assertEqual(self.counted(), [50, 500])

    def test_all_instances_and_processes_are_counted(self) -> None:
        other = self.open()
        self.store()
        other.assign(CONTEXT, other.new_data(CONTEXT), io.BytesIO(b"another"))
        other.statistics(CONTEXT)
        self.assertEqual(self.counted(), [2, 11])
        child = os.fork()
        if child == 0:
            self.store()  # what the parent had not yet written is not counted twice
            self.module.statistics(CONTEXT)
            os._exit(0)
        os.waitpid(child, 0)
        self.assertEqual(self.counted(), [3, 15])

    def test_what_is_pending_at_a_fork_is_counted_once(self) -> None:
        for _ in range(3):
            self.store()
        if (child := os.fork()) == 0:
            os._exit(self.statistics("objects") not in ([1], [3]))
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.statistics("objects"), [3])

    def test_of_several_deletions_at_once_one_is_counted(self) -> None:
        module_data, unlink, other = self.store(), os.unlink, self.open()

        def overtaken(name: str, **where: Any) -> None:
            with mock.patch.object(os, "unlink", unlink):
                other.delete(CONTEXT, module_data)
            unlink(name, **where)

        self.store()
        with mock.patch.object(os, "unlink", overtaken):
            self.module.delete(CONTEXT, module_data)
        other.statistics(CONTEXT)
        self.assertEqual(self.statistics("objects"), [1])

    def test_a_full_disk_does_not_hide_them(self) -> None:
        self.store()
        self.store()
        full = OSError(errno.ENOSPC, "full")
        with mock.patch.object(os, "pwrite", side_effect=full):
            self.assertEqual(self.statistics("objects"), [2])
            with self.assertRaises(OSError):
                self.module._counters.correct(Counts(5), Counts())

    def test_what_an_instance_did_last_is_counted_when_it_goes(self) -> None:
        other = self.open()
        for _ in range(3):
            other.assign(CONTEXT, other.new_data(CONTEXT), io.BytesIO(b"data"))
        del other
        self.assertEqual(self.counted(), [3, 12])

    def test_a_file_that_is_torn_missing_or_foreign_counts_for_nothing(self) -> None:
        for text in (b"", b"\0" * 84, b"12 34", b"x" * 1000, None):
            (self.root / "counters").unlink(missing_ok=True)
            if text is not None:
                (self.root / "counters").write_bytes(text)
            with self.subTest(text=text):
                self.module = self.open()
                self.assertEqual(self.counted(), [0, 0])
                self.store()
                self.assertEqual(self.counted(), [1, 4])

    def test_they_are_never_negative(self) -> None:
        module_data = self.store()
        (self.root / "counters").unlink()
        self.module = self.open()
        self.module.delete(CONTEXT, module_data)
        self.assertEqual(self.counted(), [0, 0])

    def test_what_cannot_be_counted_is_stored_all_the_same(self) -> None:
        (self.root / "counters").unlink()
        (self.root / "counters").mkdir()
        module_data = self.store()
        self.assertTrue(self.module.available(CONTEXT, module_data))

    def test_a_process_that_stands_still_with_the_lock_holds_up_nobody(self) -> None:
        self.store()
        with open(self.root / "counters", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.store()
            self.assertEqual(self.counted(), [2, 8])
        self.assertEqual(self.counted(), [2, 8])

    def test_a_correction_keeps_what_was_counted_meanwhile(self) -> None:
        counters = Counters(open_root(str(self.root)))
        counters.add(10, 100)
        before = counters.read()
        counters.add(2, 20)
        counters.correct(Counts(7, 70, 1), before)
        self.assertEqual(counters.read()[:3], (9, 90, 1))


class ArgumentsTest(unittest.TestCase):
    GOOD: dict[str, Any] = {  # noqa: RUF012
        "root": "/srv", "durability": "full", "reserve": 0, "algorithm": "crc32", "read_only": False,
        "file_mode": "0444", "directory_mode": "0777", "group": None,
    }  # fmt: skip

    def test_what_is_wrong_is_named(self) -> None:
        cases: dict[str, list[Any]] = {
            "root": [None, 5, "relative", "/a\0b"],
            "durability": ["best", None, 1, ["full"]],
            "reserve": ["a lot", -1, 1.5, None, True, "101%", "1 PB"],
            "checksum": ["md5", None, 5],
            "read_only": ["yes", 1, None, []],
            "file_mode": [444, "0644", "9", "", "0044", None, "07777"],
            "directory_mode": [755, "0555", None],
            "group": ["no such group", -1, 2**32 - 1, 1.5, True, ["x"]],
        }
        for name, values in cases.items():
            for value in values:
                argument = "algorithm" if name == "checksum" else name
                with self.subTest(name, value=value), self.assertRaisesRegex(ValueError, f"^{name}: "):
                    check(**{**self.GOOD, argument: value})

    def test_a_reserve_is_bytes_or_a_part(self) -> None:
        for text, expected in (
            (5, Reserve(bytes=5)),
            ("5", Reserve(bytes=5)),
            ("1%", Reserve(part=0.01)),
            ("2.5 %", Reserve(part=0.025)),
            ("10 GiB", Reserve(bytes=10 * 2**30)),
            ("10GB", Reserve(bytes=10**10)),
            ("3K", Reserve(bytes=3000)),
        ):
            self.assertEqual(check(**{**self.GOOD, "reserve": text}).reserve, expected)

    def test_a_command_line_gives_texts(self) -> None:
        checked = check(**{**self.GOOD, "read_only": "true", "group": 7, "file_mode": "0440", "directory_mode": "0750"})
        self.assertEqual(checked[4:], (True, 0o440, 0o750, 7))


del StorageTest  # it has no tests of its own
