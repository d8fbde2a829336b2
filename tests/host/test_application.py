"""The outermost door."""

import sqlite3
from unittest import mock

from falcon import HTTPInvalidHeader
from sqlalchemy.exc import OperationalError

from tests.host.cloud import CloudTest


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
            mock.patch.object(self.cloud.tree, "_walk", side_effect=ZeroDivisionError("secret")),
            self.assertLogs("host.application", "ERROR") as log,
        ):
            refused = self.call("GET", "/cdmi/o")
        self.assert_refused(refused, 500)
        self.assertNotIn("secret", refused.text)
        self.assertIn("ZeroDivisionError", log.output[0])

    def test_what_the_framework_refuses_is_json_too(self) -> None:
        with mock.patch.object(self.cloud.tree, "_walk", side_effect=HTTPInvalidHeader("malformed", "Content-Length")):
            self.assert_refused(self.call("GET", "/cdmi/o"), 400, "Content-Length")

    def test_a_path_makes_no_line_of_its_own_in_the_log(self) -> None:
        with mock.patch.object(self.cloud.tree, "_walk", side_effect=OSError), self.assertLogs() as log:
            self.call("GET", "/cdmi/x%0A2026 all is well")
        self.assertIn("x\\n2026", log.output[0])

    def test_a_catalogue_that_is_full_or_busy_is_told_apart(self) -> None:
        for code, status in ((sqlite3.SQLITE_FULL, 507), (sqlite3.SQLITE_BUSY, 503), (sqlite3.SQLITE_CORRUPT, 500)):
            cause = sqlite3.OperationalError("secret path")
            cause.sqlite_errorcode = code
            error = OperationalError("INSERT", {}, cause)
            with mock.patch.object(self.cloud.tree, "_walk", side_effect=error), self.assertLogs() as log:
                refused = self.call("GET", "/cdmi/o")
            self.assert_refused(refused, status)
            self.assertNotIn("secret", refused.text)
            self.assertIn("secret path", log.output[0])

    def test_passwords_are_never_logged(self) -> None:
        with mock.patch.object(self.cloud.tree, "_walk", side_effect=OSError), self.assertLogs() as log:
            self.call("GET", "/cdmi/o")
        self.assertNotIn("wonder", "".join(log.output))

    def test_only_a_204_has_no_type(self) -> None:
        self.assertEqual(self.put("/cdmi/o").headers["content-type"], "text/plain")
        self.assertNotIn("content-type", self.put("/cdmi/o").headers)
