"""copy_data: an object that the kernel copies, by each of its two ways, and its checksum."""

import errno
import fcntl
import io
import json
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from fsstore import duplicate, kernel
from fsstore.checksum import ATTRIBUTE
from tests.files import CONTEXT, objects_in
from tests.fsstore.copies import LARGE, MIB, WAYS, CopyTest
from tests.fsstore.sabotage import no_clones, no_extended_attributes
from tests.fsstore.system import System, recorded


class EqualTest(CopyTest):
    def test_a_copy_of_every_size_is_equal_by_every_way(self) -> None:
        for size in (0, 1, 4096, MIB, LARGE):
            data = os.urandom(size)
            source = self.store(data)
            for way in WAYS:
                with self.subTest(size, way=way.__name__), way(), mock.patch.object(duplicate, "_PIECE", MIB):
                    copy = self.copy(source)
                    self.assertEqual(self.read(copy), data)
                    self.assertEqual(self.module.get_size(CONTEXT, copy), size)
                    self.assertEqual(self.kept(copy), self.kept(source))

    def test_a_copy_is_another_file_like_any_that_is_stored(self) -> None:
        for way in WAYS:
            with self.subTest(way.__name__), way():
                copy, original = (self.path_of(each).stat() for each in (self.copy(), self.source))
                self.assertNotEqual(copy.st_ino, original.st_ino)
                self.assertEqual((copy.st_nlink, original.st_nlink), (1, 1))
                self.assertEqual(copy.st_mode, original.st_mode)
                self.assertLess(copy.st_blocks * 512, LARGE + 65536, "space that was taken for nothing")

    def test_short_counts_are_not_the_end(self) -> None:
        real = os.copy_file_range

        def short(source: int, target: int, count: int, *places: int) -> int:
            return real(source, target, min(count, 100_000), *places)

        with no_clones(), mock.patch.object(os, "copy_file_range", short):
            self.assertEqual(self.read(self.copy()), self.data)

    def test_a_clone_that_broke_off_is_written_over(self) -> None:
        for error in (errno.ENOSPC, errno.EIO, errno.EXDEV):

            def half(source: int, target: int, error: int = error) -> None:
                os.pwrite(target, b"half" * 100_000, 0)
                raise OSError(error, os.strerror(error))

            with self.subTest(error), mock.patch.object(kernel, "clone", half):
                self.assertEqual(self.read(self.copy()), self.data)

    def test_a_copy_made_again_takes_the_place_of_the_first(self) -> None:
        copy, newer = self.copy(), self.store(b"newer")
        for source, data in ((newer, b"newer"), (self.source, self.data), (copy, self.data)):
            self.assertTrue(self.module.copy_data(CONTEXT, copy, source))
            self.assertEqual(self.read(copy), data)
        self.assertEqual(len(objects_in(self.root)), 3)

    def test_an_object_of_the_first_layout_is_copied(self) -> None:
        name = "ab" * 16
        (self.root / "ab").mkdir()
        (self.root / "ab" / name).write_bytes(b"old")
        self.assertEqual(self.read(self.copy(json.dumps({"path": f"ab/{name}"}))), b"old")

    def test_what_is_absent_is_not_copied(self) -> None:
        self.assert_raises(errno.ENOENT, self.module.new_data(CONTEXT))

    def test_where_a_file_without_a_name_cannot_get_one_it_is_copied_once_more(self) -> None:
        for way in WAYS:
            self.module = self.open()
            with self.subTest(way.__name__), way(), recorded(System("link", errno.EPERM)):
                self.assertEqual(self.read(self.copy()), self.data)

    def test_a_very_large_object_is_not_kept_in_the_page_cache(self) -> None:
        dropped: list[int] = []

        def advise(descriptor: int, offset: int, length: int, advice: int) -> None:
            if advice == os.POSIX_FADV_DONTNEED:
                dropped.append(os.fstat(descriptor).st_ino)

        ones = mock.patch.object(duplicate, "ONCE", MIB), mock.patch("fsstore.newfile.ONCE", MIB)
        with no_clones(), ones[0], ones[1], mock.patch.object(os, "posix_fadvise", advise):
            copy = self.copy()
        inodes = {self.path_of(each).stat().st_ino for each in (self.source, copy)}
        self.assertEqual(set(dropped), inodes)


class KernelTest(CopyTest):
    def test_a_clone_is_asked_for_as_the_kernel_has_it(self) -> None:
        asked: list[tuple[int, ...]] = []
        with mock.patch.object(fcntl, "ioctl", lambda *arguments: asked.append(arguments)):
            kernel.clone(5, 6)
        self.assertEqual(asked, [(6, 0x40049409, 5)])

    def test_the_file_system_under_the_tests_clones_or_says_that_it_cannot(self) -> None:
        target = self.root / "target"
        with self.path_of(self.source).open("rb") as original, target.open("wb") as file:
            try:
                kernel.clone(original.fileno(), file.fileno())
            except OSError as error:
                self.assertIn(error.errno, (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS))
                self.assertEqual(target.stat().st_size, 0)
            else:
                self.assertEqual(target.read_bytes(), self.data)

    def test_a_c_library_without_copy_file_range_is_none_here(self) -> None:
        with no_clones(), mock.patch.object(os, "copy_file_range"):
            del os.copy_file_range
            self.assert_refused()


