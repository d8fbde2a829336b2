"""The kit on FileStorage: at every level, on several file systems, and as an ordinary user."""

import ctypes
import errno
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from fsstore import FileStorage, make_root
from tests.fsstore.roots import clean_up
from tests.fsstore.sabotage import clones, no_clones

SHM = Path("/dev/shm")
NOBODY = 65534
PR_SET_DUMPABLE = 4


def is_tmpfs(path: Path) -> bool:
    """Tell whether a directory lies on tmpfs, and can be written to."""
    mounts = Path("/proc/mounts").read_text().splitlines()
    return f" {path} tmpfs " in "\n".join(mounts) and os.access(path, os.W_OK)


class Adopter(Promises, Model):
    """What all share."""

    effort = QUICK
    arguments: dict[str, Any] = {}  # noqa: RUF012

    def make_module(self) -> FileStorage:
        make_root(self.directory)
        return FileStorage(root=self.directory, **self.arguments)


class DataTest(Adopter, unittest.TestCase):
    arguments = {"durability": "data", "checksum": "xxh3"}  # noqa: RUF012


class NoneTest(Adopter, unittest.TestCase):
    arguments = {"durability": "none", "checksum": "none"}  # noqa: RUF012


@unittest.skipUnless(is_tmpfs(SHM), "/dev/shm is no tmpfs here")
class TmpfsTest(Adopter, unittest.TestCase):
    def setUp(self) -> None:
        with mock.patch.object(tempfile, "tempdir", str(SHM)):
            super().setUp()


def _refuse(*_: Any, **__: Any) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


_open = os.open


def _open_named(path: Any, flags: int, *arguments: Any, **others: Any) -> int:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        _refuse()
    return _open(path, flags, *arguments, **others)


class PoorFileSystemTest(Adopter, unittest.TestCase):
    """No files without a name, no links, no attributes, no modes, no syncs, and no copies by the kernel."""

    def setUp(self) -> None:
        lacking = ("setxattr", "getxattr", "link", "fchmod", "fsync", "copy_file_range")
        replaced: dict[str, Any] = dict.fromkeys(lacking, _refuse)
        for name, replacement in {**replaced, "open": _open_named}.items():
            patch = mock.patch.object(os, name, replacement)
            patch.start()
            self.addCleanup(patch.stop)
        self.enterContext(no_clones())
        super().setUp()

    def tidy(self) -> None:
        clean_up(Path(self.directory))


class CloningFileSystemTest(Adopter, unittest.TestCase):
    """A file system that can give a second file the blocks of a first."""

    def setUp(self) -> None:
        self.enterContext(clones())
        super().setUp()


@unittest.skipUnless(os.geteuid() == 0, "whoever is not root runs all of the kit as an ordinary user")
class OrdinaryUserTest(unittest.TestCase):
    def test_the_kit_is_green_as_an_ordinary_user(self) -> None:
        class AsUser(Adopter, unittest.TestCase):
            pass

        suite = unittest.defaultTestLoader.loadTestsFromTestCase(AsUser)
        with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as report:
            os.chmod(directory, 0o777)
            child = os.fork()
            if child == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # /proc/self is readable again
                tempfile.tempdir = directory
                os.chdir(directory)
                result = unittest.TextTestRunner(report).run(suite)
                report.flush()
                os._exit(0 if result.wasSuccessful() and result.testsRun > 80 else 1)
            _, status = os.waitpid(child, 0)
            report.seek(0)
            self.assertEqual(status, 0, report.read())
