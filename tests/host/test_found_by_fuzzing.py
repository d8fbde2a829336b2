"""Requests that were answered wrongly once: tests/host/fuzz.py found them."""

import json
from typing import Any
from unittest import mock

from falcon import testing
from sqlalchemy import Connection, update

from host.catalogue import contents
from host.catalogue.schema import vendor_modules
from host.logs import AUDIT
from tests.host.cloud import MEMBERS, MODULES, CloudTest


class FoundByFuzzingTest(CloudTest):
    def test_an_error_before_the_door_has_the_id_of_the_request_too(self) -> None:
        for method, path in (("WEBSOCKET", "/cdmi/o"), ("OPTIONS", "*")):
            started: list[Any] = []
            env = {**testing.create_environ(), "REQUEST_METHOD": method, "PATH_INFO": path}
            body = b"".join(self.client.app(env, lambda *given, to=started: to.extend(given)))
            self.assertEqual(dict(started[1])["x-request-id"], json.loads(body)["id"])

    def test_a_container_put_in_the_place_of_an_object_by_its_id_is_refused(self) -> None:
        self.put("/cdmi/o")
        identity = self.cdmi("GET", "/cdmi/o").json["objectID"]
        result = self.cdmi("PUT", f"/cdmi/cdmi_objectid/{identity}/", {}, kind="container")
        self.assert_refused(result, 409, "is an object")

    def test_a_field_without_a_name_is_an_unknown_one(self) -> None:
        self.assert_refused(self.admin("PUT", f"{MEMBERS}/alice", {"": 1}), 400, "unknown")
        module = {"module": "tests.host.vendor.Memory"}
        self.assert_refused(self.admin("PUT", f"{MODULES}/m", {**module, "": 1}), 400, "unknown")
        self.assert_refused(self.admin("PUT", f"{MODULES}/m", {**module, "args": {"": 1}}), 400, "unknown")

    def test_the_value_of_an_unknown_field_of_a_user_is_not_logged(self) -> None:
        AUDIT.open(self.directory, "audit.log")
        self.addCleanup(AUDIT.close)
        self.admin("PUT", f"{MEMBERS}/bob", {"passwrd": "open sesame", "policy": "default"})
        (line,) = (self.directory / "audit.log").read_text().splitlines()
        self.assertNotIn("sesame", line)
        self.assertIn("passwrd", line)
        self.assertEqual(json.loads(line)["policy"], "default")

    def test_an_error_is_one_line_whatever_it_quotes(self) -> None:
        body = {"module": "tests.host.vendor.Memory", "args": {"a\r\nb\u2028c": 1}}
        result = self.admin("PUT", f"{MODULES}/m", body)
        self.assert_refused(result, 400, "unknown a b c:")

    def test_a_nul_is_refused_where_a_database_may_not_keep_it(self) -> None:
        module = {"module": "tests.host.vendor.Memory", "description": "a\0"}
        self.assert_refused(self.admin("PUT", f"{MODULES}/m", module), 400, "NUL")
        self.assert_refused(self.admin("PUT", f"{MEMBERS}/alice", {"policy": "a\0"}), 400, "NUL")
        self.assert_refused(self.admin("PUT", f"{MEMBERS}/alice", {"password": "a\0"}), 400, "NUL")

    def test_an_object_is_named_also_if_its_module_is_configured_several_times_meanwhile(self) -> None:
        configured, times = contents.configured, [1, 2]

        def changing(connection: Connection, module: str) -> tuple[str, list[str]]:
            found = configured(connection, module)
            if times:
                connection.execute(update(vendor_modules).values(edition=f"e{times.pop()}"))
            return found

        with (
            mock.patch.object(contents, "configured", changing),
            self.meanwhile(lambda: self.configure("default", "fsstore.FileStorage", {"root": str(self.objects)})),
        ):
            self.assertEqual(self.put("/cdmi/o").status_code, 201)
        self.assertEqual((times, self.stored()), ([], [b"data"]))
