"""The stream that reads an object, and what it does with one that is corrupt."""

import array
import errno
import io
import json
import os
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, make_root
from fsstore.reader import ObjectStream
from tests.files import CONTEXT, open_files

LARGE = 3 * 1024 * 1024 + 5
SIZES = (0, 1, 4096, 64 * 1024, 64 * 1024 + 1, LARGE)


class ReaderTest(unittest.TestCase):
    arguments: dict[str, Any] = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.addCleanup(vars(self).pop, "module", None)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        make_root(str(self.root))
        self.module = FileStorage(root=str(self.root), **self.arguments)

    def store(self, data: bytes) -> str:
        module_data = self.module.new_data(CONTEXT)
        self.module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def open(self, module_data: str) -> ObjectStream:
        stream = self.module.get_read_stream(CONTEXT, module_data)
        self.addCleanup(stream.close)
        return stream

    def path_of(self, module_data: str) -> Path:
        return Path(self.root, json.loads(module_data)["path"])

    def spoil(self, module_data: str, place: int, data: bytes | None = None, size: int | None = None) -> None:
        """Change an object as a disk may, behind the storage's back."""
        path = self.path_of(module_data)
        path.chmod(0o600)
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([file.read(1)[0] ^ 1]) if data is None else data)
            if size is not None:
                file.truncate(size)
        path.chmod(0o444)

    def flip(self, module_data: str, place: int) -> None:
        byte = self.path_of(module_data).read_bytes()[place]
        self.spoil(module_data, place, bytes([byte ^ 1]))

    def read(self, stream: ObjectStream, block: int) -> bytes:
        return b"".join(iter(lambda: stream.read(block), b""))


class StreamTest(ReaderTest):
    def test_all_is_read_by_blocks_of_every_size(self) -> None:
        for size in SIZES:
            data = os.urandom(size)
            module_data = self.store(data)
            for block in (1000, 4096, 1024 * 1024, 5_000_000):
                with self.subTest(size=size, block=block):
                    self.assertEqual(self.read(self.open(module_data), block), data)
            for everything in (-1, None):
                self.assertEqual(self.open(module_data).read(everything), data)

    def test_readinto_fills_a_buffer(self) -> None:
        data = os.urandom(LARGE)
        stream, buffer, got = self.open(self.store(data)), bytearray(1_000_000), b""
        while count := stream.readinto(buffer):
            got += buffer[:count]
        self.assertEqual(got, data)
        self.assertEqual(stream.readinto(bytearray()), 0)

    def test_readinto_counts_bytes_also_where_the_buffer_has_larger_items(self) -> None:
        stream = self.open(self.store(bytes(1000) * 400))
        buffer = memoryview(array.array("I", [1] * 25_000))
        self.assertEqual([stream.readinto(buffer) for _ in range(5)], [100_000] * 4 + [0])

    def test_it_is_what_the_library_takes_for_a_file(self) -> None:
        data = b"one\ntwo\n" * 10_000
        stream = self.open(self.store(data))
        self.assertEqual((stream.readable(), stream.seekable(), stream.writable()), (True, True, False))
        with io.BufferedReader(stream) as buffered:  # type: ignore[type-var]
            self.assertEqual(buffered.readline(), b"one\n")
            self.assertEqual(buffered.read(), data[4:])
        self.assertTrue(stream.closed)

    def test_it_goes_where_it_is_told(self) -> None:
        stream = self.open(self.store(b"0123456789"))
        self.assertEqual((stream.seek(-3, os.SEEK_END), stream.tell(), stream.read()), (7, 7, b"789"))
        self.assertEqual(
            (stream.seek(2), stream.read(3), stream.seek(1, os.SEEK_CUR), stream.read(1)), (2, b"234", 6, b"6")
        )
        self.assertEqual((stream.seek(0), stream.read()), (0, b"0123456789"))

    def test_a_closed_stream_refuses_with_a_value_error(self) -> None:
        stream = self.open(self.store(b"data"))
        stream.close()
        calls = (
            stream.read,
            stream.tell,
            stream.fileno,
            lambda: stream.seek(0),
            lambda: stream.read(5),
            stream.__enter__,
        )
        for call in (*calls, lambda: stream.readinto(bytearray(5))):
            with self.assertRaises(ValueError):
                call()
        self.assertEqual(self.module.statistics(CONTEXT)["errors"], {})

    def test_a_stream_that_is_forgotten_is_closed_and_complained_of(self) -> None:
        module_data = self.store(b"data")
        before = open_files()
        with self.assertWarns(ResourceWarning):
            self.module.get_read_stream(CONTEXT, module_data)
        self.assertEqual(open_files(), before)

    def test_it_reads_on_after_a_deletion_also_of_a_large_object(self) -> None:
        data = os.urandom(LARGE)
        module_data = self.store(data)
        stream = self.open(module_data)
        first = stream.read(1000)
        self.module.delete(CONTEXT, module_data)
        self.assertEqual(first + stream.read(), data)

    def test_an_error_of_the_device_is_counted(self) -> None:
        stream = self.open(self.store(b"data"))
        with mock.patch.object(os, "read", side_effect=OSError(errno.EIO, "bad sector")), self.assertRaises(OSError):
            stream.read(10)
        statistics = self.module.statistics(CONTEXT)
        self.assertEqual((statistics["errors"], statistics["read_only"]), ({"EIO": 1}, None))


