"""vsm check, as people run it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from fsstore import FileStorage
from tests.files import objects_in
from tests.server import ROOT

SABOTEURS = "conformance.saboteurs"


class CommandTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.root = self.directory / "root"
        self.root.mkdir()
        self.scratch = self.directory / "scratch"
        self.scratch.mkdir()

    def start(self, *arguments: str, program: str = "vsm") -> subprocess.Popen[str]:
        """Start the command, with --quick."""
        command = [sys.executable, "-m", program, *(["check"] if program == "vsm" else []), *arguments, "--quick"]
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def check(self, *arguments: str, program: str = "vsm") -> tuple[int, str, str]:
        """Run the command to its end: its exit status, output and standard error."""
        with self.start(*arguments, program=program) as process:
            output, error = process.communicate(timeout=100)
        return process.returncode, output, error

    def files(self) -> list[Path]:
        return objects_in(self.root)

    def test_a_module_that_keeps_its_promises(self) -> None:
        FileStorage.prepare(str(self.root))
        (self.root / "own").write_bytes(b"was here before")
        files = {name: str(self.directory / name) for name in ("json", "junit")}
        status, output, error = self.check(
            "--json", files["json"], "fsstore.FileStorage", f"root={self.root}", "--junit", files["junit"]
        )
        self.assertEqual((status, error), (0, ""), output)
        self.assertRegex(output, r"\d+ promises: \d+ kept, 1 not tried; ")
        self.assertEqual(self.files(), [self.root / "own"])
        told = json.loads(Path(files["json"]).read_text("utf-8"))
        self.assertEqual(told["counts"]["broken"], 0)
        suite = ElementTree.parse(files["junit"]).getroot()
        self.assertEqual(suite.get("tests"), str(len(told["promises"])))

    def test_a_module_that_breaks_one(self) -> None:
        status, output, _ = self.check(f"{SABOTEURS}.writing.TakesAShortReadForTheEnd", f"directory={self.root}")
        self.assertEqual(status, 1, output)
        self.assertIn("broken       short reads are not the end\n", output)
        self.assertRegex(output, r"what happened: \d+ bytes instead of 150000, different from byte \d+ on\n")
        self.assertIn('the contract:  read with a size until ``b""``\n', output)

    def test_what_is_not_claimed_is_told_with_the_reason(self) -> None:
        lacks = [f"--lacks={name}=in memory" for name in ("durability", "processes", "large objects")]
        status, output, _ = self.check(f"{SABOTEURS}.correct.MemoryStorage", *lacks, program="conformance")
        self.assertEqual(status, 0, output)
        self.assertIn("durability: in memory", output)
        self.assertRegex(output, r"\d+ not claimed")

    def test_an_egg_is_tried(self) -> None:
        egg = self.directory / "vendor.egg"
        with zipfile.ZipFile(egg, "w") as archive:
            archive.write(ROOT / "simple/simple.py", "vendor/simple.py")
            archive.writestr("vendor/__init__.py", "")
        status, output, _ = self.check(
            "--egg", str(egg), "vendor.simple.SimpleStorage", f"storage_dir={self.root}", "--repeat=2"
        )
        self.assertEqual(status, 0, output)
        self.assertEqual(self.files(), [])

    def test_a_module_gets_those_that_it_stands_on(self) -> None:
        shutil.copy(ROOT / "tests/vsm/wrapping.py", self.directory)
        status, output, error = self.check(
            "wrapping.Wrapping", "inner=local", "--with", f"local=fsstore.FileStorage:root={self.root}"
        )
        self.assertEqual((status, error), (0, ""), output)
        self.assertEqual(self.files(), [])

    def test_what_could_not_run_is_told_in_one_line(self) -> None:
        (self.directory / "broken.py").write_text("1 / 0")
        file = "fsstore.FileStorage"
        cases = {
            ("no.such.Module",): "no.such.Module: does not import: ModuleNotFoundError",
            ("nodots",): "not the dotted name",
            ("broken.Module",): "does not import: ZeroDivisionError",
            ("json.JSONDecoder",): "not a subclass of modules.StorageModule",
            ("modules.StorageModule",): "lacks assign, available",
            (file,): "refuses its arguments: ValueError: root",
            (file, "root=/no/such/directory"): "refuses its arguments: FileNotFoundError",
            (file, "root"): "root: not NAME=VALUE",
            (file, f"root={self.root}", "--lacks=speed=slow"): "--lacks speed: not one of durability",
            (file, f"root={self.root}", "--lacks=durability"): "not NAME=VALUE",
            (file, f"root={self.root}", "--with=x"): "--with x: not NAME=pkg.mod.Class",
            (file, f"root={self.root}", "--egg=none.egg"): "--egg: there is no file none.egg",
            (file, f"root={self.root}", "--json=/no/such/file"): "/no/such/file: cannot be written",
        }
        for arguments, expected in cases.items():
            with self.subTest(arguments):
                status, _, error = self.check(*arguments)
                self.assertEqual(status, 2)
                self.assertIn(expected, error)
                self.assertEqual(error.count("\n"), 1)

    def test_an_interrupt_leaves_nothing(self) -> None:
        for wait in (0.3, 0.8, 1.3):
            with self.subTest(wait), self.start("fsstore.FileStorage", f"root={self.root}", "--repeat=50") as process:
                while not objects_in(self.root):
                    self.assertIsNone(process.poll(), "it ended by itself")
                    time.sleep(0.01)
                time.sleep(wait)
                os.killpg(process.pid, signal.SIGINT)
                _, error = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130, error)
                self.assertEqual(error.strip(), "check: interrupted; what was stored is deleted")
                self.assertEqual((self.files(), list(self.scratch.iterdir())), ([], []))
                with self.assertRaises(ProcessLookupError):
                    os.killpg(process.pid, 0)
            shutil.rmtree(self.root)
            self.root.mkdir()
