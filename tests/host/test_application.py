"""The outermost door."""

import io
import json
import logging
import re
import sqlite3
from unittest import mock

from falcon import HTTPInvalidHeader, testing
from sqlalchemy.exc import OperationalError

from host.application import create
from host.logs import ACCESS, AUDIT, configure
from tests.host.cloud import MEMBERS, MODULES, CloudTest


class DoorTest(CloudTest):
    def test_without_credentials_there_is_a_challenge(self) -> None:
        for user in ("alice:wrong", "nobody:wonder", ":"):
            refused = self.call("GET", "/cdmi/", user=user)
            self.assert_refused(refused, 401)
            self.assertEqual(refused.headers["www-authenticate"], 'Basic realm="cdmi"')
        self.assert_refused(self.client.simulate_get("/cdmi/"), 401)
        self.assert_refused(self.client.simulate_get("/cdmi/", headers={"Authorization": "Basic ?"}), 401)

    def test_nothing_unhandled_becomes_a_traceback(self) -> None:
        with (
            mock.patch.object(self.cloud.names, "find", side_effect=ZeroDivisionError("secret")),
            self.assertLogs("host.application", "ERROR") as log,
        ):
            refused = self.call("GET", "/cdmi/o")
        self.assert_refused(refused, 500)
        self.assertNotIn("secret", refused.text)
        self.assertIn("ZeroDivisionError", log.output[0])

    def test_what_the_framework_refuses_is_json_too(self) -> None:
        with mock.patch.object(self.cloud.names, "find", side_effect=HTTPInvalidHeader("malformed", "Content-Length")):
            self.assert_refused(self.call("GET", "/cdmi/o"), 400, "Content-Length")

    def test_a_path_makes_no_line_of_its_own_in_the_log(self) -> None:
        with mock.patch.object(self.cloud.names, "find", side_effect=OSError), self.assertLogs() as log:
            self.call("GET", "/cdmi/x%0A2026 all is well")
        self.assertIn("x\\n2026", log.output[0])

    def test_a_catalogue_that_is_full_or_busy_is_told_apart(self) -> None:
        for code, status in ((sqlite3.SQLITE_FULL, 507), (sqlite3.SQLITE_BUSY, 503), (sqlite3.SQLITE_CORRUPT, 500)):
            cause = sqlite3.OperationalError("secret path")
            cause.sqlite_errorcode = code
            error = OperationalError("INSERT", {}, cause)
            with mock.patch.object(self.cloud.names, "find", side_effect=error), self.assertLogs() as log:
                refused = self.call("GET", "/cdmi/o")
            self.assert_refused(refused, status)
            self.assertNotIn("secret", refused.text)
            self.assertIn("secret path", log.output[0])

    def test_passwords_are_never_logged(self) -> None:
        with mock.patch.object(self.cloud.names, "find", side_effect=OSError), self.assertLogs() as log:
            self.call("GET", "/cdmi/o")
        self.assertNotIn("wonder", "".join(log.output))

    def test_only_a_204_has_no_type(self) -> None:
        self.assertEqual(self.put("/cdmi/o").headers["content-type"], "text/plain")
        self.assertNotIn("content-type", self.put("/cdmi/o").headers)

    def test_every_answer_has_an_id_and_an_error_the_same(self) -> None:
        self.assertRegex(self.call("GET", "/cdmi/").headers["x-request-id"], "^[0-9a-f]{16}$")
        refused = self.call("GET", "/cdmi/none")
        self.assertEqual(refused.headers["x-request-id"], refused.json["id"])

    def test_limits(self) -> None:
        self.assert_refused(self.call("GET", "/cdmi/" + "x" * 9000), 414)
        self.assert_refused(self.call("GET", "/cdmi/" + "x" * 1025), 414)
        self.assertEqual(self.put("/cdmi/" + "x" * 1024).status_code, 201)
        self.assert_refused(self.call("GET", "/cdmi/", headers={f"X-{n}": "x" * 7000 for n in range(10)}), 431)

    def test_the_limit_of_an_object(self) -> None:
        self.restart("[limits]\nobject = 10")
        for kind in ("text/plain", "text/plain; charset=utf-8"):
            self.assert_refused(self.put("/cdmi/o", bytes(11), Content_Type=kind), 413)
        self.assert_refused(self.cdmi("PUT", "/cdmi/o", {"value": "x" * 11}), 413)
        self.assert_refused(self.put("/cdmi/o", b"x", Content_Range="bytes 10-10/*"), 413)
        self.assertEqual(self.put("/cdmi/o", bytes(10)).status_code, 201)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [bytes(10)])

    def restart(self, settings: str) -> None:
        """Serve the cloud anew, with settings."""
        (self.directory / "cloud.toml").write_text(settings)
        self.cloud = self.open()
        self.client = testing.TestClient(create(self.cloud))


class LogTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        root = list(logging.getLogger().handlers)
        configure(self.cloud.settings, self.cloud.loader.secrets)
        self.addCleanup(setattr, logging.getLogger(), "handlers", root)
        for log in (ACCESS, AUDIT):
            self.addCleanup(log.close)

    def lines(self, name: str) -> list[str]:
        return (self.directory / name).read_text().splitlines()

    def test_each_request_is_one_line_of_the_access_log(self) -> None:
        made = self.put("/cdmi/o", b"0123456789", User_Agent='a "browser"\r\nInjected: x')
        self.call("GET", "/cdmi/o%0Ax?q=1%0A")
        self.call("GET", "/cdmi/o", user="alice:wrong")
        self.call("GET", "/cdmi/o", headers={"Range": "bytes=2-4"})
        lines = self.lines("access.log")
        self.assertEqual(len(lines), 4)
        request = r'"(\w+) [^"]*" (\d+) (\d+) "-" "(?:[^"\\]|\\.)*"'
        pattern = rf"^127\.0\.0\.1 - (\S+) \[[^]]+\] {request} ([0-9a-f]{{16}}) \d+\.\d{{3}}$"
        found = [re.match(pattern, line) for line in lines]
        told = [match.groups() for match in found if match is not None]
        self.assertEqual(told[0][:4], ("alice", "PUT", "201", "0"))
        self.assertEqual(told[0][4], made.headers["x-request-id"])
        self.assertEqual([each[0] for each in told], ["alice", "alice", "-", "alice"])
        self.assertEqual(told[3][2:4], ("206", "3"))
        self.assertNotIn("wonder", "".join(lines))

    def test_each_act_of_an_administrator_is_one_json_line_of_the_audit_log(self) -> None:
        module = {"module": "tests.host.vendor.Memory", "args": {"api_key": "hunter2"}}
        answers = [
            self.admin("PUT", f"{MODULES}/new", module),
            self.admin("PUT", f"{MODULES}/list", module | {"args": ["a", 1, "hunter2"]}),
            self.admin("PUT", f"{MODULES}/bad", {"module": "no.such.Module"}),
            self.admin("PUT", f"{MEMBERS}/bob", {"password": "hunter2", "policy": "new"}),
            self.call("PUT", f"{MEMBERS}/eve", {"password": "hunter2", "policy": "new"}),
            self.admin("DELETE", f"{MEMBERS}/bob"),
        ]
        self.admin("GET", f"{MEMBERS}/")
        lines = [json.loads(line) for line in self.lines("audit.log")]
        self.assertEqual([line["id"] for line in lines], [answer.headers["x-request-id"] for answer in answers])
        self.assertEqual([line["status"] for line in lines], [204, 204, 400, 201, 403, 204])
        self.assertEqual({line["account"] for line in lines}, {"administrator", "alice"})
        self.assertEqual(lines[0]["act"], f"PUT {MODULES}/new")
        self.assertEqual(lines[0]["locations"], {"": {"api_key": "***"}})
        self.assertIn("no.such.Module", lines[2]["error"])
        self.assertEqual(lines[3]["password"], "***")
        self.assertNotIn("hunter2", "".join(self.lines("audit.log")))

    def test_logs_that_are_moved_away_are_begun_anew(self) -> None:
        with mock.patch("host.logs._PAUSE", 0.0):
            self.call("GET", "/cdmi/")
            (self.directory / "access.log").rename(self.directory / "access.log.1")
            self.call("GET", "/cdmi/")
        self.assertEqual((len(self.lines("access.log")), len(self.lines("access.log.1"))), (1, 1))

    def test_what_a_module_says_is_logged_without_its_secrets(self) -> None:
        self.configure("new", "tests.host.vendor.Memory", {"api_key": "hunter2"})
        self.cloud.accounts.put("alice", policy="new")
        error = OSError("cannot log in with hunter2")
        said = io.StringIO()
        handler = logging.getLogger().handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(said)
        with mock.patch("tests.host.vendor.Memory.assign", side_effect=error):
            self.assert_refused(self.put("/cdmi/o"), 500)
        self.assertIn("OSError: cannot log in with ***", said.getvalue())
        self.assertNotIn("hunter2", said.getvalue())
