"""Programs of others: that they are there, and that they do not stay."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.guard import Guard, alive, left_behind
from tests.programs import filled, find
from tests.server import ROOT, environment

# "server" becomes a program that is up, and has a child.
SLEEPING = """
from tests.guard import Guard
server = Guard()
up = server.directory / "up"
server.start("sh", "-c", "sleep 1000 & touch up; wait", ready=up.exists)
"""
SKIPPED = """
import unittest
from tests.programs import needs

@needs("surely-not-installed")
class ThingTest(unittest.TestCase):
    def test_it(self):
        self.fail("it ran")

unittest.main()
"""


def python(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=60)


class GuardTest(unittest.TestCase):
    def assert_gone(self, said: str) -> None:
        pid, directory = said.split()
        self.assertFalse(alive(int(pid)))
        self.assertFalse(Path(directory).exists())

    def test_nothing_outlives_a_process_that_is_killed(self) -> None:
        self.assertEqual(left_behind(SLEEPING), [])

    def test_nothing_outlives_a_process_that_ends(self) -> None:
        for end in ("", "raise SystemExit(3)", "raise ValueError"):
            with self.subTest(end):
                program = f"{SLEEPING}\nprint(server.process.pid, server.directory, flush=True)\n{end}"
                self.assert_gone(python(program).stdout)

    def test_a_child_that_ends_first_takes_nothing_along(self) -> None:
        program = f"{SLEEPING}\nimport os\npid = os.fork()\nif not pid: raise SystemExit\nos.waitpid(pid, 0)\n"
        program += "print(server.process.poll(), up.exists(), server.directory)"
        said = python(program).stdout
        self.assertRegex(said, r"^None True /")
        self.assertFalse(Path(said.split()[2]).exists())

    def test_it_is_nobody_who_runs_the_program_for_root(self) -> None:
        guard = Guard()
        self.addCleanup(guard.stop)
        guard.start("sh", "-c", "id -u; touch up; sleep 1000", ready=(guard.directory / "up").exists)
        self.assertEqual(int(guard.log()), os.geteuid() or 65534)
        self.assertEqual((guard.directory / "up").stat().st_uid, os.geteuid() or 65534)

    def test_what_only_this_user_may_read_the_program_may_read(self) -> None:
        guard = Guard()
        self.addCleanup(guard.stop)
        with tempfile.TemporaryDirectory() as directory:  # of mode 0700
            program = (
                f"import os, time\nup = {directory + '/up'!r}\nprint(os.access({directory!r}, os.R_OK | os.X_OK))\n"
            )
            program += "os.mkdir(up)\ntime.sleep(1000)"
            guard.start(sys.executable, "-u", "-c", program, ready=Path(directory, "up").exists)
        self.assertEqual(guard.log(), "True\n")

    def test_a_program_that_does_not_start_tells_why(self) -> None:
        guard = Guard()
        self.addCleanup(guard.stop)
        with self.assertRaisesRegex(AssertionError, "sh did not start: no room"):
            guard.start("sh", "-c", "echo no room >&2; exit 1", ready=lambda: False)

    def test_a_program_can_be_started_again_in_its_directory(self) -> None:
        guard = Guard()
        self.addCleanup(guard.stop)
        for number in range(2):
            up = guard.directory / str(number)
            guard.start("sh", "-c", f"ls; touch {number}; sleep 1000", ready=up.exists)
            guard.end()
            self.assertFalse(alive(guard.process.pid))
        self.assertEqual(guard.log().split(), ["log", "0", "log"])


class ProgramsTest(unittest.TestCase):
    def test_what_is_missing_skips_tests_and_fails_where_it_is_required(self) -> None:
        self.assertRegex(python(SKIPPED, REQUIRE_SERVERS="").stderr, r"OK \(skipped=1\)")
        self.assertIn("it ran", python(SKIPPED, REQUIRE_SERVERS="1").stderr)

    def test_a_program_of_the_administrators_is_found(self) -> None:
        self.assertIsNotNone(find("ldconfig"))
        self.assertIsNone(find("surely-not-installed"))

    def test_an_examples_values_are_replaced_once(self) -> None:
        self.assertEqual(filled("a = /srv/a; b = /srv", {"/srv": "/srv/a/srv", "/srv/a": "x"}), "a = x; b = /srv/a/srv")
        with self.assertRaises(AssertionError):
            filled("a", {"b": "c"})
