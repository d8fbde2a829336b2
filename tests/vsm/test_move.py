"""``vsm move``: what it says, and a server that serves meanwhile."""

import contextlib
import io
import json
import random
import re
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import Any
from unittest import mock

from host import moving
from host.cloud import open_cloud
from host.settings import load
from tests.files import objects_in
from tests.host.cloud import CloudTest
from tests.host.threads import at_once, wait_until
from tests.server import PASSWORD, ServerTest, environment
from tests.vsm.test_serve import provision, request
from vsm.__main__ import main

MODULES = "/cdmi/system_configuration/vendor_modules"


class Terminal(io.StringIO):
    """What says that it is one."""

    def isatty(self) -> bool:
        return True


class MoveTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(moving, "_SETTLE", 0))
        (self.directory / "other").mkdir()
        self.configure("other", "fsstore.FileStorage", {"root": str(self.directory / "other")})

    def vsm(self, *options: str, error: io.StringIO | None = None) -> tuple[int, str, str]:
        """Run vsm move: its exit status, and what it said."""
        output, error = io.StringIO(), error or io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
            status = main(["move", "--data", str(self.directory), *options])
        return status, output.getvalue(), error.getvalue()

    def store_some(self) -> None:
        for number in range(3):
            self.store(f"/cdmi/o{number}", b"data")

    def test_a_module_is_drained(self) -> None:
        self.store_some()
        done = (
            "policy other from now on: administrator, alice\n3 moved, 12 bytes; 0 changed meanwhile; 0 failed; 0 left\n"
        )
        self.assertEqual(self.vsm("--module", "default", "--to", "other"), (0, done, ""))
        again = "0 moved, 0 bytes; 0 changed meanwhile; 0 failed; 0 left\n"
        self.assertEqual(self.vsm("--module", "default", "--to", "other"), (0, again, ""))
        self.bury()
        self.cloud.registry.remove("default")

    def test_a_dry_run_changes_nothing(self) -> None:
        self.store_some()
        said = "the policy would be changed of: alice\n3 objects would be moved, 12 bytes\n"
        self.assertEqual(self.vsm("--user", "alice", "--to", "other", "--dry-run"), (0, said, ""))
        self.assertEqual((self.account().policy, len(self.stored())), ("default", 3))

    def test_a_rewriting_says_how_to_go_on(self) -> None:
        self.store_some()
        status, said, _ = self.vsm("--module", "default", "--to", "default")
        self.assertRegex(said, r"\Ato go on after a break: --before \d+\n3 moved, .* 0 left\n\Z")
        before = re.findall(r"--before \d+", said)[0].split()
        status, said, _ = self.vsm("--module", "default", "--to", "default", *before)
        self.assertRegex(said, r"\n0 moved, .* 0 left\n\Z")
        self.assertEqual(status, 0)

    def test_what_cannot_be_moved_is_told_in_a_line_each(self) -> None:
        self.store_some()
        file = objects_in(self.objects)[0]
        file.unlink()
        status, said, error = self.vsm("--user", "alice", "--to", "other", "--jobs", "1")
        self.assertEqual(status, 1)
        self.assertIn("2 moved, 8 bytes; 0 changed meanwhile; 1 failed; 1 left\n", said)
        self.assertRegex(error, r"\Aalice /cdmi/o\d: cannot be read: FileNotFoundError: .*\n\Z")

    def test_where_nothing_works_it_says_so(self) -> None:
        self.store_some()
        for file in objects_in(self.objects):
            file.unlink()
        with mock.patch.object(moving, "_IN_A_ROW", 2):
            status, _, error = self.vsm("--user", "alice", "--to", "other", "--jobs", "1")
        self.assertEqual(status, 1)
        self.assertIn("vsm move: 2 objects in a row could not be moved", error)

    def test_a_terminal_gets_a_bar(self) -> None:
        self.store_some()
        drawn = self.vsm("--module", "default", "--to", "other", "--jobs", "1", error=Terminal())[2]
        bars = re.findall(r"\[(#*) *\] (\d)/3 objects", drawn)
        self.assertEqual(bars, [("#" * 10, "1"), ("#" * 20, "2"), ("#" * 30, "3")])
        self.assertTrue(drawn.endswith("\r\033[K"))

    def test_elsewhere_there_is_a_line_now_and_then(self) -> None:
        self.store_some()
        with mock.patch("vsm.move._SECONDS", -1):
            drawn = self.vsm("--module", "default", "--to", "other")[2]
        self.assertEqual(drawn.splitlines()[-1], "3/3 objects, 0.0/0.0 MB")

    def test_what_is_asked_wrongly_is_told(self) -> None:
        for options, expected in (
            (["--module", "nowhere", "--to", "other"], "vsm move: no storage module is configured as 'nowhere'"),
            (["--module", "default", "--to", "nowhere"], "vsm move: no storage module is configured as 'nowhere'"),
            (["--user", "nobody", "--to", "other"], "vsm move: no user 'nobody'"),
        ):
            self.assertEqual(self.vsm(*options), (1, "", f"{expected}\n"))
        for options in (
            ["--to", "other"],
            ["--module", "default", "--user", "alice", "--to", "other"],
            ["--module", "default", "--to", "other", "--rate", "fast"],
            ["--module", "default", "--to", "other", "--rate", "0"],
            ["--module", "default", "--to", "other", "--jobs", "0"],
        ):
            with self.assertRaises(SystemExit) as caught:
                self.vsm(*options)
            self.assertEqual(caught.exception.code, 2)


