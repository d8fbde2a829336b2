"""What is refused, by its status: the rows of the table in docs/cdmi.md."""

import errno
from unittest import mock

from host import errors
from modules import Context, Source
from tests.host.cloud import MEMBERS, CloudTest
from tests.host.vendor import Failing


class StatusTest(CloudTest):
    def use_failing(self) -> None:
        """Keep alice's data in a module that raises what it is told to."""
        self.configure("failing", "tests.host.vendor.Failing")
        self.cloud.accounts.put("alice", policy="failing")

    def test_a_module_that_fails_is_told_by_what_the_client_can_do(self) -> None:
        self.use_failing()
        for error, status, after in (
            (OSError(errno.ENOSPC, "/secret/disk"), 507, None),
            (TimeoutError("/secret/disk"), 503, "5"),
            (ConnectionError("/secret/disk"), 503, "5"),
            (OSError(errno.EIO, "/secret/disk"), 500, None),
            (ZeroDivisionError("/secret/disk"), 500, None),
        ):
            with self.subTest(error=error), mock.patch.object(Failing, "errors", {"assign": error}):
                with self.assertLogs("host.application", "ERROR") as log:
                    refused = self.put("/cdmi/o")
                self.assert_refused(refused, status)
                self.assertEqual(refused.headers.get("retry-after"), after)
                self.assertNotIn("secret", refused.text)
                self.assertIn(refused.json["id"], log.output[0])
                self.assert_refused(self.call("GET", "/cdmi/o"), 404)

    def test_a_module_that_fails_when_it_is_read(self) -> None:
        self.use_failing()
        self.put("/cdmi/o")
        error = OSError(errno.EIO, "/secret/disk")
        for headers in ({}, {"X-CDMI-Specification-Version": "1.1"}):
            with (
                mock.patch.object(Failing, "errors", {"get_read_stream": error}),
                self.assertLogs("host.application", "ERROR") as log,
            ):
                refused = self.call("GET", "/cdmi/o", headers=headers)
            self.assert_refused(refused, 500)
            self.assertNotIn("secret", refused.text)
            self.assertIn("/secret/disk", log.output[0])

    def test_what_a_module_makes_of_a_body_that_fails_is_in_the_log(self) -> None:
        self.use_failing()
        self.cloud.accounts.put("alice", quota=3)

        def assign(module: Failing, context: Context, module_data: str, stream: Source) -> None:
            try:
                stream.read(1)
            finally:
                raise OSError(errno.EIO, "/secret/disk")

        with mock.patch.object(Failing, "assign", assign), self.assertLogs("host.application", "ERROR") as log:
            refused = self.put("/cdmi/o")
        self.assert_refused(refused, 507, "quota")
        self.assertIn("/secret/disk", log.output[0])

    def test_why_the_body_of_a_part_could_not_be_read_is_in_the_log(self) -> None:
        self.use_failing()
        self.put("/cdmi/o", b"0123456789")
        error = OSError(errno.EIO, "/secret/disk")
        with (
            mock.patch.object(Failing, "errors", {"get_read_stream": error}),
            self.assertLogs("host.application", "ERROR") as log,
        ):
            refused = self.put("/cdmi/o", b"ab", Content_Range="bytes 2-3/*")
        self.assert_refused(refused, 500)
        self.assertIn("/secret/disk", log.output[0])

    def test_passwords_are_not_guessed_on_and_on(self) -> None:
        for _ in range(10):
            refused = self.call("GET", "/cdmi/", user="alice:guess")
            if refused.status_code != 401:
                break
        self.assert_refused(refused, 429)
        self.assertGreater(int(refused.headers["retry-after"]), 0)
        self.assertEqual(self.call("GET", "/cdmi/", address="192.0.2.7").status_code, 200)

    def test_every_refusal_is_in_one_form(self) -> None:
        self.put("/cdmi/o")
        for method, path, status in (
            ("GET", "/cdmi/o?value", 400),
            ("GET", f"{MEMBERS}/", 403),
            ("GET", "/cdmi/none", 404),
            ("POST", "/cdmi/o", 405),
            ("PUT", "/cdmi/p", 411),
        ):
            with self.subTest(status):
                refused = self.call(method, path)
                self.assert_refused(refused, status)
                self.assertEqual(refused.json["id"], refused.headers["x-request-id"])
                self.assertEqual(int(refused.headers["content-length"]), len(refused.content))

    def test_every_error_has_a_status_of_its_own(self) -> None:
        classes = [getattr(errors, name) for name in errors.__all__ if name != "HostError"]
        self.assertEqual(len({cls.status for cls in classes}), len(classes))