class CorruptTest(ReaderTest):
    def assert_corrupt(self, module_data: str, data: bytes, block: int) -> None:
        stream, got = self.open(module_data), b""
        with self.assertRaises(OSError) as caught:
            while part := stream.read(block):
                got += part
        self.assertEqual(caught.exception.errno, errno.EIO)
        self.assertLess(len(got), max(1, len(data)), "the last block came out")

    def test_a_flipped_bit_is_found_before_the_last_byte_is_given(self) -> None:
        for size in SIZES[1:]:
            for place in {0, size // 2, size - 1}:
                for block in (4096, 1024 * 1024, size, size + 1):
                    data = os.urandom(size)
                    module_data = self.store(data)
                    self.flip(module_data, place)
                    with self.subTest(size=size, place=place, block=block):
                        self.assert_corrupt(module_data, data, block)
                        self.assertFalse(self.module.available(CONTEXT, module_data))

    def test_another_size_is_found(self) -> None:
        for size in SIZES[1:]:
            for change in (-1, 1, -size):
                data = os.urandom(size)
                module_data = self.store(data)
                self.spoil(module_data, 0, data[:1] + b"", size + change)
                with self.subTest(size=size, change=change):
                    self.assert_corrupt(module_data, data, 70_000)

    def test_readinto_and_a_second_reading_find_it_too(self) -> None:
        module_data = self.store(b"x" * 100_000)
        stream = self.open(module_data)
        stream.seek(5)
        self.flip(module_data, 50_000)
        stream.seek(0)
        with self.assertRaises(OSError):
            while stream.readinto(bytearray(4096)):
                pass

    def test_a_part_is_served_and_so_is_what_the_descriptor_gives(self) -> None:
        module_data = self.store(b"x" * 100_000)
        self.flip(module_data, 50_000)
        stream = self.open(module_data)
        stream.seek(90_000)
        self.assertEqual(stream.read(), b"x" * 10_000)
        stream = self.open(module_data)
        os.lseek(stream.fileno(), 60_000, os.SEEK_SET)  # what is behind it must not be compared with all
        self.assertEqual(stream.read(), b"x" * 40_000)
        self.assertEqual(self.module.statistics(CONTEXT)["quarantined"], 0)

    def test_it_is_moved_to_quarantine_with_a_reason(self) -> None:
        data = os.urandom(LARGE)
        module_data, path = self.store(data), ""
        self.store(b"another")
        self.flip(module_data, 7)
        with self.assertRaisesRegex(OSError, "is corrupt: its crc32 is") as caught:
            self.open(module_data).read()
        path = json.loads(module_data)["path"]
        self.assertIn(path, str(caught.exception))
        self.assertEqual(self.module.statistics(CONTEXT)["objects"], 1)
        (described,) = (self.root / "quarantine").glob("*.json")
        entry = json.loads(described.read_text())
        self.assertEqual((entry["path"], entry["name"]), (path, described.stem))
        self.assertIn("its crc32 is", entry["reason"])
        self.assertEqual((self.root / "quarantine" / entry["name"]).stat().st_size, LARGE)
        statistics = self.module.statistics(CONTEXT)
        counted = [statistics[name] for name in ("objects", "bytes", "quarantined", "errors")]
        self.assertEqual(counted, [1, 7, 1, {"EIO": 1}])
        with self.assertRaises(FileNotFoundError):
            self.module.get_read_stream(CONTEXT, module_data)

    def test_what_is_whole_on_the_disk_is_not_moved(self) -> None:
        module_data = self.store(b"data")
        stream, read, tipped = self.open(module_data), os.read, [b"dota"]
        once = mock.patch.object(os, "read", lambda *arguments: tipped.pop() if tipped else read(*arguments))
        with once, self.assertRaisesRegex(OSError, "it is whole on the disk: read it again"):
            stream.read(4)
        self.assertEqual(self.open(module_data).read(), b"data")

    def test_what_was_stored_anew_meanwhile_is_left_alone(self) -> None:
        module_data = self.store(b"old" * 1000)
        self.flip(module_data, 7)
        stream = self.open(module_data)
        self.module.assign(CONTEXT, module_data, io.BytesIO(b"new"))
        with self.assertRaisesRegex(OSError, "it stays where it is"):
            stream.read()
        self.assertEqual(self.open(module_data).read(), b"new")
        self.assertEqual([path for path in self.root.glob("quarantine/*") if path.is_file()], [])

    def test_a_storage_that_takes_no_writes_moves_nothing(self) -> None:
        module_data = self.store(b"data")
        self.flip(module_data, 0)
        self.module = FileStorage(root=str(self.root), read_only=True)
        for _ in range(2):
            with self.assertRaisesRegex(OSError, "it stays where it is"):
                self.open(module_data).read()
        self.assertTrue(self.path_of(module_data).exists())

    def test_where_all_seems_corrupt_not_all_is_moved(self) -> None:
        stored = [self.store(b"data%d" % number) for number in range(3)]
        with mock.patch("fsstore.storage._QUARANTINED", 2):
            for module_data in stored:
                self.flip(module_data, 0)
                with self.assertRaises(OSError):
                    self.open(module_data).read()
        self.assertEqual(self.module.statistics(CONTEXT)["quarantined"], 2)
        self.assertTrue(self.module.available(CONTEXT, stored[2]))


class SidecarTest(CorruptTest):
    """The same where the file system has no extended attributes."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("setxattr", "getxattr"):
            refused = OSError(errno.EOPNOTSUPP, "no attributes")
            patch = mock.patch.object(os, name, side_effect=refused)
            patch.start()
            self.addCleanup(patch.stop)

    def sums(self) -> list[str]:
        return [path.name for path in self.root.glob("0000/*/*.sum")]

    def spoil(self, module_data: str, place: int, data: bytes | None = None, size: int | None = None) -> None:
        path = self.path_of(module_data)
        status = path.stat()
        super().spoil(module_data, place, data, size)
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))  # a disk does not tell

    def test_the_checksum_is_beside_the_object(self) -> None:
        module_data = self.store(b"data")
        (name,) = self.sums()
        self.assertTrue(name.startswith(self.path_of(module_data).name))
        self.assertEqual((self.root / "0000/000" / name).read_bytes(), b"crc32 adf3f363 4\n")
        self.assertEqual(
            self.module.statistics(CONTEXT)["weaker"],
            ["no extended attributes: checksums are kept in files of their own"],
        )

    def test_it_is_replaced_and_deleted_with_the_object(self) -> None:
        module_data = self.store(b"data")
        for data in (b"newer", b"", b"newest"):
            self.module.assign(CONTEXT, module_data, io.BytesIO(data))
            self.assertEqual(len(self.sums()), 1)
            self.assertEqual(self.open(module_data).read(), data)
        self.module.delete(CONTEXT, module_data)
        self.assertEqual(self.sums(), [])

    def test_an_upload_that_fails_leaves_the_old_one_and_no_other(self) -> None:
        module_data = self.store(b"data")
        before = self.sums()
        with mock.patch.object(os, "rename", side_effect=OSError(errno.ENOSPC, "full")), self.assertRaises(OSError):
            self.module.assign(CONTEXT, module_data, io.BytesIO(b"newer"))
        self.assertEqual(self.sums(), before)
        self.assertEqual(self.open(module_data).read(), b"data")


class AlgorithmTest(ReaderTest):
    def kept(self, module_data: str) -> bytes:
        return os.getxattr(self.path_of(module_data), "user.fsstore.checksum")

    def test_the_algorithm_is_readable_from_the_object(self) -> None:
        self.assertEqual(self.kept(self.store(b"data")), b"crc32 adf3f363 4")
        self.module = FileStorage(root=str(self.root), checksum="none")
        self.assertEqual(self.kept(self.store(b"data")), b"none - 4")

    def test_objects_of_several_algorithms_live_together(self) -> None:
        stored = []
        for name in ("crc32", "xxh3", "none"):
            self.module = FileStorage(root=str(self.root), checksum=name)
            stored += [self.store(b"data"), self.store(b"d" * 1_000_000)]
        for module_data in stored:
            self.assertIn(self.open(module_data).read(), (b"data", b"d" * 1_000_000))
        self.flip(stored[3], 5)
        with self.assertRaisesRegex(OSError, "its xxh3 is"):
            self.open(stored[3]).read()

    def test_a_checksum_that_the_device_does_not_give_is_an_error(self) -> None:
        module_data = self.store(b"data")
        failing = mock.patch.object(os, "getxattr", side_effect=OSError(errno.EIO, "bad sector"))
        before = open_files()
        with failing, self.assertRaisesRegex(OSError, "bad sector"):
            self.open(module_data)
        self.assertEqual(open_files(), before)

    def test_an_algorithm_that_is_not_known_here_is_served(self) -> None:
        module_data = self.store(b"data")
        path = self.path_of(module_data)
        path.chmod(0o644)
        for text in (b"sha3 0123456789abcdef 4", b"nonsense", b""):
            os.setxattr(path, "user.fsstore.checksum", text)
            self.assertEqual(self.open(module_data).read(), b"data")

    def test_without_its_package_xxh3_is_refused_for_new_and_served_of_old(self) -> None:
        self.module = FileStorage(root=str(self.root), checksum="xxh3")
        module_data = self.store(b"data")
        with mock.patch.dict("sys.modules", {"xxhash": None}):
            with self.assertRaisesRegex(ValueError, "install the extra"):
                FileStorage(root=str(self.root), checksum="xxh3")
            self.assertEqual(self.open(module_data).read(), b"data")

    def test_a_checksum_of_nothing_finds_another_size(self) -> None:
        self.module = FileStorage(root=str(self.root), checksum="none")
        module_data = self.store(b"data")
        self.spoil(module_data, 0, b"d", 3)
        with self.assertRaisesRegex(OSError, "had 4 when it was stored"):
            self.open(module_data).read()


class LargeTest(ReaderTest):
    def test_large_objects_do_not_stay_in_the_page_cache(self) -> None:
        dropped: list[int] = []

        def advise(descriptor: int, offset: int, length: int, advice: int) -> None:
            if advice == os.POSIX_FADV_DONTNEED:
                dropped.append(length)

        module_data = self.store(os.urandom(LARGE))
        with mock.patch("fsstore.reader.ONCE", 2 * 1024 * 1024), mock.patch.object(os, "posix_fadvise", advise):
            self.read(self.open(module_data), 1024 * 1024)
        self.assertEqual(dropped[-1], LARGE)


del ReaderTest  # it has no tests of its own
warnings.simplefilter("default", ResourceWarning)
