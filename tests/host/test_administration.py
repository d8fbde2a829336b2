"""Vendor modules and users, as the administrator sees them."""

import json
from unittest import mock

from tests.files import objects_in
from tests.host.cloud import MEMBERS, MODULES, CloudTest
from tests.host.vendor import Memory

DOCUMENTED = b"""{"module": "tests.host.vendor.Memory", \\
  "description": "New Storage Module", \\
  "args": ["arg1", 2, "arg3"] }"""


class VendorModulesTest(CloudTest):
    def test_a_module_is_added_shown_listed_and_deleted(self) -> None:
        body = {"module": "tests.host.vendor.Memory", "description": "In memory", "args": ["one", 2]}
        for _ in range(2):
            added = self.admin("PUT", f"{MODULES}/new", body)
            self.assertEqual((added.status_code, added.content), (204, b""))
        self.assertEqual(self.admin("GET", f"{MODULES}/").json["children"], ["default", "new"])
        shown = self.admin("GET", f"{MODULES}/new").json
        self.assertEqual(shown["args"], {"first": "one", "second": 2})
        self.assertEqual(shown["description"], "In memory")
        self.assertEqual(shown["statistics"], {"capacity": {"total": -1, "free": -1, "used": -1}})
        self.assertEqual(self.admin("DELETE", f"{MODULES}/new").status_code, 204)
        self.assert_refused(self.admin("GET", f"{MODULES}/new"), 404)
        self.assert_refused(self.admin("DELETE", f"{MODULES}/new"), 404)

    def test_the_documented_body_with_its_backslashes_is_understood(self) -> None:
        result = self.call(
            "PUT",
            f"{MODULES}/newstore",
            DOCUMENTED,
            "administrator:root",
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        self.assertEqual(result.status_code, 204, result.text)
        self.assertEqual(self.admin("GET", f"{MODULES}/newstore").json["args"]["api_key"], "***")

    def test_a_backslash_that_is_json_stays(self) -> None:
        body = b'{"module": "tests.host.vendor.Memory", "description": "two\\nlines"}'
        self.assertEqual(self.admin("PUT", f"{MODULES}/new", body).status_code, 204)
        self.assertEqual(self.admin("GET", f"{MODULES}/new").json["description"], "two\nlines")

    def test_arguments_by_name(self) -> None:
        body = {"module": "tests.host.vendor.Memory", "args": {"second": 7}}
        self.assertEqual(self.admin("PUT", f"{MODULES}/new", body).status_code, 204)
        instance = self.cloud.loader.instance("new")
        assert isinstance(instance, Memory)
        self.assertEqual(instance.arguments, ("", 7, ""))

    def test_locations_have_arguments_of_their_own(self) -> None:
        body = {"module": "tests.host.vendor.Memory", "locations": {"near": ["one", 2], "far": {"api_key": "hunter2"}}}
        self.assertEqual(self.admin("PUT", f"{MODULES}/new", body).status_code, 204)
        shown = self.admin("GET", f"{MODULES}/new").json
        self.assertEqual(shown["locations"], {"near": {"first": "one", "second": 2}, "far": {"api_key": "***"}})
        self.assertEqual(shown["statistics"].keys(), {"near", "far"})
        for locations, text in (
            ({}, "locations"),
            ([], "locations"),
            ({"a b": []}, "name"),
            ({"near": "x"}, "args"),
            ({"near": [], "far": [1, 2, 3, 4]}, "first, second, api_key"),
        ):
            with self.subTest(locations):
                self.assert_refused(self.admin("PUT", f"{MODULES}/new", body | {"locations": locations}), 400, text)
        self.assert_refused(self.admin("PUT", f"{MODULES}/new", body | {"args": []}), 400, "one of them")
        self.assertEqual(self.admin("GET", f"{MODULES}/new").json, shown)

    def test_what_is_refused_changes_nothing(self) -> None:
        good = "tests.host.vendor.Memory"
        for body, text in (
            (b"no JSON", "not JSON"),
            ([], "not an object"),
            ({}, "module"),
            ({"module": 5}, "module"),
            ({"module": good, "colour": 1}, "colour"),
            ({"module": good, "args": "x"}, "args"),
            ({"module": good, "description": 5}, "description"),
            ({"module": "nodots"}, "dotted"),
            ({"module": "../../etc.passwd"}, "dotted"),
            ({"module": "no.such.Module"}, "does not import"),
            ({"module": "tests.host.vendor.Missing"}, "does not import"),
            ({"module": "tests.host.vendor.NoModule"}, "not a subclass"),
            ({"module": "tests.host.vendor.Abstract"}, "lacks assign, available"),
            ({"module": good, "args": [1, 2, 3, 4]}, "first, second, api_key"),
            ({"module": good, "args": {"colour": 1}}, "unknown colour"),
            ({"module": "fsstore.FileStorage", "args": {}}, "root"),
            ({"module": "fsstore.FileStorage", "args": {"root": "/no/such/directory"}}, "/no/such/directory"),
            (b"{" + b" " * 2_000_000, "bytes"),
        ):
            with self.subTest(body=str(body)[:60]):
                refused = self.admin("PUT", f"{MODULES}/new", body)
                self.assert_refused(refused, 413 if text == "bytes" else 400, text)
        for name in ("-", "a%20b", "x" * 65, ".hidden"):
            self.assert_refused(self.admin("PUT", f"{MODULES}/{name}", {"module": good}), 400, "name")
        self.assertEqual(self.admin("GET", f"{MODULES}/").json["children"], ["default"])

    def test_a_change_that_is_refused_leaves_the_old_one(self) -> None:
        self.assert_refused(self.admin("PUT", f"{MODULES}/default", {"module": "no.such.Module"}), 400)
        self.put("/cdmi/o", b"data")
        self.assertEqual(self.stored(), [b"data"])

    def test_secrets_never_come_back(self) -> None:
        body = {"module": "tests.host.vendor.Refusing", "args": {"address": "192.0.2.1", "password": "hunter2"}}
        refused = self.admin("PUT", f"{MODULES}/new", body)
        self.assert_refused(refused, 400, "cannot log in to 192.0.2.1 with ***")
        self.assertNotIn("hunter2", refused.text)
        self.admin("PUT", f"{MODULES}/new", {"module": "tests.host.vendor.Memory", "args": {"api_key": "hunter2"}})
        self.assertNotIn("hunter2", self.admin("GET", f"{MODULES}/new").text)

    def test_secrets_are_masked_wherever_they_are(self) -> None:
        arguments = {"first": {"user": "u", "password": "two  blanks"}, "second": [{"token": "t0k3n"}], "api_key": ""}
        self.admin("PUT", f"{MODULES}/new", {"module": "tests.host.vendor.Memory", "args": arguments})
        shown = self.admin("GET", f"{MODULES}/new").json["args"]
        self.assertEqual(
            shown, {"first": {"user": "u", "password": "***"}, "second": [{"token": "***"}], "api_key": "***"}
        )
        error = OSError("cannot log in with 'two  blanks' nor with t0k3n")
        with mock.patch("tests.host.vendor.Memory.statistics", side_effect=error):
            told = self.admin("GET", f"{MODULES}/new").json["statistics"]["error"]
        self.assertEqual(told, "OSError: cannot log in with *** nor with ***")

    def test_a_module_that_is_needed_cannot_be_deleted(self) -> None:
        self.assert_refused(self.admin("DELETE", f"{MODULES}/default"), 409)
        self.admin("PUT", f"{MODULES}/new", {"module": "tests.host.vendor.Memory"})
        self.admin("PUT", f"{MEMBERS}/bob", {"password": "builder", "policy": "new"})
        self.assert_refused(self.admin("DELETE", f"{MODULES}/new"), 409)
        self.call("PUT", "/cdmi/o", b"data", user="bob:builder")
        self.admin("PUT", f"{MEMBERS}/bob", {"policy": "default"})
        self.assert_refused(self.admin("DELETE", f"{MODULES}/new"), 409)
        self.call("DELETE", "/cdmi/o", user="bob:builder")
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.admin("DELETE", f"{MODULES}/new").status_code, 204)

    def test_statistics_that_fail_are_told(self) -> None:
        self.admin("PUT", f"{MODULES}/new", {"module": "fsstore.FileStorage", "args": [str(self.objects)]})
        instance = self.cloud.loader.instance("new")
        for answer, text in ((lambda context: 1 / 0, "ZeroDivisionError"), (lambda context: {"x": b""}, "TypeError")):
            instance.statistics = answer  # type: ignore[assignment]
            self.assertIn(text, self.admin("GET", f"{MODULES}/new").json["statistics"]["error"])

    def test_only_the_administrator(self) -> None:
        for path in (
            f"{MODULES}/",
            f"{MODULES}/default",
            f"{MEMBERS}/",
            f"{MEMBERS}/alice",
            "/cdmi/system_configuration/",
        ):
            for method in ("GET", "PUT", "DELETE"):
                with self.subTest(method=method, path=path):
                    self.assert_refused(self.call(method, path, {}), 403)

    def test_methods_and_paths_that_are_not_there(self) -> None:
        for method, path, status in (
            ("POST", f"{MODULES}/", 405),
            ("PUT", f"{MODULES}/", 405),
            ("POST", f"{MEMBERS}/bob", 405),
            ("PUT", "/cdmi/system_configuration/", 405),
            ("GET", "/cdmi/system_configuration/other/", 404),
            ("GET", "/cdmi/cdmi_domains/other_domain/", 404),
        ):
            with self.subTest(method=method, path=path):
                self.assert_refused(self.admin(method, path, {}), status)


