"""The user's tree, by plain HTTP and by CDMI."""

import base64
import os
from typing import Any

from host import objectid
from host.body import BLOCK
from host.objects import JSON_LIMIT
from tests.files import objects_in
from tests.host.cloud import CloudTest


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else []


class PlainHttpTest(CloudTest):
    def test_an_object_is_created_read_replaced_and_deleted(self) -> None:
        created = self.put("/cdmi/o", b"first")
        self.assertEqual((created.status_code, created.content), (201, b""))
        self.assertEqual(self.stored(), [b"first"])
        read = self.call("GET", "/cdmi/o")
        self.assertEqual((read.status_code, read.content), (200, b"first"))
        self.assertEqual(read.headers["content-type"], "text/plain")
        self.assertEqual(read.headers["content-length"], "5")
        self.assertEqual(self.put("/cdmi/o", b"second one").status_code, 204)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"second one")
        self.assertEqual(self.call("DELETE", "/cdmi/o").status_code, 204)
        self.assert_refused(self.call("GET", "/cdmi/o"), 404)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [])

    def test_sizes_around_a_block_come_back(self) -> None:
        for size in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1):
            data = os.urandom(size)
            self.put("/cdmi/o", data)
            self.assertEqual(self.call("GET", "/cdmi/o").content, data)

    def test_ranges(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        for header, expected in (
            ("bytes=2-4", b"234"),
            ("bytes=7-", b"789"),
            ("bytes=-2", b"89"),
            ("bytes=8-99", b"89"),
        ):
            read = self.call("GET", "/cdmi/o", headers={"Range": header})
            first = 10 - len(expected) if "2-4" not in header else 2
            self.assertEqual((read.status_code, read.content), (206, expected))
            self.assertEqual(read.headers["content-range"], f"bytes {first}-{first + len(expected) - 1}/10")
            self.assertEqual(read.headers["content-length"], str(len(expected)))
        refused = self.call("GET", "/cdmi/o", headers={"Range": "bytes=10-"})
        self.assert_refused(refused, 416)
        self.assertEqual(refused.headers["content-range"], "bytes */10")
        self.assertEqual(self.call("GET", "/cdmi/o", headers={"Range": "lines=1-2"}).status_code, 200)

    def test_head_has_the_headers_of_get_and_no_body(self) -> None:
        for mimetype in ("text/plain", "text/plain; charset=utf-8"):
            self.put("/cdmi/o", b"0123456789", Content_Type=mimetype)
            for headers in ({}, {"Range": "bytes=1-2"}, {"X-CDMI-Specification-Version": "1.1"}):
                get = self.call("GET", "/cdmi/o", headers=headers)
                head = self.call("HEAD", "/cdmi/o", headers=headers)
                self.assertEqual((head.status_code, head.content), (get.status_code, b""))
                self.assertEqual(head.headers, get.headers)

    def test_a_type_that_is_not_given_is_octet_stream(self) -> None:
        self.call("PUT", "/cdmi/o", b"data")
        self.assertEqual(self.call("GET", "/cdmi/o").headers["content-type"], "application/octet-stream")

    def test_containers(self) -> None:
        self.assertEqual(self.call("PUT", "/cdmi/a/").status_code, 201)
        self.assertEqual(self.call("PUT", "/cdmi/a/").status_code, 204)
        self.put("/cdmi/a/o", b"data")
        listing = self.call("GET", "/cdmi/a/")
        self.assertEqual(listing.headers["content-type"], "application/cdmi-container")
        self.assertEqual(listing.json["children"], ["o"])
        self.assertEqual(self.call("DELETE", "/cdmi/a/").status_code, 204)
        self.assert_refused(self.call("GET", "/cdmi/a/o"), 404)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [])

    def test_a_container_without_its_slash(self) -> None:
        self.call("PUT", "/cdmi/a/")
        moved = self.call("GET", "/cdmi/a?x=1")
        self.assertEqual((moved.status_code, moved.headers["location"]), (301, "/cdmi/a/?x=1"))
        self.assertEqual(self.call("GET", "/cdmi").headers["location"], "/cdmi/")
        self.assertEqual(self.call("DELETE", "/cdmi/a").status_code, 204)
        self.assert_refused(self.call("GET", "/cdmi/a/"), 404)

    def test_slashes_collapse_and_names_are_decoded(self) -> None:
        self.put("/cdmi//%C3%A4%20b", b"data")
        self.assertEqual(self.call("GET", "/cdmi/%C3%A4%20b").content, b"data")
        self.assertEqual(self.call("GET", "/cdmi/").json["children"], ["ä b"])

    def test_what_is_refused(self) -> None:
        self.call("PUT", "/cdmi/a/")
        self.put("/cdmi/o")
        for method, path, body, status in (
            ("GET", "/cdmi/none", None, 404),
            ("DELETE", "/cdmi/none", None, 404),
            ("GET", "/cdmi/o/", None, 404),
            ("DELETE", "/cdmi/o/", None, 404),
            ("GET", "/elsewhere", None, 404),
            ("PUT", "/cdmi/none/o", b"x", 404),
            ("PUT", "/cdmi/none/c/", None, 404),
            ("PUT", "/cdmi/o/below", b"x", 409),
            ("PUT", "/cdmi/o/below/", None, 409),
            ("PUT", "/cdmi/a", b"x", 409),
            ("PUT", "/cdmi/o/", None, 409),
            ("PUT", "/cdmi/b/", b"data of a container", 400),
            ("PUT", "/cdmi/cdmi_mine", b"x", 400),
            ("PUT", "/cdmi/o?value:0-1", b"x", 400),
            ("GET", "/cdmi/o?value", None, 400),
            ("DELETE", "/cdmi/o?value", None, 400),
            ("GET", "/cdmi/../etc", None, 400),
            ("DELETE", "/cdmi/", None, 403),
            ("DELETE", "/cdmi/system_configuration/", None, 403),
            ("PATCH", "/cdmi/o", b"x", 405),
            ("POST", "/cdmi/", b"x", 405),
        ):
            with self.subTest(method=method, path=path):
                self.assert_refused(self.call(method, path, body), status)
        self.assertEqual(self.call("POST", "/cdmi/").headers["allow"], "GET, HEAD, PUT, DELETE")
        self.assertEqual(self.stored(), [b"data"])

    def test_a_length_is_needed(self) -> None:
        self.assert_refused(self.call("PUT", "/cdmi/o", None), 411)
        self.assertEqual(self.call("PUT", "/cdmi/o", b"", headers={"Content-Length": "0"}).status_code, 201)

    def test_a_put_on_conditions_or_of_a_part_is_refused_and_not_taken_for_a_whole_one(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        for header in ("Content-Range", "If-Match", "If-None-Match", "If-Unmodified-Since"):
            refused = self.call("PUT", "/cdmi/o", b"zz", headers={header: "bytes 0-1/10"})
            self.assert_refused(refused, 400, header)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"0123456789")

    def test_a_part_of_what_may_have_changed_is_not_given(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        read = self.call("GET", "/cdmi/o", headers={"Range": "bytes=5-", "If-Range": '"old"'})
        self.assertEqual((read.status_code, read.content), (200, b"0123456789"))

    def test_a_failure_has_no_headers_of_a_success(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        objects_in(self.objects)[0].unlink()
        with self.assertLogs("host.application", "ERROR"):
            refused = self.call("GET", "/cdmi/o", headers={"Range": "bytes=2-3"})
        self.assert_refused(refused, 500)
        self.assertFalse({"content-range", "accept-ranges"} & refused.headers.keys())

    def test_a_type_that_would_break_a_header_is_refused(self) -> None:
        self.assert_refused(self.put("/cdmi/o", Content_Type="text/\x00plain"), 400)

    def test_nobody_sees_another_ones_tree(self) -> None:
        self.cloud.accounts.put("bob", "builder", "default")
        self.put("/cdmi/o", b"alice's")
        self.assert_refused(self.call("GET", "/cdmi/o", user="bob:builder"), 404)
        self.assertEqual(self.call("GET", "/cdmi/", user="bob:builder").json["children"], [])
        self.assert_refused(self.call("GET", "/cdmi/o", user="administrator:root"), 404)


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

    def test_what_is_refused(self) -> None:
        self.cdmi("PUT", "/cdmi/a/", {}, kind="container")
        self.cdmi("PUT", "/cdmi/o", {"value": "kept"})
        for path, kind, body, status in (
            ("/cdmi/o", "object", b"no JSON", 400),
            ("/cdmi/o", "object", [], 400),
            ("/cdmi/o", "object", {"value": "x", "valuetransferencoding": "rot13"}, 400),
            ("/cdmi/o", "object", {"value": "x", "valuetransferencoding": "base64"}, 400),
            ("/cdmi/o", "object", {"move": "/cdmi/p"}, 400),
            ("/cdmi/o/", "object", {}, 400),
            ("/cdmi/", "object", {}, 400),
            ("/cdmi/b", "container", {}, 400),
            ("/cdmi/b/", "container", {"move": "/cdmi/a/"}, 400),
            ("/cdmi/b/", "container", {"copy": "/cdmi/a/"}, 400),
            ("/cdmi/o", "object", b'{"metadata": {"k": NaN}}', 400),
            ("/cdmi/o", "object", b'{"metadata": {"k": 1e999}}', 400),
            ("/cdmi/o", "object", b'{"metadata": {"\\ud800": 1}}', 400),
            ("/cdmi/o", "object", {"metadata": {"k": nested(100)}}, 400),
            ("/cdmi/a", "object", {"value": "x"}, 409),
            ("/cdmi/o/", "container", {}, 409),
            ("/cdmi/q", "queue", {}, 415),
            ("/cdmi/o", "object", b" " * (JSON_LIMIT + 1), 413),
        ):
            with self.subTest(path=path, kind=kind):
                self.assert_refused(self.cdmi("PUT", path, body, kind), status)
        mixed = {"Content-Type": "multipart/mixed; boundary=x", "X-CDMI-Specification-Version": "1.1"}
        self.assert_refused(self.call("PUT", "/cdmi/o", b"--x", headers=mixed), 415)
        self.assert_refused(self.cdmi("GET", "/cdmi/o", Accept="application/cdmi-container"), 406)
        self.assert_refused(self.cdmi("GET", "/cdmi/o", Accept="text/html, application/cdmi-object;q=0"), 406)
        self.assert_refused(self.cdmi("GET", "/cdmi/a/", Accept="application/cdmi-object"), 406)
        self.assert_refused(self.call("GET", "/cdmi/o", headers={"X-CDMI-Specification-Version": "9"}), 400)
        self.assertEqual(self.stored(), [b"kept"])
