"""vsm bench, as people run it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from xml.etree import ElementTree

from tests.files import objects_in
from tests.server import ROOT, environment

MODULE = "conformance.saboteurs.correct.DirectoryStorage"
OPERATIONS = ("put", "get", "range", "size", "delete")


class BenchTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.root = self.directory / "root"
        self.root.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vsm", "bench", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=environment(MPLCONFIGDIR=str(self.directory)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bench(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command with --quick to its end: its exit status, output and standard error."""
        with self.start(*arguments, "--quick") as process:
            output, error = process.communicate(timeout=100)
        return process.returncode, output, error

    def assert_nothing_left(self) -> None:
        self.assertEqual(objects_in(self.root), [])

    def test_the_table_and_the_plot(self) -> None:
        status, output, error = self.bench(MODULE, f"directory={self.root}", "--plot", "plot.svg")
        self.assertEqual((status, error), (0, ""))
        heading, titles, *rows = output.splitlines()
        self.assertEqual(heading, f"{MODULE}, by hand in {self.root}")
        self.assertEqual(re.split(" {2,}", titles.strip()), ["size", "threads", "module op/s", "by hand op/s", "ratio"])
        told = [re.split(" {2,}", row) for row in rows]
        self.assertEqual(
            [row[:3] for row in told],
            [[name, size, threads] for size in ("4 KiB", "1 MiB") for threads in "18" for name in OPERATIONS],
        )
        self.assertGreater(min(float(row[5]) for row in told), 0)
        self.assertTrue(ElementTree.parse(self.directory / "plot.svg").getroot().tag.endswith("svg"))
        self.assert_nothing_left()

    def test_a_module_on_another_one_and_a_plot_in_pixels(self) -> None:
        shutil.copy(ROOT / "tests/vsm/wrapping.py", self.directory)
        inner = f"local={MODULE}:directory={self.root}"
        status, output, error = self.bench("wrapping.Wrapping", "inner=local", "--with", inner, "--plot=plot.png")
        self.assertEqual((status, error), (0, ""))
        self.assertIn(f"wrapping.Wrapping, by hand in {self.root}\n", output)
        self.assertTrue((self.directory / "plot.png").read_bytes().startswith(b"\x89PNG\r\n"))

    def test_what_cannot_run_is_told_in_one_line(self) -> None:
        given = (MODULE, f"directory={self.root}")
        for arguments, expected in (
            (("no.such.Module",), "bench: no.such.Module: does not import"),
            ((MODULE, "colour=red"), f"bench: {MODULE}: refuses its arguments"),
            ((*given, "--plot=plot.pdf"), "bench: --plot plot.pdf: neither .png nor .svg"),
            ((*given, "--plot=/no/such/plot.svg"), "bench: --plot /no/such/plot.svg: cannot be written: No such file"),
        ):
            with self.subTest(arguments):
                status, output, error = self.bench(*arguments)
                self.assertEqual((status, output), (2, ""))
                self.assertTrue(error.startswith(expected), error)
                self.assertEqual(error.count("\n"), 1)

    def test_a_plot_without_matplotlib_is_refused_at_once(self) -> None:
        code = (
            "import sys, vsm.bench; from vsm.__main__ import main;"
            "vsm.bench.find_spec = lambda name: None; sys.exit(main(sys.argv[1:]))"
        )
        command = [sys.executable, "-c", code, "bench", MODULE, f"directory={self.root}", "--plot=plot.svg"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "bench: --plot needs matplotlib: in the kit's directory: pip install '.[plot]'\n")

    def test_a_module_that_fails_is_exit_status_1(self) -> None:
        shutil.copy(ROOT / "tests/vsm/wrapping.py", self.directory)
        status, output, error = self.bench("wrapping.Wrapping", "inner=local", f"directory={self.root}")
        self.assertEqual((status, output), (1, ""))
        self.assertRegex(error, r"\Avsm bench: wrapping.Wrapping: LookupError: .*local.*\n\Z")

    def test_an_interrupt_leaves_nothing(self) -> None:
        with self.start(MODULE, f"directory={self.root}") as process:
            deadline = time.monotonic() + 30
            while not objects_in(self.root):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGINT)
            _, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, error), (130, "\nbench: interrupted; what was stored is deleted\n"))
        self.assert_nothing_left()
