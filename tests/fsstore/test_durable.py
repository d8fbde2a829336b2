"""The order of the system calls, and what is left when one of them fails."""

import errno
import io
import os
import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage
from tests.files import CONTEXT

RECORDED = ("open", "mkdir", "write", "fdatasync", "fsync", "link", "rename", "unlink")
O_TMPFILE = "open(O_TMPFILE)"


class System:
    """Passes every system call on, notes it, and lets one fail."""

    def __init__(self, fail: str = "", error: int = errno.EIO, at: int = 0) -> None:
        self.calls: list[str] = []
        self._fail = fail
        self._error = error
        self._at = at

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            label = O_TMPFILE if name == "open" and args[1] & os.O_TMPFILE == os.O_TMPFILE else name
            if label in ("fsync", "fdatasync"):
                label = f"{label} {Path(os.readlink(f'/proc/self/fd/{args[0]}')).name[:4]}"
            if label != "open":
                self.calls.append(label)
            if self._fail and label.startswith(self._fail):
                self._at -= 1
                if self._at < 0:
                    raise OSError(self._error, os.strerror(self._error))
            return real(*args, **kwargs)

        return call


@contextmanager
def recorded(system: System) -> Iterator[System]:
    with ExitStack() as stack:
        for name in RECORDED:
            stack.enter_context(mock.patch.object(os, name, system.wrap(name, getattr(os, name))))
        yield system


class DurableTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="root")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.module = FileStorage(root=str(self.root))
        self.module_data = self.module.new_data(CONTEXT)
        self.shard = self.module_data.split('"')[3][:2]

    def assign(self, data: bytes = b"data") -> None:
        self.module.assign(CONTEXT, self.module_data, io.BytesIO(data))

    def files(self) -> list[bytes]:
        return [path.read_bytes() for path in self.root.rglob("*") if path.is_file()]

    def test_everything_is_synced_before_what_refers_to_it(self) -> None:
        with recorded(System()) as system:
            self.assign()
        self.assertEqual(
            system.calls,
            [
                "mkdir",
                "fsync root",
                O_TMPFILE,
                "write",
                "fdatasync #" + system.calls[4][-3:],
                "link",
                f"fsync {self.shard}",
            ],
        )

    def test_a_shard_that_this_process_has_settled_is_not_synced_again(self) -> None:
        self.assign()
        with recorded(System()) as system:
            self.assign(b"newer")
        self.assertNotIn("mkdir", system.calls)
        self.assertEqual(system.calls[-3:], ["link", "rename", f"fsync {self.shard}"])

    def test_a_shard_that_another_process_made_is_synced_all_the_same(self) -> None:
        (self.root / self.shard).mkdir()
        with recorded(System()) as system:
            self.assign()
        self.assertEqual(system.calls[:2], ["mkdir", "fsync root"])

    def test_a_deletion_is_synced_also_when_there_was_nothing(self) -> None:
        self.assign()
        for expected in (["unlink", f"fsync {self.shard}"], [f"fsync {self.shard}"]):
            with recorded(System()) as system:
                self.module.delete(CONTEXT, self.module_data)
            self.assertEqual(system.calls, expected)

    def test_without_o_tmpfile_a_temporary_name_does(self) -> None:
        for error in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            with recorded(System(O_TMPFILE, error)):
                self.assign(b"data")
                self.assertEqual(self.files(), [b"data"])
                self.assign(b"newer")
            self.assertEqual(self.files(), [b"newer"])
            self.module.delete(CONTEXT, self.module_data)

    def test_a_failure_leaves_nothing(self) -> None:
        for call in ("mkdir", "fsync root", O_TMPFILE, "write", "fdatasync", "link", f"fsync {self.shard}"):
            with self.subTest(call), recorded(System(call, errno.ENOSPC)), self.assertRaises(OSError) as caught:
                self.assign()
            self.assertEqual(caught.exception.errno, errno.ENOSPC)
            self.assertEqual(self.files(), [])

    def test_a_failure_leaves_the_old_data(self) -> None:
        self.assign(b"old")
        for call in (O_TMPFILE, "write", "fdatasync", "link", "rename"):
            for after in (0, 1) if call == "link" else (0,):
                with self.subTest(call), recorded(System(call, at=after)), self.assertRaises(OSError):
                    self.assign(b"newer")
                self.assertEqual(self.files(), [b"old"])

    def test_a_failure_with_a_temporary_name_leaves_nothing(self) -> None:
        for call in ("write", "fdatasync", "rename", f"fsync {self.shard}"):
            failing = System(call, errno.ENOSPC)
            without_tmpfile = System(O_TMPFILE, errno.EOPNOTSUPP)
            with self.subTest(call), recorded(without_tmpfile), recorded(failing), self.assertRaises(OSError):
                self.assign()
            self.assertEqual(self.files(), [])

    def test_without_o_tmpfile_no_hard_link_is_needed(self) -> None:
        with recorded(System(O_TMPFILE, errno.EOPNOTSUPP)), recorded(System("link", errno.EPERM)):
            for data in (b"data", b"newer"):
                self.assign(data)
                self.assertEqual(self.files(), [data])

    def test_a_shard_that_somebody_removed_is_made_anew(self) -> None:
        self.assign()
        self.module.delete(CONTEXT, self.module_data)
        (self.root / self.shard).rmdir()
        with recorded(System()) as system:
            self.assign()
        self.assertEqual(system.calls[:2], ["mkdir", "fsync root"])
        self.assertEqual(self.files(), [b"data"])

    def test_a_short_write_is_continued(self) -> None:
        write = os.write
        with mock.patch("fsstore.durable.os.write", lambda descriptor, data: write(descriptor, data[:3])):
            self.assign(b"0123456789")
        self.assertEqual(self.files(), [b"0123456789"])

    def test_an_object_that_is_deleted_while_it_is_replaced_is_stored(self) -> None:
        self.assign(b"old")
        path = next(path for path in self.root.rglob("*") if path.is_file())
        link = os.link

        def delete_then_link(*args: Any, **kwargs: Any) -> None:
            try:
                link(*args, **kwargs)
            except FileExistsError:
                path.unlink()
                raise

        with mock.patch("fsstore.durable.os.link", delete_then_link):
            self.assign(b"newer")
        self.assertEqual(self.files(), [b"newer"])
