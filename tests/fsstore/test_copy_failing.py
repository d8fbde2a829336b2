"""copy_data, when it goes wrong; the space that it takes, and the order of its system calls."""

import errno
import json
import os
from typing import Any
from unittest import mock

from fsstore import duplicate, kernel
from fsstore.durable import LEVELS
from tests.files import CONTEXT, objects_in, open_files
from tests.fsstore.copies import LARGE, MIB, CopyTest
from tests.fsstore.sabotage import clones, no_clones
from tests.fsstore.system import O_TMPFILE, System, recorded

LEAF = "fsync 000"


class RefusalTest(CopyTest):
    def test_where_the_kernel_cannot_copy_a_stream_is_asked_for(self) -> None:
        refusals = (errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ETXTBSY, errno.EPERM, errno.EBADF)
        for error in refusals:
            for at in (0, 2):
                with self.subTest(error, at=at), self.failing(error, at):
                    self.assert_refused()

    def test_a_file_system_that_copies_nothing_and_says_nothing_is_left_to_a_stream(self) -> None:
        with no_clones(), mock.patch.object(os, "copy_file_range", lambda *_: 0):
            self.assert_refused()

    def test_an_empty_object_is_copied_also_there(self) -> None:
        source = self.store(b"")
        with self.failing(errno.EXDEV):
            self.assertEqual(self.read(self.copy(source)), b"")

    def test_a_bad_sector_is_for_a_stream_to_tell_and_says_nothing_of_writing(self) -> None:
        for at in (0, 2):
            with self.subTest(at), self.failing(errno.EIO, at):
                self.assert_refused()


class FailureTest(CopyTest):
    def test_a_failure_leaves_nothing(self) -> None:
        for call in (O_TMPFILE, "copy_file_range", "setxattr", "fchmod", "fsync #", "link", LEAF):
            with self.subTest(call), no_clones(), recorded(System(call, errno.ENOSPC)):
                self.assert_raises(errno.ENOSPC)
        self.assertEqual(self.statistics("errors", "objects", "read_only"), [{"ENOSPC": 7}, 1, None])

    def test_a_failure_with_a_temporary_name_leaves_nothing(self) -> None:
        without = System(O_TMPFILE, errno.EOPNOTSUPP)
        for call in ("copy_file_range", "setxattr", "fsync .", "fsync 0", "rename", LEAF):
            with self.subTest(call), no_clones(), recorded(without), recorded(System(call, errno.EDQUOT)):
                self.assert_raises(errno.EDQUOT)

    def test_a_failure_in_a_new_directory_leaves_nothing(self) -> None:
        far = json.dumps({"layout": 2, "path": "0001/000/" + "0" * 32})
        for call in ("mkdir", "fsync root", "fsync 0001"):
            with self.subTest(call), recorded(System(call, errno.ENOSPC)), self.assertRaises(OSError):
                self.module.copy_data(CONTEXT, far, self.source)
            self.assertFalse(self.module.available(CONTEXT, far))

    def test_a_later_piece_that_does_not_fit_leaves_nothing(self) -> None:
        for error in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with self.subTest(error), self.failing(error, 2):
                self.assert_raises(error)

    def test_a_device_that_fails_takes_no_more_writes(self) -> None:
        with recorded(System("fsync #", errno.EIO)):
            self.assert_raises(errno.EIO)
        self.assertIn("the device failed", self.statistics("read_only")[0])
        self.assert_raises(errno.EROFS)
        self.assertEqual(self.read(self.source), self.data)

    def test_an_interrupt_leaves_nothing(self) -> None:
        before, descriptors = objects_in(self.root), open_files()
        for name in ("copy_file_range", "link"):
            interrupt = mock.patch.object(os, name, side_effect=KeyboardInterrupt)
            with self.subTest(name), no_clones(), interrupt, self.assertRaises(KeyboardInterrupt):
                self.copy()
            self.assertEqual((objects_in(self.root), open_files()), (before, descriptors))

    def test_an_original_that_cannot_be_opened_says_nothing_of_writing(self) -> None:
        with mock.patch.object(os, "getxattr", side_effect=OSError(errno.EIO, "bad sector")):
            self.assert_raises(errno.EIO)
        self.assertEqual(self.statistics("errors", "read_only"), [{"EIO": 1}, None])

    def test_a_storage_that_takes_no_writes_copies_nothing(self) -> None:
        self.reopen(read_only=True)
        self.assert_raises(errno.EROFS)

    def test_a_root_that_is_not_there_any_more_is_told(self) -> None:
        away = self.root.with_name(f"{self.root.name}.away")
        self.read(self.source)  # so that the directory is open
        self.root.rename(away)
        self.addCleanup(away.rename, self.root)
        module_data = self.module.new_data(CONTEXT)
        with mock.patch("fsstore.storage._FRESH", 0.0), self.assertRaises(OSError) as caught:
            self.module.copy_data(CONTEXT, module_data, self.source)
        self.assertEqual(caught.exception.errno, errno.ENODEV)


