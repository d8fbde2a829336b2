"""The user's tree, by CDMI: the rows of the table in docs/cdmi.md."""

import base64
import os
from typing import Any
from unittest import mock

from host.body import BLOCK
from host.settings import Limits
from host.wire import objectid
from tests.host.cloud import MEMBERS, CloudTest


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else []


class CdmiTest(CloudTest):
    def test_an_object_is_created_and_read(self) -> None:
        created = self.cdmi("PUT", "/cdmi/o", {"mimetype": "text/x", "metadata": {"k": "v", "n": 2}, "value": "hi"})
        self.assertEqual(created.status_code, 201)
        self.assertEqual(created.headers["content-type"], "application/cdmi-object")
        self.assertTrue(objectid.is_valid(created.json["objectID"]))
        self.assertNotIn("value", created.json)
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual({key: read[key] for key in created.json}, created.json)
        self.assertEqual((read["value"], read["valuerange"], read["valuetransferencoding"]), ("hi", "0-1", "utf-8"))
        self.assertEqual(read["metadata"] | {"k": "v", "n": 2, "cdmi_size": 2, "cdmi_owner": "alice"}, read["metadata"])
        self.assertEqual((read["parentURI"], read["mimetype"]), ("/cdmi/", "text/x"))
        self.assertEqual(self.stored(), [b"hi"])

    def test_base64_values(self) -> None:
        data = os.urandom(BLOCK + 1)
        value = base64.encodebytes(data).decode()
        self.cdmi("PUT", "/cdmi/o", {"value": value, "valuetransferencoding": "base64"})
        self.assertEqual(self.call("GET", "/cdmi/o").content, data)
        read = self.cdmi("GET", "/cdmi/o")
        self.assertEqual(base64.b64decode(read.json["value"]), data)
        self.assertEqual(len(read.content), int(read.headers["content-length"]))

    def test_text_is_streamed_whole_whatever_it_holds(self) -> None:
        text = 'ä"\\\n\x00😀' * (BLOCK // 7)
        self.cdmi("PUT", "/cdmi/o", {"value": text})
        self.assertEqual(self.cdmi("GET", "/cdmi/o").json["value"], text)

    def test_data_that_says_utf_8_and_is_not_reads_back_as_base64(self) -> None:
        self.put("/cdmi/o", b"\xff", Content_Type="text/plain; charset=utf-8")
        self.assertEqual(self.cdmi("GET", "/cdmi/o").json["valuetransferencoding"], "base64")
        self.put("/cdmi/o", "ä".encode(), Content_Type="text/plain; charset=utf-8")
        self.assertEqual(self.cdmi("GET", "/cdmi/o").json["value"], "ä")

    def test_an_empty_object(self) -> None:
        bodies: tuple[Any, ...] = (b"", {})
        for body in bodies:
            self.call("DELETE", "/cdmi/o")
            self.assertEqual(self.cdmi("PUT", "/cdmi/o", body).status_code, 201)
            read = self.cdmi("GET", "/cdmi/o").json
            self.assertEqual((read["value"], read["mimetype"]), ("", "text/plain"))
            self.assertNotIn("valuerange", read)

    def test_an_update_changes_what_it_names(self) -> None:
        created = self.cdmi("PUT", "/cdmi/o", {"mimetype": "text/x", "metadata": {"k": "v"}, "value": "hi"}).json
        self.assertEqual(self.cdmi("PUT", "/cdmi/o", {"value": "more"}).status_code, 204)
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual((read["value"], read["metadata"]["k"], read["mimetype"]), ("more", "v", "text/x"))
        self.assertEqual(self.cdmi("PUT", "/cdmi/o", {"metadata": {"l": "w"}}).status_code, 204)
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual((read["value"], read["metadata"].get("k"), read["metadata"]["l"]), ("more", None, "w"))
        self.assertEqual(read["objectID"], created["objectID"])
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [b"more"])

    def test_containers(self) -> None:
        created = self.cdmi("PUT", "/cdmi/a/", {"metadata": {"k": "v"}}, kind="container")
        self.assertEqual((created.status_code, created.json["objectName"]), (201, "a/"))
        self.assertEqual(created.json["children"], [])
        for name in ("c", "b/", "a"):
            self.cdmi("PUT", f"/cdmi/a/{name}", {}, kind="container" if name.endswith("/") else "object")
        read = self.cdmi("GET", "/cdmi/a/").json
        self.assertEqual((read["children"], read["childrenrange"]), (["a", "b/", "c"], "0-2"))
        self.assertEqual(self.cdmi("PUT", "/cdmi/a/", {"metadata": {"l": "w"}}, kind="container").status_code, 204)
        self.assertEqual(self.cdmi("PUT", "/cdmi/a", {"metadata": {"l": "x"}}).status_code, 204)
        self.assertEqual(self.cdmi("GET", "/cdmi/a/").json["metadata"]["l"], "x")
        root = self.cdmi("GET", "/cdmi/").json
        self.assertEqual(read["parentID"], root["objectID"])
        self.assertEqual(self.cdmi("GET", "/cdmi/a/b/").json["parentURI"], "/cdmi/a/")

    def test_the_version_asked_for_comes_back(self) -> None:
        self.put("/cdmi/o")
        for version in ("1.0.2", "1.1"):
            read = self.call("GET", "/cdmi/o", headers={"X-CDMI-Specification-Version": version})
            self.assertEqual(read.headers["x-cdmi-specification-version"], version)
        raw = self.call("GET", "/cdmi/o", headers={"Accept": "application/cdmi-object"})
        self.assertEqual(raw.content, b"data")
        self.assertNotIn("x-cdmi-specification-version", raw.headers)

    def test_fields_are_chosen_by_the_query(self) -> None:
        self.cdmi("PUT", "/cdmi/o", {"metadata": {"color": "red", "colour": "blue", "n": 2}, "value": "0123456789"})
        whole = self.cdmi("GET", "/cdmi/o").json
        for query, expected in (
            ("objectID", {"objectID": whole["objectID"]}),
            ("objectID;mimetype", {"objectID": whole["objectID"], "mimetype": "text/plain"}),
            ("metadata:colo", {"metadata": {"color": "red", "colour": "blue"}}),
            ("metadata:colour;metadata:n", {"metadata": {"colour": "blue", "n": 2}}),
            ("metadata:none", {"metadata": {}}),
            ("metadata", {"metadata": whole["metadata"]}),
            ("value", {"value": "0123456789"}),
            ("valuerange&valuetransferencoding", {"valuerange": "0-9", "valuetransferencoding": "utf-8"}),
            ("value:2-4", {"value": "234", "valuerange": "2-4", "valuetransferencoding": "utf-8"}),
            ("value=2-4", {"value": "234", "valuerange": "2-4", "valuetransferencoding": "utf-8"}),
            ("value%3A8-99", {"value": "89", "valuerange": "8-9", "valuetransferencoding": "utf-8"}),
            ("objectID;nonsense", {"objectID": whole["objectID"]}),
        ):
            with self.subTest(query):
                read = self.cdmi("GET", f"/cdmi/o?{query}")
                self.assertEqual((read.status_code, read.json), (200, expected))
        for query in ("value:4-2", "value:x", "value:1-", "value:0-1;value:3-4"):
            self.assert_refused(self.cdmi("GET", f"/cdmi/o?{query}"), 400)
        self.assert_refused(self.cdmi("GET", "/cdmi/o?value:10-11"), 416)

    def test_a_range_of_a_text_that_cuts_a_character_is_base64(self) -> None:
        self.cdmi("PUT", "/cdmi/o", {"value": "äöü"})
        for part, expected, encoding in (
            ("2-3", "ö", "utf-8"),
            ("1-2", base64.b64encode("äö".encode()[1:3]).decode(), "base64"),
            ("2-4", base64.b64encode("öü".encode()[:3]).decode(), "base64"),
        ):
            read = self.cdmi("GET", f"/cdmi/o?value:{part}").json
            self.assertEqual((read["value"], read["valuetransferencoding"]), (expected, encoding))

    def test_children_are_listed_in_pages(self) -> None:
        self.call("PUT", "/cdmi/a/")
        for number in range(12):
            self.put(f"/cdmi/a/{number:02}")
        for query, children, listed in (
            ("children:0-3", ["00", "01", "02", "03"], "0-3"),
            ("children:10-99", ["10", "11"], "10-11"),
            ("children:5-5", ["05"], "5-5"),
            ("children:12-20", [], None),
        ):
            with self.subTest(query):
                read = self.cdmi("GET", f"/cdmi/a/?{query}").json
                self.assertEqual((read["children"], read.get("childrenrange")), (children, listed))
                self.assertEqual(read.keys() - {"childrenrange"}, {"children"})
        self.assertEqual(self.cdmi("GET", "/cdmi/a/?childrenrange").json, {"childrenrange": "0-11"})
        self.assertEqual(self.cdmi("GET", "/cdmi/a/?objectName").json, {"objectName": "a/"})
        self.assert_refused(self.cdmi("GET", "/cdmi/a/?children:4-2"), 400)
        plain = self.call("GET", "/cdmi/a?children:1-2")
        self.assertEqual((plain.status_code, plain.headers["location"]), (301, "/cdmi/a/?children:1-2"))

    def test_a_long_listing_comes_whole(self) -> None:
        with mock.patch("host.names.LISTED", 7), mock.patch("host.reading.LISTED", 7):
            for count in (6, 7, 8, 14, 15):
                with self.subTest(count):
                    self.call("PUT", "/cdmi/a/")
                    for number in range(count):
                        self.put(f"/cdmi/a/{number:02}", b"")
                    read = self.cdmi("GET", "/cdmi/a/").json
                    self.assertEqual(read["children"], [f"{number:02}" for number in range(count)])
                    self.assertEqual(read["childrenrange"], f"0-{count - 1}")
                    part = self.cdmi("GET", "/cdmi/a/?children:1-12").json
                    self.assertEqual(part["children"], [f"{number:02}" for number in range(1, min(count, 13))])
                    self.assertEqual(part["childrenrange"], f"1-{min(count, 13) - 1}")
                    self.call("DELETE", "/cdmi/a/")

    def test_an_encoding_does_not_change_without_the_value(self) -> None:
        for value, same, other in (("hi", "utf-8", "base64"), ("AAEC", "base64", "utf-8")):
            self.cdmi("PUT", "/cdmi/o", {"valuetransferencoding": same, "value": value})
            for query, fields in (("", {"metadata": {"k": "v"}}), ("", {}), ("?valuetransferencoding", {})):
                body = {**fields, "valuetransferencoding": other}
                self.assert_refused(self.cdmi("PUT", f"/cdmi/o{query}", body), 400, "valuetransferencoding")
                body = {**fields, "valuetransferencoding": same}
                self.assertEqual(self.cdmi("PUT", f"/cdmi/o{query}", body).status_code, 204)
            self.assertEqual(self.cdmi("PUT", "/cdmi/o?metadata", {"valuetransferencoding": other}).status_code, 204)
            read = self.cdmi("GET", "/cdmi/o").json
            self.assertEqual((read["value"], read["valuetransferencoding"]), (value, same))

    def test_an_item_and_the_type_are_changed_together(self) -> None:
        self.cdmi("PUT", "/cdmi/o", {"metadata": {"k": "v", "l": "w"}, "value": "hi"})
        body = {"mimetype": "text/x", "metadata": {"k": "new", "l": "ignored"}}
        self.assertEqual(self.cdmi("PUT", "/cdmi/o?metadata:k;mimetype", body).status_code, 204)
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual((read["mimetype"], read["metadata"]["k"], read["metadata"]["l"]), ("text/x", "new", "w"))

    def test_one_item_of_metadata_is_changed(self) -> None:
        self.cdmi("PUT", "/cdmi/o", {"metadata": {"a": 1, "b": 2}, "value": "hi"})
        self.assertEqual(self.cdmi("PUT", "/cdmi/o?metadata:b", {"metadata": {"b": 3, "c": 4}}).status_code, 204)
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual({key: read["metadata"].get(key) for key in "abc"}, {"a": 1, "b": 3, "c": None})
        self.cdmi("PUT", "/cdmi/o?metadata:b", {"metadata": {}})
        self.assertNotIn("b", self.cdmi("GET", "/cdmi/o").json["metadata"])
        self.assertEqual(read["value"], "hi")
        self.call("PUT", "/cdmi/c/")
        self.cdmi("PUT", "/cdmi/c/?metadata:k", {"metadata": {"k": "v"}}, kind="container")
        self.assertEqual(self.cdmi("GET", "/cdmi/c/?metadata:k").json, {"metadata": {"k": "v"}})

    def test_a_query_says_what_a_put_is_about(self) -> None:
        self.cdmi("PUT", "/cdmi/o", {"metadata": {"a": 1}, "mimetype": "text/x", "value": "hi"})
        self.cdmi("PUT", "/cdmi/o?value", {"metadata": {"b": 2}, "mimetype": "text/y", "value": "ho"})
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual((read["value"], read["mimetype"], read["metadata"]["a"]), ("ho", "text/x", 1))
        self.assert_refused(self.cdmi("PUT", "/cdmi/o?metadata", {"metadata": {}, "value": "x"}), 400)
        self.assert_refused(self.cdmi("PUT", "/cdmi/o?objectID", {"metadata": {}}), 400)

    def test_a_range_of_the_value_is_written(self) -> None:
        def part(data: bytes) -> dict[str, str]:
            return {"valuetransferencoding": "base64", "value": base64.b64encode(data).decode()}

        self.cdmi("PUT", "/cdmi/o", {"mimetype": "text/x", "value": "0123456789"})
        self.assertEqual(self.cdmi("PUT", "/cdmi/o?value:2-4", part(b"abc")).status_code, 204)
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual((read["value"], read["valuetransferencoding"]), ("01abc56789", "utf-8"))
        self.assertEqual(read["mimetype"], "text/x")
        self.cdmi("PUT", "/cdmi/o?value:12-12", part(b"\xff"))
        read = self.cdmi("GET", "/cdmi/o").json
        self.assertEqual(base64.b64decode(read["value"]), b"01abc56789\0\0\xff")
        self.assertEqual(self.cdmi("PUT", "/cdmi/new?value:1-2", part(b"ab")).status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/new").content, b"\0ab")
        for body in (part(b"a"), part(b"abc"), {}):
            self.assert_refused(self.cdmi("PUT", "/cdmi/o?value:2-3", body), 400)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [b"\0ab", b"01abc56789\0\0\xff"])

    def test_what_has_an_id_is_found_by_it(self) -> None:
        self.call("PUT", "/cdmi/a/")
        made = self.cdmi("PUT", "/cdmi/a/o", {"value": "0123"}).json
        url = f"/cdmi/cdmi_objectid/{made['objectID']}"
        self.assertEqual(self.cdmi("GET", url.lower().replace("cdmi_objectid", "cdmi_objectid")).json["value"], "0123")
        read = self.cdmi("GET", url).json
        self.assertEqual((read["objectName"], read["parentURI"]), ("o", "/cdmi/a/"))
        self.assertEqual(self.call("GET", url, headers={"Range": "bytes=1-2"}).content, b"12")
        self.assertEqual(self.put(url, b"raw").status_code, 204)
        self.assertEqual(self.cdmi("PUT", url, {"metadata": {"k": "v"}}).status_code, 204)
        self.assertEqual(self.call("GET", "/cdmi/a/o").content, b"raw")
        container = read["parentID"]
        url = f"/cdmi/cdmi_objectid/{container}"
        self.assertEqual(self.call("GET", url).headers["location"], f"{url}/")
        self.assertEqual(self.cdmi("GET", f"{url}/").json["children"], ["o"])
        self.assertEqual(self.cdmi("GET", f"{url}/o").json["parentURI"], "/cdmi/a/")
        self.assertEqual(self.put(f"{url}/p", b"by id").status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/a/p").content, b"by id")
        self.assertEqual(self.call("PUT", f"{url}/b/").status_code, 201)
        self.assertEqual(self.call("DELETE", f"{url}/o").status_code, 204)
        self.assertEqual(self.call("DELETE", f"{url}/").status_code, 204)
        self.assert_refused(self.call("GET", "/cdmi/a/"), 404)
        self.assert_refused(self.call("GET", f"{url}/"), 404)

    def test_ids_that_are_none_or_another_ones(self) -> None:
        self.cloud.accounts.put("bob", password="builder", policy="default")
        mine = self.cdmi("PUT", "/cdmi/o", {"value": "mine"}).json["objectID"]
        for method in ("GET", "PUT", "DELETE"):
            body = b"x" if method == "PUT" else None
            self.assert_refused(self.call(method, f"/cdmi/cdmi_objectid/{mine}", body, user="bob:builder"), 404)
            self.assert_refused(self.call(method, f"/cdmi/cdmi_objectid/{objectid.new()}", body), 404)
            self.assert_refused(self.call(method, f"/cdmi/cdmi_objectid/{mine[:-1]}0A", body), 400)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"mine")

    def test_copies(self) -> None:
        made = self.cdmi("PUT", "/cdmi/o", {"mimetype": "text/x", "metadata": {"k": "v"}, "value": "hi"}).json
        self.call("PUT", "/cdmi/a/")
        for source in ("/cdmi/o", "/o", f"/cdmi/cdmi_objectid/{made['objectID']}", "http://host:80/cdmi/o"):
            self.call("DELETE", "/cdmi/a/p")
            copied = self.cdmi("PUT", "/cdmi/a/p", {"copy": source})
            self.assertEqual(copied.status_code, 201, copied.text)
            self.assertNotEqual(copied.json["objectID"], made["objectID"])
            read = self.cdmi("GET", "/cdmi/a/p").json
            self.assertEqual((read["value"], read["mimetype"], read["metadata"]["k"]), ("hi", "text/x", "v"))
        self.assertEqual(self.cdmi("PUT", "/cdmi/a/p", {"copy": "/cdmi/o", "metadata": {"l": "w"}}).status_code, 204)
        read = self.cdmi("GET", "/cdmi/a/p").json["metadata"]
        self.assertEqual((read.get("k"), read["l"]), (None, "w"))
        self.call("DELETE", "/cdmi/o")
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [b"hi"])

    def test_a_copy_into_another_module_goes_through_a_stream(self) -> None:
        self.configure("new", "tests.host.vendor.Memory")
        data = os.urandom(2 * BLOCK + 1)
        self.put("/cdmi/o", data)
        self.cloud.accounts.put("alice", policy="new")
        self.assertEqual(self.cdmi("PUT", "/cdmi/p", {"copy": "/cdmi/o"}).status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/p").content, data)
        self.assertEqual(list(self.cloud.loader.instance("new").objects.values()), [data])  # type: ignore[attr-defined]

    def test_what_must_exist_and_what_must_not(self) -> None:
        exist, none = {"X-CDMI-MustExist": "true"}, {"X-CDMI-NoClobber": "true"}
        for kind, path in (("object", "/cdmi/o"), ("container", "/cdmi/a/")):
            self.assert_refused(self.cdmi("PUT", path, {"metadata": {"k": "v"}}, kind, **exist), 412)
            self.assertEqual(self.cdmi("PUT", path, {"metadata": {"k": "v"}}, kind, **none).status_code, 201)
            self.assert_refused(self.cdmi("PUT", path, {"metadata": {}}, kind, **none), 412)
            self.assertEqual(self.cdmi("PUT", path, {"metadata": {"k": "w"}}, kind, **exist).status_code, 204)
            self.assertEqual(self.cdmi("GET", path, **none, **exist).json["metadata"]["k"], "w")
        self.assert_refused(self.put("/cdmi/o", b"lost", **none), 412)
        self.assert_refused(self.cdmi("PUT", "/cdmi/o", {"copy": "/cdmi/o"}, **none), 412)
        self.assertEqual(self.call("GET", "/cdmi/o", headers=none).status_code, 200)
        self.assertEqual(self.call("DELETE", "/cdmi/o", headers=none).status_code, 204)

    def test_containers_are_copied_whole(self) -> None:
        self.cdmi("PUT", "/cdmi/a/", {"metadata": {"k": "v"}}, kind="container")
        self.call("PUT", "/cdmi/a/b/")
        for path in ("/cdmi/a/o", "/cdmi/a/b/p"):
            self.put(path, path.encode())
        copied = self.cdmi("PUT", "/cdmi/c/", {"copy": "/cdmi/a/"}, kind="container")
        self.assertEqual((copied.status_code, copied.json["metadata"]["k"]), (201, "v"))
        self.assertEqual((copied.json["children"], copied.json["childrenrange"]), (["b/", "o"], "0-1"))
        self.assertEqual(self.call("GET", "/cdmi/c/b/p").content, b"/cdmi/a/b/p")
        self.assertEqual(self.cdmi("PUT", "/cdmi/a/self/", {"copy": "/cdmi/a"}, kind="container").status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/a/self/").json["children"], ["b/", "o"])
        self.assert_refused(self.cdmi("PUT", "/cdmi/c/", {"copy": "/cdmi/a/"}, kind="container"), 409)
        self.assert_refused(self.cdmi("PUT", "/cdmi/d/", {"copy": "/cdmi/none/"}, kind="container"), 404)
        self.assert_refused(self.cdmi("PUT", "/cdmi/d/", {"copy": "/cdmi/a/o"}, kind="container"), 400)
        self.assert_refused(self.cdmi("PUT", "/cdmi/d", {"copy": "/cdmi/a/"}), 400)

    def test_a_container_is_copied_on_conditions(self) -> None:
        self.call("PUT", "/cdmi/a/")
        self.call("PUT", "/cdmi/b/")

        def copied(to: str, headers: dict[str, str]) -> Any:
            return self.cdmi("PUT", to, {"copy": "/cdmi/a/"}, kind="container", **headers)

        for headers in ({"If-Match": "*"}, {"If-Match": '"x"'}, {"X-CDMI-MustExist": "true"}):
            self.assert_refused(copied("/cdmi/c/", headers), 412)
        self.assert_refused(copied("/cdmi/b/", {"If-None-Match": "*"}), 412)
        self.assert_refused(copied("/cdmi/b/", {"If-Match": "*"}), 409)
        self.assertEqual(self.call("GET", "/cdmi/").json["children"], ["a/", "b/"])
        self.assertEqual(copied("/cdmi/c/", {"If-None-Match": "*"}).status_code, 201)

    def test_a_copy_that_fails_in_the_middle_leaves_nothing(self) -> None:
        self.call("PUT", "/cdmi/a/")
        for name in "opq":
            self.put(f"/cdmi/a/{name}", bytes(10))
        self.admin("PUT", f"{MEMBERS}/alice", {"quota": 45})
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.cdmi("PUT", "/cdmi/c/", {"copy": "/cdmi/a/"}, kind="container"), 507)
        self.assertEqual(self.call("GET", "/cdmi/").json["children"], ["a/"])
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [bytes(10)] * 3)
        self.assertEqual(self.admin("GET", f"{MEMBERS}/alice").json["used"], 30)

    def test_moves(self) -> None:
        made = self.cdmi("PUT", "/cdmi/o", {"metadata": {"k": "v"}, "value": "hi"}).json
        self.call("PUT", "/cdmi/a/")
        moved = self.cdmi("PUT", "/cdmi/a/p", {"move": "/cdmi/o"})
        self.assertEqual((moved.status_code, moved.json["objectID"]), (201, made["objectID"]))
        self.assertEqual(moved.json["metadata"]["k"], "v")
        self.assertEqual(moved.headers["etag"], self.call("HEAD", "/cdmi/a/p").headers["etag"])
        self.assert_refused(self.call("GET", "/cdmi/o"), 404)
        self.put("/cdmi/q", b"replaced")
        self.assertEqual(self.cdmi("PUT", "/cdmi/q", {"move": "/a/p", "metadata": {"l": "w"}}).status_code, 204)
        read = self.cdmi("GET", "/cdmi/q").json
        self.assertEqual((read["value"], read["objectID"], read["metadata"]["l"]), ("hi", made["objectID"], "w"))
        container = self.cdmi("PUT", "/cdmi/b/", {"move": "/cdmi/a/"}, kind="container")
        self.assertEqual((container.status_code, container.json["objectName"]), (201, "b/"))
        self.cdmi("PUT", "/cdmi/b/c/", {}, kind="container")
        container = self.cdmi("PUT", "/cdmi/a/", {"move": "/cdmi/b/"}, kind="container")
        self.assertEqual((container.json["children"], container.json["childrenrange"]), (["c/"], "0-0"))
        self.assertEqual(self.cdmi("PUT", "/cdmi/a/", {"move": "/cdmi/a/"}, kind="container").status_code, 204)
        self.cdmi("PUT", "/cdmi/b/", {"move": "/cdmi/a/"}, kind="container")
        for path, source, kind, status in (
            ("/cdmi/b/c/d/", "/cdmi/b/", "container", 409),
            ("/cdmi/b/", "/cdmi/b/c/", "container", 409),
            ("/cdmi/x/", "/cdmi/none/", "container", 404),
            ("/cdmi/x", "/cdmi/none", "object", 404),
            ("/cdmi/x", "/cdmi/b/", "object", 400),
            ("/cdmi/b", "/cdmi/q", "object", 409),
            ("/cdmi/x/", "/cdmi/", "container", 403),
            ("/cdmi/none/x", "/cdmi/q", "object", 404),
        ):
            with self.subTest(path=path, source=source):
                self.assert_refused(self.cdmi("PUT", path, {"move": source}, kind), status)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [b"hi"])

    def test_post(self) -> None:
        self.call("PUT", "/cdmi/a/")
        sent = {"X-CDMI-Specification-Version": "1.1.1", "Content-Type": "application/cdmi-object"}
        made = self.call("POST", "/cdmi/a/", {"value": "hi", "metadata": {"k": "v"}}, headers=sent)
        self.assertEqual((made.status_code, made.headers["location"]), (201, f"/cdmi/a/{made.json['objectName']}"))
        self.assertEqual(self.cdmi("GET", made.headers["location"]).json["value"], "hi")
        unnamed = self.call("POST", "/cdmi/cdmi_objectid/", {"value": "ho"}, headers=sent)
        self.assertEqual(unnamed.headers["location"], f"/cdmi/cdmi_objectid/{unnamed.json['objectID']}")
        self.assertFalse(unnamed.json.keys() & {"objectName", "parentURI", "parentID"})
        self.assertEqual(self.call("GET", unnamed.headers["location"]).content, b"ho")
        copied = self.call("POST", "/cdmi/cdmi_objectid/", {"copy": "/cdmi/a/" + made.json["objectName"]}, headers=sent)
        self.assertEqual(self.call("GET", copied.headers["location"]).content, b"hi")
        moved = self.cdmi("PUT", "/cdmi/named", {"move": unnamed.headers["location"]})
        self.assertEqual((moved.status_code, moved.json["objectID"]), (201, unnamed.json["objectID"]))
        self.assertEqual(self.call("GET", "/cdmi/named").content, b"ho")
        inner = self.call("POST", "/cdmi/a/", {}, headers=sent | {"Content-Type": "application/cdmi-container"})
        self.assertEqual(inner.headers["location"], f"/cdmi/a/{inner.json['objectName']}")
        self.assertEqual(self.call("GET", inner.headers["location"]).status_code, 200)
        self.assert_refused(self.call("POST", "/cdmi/a/", {"move": "/cdmi/named"}, headers=sent), 400)

    def test_multipart(self) -> None:
        data = os.urandom(BLOCK + 1)
        head = b'{"mimetype": "text/x", "metadata": {"k": "v"}}'
        body = b"--B\r\nContent-Type: application/cdmi-object\r\n\r\n" + head
        body += b"\r\n--B\r\nContent-Type: image/png\r\n\r\n" + data + b"\r\n--B--\r\n"
        kind = {"Content-Type": "multipart/mixed; boundary=B", "X-CDMI-Specification-Version": "1.1"}
        made = self.call("PUT", "/cdmi/o", body, headers=kind)
        self.assertEqual((made.status_code, made.json["mimetype"], made.json["metadata"]["k"]), (201, "text/x", "v"))
        self.assertEqual(self.call("GET", "/cdmi/o").content, data)
        posted = self.call("POST", "/cdmi/", body, headers=kind)
        self.assertEqual(self.call("GET", posted.headers["location"]).content, data)
        for broken in (
            body[:-9],
            body.replace(b"application/cdmi-object", b"text/plain"),
            body.replace(b"{", b"["),
            b"",
        ):
            self.assert_refused(self.call("PUT", "/cdmi/p", broken, headers=kind), 400)
        self.assert_refused(self.call("GET", "/cdmi/p"), 404)
        raw = self.call("PUT", "/cdmi/raw", body, headers={"Content-Type": "multipart/mixed; boundary=B"})
        self.assertEqual(raw.status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/raw").content, body)

    def test_capabilities(self) -> None:
        for headers in ({}, {"X-CDMI-Specification-Version": "1.0.2"}, {"X-CDMI-Specification-Version": "1.1.1"}):
            for path, name in (("", "cdmi_object_access_by_ID"), ("container/", "cdmi_list_children_range")):
                read = self.call("GET", f"/cdmi/cdmi_capabilities/{path}", headers=headers)
                self.assertEqual(read.headers["content-type"], "application/cdmi-capability")
                self.assertEqual(read.json["capabilities"][name], "true")
                self.assertEqual(set(read.json["capabilities"].values()), {"true"})
        objects = self.call("GET", "/cdmi/cdmi_capabilities/dataobject/").json["capabilities"]
        self.assertIn("cdmi_size", objects)
        self.assertEqual(
            self.call("GET", "/cdmi/cdmi_capabilities?x").headers["location"], "/cdmi/cdmi_capabilities/?x"
        )
        self.assertEqual(self.call("GET", "/cdmi/cdmi_capabilities/domain/").status_code, 200)
        chosen = self.cdmi("GET", "/cdmi/cdmi_capabilities/?objectName")
        self.assertEqual(chosen.json, {"objectName": "cdmi_capabilities/"})
        self.assert_refused(self.call("GET", "/cdmi/cdmi_capabilities/queue/"), 404)

    def test_what_is_not_served_is_not_announced(self) -> None:
        root = {}
        for version in ("1.0.2", "1.1.1"):
            headers = {"X-CDMI-Specification-Version": version}
            root[version] = self.call("GET", "/cdmi/cdmi_capabilities/", headers=headers).json["capabilities"].keys()
        self.assertEqual(root["1.1.1"] - root["1.0.2"], {"cdmi_dataobjects"})
        parts = ("container/", "dataobject/", "domain/")
        announced = set(root["1.1.1"])
        announced.update(*(self.call("GET", f"/cdmi/cdmi_capabilities/{part}").json["capabilities"] for part in parts))
        for word in ("queue", "query", "notification", "serial", "snapshot", "export", "acl", "reference"):
            with self.subTest(word):
                self.assertFalse([name for name in announced if word in name.lower()])

    def test_the_systems_own_is_only_read(self) -> None:
        for path in (
            "cdmi_capabilities/",
            "cdmi_capabilities/container/",
            "cdmi_domains/",
            "cdmi_domains/system_domain/",
        ):
            for user in ("alice:wonder", "administrator:root"):
                with self.subTest(path=path, user=user):
                    self.assert_refused(self.call("DELETE", f"/cdmi/{path}", user=user), 403)
                    refused = self.call("PUT", f"/cdmi/{path}", {}, user=user)
                    self.assert_refused(refused, 405)
                    self.assertEqual(refused.headers["allow"], "GET, HEAD")

    def test_the_tree_above(self) -> None:
        self.put("/cdmi/o")
        for path in ("/cdmi/storage_root/", "/cdmi/"):
            self.assertEqual(self.call("GET", path).json["children"], ["o"])
        self.assertEqual(self.call("GET", "/cdmi/storage_root").status_code, 301)
        self.assertEqual(self.call("GET", "/cdmi/storage_root/o").content, b"data")
        self.assertEqual(self.call("GET", "/cdmi/cdmi_domains").headers["location"], "/cdmi/cdmi_domains/")
        self.assertEqual(self.call("GET", "/cdmi/cdmi_domains/").json["children"], ["system_domain/"])
        domain = self.call("GET", "/cdmi/cdmi_domains/system_domain/")
        self.assertEqual(domain.headers["content-type"], "application/cdmi-domain")
        self.assertEqual(domain.json["children"], ["cdmi_domain_members/"])

    def test_a_value_larger_than_memory_is_streamed_where_its_encoding_comes_first(self) -> None:
        limit = Limits().value
        data = bytes(limit)
        value = base64.b64encode(data)
        first = b'{"valuetransferencoding": "base64", "value": "' + value + b'", "metadata": {"k": "v"}}'
        self.assertEqual(self.cdmi("PUT", "/cdmi/o", first).status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/o").content, data)
        self.assertEqual(self.cdmi("GET", "/cdmi/o?metadata:k").json["metadata"], {"k": "v"})
        last = b'{"value": "' + value + b'", "valuetransferencoding": "base64"}'
        self.assert_refused(self.cdmi("PUT", "/cdmi/p", last), 413, "valuetransferencoding before")
        for tail in (
            b', "copy": "/cdmi/o"}',
            b', "value": "x"}',
            b', "metadata": []}',
            b"",
            b"} x",
            b', "mimetype": 5}',
        ):
            body = b'{"valuetransferencoding": "utf-8", "value": "abc"' + tail
            with self.subTest(tail):
                self.assert_refused(self.cdmi("PUT", "/cdmi/p", body), 400)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [data])

    def test_what_is_refused(self) -> None:
        self.cdmi("PUT", "/cdmi/a/", {}, kind="container")
        self.cdmi("PUT", "/cdmi/o", {"value": "kept"})
        for path, kind, body, status in (
            ("/cdmi/o", "object", b"no JSON", 400),
            ("/cdmi/o", "object", [], 400),
            ("/cdmi/o", "object", {"value": "x", "valuetransferencoding": "rot13"}, 400),
            ("/cdmi/o", "object", {"value": "x", "valuetransferencoding": "base64"}, 400),
            ("/cdmi/o", "object", {"move": "/cdmi/p", "value": "x"}, 400),
            ("/cdmi/o", "object", {"move": "/cdmi/a/", "copy": "/cdmi/o"}, 400),
            ("/cdmi/o", "object", {"move": 5}, 400),
            ("/cdmi/o", "object", {"move": "relative"}, 400),
            ("/cdmi/o", "object", {"reference": "/cdmi/p"}, 400),
            ("/cdmi/o", "object", {"metadata": {"cdmi_acl": [{"acetype": "DENY"}]}}, 400),
            ("/cdmi/o", "object", {"domainURI": "/cdmi/cdmi_domains/another/"}, 400),
            ("/cdmi/b/", "container", {"domainURI": "/cdmi/cdmi_domains/another/"}, 400),
            ("/cdmi/o", "object", {"value": 5}, 400),
            ("/cdmi/o", "object", {"value": "x", "deserialize": "/cdmi/p"}, 400),
            ("/cdmi/o/", "object", {}, 400),
            ("/cdmi/", "object", {}, 400),
            ("/cdmi/b", "container", {}, 400),
            ("/cdmi/b/", "container", {"value": "x"}, 400),
            ("/cdmi/b/", "container", {"snapshot": "x"}, 400),
            ("/cdmi/b/", "container", {"exports": {"OCCI/NFS": {}}}, 400),
            ("/cdmi/a/", "object", {"value": "x"}, 400),
            ("/cdmi/none/", "object", {"metadata": {}}, 400),
            ("/cdmi/none/o", "object", {"value": "x"}, 404),
            ("/cdmi/o", "object", b'{"metadata": {"k": NaN}}', 400),
            ("/cdmi/o", "object", b'{"metadata": {"k": 1e999}}', 400),
            ("/cdmi/o", "object", b'{"metadata": {"\\ud800": 1}}', 400),
            ("/cdmi/o", "object", {"metadata": {"k": nested(100)}}, 400),
            ("/cdmi/a", "object", {"value": "x"}, 409),
            ("/cdmi/o/", "container", {}, 409),
            ("/cdmi/q", "queue", {}, 415),
            ("/cdmi/o", "object", b'{"metadata": {"k": "' + b"x" * 3_000_000 + b'"}}', 413),
        ):
            with self.subTest(path=path, kind=kind):
                self.assert_refused(self.cdmi("PUT", path, body, kind), status)
        self.assert_refused(self.cdmi("GET", "/cdmi/o", Accept="application/cdmi-container"), 406)
        self.assert_refused(self.cdmi("GET", "/cdmi/o", Accept="text/html, application/cdmi-object;q=0"), 406)
        self.assert_refused(self.cdmi("GET", "/cdmi/a/", Accept="application/cdmi-object"), 406)
        self.assert_refused(self.call("GET", "/cdmi/o", headers={"X-CDMI-Specification-Version": "9"}), 400)
        self.assertEqual(self.stored(), [b"kept"])

    def test_what_was_read_can_be_written_back(self) -> None:
        made = self.cdmi("PUT", "/cdmi/o", {"metadata": {"k": "v", "cdmi_acl": []}, "value": "x"}).json
        self.assertNotIn("cdmi_acl", made["metadata"])
        for domain in (
            made["domainURI"],
            "/cdmi_domains/system_domain",
            "https://host/cdmi/cdmi_domains/system_domain/",
        ):
            body = {**self.cdmi("GET", "/cdmi/o").json, "domainURI": domain}
            self.assertEqual(self.cdmi("PUT", "/cdmi/o", body).status_code, 204, domain)

    def test_a_field_that_is_null_or_empty_asks_for_nothing(self) -> None:
        unset = {"copy": None, "reference": None, "deserialize": None, "domainURI": None}
        self.assertEqual(self.cdmi("PUT", "/cdmi/o", {**unset, "metadata": None, "value": "x"}).status_code, 201)
        made = self.cdmi("PUT", "/cdmi/a/", {"exports": {}, "snapshot": None, "move": None}, kind="container")
        self.assertEqual(made.status_code, 201)
