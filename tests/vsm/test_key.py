"""vsm key, as people run it."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.server import ROOT, environment


class KeyTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "keyring")

    def key(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command to its end: its exit status, output and standard error."""
        command = [sys.executable, "-m", "vsm", "key", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=100)
        if self.path.is_file():
            for key in json.loads(self.path.read_text())["keys"]:
                self.assertNotIn(key["key"], done.stdout + done.stderr)
        return done.returncode, done.stdout, done.stderr

    def test_a_keyring_from_its_first_key_to_a_retired_one(self) -> None:
        status, output, _ = self.key("new", str(self.path))
        self.assertEqual(status, 0)
        self.assertRegex(output, f"^{self.path}: made key [0-9a-f]{{16}}, the newest of 1: back the file up")
        self.assertEqual(self.key("new", str(self.path))[0], 0)
        first, second = (key["id"] for key in json.loads(self.path.read_text())["keys"])
        status, output, _ = self.key("retire", str(self.path), first)
        self.assertEqual((status, output), (0, f"{self.path}: retired key {first}; new objects get key {second}\n"))
        status, output, _ = self.key("list", str(self.path))
        self.assertEqual(status, 0)
        lines = output.splitlines()
        time = "[0-9-]{10}T[0-9:]{8}Z"
        self.assertRegex(lines[0], f"^{first}  {time}  retired$")
        self.assertRegex(lines[1], f"^{second}  {time}  active, newest$")

    def test_what_cannot_be_done_is_told_in_one_line(self) -> None:
        self.key("new", str(self.path))
        only = json.loads(self.path.read_text())["keys"][0]["id"]
        for arguments, expected in (
            (("list", f"{self.path}.none"), "No such file"),
            (("new", f"{self.path}/none/keyring"), "Not a directory"),
            (("retire", str(self.path), "other"), "there is no key other"),
            (("retire", str(self.path), only), "there is no other key than"),
            (("retire", str(self.path)), "retire wants the ID"),
            (("list", str(self.path), "x"), "retire wants the ID"),
            (("retire", str(self.path), "a b"), "that is no id"),
        ):
            with self.subTest(arguments):
                status, output, error = self.key(*arguments)
                self.assertEqual((status, output, error.count("\n")), (1, "", 1))
                self.assertTrue(error.startswith("vsm key: "), error)
                self.assertIn(expected, error)
        self.assertEqual(self.key("burn", str(self.path))[0], 2)