class SpaceTest(CopyTest):
    def free(self, mebibytes: int) -> Any:
        """Let the file system have so much space."""
        fields = {"f_frsize": MIB, "f_blocks": 1000, "f_bfree": mebibytes, "f_bavail": mebibytes}
        fields |= {"f_files": 1000, "f_ffree": 700, "f_favail": 700}
        return mock.patch.object(os, "fstatvfs", lambda _: mock.Mock(**fields))

    def test_a_copy_into_the_reserve_is_refused_before_its_first_byte(self) -> None:
        self.reopen(reserve=10 * MIB)
        with no_clones(), self.free(12), recorded(System()) as system:
            self.assertIn("the reserve", str(self.assert_raises(errno.ENOSPC)))
        self.assertNotIn("copy_file_range", system.calls)

    def test_a_clone_takes_no_space(self) -> None:
        self.reopen(reserve=10 * MIB)
        with clones(), self.free(12):
            self.assertEqual(self.read(self.copy()), self.data)

    def test_what_is_reserved_already_is_kept_from_clones_too(self) -> None:
        self.reopen(reserve=10 * MIB)
        with clones(), self.free(9):
            self.assert_raises(errno.ENOSPC)

    def test_space_that_ends_meanwhile_ends_the_copy(self) -> None:
        self.reopen(reserve=10 * MIB)
        left = iter([20, 20, 20, 9])
        status = os.fstatvfs(self.module._root.directory.descriptor)
        fields = {name: getattr(status, name) for name in ("f_files", "f_ffree", "f_favail")}

        def ending(_: int) -> Any:
            free = next(left)
            return mock.Mock(f_frsize=MIB, f_blocks=1000, f_bfree=free, f_bavail=free, **fields)

        pieces = mock.patch.object(duplicate, "_PIECE", MIB), mock.patch("fsstore.space._PAUSE", 0.0)
        with no_clones(), pieces[0], pieces[1], mock.patch.object(os, "fstatvfs", ending):
            self.assert_raises(errno.ENOSPC)

    def test_space_is_taken_before_it_is_filled(self) -> None:
        asked: list[int] = []
        with no_clones(), mock.patch.object(kernel, "preallocate", lambda _, length: asked.append(length)):
            self.copy()
            self.copy(self.store(b"small"))
        self.assertEqual(asked, [LARGE])

    def test_copies_are_counted(self) -> None:
        copy = self.copy()
        self.assertEqual(self.statistics("objects", "bytes"), [2, 2 * LARGE])
        self.assertTrue(self.module.copy_data(CONTEXT, copy, self.store(b"small")))
        self.assertEqual(self.statistics("objects", "bytes"), [3, LARGE + 10])
        self.module.delete(CONTEXT, copy)
        self.assertEqual(self.statistics("objects", "bytes"), [2, LARGE + 5])
        with self.failing(errno.EXDEV):
            self.assert_refused()
        self.assertEqual(self.statistics("objects", "bytes"), [2, LARGE + 5])


class DurableTest(CopyTest):
    def calls(self) -> list[str]:
        """Copy into a new directory, and return the system calls."""
        far = json.dumps({"layout": 2, "path": f"0001/000/{os.urandom(16).hex()}"})
        with recorded(System()) as system:
            self.assertTrue(self.module.copy_data(CONTEXT, far, self.source))
        return ["fsync #" if call.startswith("fsync #") else call for call in system.calls]

    def test_everything_is_synced_before_what_refers_to_it(self) -> None:
        made = ["mkdir", "fsync root", "mkdir", "fsync 0001"]
        with no_clones():
            calls = [O_TMPFILE, "copy_file_range", "setxattr", "fchmod", "fsync #", "link", LEAF]
            self.assertEqual(self.calls(), [*made, *calls])
        with mock.patch.object(kernel, "clone", lambda source, target: os.truncate(target, LARGE)):
            self.assertEqual(self.calls(), [O_TMPFILE, "setxattr", "fchmod", "fsync #", "link", LEAF])

    def test_each_level_syncs_what_it_says(self) -> None:
        synced = {"full": ["fsync root", "fsync 0001", "fsync #", LEAF], "data": ["fsync #"], "none": []}
        self.assertEqual(set(synced), set(LEVELS))
        for level, expected in synced.items():
            self.module = self.open(durability=level)
            with self.subTest(level), no_clones():
                self.assertEqual([call for call in self.calls() if "sync" in call], expected)

    def test_the_disk_begins_while_it_is_copied(self) -> None:
        started: list[tuple[int, int]] = []
        writing = mock.patch.object(kernel, "start_writing", lambda _, offset, length: started.append((offset, length)))
        with no_clones(), writing, mock.patch.object(duplicate, "_PIECE", MIB):
            self.copy()
        self.assertEqual(started, [(0, MIB), (MIB, MIB), (2 * MIB, MIB)])
