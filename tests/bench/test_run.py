"""python -m bench, as a person runs it. What it measures here is worth nothing."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.server import environment


class RunTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.place = self.directory / "place"
        self.place.mkdir()

    def bench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", "--quick", "--without-peers", "--directory", str(self.place)]
        return subprocess.run(
            [*command, *arguments], cwd=self.directory, env=environment(), capture_output=True, text=True, timeout=60
        )

    def test_one_line_is_measured_and_nothing_is_left(self) -> None:
        done = self.bench("--only", "get-4k", "--only", "put-4k-8")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\| put 4 KiB, 8 threads \| [\d,]+/s \w+ \| ≥ 0.95 \| \*\*[\d.]+ \(.*\)\*\* ")
        self.assertRegex(done.stdout, r"\| get 4 KiB \| [\d,]+/s by hand \| ≥ 0.6 \| \*\*[\d.]+ \(.*\)\*\* ")
        self.assertEqual(list(self.place.iterdir()), [])

    def test_memory_is_seen_in_a_process_of_its_own_and_many_are_compared_with_few(self) -> None:
        done = self.bench("--only", "memory", "--only", "scale", "--memory", "0.01", "--objects", "1200")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\| get \| ≤ 8 MiB \| \*\*[\d.]+ MiB\*\* ")
        self.assertRegex(done.stdout, r"\| FileStorage \| files per directory \| ")
        self.assertEqual(list(self.place.iterdir()), [])

    def test_the_page_tells_how_it_was_made_and_not_where(self) -> None:
        done = self.bench("--only", "get-size", "--write", "performance.md")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        page = (self.directory / "performance.md").read_text("utf-8")
        self.assertIn("python -m bench --only get-size --without-peers --quick --write performance.md\n", page)
        self.assertNotIn(str(self.place), page)
        self.assertIn("<svg", (self.directory / "performance.svg").read_text("utf-8"))

    def test_what_cannot_be_done_is_refused_before_anything_is_measured(self) -> None:
        done = self.bench("--only", "no-such-line")
        self.assertEqual(done.returncode, 2)
        self.assertIn("invalid choice", done.stderr)
