"""The order of the system calls, and what is left when one of them fails."""

import errno
import io
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, make_root
from fsstore.durable import LEVELS, Directory
from tests.files import CONTEXT, objects_in
from tests.fsstore.system import O_TMPFILE, System, recorded

LEAF = "fsync 000"
SEALED = [O_TMPFILE, "write", "setxattr", "fchmod", "fsync #", "link"]


def without_inodes(calls: list[str]) -> list[str]:
    return ["fsync #" if call.startswith("fsync #") else call for call in calls]


class DurableTest(unittest.TestCase):
    level = "full"

    def setUp(self) -> None:
        self.addCleanup(vars(self).pop, "module", None)
        directory = tempfile.TemporaryDirectory(prefix="root")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        make_root(str(self.root))
        self.module = self.open()
        self.module_data = self.module.new_data(CONTEXT)

    def open(self, **arguments: Any) -> FileStorage:
        return FileStorage(root=str(self.root), durability=self.level, **arguments)

    def assign(self, data: bytes = b"data") -> None:
        self.module.assign(CONTEXT, self.module_data, io.BytesIO(data))

    def objects(self) -> list[bytes]:
        return [path.read_bytes() for path in objects_in(self.root)]

    def weaker(self) -> list[str]:
        weaker: list[str] = self.module.statistics(CONTEXT)["weaker"]
        return weaker