class ServedTest(ServerTest):
    """A real server, and the command beside it."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve()
        provision(self.server)
        self.other = self.directory / "other"
        self.other.mkdir()
        body = json.dumps({"module": "fsstore.FileStorage", "args": {"root": str(self.other)}}).encode()
        request(self.server, "PUT", f"{MODULES}/other", body, f"administrator:{PASSWORD}")
        self.content = {f"/cdmi/{number}": random.Random(number).randbytes(20_000) for number in range(30)}
        for path, content in self.content.items():
            request(self.server, "PUT", path, content)

    def move(self, *options: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "vsm",
            "move",
            "--data",
            str(self.data),
            "--module",
            "default",
            "--to",
            "other",
        ]
        return subprocess.Popen(
            [*command, *options],
            env=environment(),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def assert_moves(self) -> None:
        """Assert that a move, of whatever is left, ends well."""
        with self.move() as process:
            said = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, said)

    def assert_all_there(self) -> None:
        for path, content in self.content.items():
            self.assertEqual(request(self.server, "GET", path), content, path)

    def assert_clean(self) -> None:
        """Assert that after upkeep there is what the users have in the other module, and nothing else anywhere."""
        self.server.stop()
        cloud = open_cloud(load(self.data))
        try:
            with mock.patch("host.upkeep._SILENCE", -1):
                cloud.upkeep.reap(grace=0)
        finally:
            cloud.close()
        self.assertEqual(objects_in(self.data / "default"), [])
        kept = sorted(path.read_bytes() for path in objects_in(self.other))
        self.assertEqual(kept, sorted(self.content.values()))

    def test_what_is_killed_in_the_middle_goes_on(self) -> None:
        with self.move("--rate", "200K") as process:
            wait_until(lambda: len(objects_in(self.other)) > 3 or process.poll() is not None)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertLess(len(objects_in(self.other)), len(self.content))
        self.assert_all_there()
        self.assert_moves()
        self.assert_all_there()
        self.assert_clean()

    def test_an_interrupt_ends_it_in_order(self) -> None:
        with self.move("--rate", "200K") as process:
            wait_until(lambda: len(objects_in(self.other)) > 3 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            output, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, error), (130, "vsm move: interrupted: run it again to go on\n"), output)
        self.assertRegex(output, r"\n\d+ moved, \d+ bytes; 0 changed meanwhile; 0 failed; [1-9]\d* left\n\Z")
        self.assert_all_there()
        self.assert_moves()
        self.assert_clean()

    def test_users_write_and_remove_meanwhile(self) -> None:
        is_over = threading.Event()
        mine: list[dict[str, bytes]] = [
            {path: content for number, (path, content) in enumerate(self.content.items()) if number % 3 == each}
            for each in range(3)
        ]

        def write(each: int) -> None:
            chance = random.Random(each)
            while not is_over.is_set():
                path = chance.choice(sorted(mine[each]))
                if chance.random() < 0.2 and len(mine[each]) > 3:
                    request(self.server, "DELETE", path)
                    del mine[each][path]
                    continue
                content = chance.randbytes(20_000)
                request(self.server, "PUT", path, content)
                self.assertEqual(request(self.server, "GET", path), content)
                mine[each][path] = content

        def move() -> Any:
            try:
                with self.move("--rate", "400K") as process:
                    return process.communicate(timeout=120)
            finally:
                is_over.set()

        *written, said = at_once(*[partial(write, each) for each in range(3)], move)
        self.assertEqual(written, [None] * 3)
        self.assertIn("; 0 failed; ", said[0], said)
        self.content = {path: content for each in mine for path, content in each.items()}
        self.assert_moves()
        self.assert_all_there()
        self.assert_clean()