class ChecksumTest(CopyTest):
    def test_the_checksum_is_of_the_algorithm_that_the_original_was_stored_with(self) -> None:
        kept = self.kept(self.source)
        assert kept is not None
        self.assertEqual(kept[:6], b"crc32 ")
        for algorithm in ("xxh3", "none"):
            self.module = self.open(checksum=algorithm)
            self.assertEqual(self.kept(self.copy()), kept)

    def test_an_object_without_a_checksum_is_copied_without_one(self) -> None:
        for text in (None, b"not of ours"):
            self.forget(text)
            copy = self.copy()
            self.assertIsNone(self.kept(copy))
            self.assertEqual(self.read(copy), self.data)

    def forget(self, text: bytes | None) -> None:
        """Let the object have ``text`` for a checksum, or none."""
        path = self.path_of(self.source)
        path.chmod(0o600)
        if text is None:
            os.removexattr(path, ATTRIBUTE)
        else:
            os.setxattr(path, ATTRIBUTE, text)

    def test_a_corrupt_original_makes_a_corrupt_copy(self) -> None:
        for way in WAYS:
            source = self.store(self.data)
            self.flip(source, LARGE // 2)
            with self.subTest(way.__name__), way():
                copy = self.copy(source)
                self.assertEqual(self.kept(copy), self.kept(source))
                for each in (copy, source):
                    with self.assertRaisesRegex(OSError, "is corrupt: its crc32 is"):
                        self.read(each)
                    self.assertFalse(self.module.available(CONTEXT, each))

    def test_a_bit_that_tips_over_on_the_way_is_found_in_the_copy(self) -> None:
        real = os.copy_file_range

        def tipping(source: int, target: int, count: int, *places: int) -> int:
            done = real(source, target, count, *places)
            os.pwrite(target, bytes([self.data[7] ^ 1]), 7)
            return done

        with no_clones(), mock.patch.object(os, "copy_file_range", tipping):
            copy = self.copy()
        with self.assertRaisesRegex(OSError, "is corrupt"):
            self.read(copy)
        self.assertEqual(self.read(self.source), self.data)

    def test_an_original_of_another_size_is_corrupt_and_not_copied(self) -> None:
        for size in (0, LARGE - 1, LARGE + 1):
            source = self.store(self.data)
            self.change(self.path_of(source), lambda file, size=size: file.truncate(size))  # type: ignore[misc]
            module_data = self.module.new_data(CONTEXT)
            with (
                self.subTest(size),
                self.assertRaisesRegex(OSError, "is corrupt: it has .*/quarantine/"),
            ):
                self.module.copy_data(CONTEXT, module_data, source)
            for each in (module_data, source):
                self.assertFalse(self.module.available(CONTEXT, each))
        self.assertEqual(self.statistics("quarantined", "objects", "read_only"), [3, 1, None])

    def test_an_original_whose_size_changes_meanwhile_is_left_to_a_stream(self) -> None:
        real = os.copy_file_range
        for size in (100, LARGE + 100):
            self.source = self.store(self.data)

            def changing(source: int, target: int, count: int, *places: int, size: int = size) -> int:
                os.truncate(self.path_of(self.source), size)
                return real(source, target, count, *places)

            def cloned(source: int, target: int, size: int = size) -> None:
                os.pwrite(target, bytes(size), 0)

            with self.subTest(size), mock.patch.object(kernel, "clone", cloned):
                self.assert_refused()
            if size < LARGE:
                with self.subTest(size), no_clones(), mock.patch.object(os, "copy_file_range", changing):
                    self.assert_refused()


class SidecarTest(ChecksumTest):
    """The same where the file system has no extended attributes."""

    def setUp(self) -> None:
        self.enterContext(no_extended_attributes())
        super().setUp()

    def forget(self, text: bytes | None) -> None:
        for path in self.path_of(self.source).parent.glob(f"{self.name(self.source)}.*.sum"):
            path.unlink()
            if text is not None:
                path.write_bytes(text)
                self.addCleanup(path.unlink)

    def test_an_object_without_a_checksum_is_copied_without_one(self) -> None:
        for text in (b"not of ours", None):
            self.source = self.store(self.data)
            self.forget(text)
            copy = self.copy()
            self.assertIsNone(self.kept(copy))
            self.assertEqual(self.read(copy), self.data)

    def copied_after(self, change: Callable[[], object]) -> bool:
        """Copy an object that is changed just after it was opened."""
        real, name, changes = os.open, self.name(self.source), [change]

        def overtaken(path: Any, *arguments: Any, **others: Any) -> int:
            descriptor = real(path, *arguments, **others)
            if path == name and changes:
                changes.pop()()
            return descriptor

        module_data = self.module.new_data(CONTEXT)
        with mock.patch.object(os, "open", overtaken):
            copied = self.module.copy_data(CONTEXT, module_data, self.source)
        self.assertIs(self.module.available(CONTEXT, module_data), copied)
        return copied

    def test_an_original_that_lost_its_checksum_with_its_name_is_left_to_a_stream(self) -> None:
        self.assertFalse(self.copied_after(lambda: self.module.assign(CONTEXT, self.source, io.BytesIO(b"newer"))))
        self.assertFalse(self.copied_after(lambda: self.module.delete(CONTEXT, self.source)))