class OrderTest(DurableTest):
    def test_everything_is_synced_before_what_refers_to_it(self) -> None:
        with recorded(System()) as system:
            self.assign()
        made = ["mkdir", "fsync root", "mkdir", "fsync 0000"]
        self.assertEqual(without_inodes(system.calls), [*made, *SEALED, LEAF])

    def test_a_shard_that_this_process_has_settled_is_not_synced_again(self) -> None:
        self.assign()
        with recorded(System()) as system:
            self.assign(b"newer")
        self.assertEqual(without_inodes(system.calls), [*SEALED, "link", "rename", LEAF, "unlink"])

    def test_a_shard_that_another_process_made_is_synced_all_the_same(self) -> None:
        (self.root / "0000/000").mkdir(parents=True)
        with recorded(System()) as system:
            self.assign()
        self.assertEqual(system.calls[:4], ["mkdir", "fsync root", "mkdir", "fsync 0000"])

    def test_a_deletion_is_synced_also_when_there_was_nothing(self) -> None:
        self.assign()
        with recorded(System()) as system:
            self.module.delete(CONTEXT, self.module_data)
            self.module.delete(CONTEXT, self.module_data)
        self.assertEqual(system.calls, ["unlink", "unlink", LEAF, LEAF])

    def test_that_a_shard_is_gone_is_synced_before_a_deletion_relies_on_it(self) -> None:
        self.assign()
        (self.root / "0000/000" / self.module_data[-34:-2]).unlink()
        (self.root / "0000/000").rmdir()
        with recorded(System()) as system:
            self.module.delete(CONTEXT, self.module_data)
        self.assertEqual(system.calls, ["fsync 0000"])

    def test_a_shard_that_somebody_removed_is_made_anew(self) -> None:
        self.assign()
        self.module.delete(CONTEXT, self.module_data)
        (self.root / "0000/000").rmdir()
        with recorded(System()) as system:
            self.assign()
        self.assertEqual(without_inodes(system.calls), [O_TMPFILE, "mkdir", "fsync 0000", *SEALED, LEAF])
        self.assertEqual(self.objects(), [b"data"])

    def test_a_shard_that_is_removed_while_its_object_is_written_is_made_anew(self) -> None:
        leaf = self.root / "0000/000"

        class Pruning(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if leaf.exists():
                    leaf.rmdir()
                return super().read(size)

        self.module.assign(CONTEXT, self.module_data, Pruning(b"data"))
        self.assertEqual(self.objects(), [b"data"])

    def test_a_shard_that_is_removed_before_its_object_is_opened_is_made_anew(self) -> None:
        self.assign()
        self.module.delete(CONTEXT, self.module_data)
        leaf, is_in_place = self.root / "0000/000", Directory.is_in_place

        def then_removed(directory: Directory) -> bool:
            found = is_in_place(directory)
            if leaf.exists():
                leaf.rmdir()
            return found

        with mock.patch.object(Directory, "is_in_place", then_removed):
            self.assign()
        self.assertEqual(self.objects(), [b"data"])

    def test_a_short_write_is_continued(self) -> None:
        write = os.write
        with mock.patch("fsstore.newfile.os.write", lambda descriptor, data: write(descriptor, data[:3])):
            self.assign(b"0123456789")
        self.assertEqual(self.objects(), [b"0123456789"])
        with self.module.get_read_stream(CONTEXT, self.module_data) as stream:
            self.assertEqual(stream.read(), b"0123456789")

    def test_an_object_that_is_deleted_while_it_is_replaced_is_stored(self) -> None:
        self.assign(b"old")
        (path,) = objects_in(self.root)
        link = os.link

        def delete_then_link(*args: Any, **kwargs: Any) -> None:
            try:
                link(*args, **kwargs)
            except FileExistsError:
                path.unlink()
                raise

        with mock.patch.object(os, "link", delete_then_link):
            self.assign(b"newer")
        self.assertEqual(self.objects(), [b"newer"])


class AvailableTest(DurableTest):
    def synced(self, module: FileStorage) -> list[str]:
        with recorded(System()) as system:
            self.assertTrue(module.available(CONTEXT, self.module_data))
        return system.calls

    def test_what_another_process_has_only_just_named_is_synced_before_it_is_available(self) -> None:
        self.assign()
        other = self.open()
        self.assertEqual(self.synced(other), ["mkdir", "fsync root", "mkdir", "fsync 0000", LEAF])

    def test_what_is_known_to_be_durable_is_not_synced_again(self) -> None:
        self.assign()
        self.synced(self.module)
        with mock.patch("fsstore.storage._COARSE", -10):
            self.assertEqual(self.synced(self.module), [])
        with mock.patch("fsstore.storage._WRITTEN", -10):
            self.assertEqual(self.synced(self.open()), [])


class FailureTest(DurableTest):
    def test_a_failure_leaves_nothing(self) -> None:
        for call in ("mkdir", "fsync root", "fsync 0000", O_TMPFILE, "write", "setxattr", "fsync #", "link", LEAF):
            with self.subTest(call), recorded(System(call, errno.ENOSPC)), self.assertRaises(OSError) as caught:
                self.assign()
            self.assertEqual(caught.exception.errno, errno.ENOSPC)
            self.assertEqual(self.objects(), [])

    def test_a_failure_leaves_the_old_data(self) -> None:
        self.assign(b"old")
        for call in (O_TMPFILE, "write", "setxattr", "fchmod", "fsync #", "link", "rename"):
            for at in (0, 1) if call == "link" else (0,):
                with self.subTest(call), recorded(System(call, errno.ENOSPC, at)), self.assertRaises(OSError):
                    self.assign(b"newer")
                self.assertEqual(self.objects(), [b"old"])

    def test_a_failure_with_a_temporary_name_leaves_nothing(self) -> None:
        for call in ("write", "setxattr", "fsync 0", "rename", LEAF):
            failing = System(call, errno.ENOSPC)
            without = System(O_TMPFILE, errno.EOPNOTSUPP)
            with self.subTest(call), recorded(without), recorded(failing), self.assertRaises(OSError):
                self.assign()
            self.assertEqual(self.objects(), [])

    def test_what_an_error_says_was_not_done_is_looked_at(self) -> None:
        for call, at in (("link", 0), ("rename", 0)):
            for data in (b"data", b"newer"):
                with self.subTest(call, data=data), recorded(System(call, errno.EEXIST, at, after=True)):
                    self.assign(data)
                self.assertEqual(self.objects(), [data])
            self.module.delete(CONTEXT, self.module_data)


class RefusalTest(DurableTest):
    """File systems that cannot do a thing at all: NFS, CIFS, FAT, and what stands on FUSE."""

    def test_without_o_tmpfile_a_temporary_name_does_and_no_link_is_needed(self) -> None:
        for error in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            self.module = self.open()
            with self.subTest(error), recorded(System(O_TMPFILE, error)), recorded(System("link", errno.EPERM)):
                for data in (b"data", b"newer"):
                    self.assign(data)
                    self.assertEqual(self.objects(), [data])
            self.assertIn("no files without a name", self.weaker()[0])
            self.module.delete(CONTEXT, self.module_data)

    def test_a_file_without_a_name_that_cannot_get_one_is_copied(self) -> None:
        for error in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOENT):
            self.module = self.open()
            data = os.urandom(3_000_000)
            with self.subTest(error), recorded(System("link", error)):
                self.assign(data)
                self.assign(data[::-1])
            with self.module.get_read_stream(CONTEXT, self.module_data) as stream:
                self.assertEqual(stream.read(), data[::-1])
            self.assertEqual(len(objects_in(self.root)), 1)
            self.assertIn("no files without a name", self.weaker()[0])
            self.module.delete(CONTEXT, self.module_data)

    def test_a_temporary_file_lies_beside_its_object(self) -> None:
        leaf, seen = self.root / "0000/000", []

        class Looking(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                seen.extend(os.listdir(leaf))
                return super().read(size)

        with recorded(System(O_TMPFILE, errno.EOPNOTSUPP)):
            self.module.assign(CONTEXT, self.module_data, Looking(b"data"))
        self.assertRegex(seen[0], r"^\.[0-9a-f]{32}\.new$")

    def test_directories_that_cannot_be_synced_are_told(self) -> None:
        for error in (errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES):
            self.module = self.open()
            with self.subTest(error), recorded(System("fsync 0", error)):
                self.assign()
                self.module.delete(CONTEXT, self.module_data)
            self.assertEqual(self.objects(), [])
            self.assertIn("directories cannot be synced", self.weaker()[0])

    def test_files_that_cannot_be_synced_are_told(self) -> None:
        with recorded(System("fsync #", errno.EINVAL)):
            self.assign()
        self.assertEqual(self.objects(), [b"data"])
        self.assertIn("files cannot be synced", self.weaker()[0])

    def test_modes_and_groups_that_cannot_be_set_are_told(self) -> None:
        self.module = self.open(group=os.getgid())
        with recorded(System("fchmod", errno.EPERM)), recorded(System("fchown", errno.EPERM)):
            self.assign()
        self.assertEqual(self.objects(), [b"data"])
        self.assertIn("modes cannot be set", self.weaker()[0])
        self.assertIn("the group cannot be set", self.weaker()[1])

    def test_a_broken_device_is_not_taken_for_a_refusal(self) -> None:
        with recorded(System("fsync 0", errno.EIO)), self.assertRaises(OSError):
            self.assign()
        self.assertEqual(self.weaker(), [])


class LevelTest(DurableTest):
    def test_each_level_syncs_what_it_says(self) -> None:
        synced = {"full": ["fsync root", "fsync 0000", "fsync #", LEAF], "data": ["fsync #"], "none": []}
        self.assertEqual(set(synced), set(LEVELS))
        for self.level, expected in synced.items():
            self.module = self.open()
            with self.subTest(self.level), recorded(System()) as system:
                self.assign()
            self.assertEqual([call for call in without_inodes(system.calls) if "sync" in call], expected)
            self.assertEqual(self.module.statistics(CONTEXT)["durability"], self.level)
            with recorded(System()) as system:
                self.module.delete(CONTEXT, self.module_data)
            self.assertEqual(LEAF in system.calls, self.level == "full")
            (self.root / "0000/000").rmdir()
            (self.root / "0000").rmdir()
