"""CDMI on the wire."""

import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from host import wire
from host.errors import HostError, Invalid, NotAcceptable, Unsatisfiable
from host.node import Node


class PathTest(unittest.TestCase):
    def test_names_and_slash(self) -> None:
        cases = {
            "/cdmi/": ((), True),
            "/cdmi": ((), False),
            "//cdmi//a///b": (("a", "b"), False),
            "/cdmi/a/": (("a",), True),
            "/cdmi/\xc3\xa4 b": (("ä b",), False),
        }
        for text, (names, slash) in cases.items():
            with self.subTest(text):
                self.assertEqual(wire.path(text), wire.Path(names, slash))

    def test_what_is_not_below_cdmi(self) -> None:
        for text in ("/", "", "/cdmifoo", "/other/cdmi"):
            self.assertIsNone(wire.path(text), text)

    def test_names_that_nothing_can_have(self) -> None:
        for text in ("/cdmi/../etc", "/cdmi/.", "/cdmi/a\0b", "/cdmi/\xff"):
            with self.subTest(text), self.assertRaises(Invalid):
                wire.path(text)

    def test_urls_are_quoted(self) -> None:
        where = wire.Path(("a b", "ä"), slash=True)
        self.assertEqual(where.url, "/cdmi/a%20b/%C3%A4/")
        self.assertEqual(where.parent.url, "/cdmi/a%20b/")
        self.assertEqual(where.parent.parent.url, "/cdmi/")

    @given(st.text())
    def test_any_text_is_a_path_or_refused(self, text: str) -> None:
        try:
            where = wire.path(text)
        except Invalid:
            return
        if where is not None:
            self.assertFalse({"", ".", ".."} & set(where.names))


class VersionTest(unittest.TestCase):
    def test_the_version_asked_for_is_answered(self) -> None:
        for version in ("1.0", "1.0.1", "1.0.1h", "1.0.2", "1.1", "1.1.0", "1.1.1"):
            self.assertEqual(wire.version(version), version)

    def test_the_highest_of_a_list_is_taken(self) -> None:
        self.assertEqual(wire.version("1.0.2, 1.1"), "1.1")
        self.assertEqual(wire.version("3.0,1.0.1"), "1.0.1")

    def test_none_in_common_is_refused(self) -> None:
        for header in ("2.0", "", "x"):
            with self.subTest(header), self.assertRaises(Invalid):
                wire.version(header)

    def test_no_header_is_plain_http(self) -> None:
        self.assertIsNone(wire.version(None))


class CredentialsTest(unittest.TestCase):
    def test_name_and_password(self) -> None:
        self.assertEqual(wire.credentials("Basic YWxpY2U6YTpi"), ("alice", "a:b"))
        self.assertEqual(wire.credentials("basic  w6Q6w7Y="), ("ä", "ö"))

    def test_anything_else_is_none(self) -> None:
        for header in (None, "", "Basic", "Basic !", "Basic YWxpY2U=", "Digest YWxpY2U6YTpi", "Basic /w=="):
            self.assertIsNone(wire.credentials(header), header)


class RangeTest(unittest.TestCase):
    def test_the_forms(self) -> None:
        cases = {
            "bytes=0-0": (0, 0),
            "bytes=2-4": (2, 4),
            "bytes=2-": (2, 9),
            "bytes=2-99": (2, 9),
            "bytes=-3": (7, 9),
            "bytes=-99": (0, 9),
            "bytes=9-9": (9, 9),
            "bytes=0-9": (0, 9),
        }
        for header, expected in cases.items():
            self.assertEqual(wire.byte_range(header, 10), expected, header)

    def test_what_is_malformed_or_unknown_is_ignored(self) -> None:
        for header in (
            None,
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "lines=1-2",
            "bytes=1-2,4-5",
            "bytes=4-2",
            f"bytes=0-{'9' * 5000}",
        ):
            self.assertIsNone(wire.byte_range(header, 10), header)

    def test_a_range_outside_is_refused_with_the_size(self) -> None:
        for header, size in (
            ("bytes=10-", 10),
            ("bytes=10-20", 10),
            ("bytes=-0", 10),
            ("bytes=0-0", 0),
            ("bytes=-1", 0),
        ):
            with self.subTest(header), self.assertRaises(Unsatisfiable) as caught:
                wire.byte_range(header, size)
            self.assertEqual(caught.exception.headers, {"Content-Range": f"bytes */{size}"})

    @given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
    def test_as_slicing_has_it(self, first: int, last: int, size: int) -> None:
        data = bytes(range(size))
        try:
            found = wire.byte_range(f"bytes={first}-{last}", size)
        except Unsatisfiable:
            self.assertGreaterEqual(first, size)
            return
        if found is None:
            self.assertLess(last, first)
        else:
            self.assertEqual(data[found[0] : found[1] + 1], data[first : last + 1])


