"""``python -m fsstore``, as an administrator runs it."""

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, command
from fsstore.__main__ import main
from tests.files import CONTEXT

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = [sys.executable, "-m", "fsstore"]


class CommandCase(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name, "storage")
        self.root.mkdir()
        self.state = Path(directory.name, "state")
        self.run_main("init", self.root)

    def run_main(self, *arguments: object) -> tuple[int, str, str]:
        """Run it in this process, and return its status, and what it said on both streams."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main([str(argument) for argument in arguments])
            except SystemExit as ended:
                status = int(str(ended.code))
        return status, out.getvalue(), err.getvalue()

    def survey(self, *arguments: object) -> tuple[int, str, str]:
        return self.run_main("survey", self.root, *arguments)

    def report(self, *arguments: object) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.survey("--json", *arguments)[1])
        return made

    def store(self, data: bytes = b"data") -> Path:
        storage = FileStorage(root=str(self.root), durability="none", reserve=0)
        module_data = storage.new_data(CONTEXT)
        storage.assign(CONTEXT, module_data, io.BytesIO(data))
        return Path(self.root, json.loads(module_data)["path"])

    def spoil(self, count: int = 1) -> Path:
        for _ in range(count):
            path = self.store(b"x" * 5000)
            path.chmod(0o644)
            path.write_bytes(b"y" * 5000)
        return path


class InitTest(CommandCase):
    def test_it_makes_a_storage_once(self) -> None:
        status, said, _ = self.run_main("init", self.root)
        self.assertEqual(status, 0)
        self.assertIn(json.loads(self.root.joinpath("fsstore.json").read_text())["identity"], said)
        self.assertEqual(self.run_main("init", self.root), (0, said, ""))

    def test_a_directory_with_something_else_is_refused(self) -> None:
        self.root.joinpath("fsstore.json").unlink()
        self.root.joinpath("other").touch()
        status, said, complained = self.run_main("init", self.root)
        self.assertEqual((status, said), (2, ""))
        self.assertRegex(complained, r"^python -m fsstore init: .*name an empty directory\n$")

    @unittest.skipIf(os.geteuid(), "needs root")
    def test_root_makes_nothing_for_somebody_else(self) -> None:
        path = self.root.with_name("theirs")
        path.mkdir()
        os.chown(path, 12345, 12345)
        status, _, complained = self.run_main("init", path)
        self.assertEqual(status, 2)
        self.assertIn("sudo -u '#12345'", complained)
        self.assertEqual(os.listdir(path), [])


class SurveyTest(CommandCase):
    def test_all_is_well(self) -> None:
        self.store()
        status, said, complained = self.survey()
        self.assertEqual((status, complained), (0, ""))
        self.assertIn("1 objects, 4 bytes, in 1 directories", said)
        self.assertIn("wrong: 0", said)

    def test_something_is_wrong(self) -> None:
        path = self.spoil()
        status, said, complained = self.survey()
        self.assertEqual((status, complained), (1, ""))
        self.assertIn(f"corrupt     {path.relative_to(self.root)}: its crc32", said)

    def test_what_is_mended_is_well_unless_an_object_is_corrupt(self) -> None:
        self.store().with_name(f".{'0' * 32}.new").touch()
        self.assertEqual(self.survey("--mend")[0], 0)
        self.assertEqual(self.survey("--grace", "0")[0], 1)
        self.assertEqual(self.survey("--mend", "--grace", "0")[0], 0)
        self.spoil()
        self.assertEqual(self.survey("--mend")[0], 1)
        status, said, _ = self.survey()
        self.assertEqual(status, 0)
        self.assertIn("in quarantine: 1 objects", said)

    def test_one_json_object(self) -> None:
        path = self.spoil()
        report = self.report("--mend")
        self.assertEqual((report["root"], report["is_complete"]), (str(self.root), True))
        self.assertEqual((report["objects"], report["corrupt"], report["quarantined"]), (1, 1, 1))
        self.assertEqual(report["found"][0]["path"], str(path.relative_to(self.root)))

    def test_without_reading(self) -> None:
        self.spoil()
        self.assertEqual(self.report("--no-scrub")["corrupt"], 0)
        self.assertEqual(self.report()["corrupt"], 1)

    def test_what_cannot_run_says_so_in_a_line(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for path in (directory, f"{directory}/missing", __file__):
                status, said, complained = self.run_main("survey", path)
                self.assertEqual((status, said), (2, ""))
                self.assertRegex(complained, rf"^python -m fsstore survey: {path}: .*\n$")
        for wrong in (["--rate", "0"], ["--rate", "fast"], ["--grace", "1w"], ["--share", "101"], ["--other"]):
            status, _, complained = self.survey(*wrong)
            self.assertEqual(status, 2)
            self.assertIn(wrong[0], complained)

    def test_a_name_does_nothing_to_the_terminal(self) -> None:
        self.root.joinpath("\x1b[2J\udcff").touch()
        said = self.survey()[1]
        self.assertIn(r"\x1b[2J\udcff", said)
        self.assertNotIn("\x1b", said)

    def test_it_stops_and_does_not_ask_where_nobody_is(self) -> None:
        self.spoil(12)
        status, said, complained = self.survey("--mend")
        self.assertEqual(status, 3)
        self.assertIn("12 things look wrong, 100% of all", complained)
        self.assertIn("mended: 0", said)
        self.assertEqual(self.survey("--mend", "--share", "100%")[0], 1)
        self.spoil(12)
        self.assertEqual(self.survey("--mend", "--yes", "--state", self.state)[0], 1)
        self.assertFalse(self.state.exists())

    def test_after_a_stop_yes_goes_on(self) -> None:
        self.spoil(12)
        self.assertEqual(self.survey("--mend", "--state", self.state)[0], 3)
        self.assertTrue(self.state.exists())
        report = self.report("--mend", "--state", self.state, "--yes")
        self.assertEqual((report["objects"], report["corrupt"], report["mended"]), (12, 12, 12))
        self.assertFalse(self.state.exists())

    def test_a_state_file_that_is_none_is_refused(self) -> None:
        for text in ("", "[]", "{}", "[" * 100_000):
            self.state.write_text(text)
            status, said, complained = self.survey("--state", self.state)
            self.assertEqual((status, said, complained.count("\n")), (2, "", 1))
            self.assertEqual(self.state.read_text(), text)
        self.assertEqual(self.survey("--state", self.state / "in/nowhere")[0], 2)

    def test_the_state_is_written_now_and_then(self) -> None:
        self.store()
        with mock.patch.object(command, "_SAVED", 0.0), mock.patch.object(Path, "unlink"):
            self.assertEqual(self.survey("--state", self.state)[0], 0)
        self.assertEqual(json.loads(self.state.read_text())["report"]["objects"], 1)
        self.assertEqual(sorted(os.listdir(self.state.parent)), ["state", "storage"])


class QuarantineTest(CommandCase):
    def test_listed_and_restored(self) -> None:
        path = self.spoil()
        self.assertEqual(self.run_main("quarantine", self.root), (0, "", ""))
        self.survey("--mend")
        self.assertFalse(path.exists())
        status, said, _ = self.run_main("quarantine", self.root)
        entry, when, where, reason = said.strip().split("  ")
        self.assertEqual((status, where), (0, str(path.relative_to(self.root))))
        self.assertRegex(when, "^20..-..-..T")
        self.assertIn("its crc32 is", reason)
        self.assertEqual(self.run_main("restore", self.root, entry), (0, f"{path}: restored\n", ""))
        self.assertEqual(path.read_bytes(), b"y" * 5000)
        self.assertEqual(self.run_main("quarantine", self.root), (0, "", ""))

    def test_what_is_not_there_cannot_be_restored(self) -> None:
        for entry in ("nothing", "../fsstore", f"{'0' * 32}-{'0' * 8}"):
            status, said, complained = self.run_main("restore", self.root, entry)
            self.assertEqual((status, said, complained.count("\n")), (2, "", 1))
            self.assertIn(f"{entry}: no entry of the quarantine", complained)


class SignalTest(CommandCase):
    def start(self, *arguments: object, **others: Any) -> "subprocess.Popen[str]":
        made = subprocess.Popen(
            [*COMMAND, "survey", str(self.root), *map(str, arguments)], cwd=ROOT, text=True, **others
        )
        self.addCleanup(made.wait)
        self.addCleanup(made.kill)
        return made

    def interrupt(self, number: signal.Signals, *arguments: object) -> tuple[int, str, str]:
        with self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as made:
            while signal.SIGINT not in self.caught(made.pid):
                time.sleep(0.01)
            time.sleep(0.3)
            made.send_signal(number)
            out, err = made.communicate(timeout=30)
        return made.returncode, out, err

    def caught(self, process: int) -> set[int]:
        """Return the signals that the survey's own handlers catch: Python's for SIGINT comes without SIGTERM's."""
        [line] = [one for one in Path(f"/proc/{process}/status").read_text().splitlines() if one.startswith("SigCgt")]
        mask = int(line.split()[1], 16)
        numbers = {number for number in range(1, 65) if mask >> (number - 1) & 1}
        return numbers if signal.SIGTERM in numbers else set()

    def test_it_goes_on_where_it_was_stopped(self) -> None:
        for _ in range(100):
            self.store(b"x" * 10_000)
        self.spoil()
        whole = self.report()
        for number in (signal.SIGINT, signal.SIGTERM):
            status, out, err = self.interrupt(number, "--rate", "0.5", "--json", "--state", self.state)
            self.assertEqual((status, err.count("\n")), (130, 1), err)
            self.assertIn("goes on", err)
            part = json.loads(out)
            self.assertTrue(0 < part["objects"] < 101, part["objects"])
            self.assertFalse(part["is_complete"])
            self.assertTrue(self.state.exists())
        self.assertEqual(self.report("--state", self.state), whole)
        self.assertFalse(self.state.exists())

    def test_without_a_state_it_says_that_it_ends(self) -> None:
        self.store(b"x" * 1_000_000)
        self.store(b"x" * 1_000_000)
        status, _, err = self.interrupt(signal.SIGINT, "--rate", "0.1")
        self.assertEqual((status, err), (130, "python -m fsstore survey: ended by a signal\n"))

    def on_terminal(self, answer: bytes, *arguments: object) -> tuple[int, str, str]:
        """Run it on a terminal, and return its status, what it printed, and what the terminal showed."""
        outer, inner = pty.openpty()
        with self.start(*arguments, stdin=inner, stderr=inner, stdout=subprocess.PIPE) as made:
            os.close(inner)
            os.write(outer, answer)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
                while block := os.read(outer, 4096):
                    shown += block
            out, _ = made.communicate(timeout=30)
        os.close(outer)
        return made.returncode, out, shown.decode()

    def test_a_bar_is_shown_on_a_terminal(self) -> None:
        for _ in range(4):
            self.store(b"x" * 100_000)
        status, out, shown = self.on_terminal(b"", "--rate", "0.4")
        self.assertEqual(status, 0)
        self.assertRegex(shown, r"\r\[#*\.*\] +[0-9]+%  [0-9] objects  .*/s  0 wrong")
        self.assertNotIn("[#", out)

    def test_it_asks_on_a_terminal(self) -> None:
        self.spoil(12)
        status, out, shown = self.on_terminal(b"n\n", "--mend")
        self.assertEqual(status, 3)
        self.assertIn("Go on? [y/N]", shown)
        self.assertIn("mended: 0", out)
        status, out, _ = self.on_terminal(b"y\n", "--mend")
        self.assertEqual(status, 1)
        self.assertIn("mended: 12", out)


class MainTest(unittest.TestCase):
    def test_it_helps(self) -> None:
        done = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
        for word in ("init", "survey", "quarantine", "restore"):
            self.assertIn(word, done.stdout)