class MembersTest(CloudTest):
    def test_a_user_is_provisioned_changed_shown_and_deleted(self) -> None:
        body = {"password": "builder", "policy": "default", "quota": 10}
        self.assertEqual(self.admin("PUT", f"{MEMBERS}/bob", body).status_code, 201)
        self.assertEqual(self.admin("PUT", f"{MEMBERS}/bob", {"password": "other"}).status_code, 204)
        shown = self.admin("GET", f"{MEMBERS}/bob")
        expected = {"name": "bob", "role": "user", "policy": "default", "used": 0, "quota": 10, "objects": 0}
        self.assertEqual(shown.json, expected)
        self.assertNotIn("other", shown.text)
        self.assertEqual(self.admin("GET", f"{MEMBERS}/").json["children"], ["administrator", "alice", "bob"])
        self.assert_refused(self.call("GET", "/cdmi/", user="bob:builder"), 401)
        self.assertEqual(self.call("PUT", "/cdmi/o", b"data", user="bob:other").status_code, 201)
        self.assertEqual(self.admin("DELETE", f"{MEMBERS}/bob").status_code, 204)
        self.assert_refused(self.call("GET", "/cdmi/", user="bob:other"), 401)
        self.assert_refused(self.admin("DELETE", f"{MEMBERS}/bob"), 404)
        self.assert_refused(self.admin("GET", f"{MEMBERS}/bob"), 404)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [])

    def test_a_cdmi_object_provisions_too(self) -> None:
        for name, body in (
            ("a", {"metadata": {"cdmi_member_password": "p", "cdmi_member_policy": "default"}}),
            ("b", {"metadata": {"cdmi_member_credentials": "p", "cdmi_member_policy": "default", "k": "v"}}),
            ("c", {"value": json.dumps({"password": "p", "policy": "default"})}),
            ("d", {"value": {"cdmi_member_password": "p"}, "metadata": {"policy": "default"}}),
        ):
            with self.subTest(name):
                self.assertEqual(self.admin("PUT", f"{MEMBERS}/{name}", body).status_code, 201)
                self.assertEqual(self.call("GET", "/cdmi/", user=f"{name}:p").status_code, 200)

    def test_the_policy_says_where_the_data_goes(self) -> None:
        other = self.directory / "other"
        other.mkdir()
        self.admin("PUT", f"{MODULES}/new", {"module": "fsstore.FileStorage", "args": [str(other)]})
        self.put("/cdmi/old", b"old")
        self.admin("PUT", f"{MEMBERS}/alice", {"policy": "new"})
        self.put("/cdmi/o", b"data")
        self.assertEqual([path.read_bytes() for path in objects_in(other)], [b"data"])
        self.assertEqual(self.stored(), [b"old"])
        self.assertEqual(self.call("GET", "/cdmi/old").content, b"old")

    def test_what_is_refused(self) -> None:
        good = {"password": "p", "policy": "default"}
        for body, text in (
            ({}, "password and policy"),
            ({"policy": "default"}, "password"),
            ({"password": "p"}, "policy"),
            (good | {"policy": "none"}, "none"),
            (good | {"password": ""}, "password"),
            (good | {"password": 5}, "password"),
            (good | {"quota": "much"}, "quota"),
            (good | {"quota": -1}, "quota"),
            (good | {"quota": True}, "quota"),
            (b'{"password": "\\ud800", "policy": "default"}', "surrogate"),
            (good | {"colour": 1}, "colour"),
            ({"value": "no JSON"}, "JSON"),
            ({"metadata": []}, "metadata"),
            (b"no JSON", "JSON"),
        ):
            with self.subTest(body=body):
                self.assert_refused(self.admin("PUT", f"{MEMBERS}/bob", body), 400, text)
        self.assert_refused(self.admin("PUT", f"{MEMBERS}/b:b", good), 400, "name")
        self.assert_refused(self.admin("DELETE", f"{MEMBERS}/administrator"), 403)
        self.assertEqual(self.admin("GET", f"{MEMBERS}/").json["children"], ["administrator", "alice"])