class ObjectBodyTest(unittest.TestCase):
    def test_values(self) -> None:
        cases = {
            b"": (None, None),
            b"{}": (None, None),
            b'{"value": "\\u00e4"}': ("ä".encode(), "utf-8"),
            b'{"value": ""}': (b"", "utf-8"),
            b'{"value": "aGVs\\r\\nbG8=", "valuetransferencoding": "base64"}': (b"hello", "base64"),
        }
        for body, (value, encoding) in cases.items():
            sent = wire.object_body(body)
            self.assertEqual((sent.value, sent.encoding), (value, encoding), body)

    def test_what_is_refused(self) -> None:
        for body in (
            b"no JSON",
            b"[]",
            b"[" * 100_000,
            b"\xff",
            b'{"value": 5}',
            b'{"value": "\\ud800"}',
            b'{"value": "a", "valuetransferencoding": "rot13"}',
            b'{"value": "a", "valuetransferencoding": "base64"}',
            b'{"metadata": []}',
            b'{"mimetype": 5}',
            b'{"mimetype": "text/plain\\r\\nX-Evil: 1"}',
            b'{"mimetype": " "}',
            b'{"copy": "/cdmi/a"}',
        ):
            with self.subTest(body[:60]), self.assertRaises(Invalid):
                wire.object_body(body)

    def test_metadata_loses_nulls_and_what_is_the_systems(self) -> None:
        fields = {"metadata": {"k": "v", "n": 2, "gone": None, "cdmi_size": 7}}
        self.assertEqual(wire.user_metadata(fields), {"k": "v", "n": 2})

    @given(st.binary())
    def test_any_body_is_parsed_or_refused(self, body: bytes) -> None:
        try:
            self.assertIsInstance(wire.object_body(body), wire.ObjectBody)
        except HostError as error:
            self.assertEqual(error.status, 400)


class AcceptTest(unittest.TestCase):
    def test_what_is_acceptable(self) -> None:
        for accept, kind, is_cdmi in (
            (None, wire.OBJECT, True),
            ("*/*", wire.OBJECT, True),
            ("text/html, application/cdmi-object;q=0.5", wire.OBJECT, True),
            ("application/cdmi-object", wire.OBJECT, False),
            ("text/html", wire.OBJECT, False),
            ("image/png, application/cdmi-container", wire.OBJECT, False),
        ):
            with self.subTest(accept):
                wire.require_acceptable(accept, kind, is_cdmi)

    def test_what_is_not(self) -> None:
        for accept, kind, is_cdmi in (
            ("application/cdmi-container", wire.OBJECT, False),
            ("application/cdmi-object", wire.CONTAINER, False),
            ("application/cdmi-object", wire.CONTAINER, True),
            ("text/html", wire.OBJECT, True),
        ):
            with self.subTest(accept), self.assertRaises(NotAcceptable):
                wire.require_acceptable(accept, kind, is_cdmi)


class WritingTest(unittest.TestCase):
    NODE = Node("ID", "PARENT", "o", False, "alice", {"k": "v"}, 0, 86400, "text/plain", "utf-8", "default", "{}", 2)

    def test_an_object(self) -> None:
        fields = wire.object_json(self.NODE, wire.Path(("a", "o"), slash=False))
        self.assertEqual(json.loads(json.dumps(fields)), fields)
        self.assertEqual(fields["objectName"], "o")
        self.assertEqual(fields["parentURI"], "/cdmi/a/")
        self.assertEqual(fields["metadata"]["cdmi_size"], 2)
        self.assertEqual(fields["metadata"]["cdmi_ctime"], "1970-01-01T00:00:00.000000Z")
        self.assertEqual(fields["metadata"]["cdmi_mtime"], "1970-01-02T00:00:00.000000Z")

    def test_a_container(self) -> None:
        fields = wire.container_json(self.NODE, wire.Path(("a",), slash=True), ["b/", "c"])
        self.assertEqual((fields["objectName"], fields["childrenrange"]), ("a/", "0-1"))
        self.assertNotIn("childrenrange", wire.container_json(self.NODE, wire.Path((), slash=True), []))

    def test_a_root_has_no_name_and_no_parent(self) -> None:
        fields = wire.container_json(self.NODE, wire.Path((), slash=True), [])
        self.assertFalse(fields.keys() & {"objectName", "parentURI", "parentID"})

    def test_a_type_with_a_charset_reads_back_as_text(self) -> None:
        self.assertEqual(wire.encoding_of('text/plain; Charset="UTF-8"'), "utf-8")
        self.assertEqual(wire.encoding_of("text/plain"), "base64")
