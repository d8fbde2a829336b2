"""The three logs."""

import contextlib
import errno
import io
import json
import logging
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from host.loader import secrets_in
from host.logs import ACCESS, AUDIT, Lines, access_line, audit_line, configure
from host.settings import load
from tests.host.threads import at_once

SECRET = "p\"a'ss\nwörd"
#: What a server can hand over, and what JSON can hold.
TEXTS = st.text(st.characters(codec=None))
#: The combined format, of which no field has a blank but those in quotes.
LINE = re.compile(
    r'(\S+) - (\S+) \[([^\]]+)\] ("(?:[^"\\]|\\.)*") (\S+) (\d+) "-" ("(?:[^"\\]|\\.)*") (\S+) (\d+\.\d{3})'
)


class AccessLineTest(unittest.TestCase):
    def test_the_line_of_a_request(self) -> None:
        line = access_line("0a1b", "1.2.3.4", "alice", "GET /cdmi/a HTTP/1.1", "200", 5, 0.0123, "curl/8")
        match = LINE.fullmatch(line)
        assert match is not None
        self.assertEqual(match.group(1, 2, 4), ("1.2.3.4", "alice", '"GET /cdmi/a HTTP/1.1"'))
        self.assertEqual(match.group(5, 6, 7, 8, 9), ("200", "5", '"curl/8"', "0a1b", "0.012"))
        self.assertRegex(match.group(3), r"^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$")

    def test_what_is_not_known_is_a_dash(self) -> None:
        match = LINE.fullmatch(access_line("0a1b", "", "", "GET / HTTP/1.1", "-", 0, 0.0, ""))
        assert match is not None
        self.assertEqual(match.group(1, 2, 7), ("-", "-", '"-"'))

    @given(TEXTS, TEXTS, TEXTS, TEXTS)
    def test_no_client_can_split_or_forge_it(self, address: str, account: str, request: str, agent: str) -> None:
        for text in ("", '" 200 1 "-" "x', "\n", "\r\n1.2.3.4 - bob", "\x85\u2028\x0b\x1c"):
            line = access_line("0a1b", address + text, account + text, request + text, "404", 7, 1.5, agent + text)
            match = LINE.fullmatch(line)
            assert match is not None, line
            self.assertEqual(len(line.splitlines()), 1)
            self.assertTrue(line.isascii())
            self.assertEqual(match.group(5, 6, 8, 9), ("404", "7", "0a1b", "1.500"))
            self.assertEqual(json.loads(match.group(4)), request + text)
            self.assertEqual(json.loads(f'"{match.group(1)}"'), address + text or "-")
            self.assertEqual(json.loads(f'"{match.group(2)}"'), account + text or "-")


