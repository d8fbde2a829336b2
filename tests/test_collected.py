"""Every runner finds every test: a green run that collected nothing is red."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

from tests.server import ROOT, environment


def written() -> int:
    """Return how many test methods the loaded classes have, as plain unittest counts them."""
    return unittest.TestLoader().discover(str(ROOT / "tests"), top_level_dir=str(ROOT)).countTestCases()


def collected(*command: str) -> str:
    """Run a runner that only collects, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment(NOSE_IGNORE_CONFIG_FILES="1"),
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


class CollectedTest(unittest.TestCase):
    def test_nose_pytest_and_unittest_find_the_same_tests(self) -> None:
        expected = written()
        self.assertGreater(expected, 150)
        (nose,) = re.findall(r"Ran (\d+) tests", collected("nose", "--collect-only"))
        (pytest,) = re.findall(r"(\d+) tests collected", collected("pytest", "--collect-only", "-q"))
        self.assertEqual((int(nose), int(pytest)), (expected, expected))

    def test_every_file_with_tests_is_one_that_runners_collect(self) -> None:
        for path in (ROOT / "tests").rglob("*.py"):
            if re.search(r"^    def test_", path.read_text("utf-8"), re.MULTILINE) and path.name != "files.py":
                with self.subTest(path):
                    self.assertRegex(path.name, r"^test_\w+\.py$")
                    self.assertFalse(path.stat().st_mode & 0o111, "nose passes over executable files")
                    self.assertTrue((Path(path).parent / "__init__.py").exists())

    def test_no_test_is_hidden_by_another_of_the_same_name(self) -> None:
        for path in (ROOT / "tests").rglob("test_*.py"):
            names = re.findall(r"^class (\w+)|^    def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
            cls = ""
            seen: set[tuple[str, str]] = set()
            for found, test in names:
                cls = found or cls
                self.assertNotIn((cls, test), seen, path)
                seen.add((cls, test))
