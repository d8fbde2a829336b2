"""The user's tree, by plain HTTP."""

import email
import os
import time
from email.utils import parsedate_to_datetime

from falcon import testing

from host.body import BLOCK
from tests.files import objects_in
from tests.host.cloud import CloudTest


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

    def test_a_body_in_chunks_is_stored(self) -> None:
        chunked = {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
        self.assertEqual(self.call("PUT", "/cdmi/o", b"data", headers=chunked).status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"data")

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

    def test_several_ranges(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        read = self.call("GET", "/cdmi/o", headers={"Range": "bytes=0-1,5-6,-1"})
        self.assertEqual(read.status_code, 206)
        self.assertEqual(len(read.content), int(read.headers["content-length"]))
        kind = read.headers["content-type"]
        message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + read.content)
        parts = [(part["Content-Range"], part.get_payload()) for part in message.walk() if not part.is_multipart()]
        self.assertEqual(parts, [("bytes 0-1/10", "01"), ("bytes 5-6/10", "56"), ("bytes 9-9/10", "9")])
        joined = self.call("GET", "/cdmi/o", headers={"Range": "bytes=0-3,2-6"})
        self.assertEqual((joined.content, joined.headers["content-range"]), (b"0123456", "bytes 0-6/10"))

    def test_head_has_the_headers_of_get_and_no_body(self) -> None:
        self.call("PUT", "/cdmi/c/")
        for mimetype in ("text/plain", "text/plain; charset=utf-8"):
            self.put("/cdmi/o", b"0123456789", Content_Type=mimetype)
            for path, headers in (
                ("/cdmi/o", {}),
                ("/cdmi/o", {"Range": "bytes=1-2"}),
                ("/cdmi/o", {"Range": "bytes=1-2,4-5"}),
                ("/cdmi/o", {"If-None-Match": "*"}),
                ("/cdmi/o", {"X-CDMI-Specification-Version": "1.1"}),
                ("/cdmi/o?value:1-2", {"X-CDMI-Specification-Version": "1.1"}),
                ("/cdmi/", {}),
                ("/cdmi/c", {}),
                ("/cdmi/cdmi_capabilities/", {}),
            ):
                with self.subTest(path=path, headers=headers, mimetype=mimetype):
                    get, head = (self.call(method, path, headers=headers) for method in ("GET", "HEAD"))
                    self.assertEqual((head.status_code, head.content), (get.status_code, b""))
                    self.assertEqual(self.told(head), self.told(get))

    def told(self, result: testing.Result) -> dict[str, str]:
        """Return the headers, without what is another one's for every request."""
        headers = {name.lower(): value for name, value in result.headers.items() if name.lower() != "x-request-id"}
        kind = headers.get("content-type", "")
        return headers | {"content-type": kind.partition("; boundary=")[0]}

    def test_a_type_that_is_not_given_is_octet_stream(self) -> None:
        self.call("PUT", "/cdmi/o", b"data")
        self.assertEqual(self.call("GET", "/cdmi/o").headers["content-type"], "application/octet-stream")

    def test_containers(self) -> None:
        made = self.call("PUT", "/cdmi/a/")
        self.assertEqual((made.status_code, made.content), (201, b""))
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
            ("PUT", "/cdmi/o?objectID", b"x", 400),
            ("GET", "/cdmi/o?value", None, 400),
            ("DELETE", "/cdmi/o?value", None, 400),
            ("GET", "/cdmi/../etc", None, 400),
            ("DELETE", "/cdmi/", None, 403),
            ("DELETE", "/cdmi/system_configuration/", None, 403),
            ("PATCH", "/cdmi/o", b"x", 405),
        ):
            with self.subTest(method=method, path=path):
                self.assert_refused(self.call(method, path, body), status)
        self.assertEqual(self.call("PATCH", "/cdmi/").headers["allow"], "GET, HEAD, PUT, POST, DELETE")
        self.assertEqual(self.call("GET", "/cdmi/o?version=3").content, b"data")
        self.assertEqual(self.stored(), [b"data"])

    def test_the_systems_names_are_not_given_in_the_root_whatever_leads_there(self) -> None:
        root = self.cdmi("GET", "/cdmi/?objectID").json["objectID"]
        for name in ("cdmi_mine", "cdmi_domains", "storage_root", "system_configuration"):
            for way in ("/cdmi/storage_root", f"/cdmi/cdmi_objectid/{root}"):
                if name == "storage_root" and way.endswith(name):
                    continue  # the root of the root is the root
                for path in (f"{way}/{name}", f"{way}/{name}/"):
                    with self.subTest(path):
                        self.assertIn(self.put(path, b"").status_code, (400, 403, 405))
        self.assertEqual(self.call("GET", "/cdmi/").json["children"], [])
        self.call("PUT", "/cdmi/a/")
        self.assertEqual(self.put("/cdmi/a/storage_root").status_code, 201)

    def test_a_length_is_needed(self) -> None:
        self.assert_refused(self.call("PUT", "/cdmi/o", None), 411)
        self.assertEqual(self.call("PUT", "/cdmi/o", b"", headers={"Content-Length": "0"}).status_code, 201)

    def test_an_object_is_told_by_its_tag_and_its_time(self) -> None:
        made = self.put("/cdmi/o", b"first")
        read = self.call("GET", "/cdmi/o")
        self.assertEqual(read.headers["etag"], made.headers["etag"])
        self.assertRegex(read.headers["etag"], r'^"[0-9a-f]{16}"$')
        self.assertLessEqual(abs(parsedate_to_datetime(read.headers["last-modified"]).timestamp() - time.time()), 5)
        changed = self.put("/cdmi/o", b"second")
        self.assertNotEqual(changed.headers["etag"], made.headers["etag"])
        described = self.cdmi("PUT", "/cdmi/o", {"metadata": {"k": "v"}})
        self.assertEqual(self.call("GET", "/cdmi/o").headers["etag"], described.headers["etag"])
        self.assertNotEqual(described.headers["etag"], changed.headers["etag"])

    def test_what_a_client_has_is_not_sent_again(self) -> None:
        tag = self.put("/cdmi/o", b"data").headers["etag"]
        date = self.call("GET", "/cdmi/o").headers["last-modified"]
        for headers, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": f'"x", W/{tag}'}, 304),
            ({"If-None-Match": "*"}, 304),
            ({"If-None-Match": '"x"'}, 200),
            ({"If-Modified-Since": date}, 304),
            ({"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
            ({"If-Modified-Since": "nonsense"}, 200),
            ({"If-None-Match": '"x"', "If-Modified-Since": date}, 200),
            ({"If-Match": tag}, 200),
            ({"If-Match": '"x"'}, 412),
            ({"If-Unmodified-Since": date}, 200),
            ({"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
        ):
            with self.subTest(headers):
                read = self.call("GET", "/cdmi/o", headers=headers)
                self.assertEqual(read.status_code, status)
                if status == 304:
                    self.assertEqual((read.content, read.headers["etag"]), (b"", tag))

    def test_a_put_on_conditions(self) -> None:
        tag = self.put("/cdmi/o", b"first").headers["etag"]
        for headers in ({"If-Match": '"x"'}, {"If-None-Match": "*"}, {"If-None-Match": tag}):
            self.assert_refused(self.put("/cdmi/o", b"lost", **headers), 412)
        for path in ("/cdmi/new", "/cdmi/new/"):
            self.assert_refused(self.call("PUT", path, b"", headers={"If-Match": "*", "Content-Length": "0"}), 412)
        self.assert_refused(self.call("DELETE", "/cdmi/o", headers={"If-Match": '"x"'}), 412)
        self.assert_refused(self.cdmi("PUT", "/cdmi/o", {"metadata": {}}, **{"If-Match": '"x"'}), 412)
        self.assertEqual(self.stored(), [b"first"])
        self.assertEqual(self.put("/cdmi/o", b"second", **{"If-Match": tag}).status_code, 204)
        self.assert_refused(self.put("/cdmi/o", b"third", **{"If-Match": tag}), 412)
        self.assertEqual(self.put("/cdmi/p", b"new", **{"If-None-Match": "*"}).status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"second")

    def test_a_condition_is_looked_at_again_when_the_body_is_there(self) -> None:
        tag = self.put("/cdmi/o", b"first").headers["etag"]
        with self.meanwhile(lambda: self.put("/cdmi/o", b"second")):
            refused = self.put("/cdmi/o", b"third", **{"If-Match": tag})
        self.assert_refused(refused, 412)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"second")
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [b"second"])

    def test_a_part_is_written(self) -> None:
        for header, body, expected in (
            ("bytes 2-4/*", b"abc", b"01abc56789"),
            ("bytes=8-11", b"WXYZ", b"01abc567WXYZ"),
            ("bytes 14-14/15", b"!", b"01abc567WXYZ\0\0!"),
            ("bytes 0-14/*", bytes(15), bytes(15)),
        ):
            self.put("/cdmi/o", b"0123456789") if header == "bytes 2-4/*" else None
            with self.subTest(header):
                self.assertEqual(self.put("/cdmi/o", body, Content_Range=header).status_code, 204)
                self.assertEqual(self.call("GET", "/cdmi/o").content, expected)
        self.assertEqual(self.call("GET", "/cdmi/o").headers["content-type"], "text/plain")
        self.assertEqual(self.put("/cdmi/new", b"abc", Content_Range="bytes 2-4/*").status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/new").content, b"\0\0abc")
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(sorted(self.stored()), sorted([bytes(15), b"\0\0abc"]))

    def test_a_part_that_does_not_fit_changes_nothing(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        for header, body in (
            ("bytes 2-4/*", b"ab"),
            ("bytes 2-4/*", b"abcd"),
            ("bytes 4-2/*", b"abc"),
            ("lines 2-4/*", b"abc"),
            ("nonsense", b"abc"),
        ):
            with self.subTest(header):
                self.assert_refused(self.put("/cdmi/o", body, Content_Range=header), 400)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), [b"0123456789"])

    def test_two_writers_of_parts_do_not_undo_each_other(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        with self.meanwhile(lambda: self.put("/cdmi/o", b"yz", Content_Range="bytes 8-9/*")):
            self.assert_refused(self.put("/cdmi/o", b"ab", Content_Range="bytes 0-1/*"), 409)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"01234567yz")

    def test_post_gives_a_name(self) -> None:
        self.call("PUT", "/cdmi/a/")
        headers = {"Content-Type": "text/plain", "Content-Length": "4"}
        made = self.call("POST", "/cdmi/a/", b"data", headers=headers)
        self.assertEqual((made.status_code, made.headers["content-type"]), (201, "application/cdmi-object"))
        self.assertEqual(made.headers["location"], f"/cdmi/a/{made.json['objectName']}")
        self.assertEqual(self.call("GET", made.headers["location"]).content, b"data")
        self.assert_refused(self.call("POST", "/cdmi/none/", b"data", headers=headers), 404)
        self.put("/cdmi/o")
        self.assert_refused(self.call("POST", "/cdmi/o", b"data", headers=headers), 405)

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
        self.cloud.accounts.put("bob", password="builder", policy="default")
        self.put("/cdmi/o", b"alice's")
        self.assert_refused(self.call("GET", "/cdmi/o", user="bob:builder"), 404)
        self.assertEqual(self.call("GET", "/cdmi/", user="bob:builder").json["children"], [])
        self.assert_refused(self.call("GET", "/cdmi/o", user="administrator:root"), 404)