class AuditLineTest(unittest.TestCase):
    def test_an_act_is_one_json_object(self) -> None:
        line = audit_line("0a1b", "1.2.3.4", "root", "PUT /cdmi/x", 204, module="a.B", locations={"": "3 values"})
        fields = json.loads(line)
        self.assertRegex(fields.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        expected = {"id": "0a1b", "account": "root", "address": "1.2.3.4", "act": "PUT /cdmi/x", "status": 204}
        self.assertEqual(fields, {**expected, "module": "a.B", "locations": {"": "3 values"}})

    @given(st.dictionaries(TEXTS, TEXTS))
    def test_it_is_one_line_whatever_a_client_says(self, more: dict[str, str]) -> None:
        line = audit_line("0a1b", "1.2.3.4", "root", "PUT /cdmi/x", 400, **more)
        self.assertEqual(len(line.splitlines()), 1)
        self.assertLessEqual(more.keys(), json.loads(line).keys())

    def test_no_client_can_say_what_the_host_says(self) -> None:
        names = ("identity", "address", "account", "act", "status", "id", "time")
        fields = json.loads(audit_line("0a1b", "1.2.3.4", "root", "PUT /cdmi/x", 400, **dict.fromkeys(names, "forged")))
        self.assertEqual((fields["id"], fields["address"], fields["account"]), ("0a1b", "1.2.3.4", "root"))
        self.assertEqual((fields["act"], fields["status"]), ("PUT /cdmi/x", 400))
        self.assertNotEqual(fields["time"], "forged")


class ConfigureTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        root = logging.getLogger()
        self.addCleanup(setattr, root, "handlers", root.handlers[:])
        for lines in (ACCESS, AUDIT):
            self.addCleanup(lines.close)

    def configure(self, text: str = "") -> io.StringIO:
        """Configure the logs by a file of settings, and return what goes to the standard error."""
        (self.directory / "cloud.toml").write_text(text, "utf-8")
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            configure(load(self.directory), lambda: list(secrets_in({"password": SECRET, "root": "/srv"})))
        return said

    def test_secrets_are_masked_in_whatever_form_and_in_tracebacks(self) -> None:
        said = self.configure()

        def login(password: str) -> None:
            raise OSError(f"refused: {password}, {password!r}, {json.dumps(password)}")

        try:
            login(SECRET)
        except OSError:
            logging.getLogger("vendor").exception("at /srv with %s and %r", SECRET, {"password": SECRET})
        text = said.getvalue()
        self.assertIn("Traceback", text)
        self.assertIn("at /srv with *** and {'password': ***}", text)
        self.assertIn("OSError: refused: ***, ***, ***", text)
        for form in (SECRET, repr(SECRET), json.dumps(SECRET), "wörd", "w\\u00f6rd"):
            self.assertNotIn(form, text)

    def test_each_log_has_its_file(self) -> None:
        said = self.configure('audit_log = "deep.log"')
        ACCESS.write("a request: ä\udcff")
        AUDIT.write("an act")
        self.assertEqual((self.directory / "access.log").read_text("utf-8"), "a request: ä\\udcff\n")
        self.assertEqual((self.directory / "deep.log").read_text("utf-8"), "an act\n")
        self.assertEqual(said.getvalue(), "")

    def test_the_standard_error_and_nothing(self) -> None:
        with tempfile.TemporaryFile() as said:
            kept = os.dup(2)
            self.addCleanup(os.close, kept)
            os.dup2(said.fileno(), 2)
            try:
                self.configure('access_log = "-"\naudit_log = ""')
            finally:
                os.dup2(kept, 2)
            ACCESS.write("a request")
            AUDIT.write("an act")
            said.seek(0)
            self.assertEqual(said.read(), b"a request\n")
        self.assertEqual((ACCESS.is_on, AUDIT.is_on), (True, False))
        self.assertEqual([path.name for path in self.directory.iterdir()], ["cloud.toml"])

    def test_a_log_that_cannot_be_written_is_an_error_at_once(self) -> None:
        with self.assertRaises(OSError):
            self.configure('access_log = "no/such/access.log"')


class LinesTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.lines = Lines()
        self.addCleanup(self.lines.close)

    def open(self, name: str = "log") -> Path:
        self.lines.open(self.directory, name)
        return self.directory / name

    def test_it_is_off_until_it_is_opened_and_when_it_is_closed(self) -> None:
        self.assertFalse(self.lines.is_on)
        self.lines.write("lost")
        path = self.open()
        self.assertTrue(self.lines.is_on)
        self.lines.write("kept")
        self.lines.close()
        self.lines.write("lost")
        self.assertEqual((self.lines.is_on, path.read_text()), (False, "kept\n"))

    def test_what_is_there_stays(self) -> None:
        (self.directory / "log").write_text("old\n")
        path = self.open()
        self.lines.write("new")
        self.assertEqual(path.read_text(), "old\nnew\n")

    def test_a_file_that_was_moved_or_removed_is_begun_anew_within_a_second(self) -> None:
        path = self.open()
        with mock.patch("time.monotonic", return_value=100.0) as clock:
            self.lines.write("first")
            path.rename(path.with_suffix(".1"))
            clock.return_value = 100.9
            self.lines.write("second")
            self.assertFalse(path.exists())
            clock.return_value = 101.0
            self.lines.write("third")
            path.unlink()
            clock.return_value = 102.0
            self.lines.write("fourth")
        self.assertEqual(path.with_suffix(".1").read_text(), "first\nsecond\n")
        self.assertEqual(path.read_text(), "fourth\n")

    def test_no_thread_loses_a_line_while_it_is_moved(self) -> None:
        path = self.open()

        def write(thread: int) -> None:
            for number in range(100):
                self.lines.write(f"{thread} {number}")

        def move() -> None:
            for number in range(20):
                with contextlib.suppress(FileNotFoundError):
                    path.rename(path.with_suffix(f".{number}"))

        with mock.patch("host.logs._PAUSE", 0.0):
            at_once(*[lambda n=n: write(n) for n in range(6)], move)
        found = [line for file in self.directory.iterdir() for line in file.read_text().splitlines()]
        self.assertEqual(sorted(found), sorted(f"{thread} {number}" for thread in range(6) for number in range(100)))

    def test_an_error_fails_nobody_and_is_told_once_a_second(self) -> None:
        self.open()
        full = OSError(errno.ENOSPC, "No space left")
        with (
            mock.patch("time.monotonic", return_value=100.0) as clock,
            mock.patch("os.write", side_effect=full),
            self.assertLogs("host.logs", "ERROR") as log,
        ):
            for clock.return_value in (100.0, 100.5, 100.9, 101.0):
                self.lines.write("lost")
        self.assertEqual(len(log.output), 2)
        self.assertIn("No space left", log.output[0])

    def test_where_no_new_file_can_be_begun_the_old_one_goes_on(self) -> None:
        (self.directory / "sub").mkdir()
        path = self.open("sub/log")
        path.parent.rename(self.directory / "moved")
        with self.assertLogs("host.logs", "ERROR"):
            self.lines.write("a line")
        self.assertEqual((self.directory / "moved/log").read_text(), "a line\n")

    def test_no_other_program_gets_the_file(self) -> None:
        path = self.open()
        with mock.patch("host.logs._PAUSE", 0.0):
            self.lines.write("first")
            path.unlink()
            self.lines.write("second")
        self.assertFalse(os.get_inheritable(self.lines._descriptor))
