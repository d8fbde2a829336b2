"""What one thread, process or machine does between two steps of another."""

import errno
import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import sidecar
from fsstore.durable import Directory, stat_object
from tests.files import CONTEXT
from tests.fsstore.roots import beside, elsewhere
from tests.fsstore.test_durable import DurableTest


class RaceTest(DurableTest):
    """Two processes: ``module``, and ``other``, which removes and makes again the directory of ``module_data``."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.open()
        self.module_data = elsewhere(self.module_data)
        self.leaf = self.root / "0000/001"

    def store(self, module_data: str, data: bytes = b"data") -> None:
        self.other.assign(CONTEXT, module_data, io.BytesIO(data))

    def make_stale(self) -> None:
        """Let ``module`` have a directory open that was removed, and made again for ``module_data``."""
        first = beside(self.module_data)
        self.store(first)
        self.assertTrue(self.module.available(CONTEXT, first))
        self.other.delete(CONTEXT, first)
        self.assertFalse(self.leaf.exists())
        self.store(self.module_data)

    def overtaken(self, by: Callable[[], object]) -> Any:
        """Let another thread find the object between the moment when this one does not, and the next."""
        main = threading.current_thread()

        def slow(directory: int, name: str) -> os.stat_result:
            try:
                return stat_object(directory, name)
            except FileNotFoundError:
                if threading.current_thread() is main:
                    thread = threading.Thread(target=by)
                    thread.start()
                    thread.join()
                raise

        return mock.patch("fsstore.storage.stat_object", slow)


class StaleTest(RaceTest):
    def test_an_object_is_found_although_another_thread_was_first_to_open_its_new_directory(self) -> None:
        self.make_stale()
        with self.overtaken(lambda: self.module.available(CONTEXT, self.module_data)):
            self.assertTrue(self.module.available(CONTEXT, self.module_data))

    def test_it_is_found_although_all_directories_were_given_up_meanwhile(self) -> None:
        self.make_stale()
        with self.overtaken(lambda: self.module._root._shards.clear()):
            self.assertEqual(self.module.get_size(CONTEXT, self.module_data), 4)

    def test_it_is_found_where_a_removed_directory_is_a_stale_handle(self) -> None:
        """As over NFS, when another machine has removed it."""
        self.make_stale()
        status = os.stat

        def stale(path: str, *, dir_fd: int | None = None, **options: Any) -> os.stat_result:
            if dir_fd is not None and os.fstat(dir_fd).st_nlink == 0:
                raise OSError(errno.ESTALE, "stale")
            return status(path, dir_fd=dir_fd, **options)

        with mock.patch.object(os, "stat", stale):
            self.assertTrue(self.module.available(CONTEXT, self.module_data))
            self.assign(b"new")
            self.module.delete(CONTEXT, self.module_data)
        self.assertEqual(self.objects(), [])

    def test_a_directory_that_comes_and_goes_is_worth_another_try(self) -> None:
        self.make_stale()
        self.other.delete(CONTEXT, self.module_data)
        self.store(beside(self.module_data))
        with mock.patch.object(Directory, "is_in_place", lambda _: False):
            for call in (self.module.available, self.module.delete):
                with self.assertRaises(TimeoutError):
                    call(CONTEXT, self.module_data)

    def test_a_directory_that_has_its_name_but_no_links_any_more_is_removed(self) -> None:
        """As for a moment on ext4, between the two."""
        self.make_stale()
        directory, status = self.module._root.current("0000/001"), os.stat

        def dying(path: str, **options: Any) -> Any:
            real = status(path, **options)
            return mock.Mock(st_ino=real.st_ino, st_dev=real.st_dev, st_nlink=0)

        self.assertTrue(directory.is_in_place())
        with mock.patch.object(os, "stat", dying):
            self.assertFalse(directory.is_in_place())


class OthersTest(RaceTest):
    def test_a_failure_does_not_remove_what_somebody_else_has_stored_since(self) -> None:
        durability = self.module._durability
        sync = durability.sync_directory

        def failing(directory: Directory) -> None:
            if directory is self.module._root._shards.get("0000/001"):
                self.store(self.module_data, b"theirs")
                raise OSError(errno.EIO, "broken")
            sync(directory)

        with mock.patch.object(durability, "sync_directory", failing), self.assertRaisesRegex(OSError, "broken"):
            self.assign(b"ours")
        self.assertEqual(self.objects(), [b"theirs"])

    def test_a_deletion_in_a_root_that_is_elsewhere_by_now_is_refused(self) -> None:
        self.store(self.module_data)
        self.module._root._looked = time.monotonic() - 60
        (self.root / "fsstore.json").rename(self.root / "moved")
        with self.assertRaises(OSError) as caught:
            self.module.delete(CONTEXT, self.module_data)
        self.assertEqual(caught.exception.errno, errno.ENODEV)


class WholeSecondsTest(RaceTest):
    def test_what_was_named_in_the_second_of_the_last_sync_is_synced(self) -> None:
        """Where a file system keeps whole seconds, a name may be later than its time says."""
        self.store(self.module_data)
        self.assertTrue(self.module.available(CONTEXT, self.module_data))
        directory = self.module._root.shard("0000/001")
        path = next(self.leaf.iterdir())
        named = float(int(path.stat().st_ctime))
        directory.synced = named + 0.5
        with mock.patch.object(self.module._durability, "sync_directory") as sync:
            self.module._settle("0000/001", named)
            self.module._settle("0000/001", named + 0.3)
        self.assertEqual(sync.call_count, 1)


class BesideTest(RaceTest):
    def test_a_checksum_of_what_came_after_does_not_make_an_object_corrupt(self) -> None:
        """Without extended attributes: the name of the checksum is free again once the object is replaced."""
        refused, get = OSError(errno.EOPNOTSUPP, "refused"), sidecar.get
        refuse = mock.patch.multiple(
            os, setxattr=mock.Mock(side_effect=refused), getxattr=mock.Mock(side_effect=refused)
        )

        def late(directory: int, identity: str, status: os.stat_result) -> bytes | None:
            self.assign(b"newer")
            return get(directory, identity, status) or b"crc32 00000000 5"

        with refuse:
            self.assign(b"old")
            with mock.patch.object(sidecar, "get", late):
                stream = self.module.get_read_stream(CONTEXT, self.module_data)
            with stream:
                self.assertEqual(stream.read(), b"old")


class LeftoverTest(DurableTest):
    def test_a_checksum_beside_a_file_that_gets_no_name_does_not_stay(self) -> None:
        """No extended attributes, and no /proc."""
        refused, missing = OSError(errno.EOPNOTSUPP, "refused"), FileNotFoundError(errno.ENOENT, "no /proc")
        with (
            mock.patch.object(os, "setxattr", side_effect=refused),
            mock.patch.object(os, "link", side_effect=missing),
        ):
            self.assign()
        names = sorted(path.suffix for path in Path(self.root, "0000/000").iterdir())
        self.assertEqual(names, ["", ".sum"])

    def test_where_no_time_is_left_for_a_checksum_it_is_an_error(self) -> None:
        refused, utime = OSError(errno.EOPNOTSUPP, "refused"), os.utime
        with (
            mock.patch.object(os, "setxattr", side_effect=refused),
            mock.patch.object(os, "utime", lambda file, _: utime(file, (2**31 - 2, 2**31 - 2))),
        ):
            self.assign()
            with self.assertRaises(OSError) as caught:
                self.assign()
        self.assertEqual(caught.exception.errno, errno.EOVERFLOW)
        self.assertEqual(self.objects()[0], b"data")
