"""vsm new, as people run it, and what it writes."""

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from argparse import Namespace
from pathlib import Path
from unittest import mock

from tests.checkout import listed
from tests.server import ROOT, environment
from vsm import new
from vsm.errors import CommandError


class NewTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def new(self, name: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.python(cwd or self.directory, "-m", "vsm", "new", name)

    def python(self, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        # -P: an installed command has not the current directory on its path, either.
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=cwd,
            env=environment(CONFORMANCE_QUICK="1"),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def test_the_example_is_what_it_writes(self) -> None:
        self.assertEqual(self.new("newstore").returncode, 0)
        written = {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}
        self.assertEqual(
            {str(path.relative_to(self.directory)): text for path, text in written.items()},
            {str(Path(name).relative_to("examples")): (ROOT / name).read_bytes() for name in listed("examples")},
        )

    def test_the_template_is_the_example(self) -> None:
        self.assertEqual(os.readlink(ROOT / "vsm/template"), "../examples/newstore")

    def test_a_project_is_ready_to_test_build_and_check(self) -> None:
        done = self.new("tape")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        project, storage = self.directory / "tape", self.directory / "storage"
        storage.mkdir()
        for arguments, expected in (
            (["-m", "nose"], "\nOK (SKIP=11)\n"),  # the promises of copy_data
            (["setup.py", "--quiet", "nosetests"], "\nOK (SKIP=11)\n"),
            (["setup.py", "--quiet", "bdist_egg"], ""),
            (
                ["-m", "vsm", "check", "tape.tape.TapeStorage", f"directory={storage}", "--quick"],
                " kept, 11 not claimed, 1 not tried;",
            ),
        ):
            done = self.python(project, *arguments)
            self.assertEqual(done.returncode, 0, (arguments, done.stdout, done.stderr))
            self.assertIn(expected, done.stdout + done.stderr)
        (egg,) = (project / "dist").iterdir()
        with zipfile.ZipFile(egg) as archive:
            names = [name for name in archive.namelist() if not name.startswith("EGG-INFO/")]
        self.assertEqual(sorted(names), ["tape/__init__.pyc", "tape/tape.pyc"])

    def test_the_test_has_eight_lines(self) -> None:
        self.assertEqual((ROOT / "examples/newstore/tests/test_newstore.py").read_text("utf-8").count("\n"), 8)

    def test_a_project_whose_tests_are_not_found_fails(self) -> None:
        self.new("tape")
        project = self.directory / "tape"
        (project / "tests/test_tape.py").rename(project / "tests/tape.py")
        done = self.python(project, "setup.py", "--quiet", "nosetests")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nosetests: 0 tests ran, which should be 1 at least\n", done.stdout)

    def test_a_name_that_will_not_do_is_refused_in_one_line(self) -> None:
        (self.directory / "there").mkdir()
        (self.directory / "dangling").symlink_to("nowhere")
        for name, expected in {
            "": "no name for a package",
            "1st": "no name for a package",
            "a-b": "no name for a package",
            "a/b": "no name for a package",
            "..": "no name for a package",
            "_a": "no name for a package",
            "caf\N{LATIN SMALL LETTER E WITH ACUTE}": "no name for a package",
            "class": "no name for a package",
            "json": "Python has a module of that name",
            "modules": "the kit needs that name",
            "conformance": "the kit needs that name",
            "host": "the kit needs that name",
            "tests": "the kit needs that name",
            "there": "exists already",
            "dangling": "exists already",
        }.items():
            with self.subTest(name):
                done = self.new(name)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr.startswith(f"vsm new: {name}: {expected}"), done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
        self.assertEqual(sorted(os.listdir(self.directory)), ["dangling", "there"])

    def test_every_room_is_a_name_that_is_taken(self) -> None:
        for package in ROOT.glob("*/__init__.py"):
            self.assertEqual(self.new(package.parent.name).returncode, 2, package)

    def test_where_nothing_can_be_written_it_says_so(self) -> None:
        done = self.new("tape", cwd=Path("/proc"))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\Avsm new: tape: cannot be written: .+\n\Z")

    def test_a_project_is_written_whole_or_not_at_all(self) -> None:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for error, raised in ((full, CommandError), (KeyboardInterrupt(), KeyboardInterrupt)):
            effects = [0, 0, error]
            with (
                self.subTest(error),
                contextlib.chdir(self.directory),
                mock.patch.object(Path, "write_text", side_effect=effects),
                self.assertRaises(raised),
            ):
                new.run(Namespace(name="tape"))
            self.assertEqual(os.listdir(self.directory), [])

    def test_the_class_is_named_after_the_module(self) -> None:
        for name, expected in {
            "newstore": "NewStorage",
            "tape": "TapeStorage",
            "tape_library": "TapeLibraryStorage",
            "store": "StoreStorage",
            "S3": "S3Storage",
        }.items():
            self.assertEqual(new.class_name(name), expected)