class QuotaTest(CloudTest):
    def used(self) -> int:
        used: int = self.admin("GET", f"{MEMBERS}/alice").json["used"]
        return used

    def test_a_quota_is_held_to_the_byte(self) -> None:
        self.admin("PUT", f"{MEMBERS}/alice", {"quota": 10})
        self.assertEqual(self.put("/cdmi/a", bytes(6)).status_code, 201)
        with self.assertLogs("host.application", "ERROR") as log:
            self.assert_refused(self.put("/cdmi/b", bytes(5)), 507, "quota")
            self.assert_refused(self.cdmi("PUT", "/cdmi/b", {"value": "12345"}), 507, "quota")
        self.assertEqual([line.count("\n") for line in log.output], [0, 0], "no traceback: nothing is broken")
        self.assertEqual(self.put("/cdmi/b", bytes(4)).status_code, 201)
        self.assertEqual(self.put("/cdmi/a", bytes(6)).status_code, 204)
        self.assertEqual(self.used(), 10)
        self.call("DELETE", "/cdmi/a")
        self.assertEqual(self.used(), 4)

    def test_a_quota_of_objects_counts_no_containers(self) -> None:
        self.admin("PUT", f"{MEMBERS}/alice", {"quota_objects": 1})
        self.assertEqual(self.call("PUT", "/cdmi/c/").status_code, 201)
        self.assertEqual(self.put("/cdmi/a").status_code, 201)
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.put("/cdmi/b"), 507, "quota")
        self.assertEqual(self.put("/cdmi/a", b"replaced").status_code, 204)
        self.call("DELETE", "/cdmi/a")
        self.assertEqual(self.put("/cdmi/b").status_code, 201)

    def test_a_quota_can_be_taken_away(self) -> None:
        self.admin("PUT", f"{MEMBERS}/alice", {"quota": 1})
        self.admin("PUT", f"{MEMBERS}/alice", {"password": "wonder"})
        self.assertEqual(self.admin("GET", f"{MEMBERS}/alice").json["quota"], 1)
        self.admin("PUT", f"{MEMBERS}/alice", {"quota": None})
        self.assertEqual(self.put("/cdmi/a", bytes(6)).status_code, 201)

    def test_what_is_replaced_makes_room_by_cdmi_too(self) -> None:
        self.admin("PUT", f"{MEMBERS}/alice", {"quota": 10})
        for value in ("123456", "abcdef"):
            self.assertIn(self.cdmi("PUT", "/cdmi/a", {"value": value}).status_code, (201, 204))

    def test_less_data_is_accepted_also_over_a_lowered_quota(self) -> None:
        self.put("/cdmi/a", bytes(100))
        self.admin("PUT", f"{MEMBERS}/alice", {"quota": 10})
        self.assertEqual(self.put("/cdmi/a", bytes(50)).status_code, 204)
        self.assertEqual(self.used(), 50)

    def test_a_container_gives_back_all_below_it(self) -> None:
        self.call("PUT", "/cdmi/c/")
        self.call("PUT", "/cdmi/c/d/")
        for path in ("/cdmi/c/a", "/cdmi/c/d/b"):
            self.put(path, bytes(10))
        self.assertEqual(self.used(), 20)
        self.call("DELETE", "/cdmi/c/")
        self.assertEqual(self.used(), 0)
