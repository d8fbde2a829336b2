"""The three logs."""

import contextlib
import io
import json
import logging
import re
import tempfile
import unittest
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from host.loader import secrets_in
from host.logs import ACCESS, AUDIT, access_line, audit_line, configure
from host.settings import load

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
        for logger in (logging.getLogger(), ACCESS, AUDIT):
            self.addCleanup(self._restore, logger, logger.handlers[:], logger.level, logger.propagate)

    @staticmethod
    def _restore(logger: logging.Logger, handlers: list[logging.Handler], level: int, propagate: bool) -> None:
        for handler in logger.handlers:
            if handler not in handlers:
                handler.close()
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)

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
        ACCESS.info("a request: ä\udcff")
        AUDIT.info("an act")
        self.assertEqual((self.directory / "access.log").read_text("utf-8"), "a request: ä\\udcff\n")
        self.assertEqual((self.directory / "deep.log").read_text("utf-8"), "an act\n")
        self.assertEqual(said.getvalue(), "")

    def test_a_file_that_was_moved_away_is_opened_anew(self) -> None:
        self.configure()
        ACCESS.info("old")
        (self.directory / "access.log").rename(self.directory / "access.log.1")
        ACCESS.info("new")
        self.assertEqual((self.directory / "access.log.1").read_text("utf-8"), "old\n")
        self.assertEqual((self.directory / "access.log").read_text("utf-8"), "new\n")

    def test_the_standard_error_and_nothing(self) -> None:
        said = self.configure('access_log = "-"\naudit_log = ""')
        ACCESS.info("a request")
        AUDIT.info("an act")
        self.assertEqual(said.getvalue(), "a request\n")
        self.assertFalse(AUDIT.isEnabledFor(logging.INFO))
        self.assertEqual([path.name for path in self.directory.iterdir()], ["cloud.toml"])

    def test_a_log_that_cannot_be_written_is_an_error_at_once(self) -> None:
        with self.assertRaises(OSError):
            self.configure('access_log = "no/such/access.log"')
