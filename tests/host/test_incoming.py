"""A cdmi-object as clients send it."""

import base64
import json
import unittest
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from host.body import Body
from host.errors import HostError, Invalid, TooLarge
from host.incoming import Incoming, require_served, transfer
from host.wire.headers import OBJECT
from host.wire.path import Path
from tests.host.wire.test_multipart import BOUNDARY, written
from tests.sources import Pieces

MB = 1024 * 1024
MIXED = f'multipart/mixed; boundary="{BOUNDARY.decode()}"'
SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=4)


def incoming(body: Any, kind: str = OBJECT, sizes: Sequence[int] = (MB,), limit: int = MB) -> Incoming:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(Body(Pieces(data, sizes), len(data)), kind, limit)


def read(found: Incoming) -> bytes | None:
    """Read what was sent to its end, and return the data."""
    source = found.data
    data = None if source is None else b"".join(iter(lambda: source.read(MB), b""))
    found.finish()
    return data


def mixed(fields: Any, *values: tuple[str, bytes]) -> bytes:
    return written([(OBJECT, json.dumps(fields).encode()), *values], BOUNDARY)


class ObjectTest(unittest.TestCase):
    def test_values(self) -> None:
        for body, value, encoding in (
            (b"", None, "utf-8"),
            (b"{}", None, "utf-8"),
            (b'{"value": null}', None, "utf-8"),
            (b'{"value": ""}', b"", "utf-8"),
            (b'{"value": "\\u00e4"}', "ä".encode(), "utf-8"),
            (b'{"valuetransferencoding": "utf-8", "value": "a"}', b"a", "utf-8"),
            (b'{"valuetransferencoding": null, "value": "a"}', b"a", "utf-8"),
            (b'{"valuetransferencoding": "base64", "value": "aGVs\\r\\nbG8="}', b"hello", "base64"),
            (b'{"value": "aGVs\\r\\nbG8=", "valuetransferencoding": "base64"}', b"hello", "base64"),
        ):
            for size in (1, MB):
                found = incoming(body, sizes=[size])
                self.assertEqual((read(found), found.encoding), (value, encoding), body)

    @given(st.text(), st.permutations(["value", "metadata", "valuetransferencoding", "mimetype"]), SIZES)
    def test_fields_in_any_order(self, value: str, order: list[str], sizes: list[int]) -> None:
        fields = {"value": value, "metadata": {"k": 1}, "valuetransferencoding": "utf-8", "mimetype": "a/b"}
        for encoding, sent in (("utf-8", value), ("base64", base64.b64encode(value.encode()).decode())):
            fields |= {"valuetransferencoding": encoding, "value": sent}
            found = incoming({name: fields[name] for name in order}, sizes=sizes)
            self.assertEqual(read(found), value.encode())
            self.assertEqual((found.encoding, found.mimetype, found.metadata), (encoding, "a/b", {"k": 1}))

    def test_only_a_value_behind_its_encoding_is_not_held(self) -> None:
        late, early = {"value": "123456"}, {"valuetransferencoding": "utf-8", "value": "123456"}
        self.assertEqual(incoming(late, limit=6).length, 6)
        self.assertRaises(TooLarge, incoming, late, limit=5)
        found = incoming(early, limit=5)
        self.assertIsNone(found.length)
        self.assertEqual(read(found), b"123456")

    def test_metadata_loses_nulls_and_what_is_the_systems(self) -> None:
        metadata = {"k": "v", "n": 2, "gone": None, "cdmi_size": 7}
        self.assertEqual(incoming({"metadata": metadata}).metadata, {"k": "v", "n": 2})

    def test_what_is_refused(self) -> None:
        bodies: list[Any] = [
            b"no JSON",
            b"[]",
            b"[" * 100_000,
            b"\xff",
            {"value": 5},
            {"value": {}},
            {"value": "a", "valuetransferencoding": "rot13"},
            {"valuetransferencoding": "rot13", "value": "a"},
            {"valuetransferencoding": "json"},
            {"valuetransferencoding": 5, "value": "a"},
            {"value": "a", "valuetransferencoding": "base64"},
            {"valuetransferencoding": "base64", "value": "a"},
            {"metadata": []},
            {"value": "a", "metadata": "k"},
            {"mimetype": 5},
            {"mimetype": "text/plain\r\nX-Evil: 1"},
            {"mimetype": " "},
            {"value": "a", "copy": "/a"},
            {"copy": "/a", "value": "a"},
            {"move": "/a", "valuetransferencoding": "utf-8", "value": "a"},
            b'{"value": "\\ud800"}',
            b'{"value": "a", "metadata": {"k": "\\ud800"}}',
            b'{"value": "a", "value": "b"}',
            b'{"valuetransferencoding": "base64", "value": "/w==", "valuetransferencoding": "utf-8"}',
            b'{"value": "a"} x',
        ]
        for body in bodies:
            with self.subTest(body if isinstance(body, dict) else body[:60]), self.assertRaises(Invalid):
                read(incoming(body))

    def test_what_is_not_served_is_refused_wherever_it_stands(self) -> None:
        for name in ("reference", "deserialize", "deserializevalue", "serialize", "snapshot"):
            for body in ({name: "x"}, {name: "x", "value": "a"}, {"value": "a", name: "x"}):
                with self.subTest(body), self.assertRaisesRegex(Invalid, f"^{name}: not served$"):
                    read(incoming(body))
        require_served({"copy": "/a", "value": ""})

    def test_a_body_that_is_cut_short_is_an_error(self) -> None:
        for text in ('{"value": "abc', '{"valuetransferencoding": "utf-8", "value": "abc"'):
            body = Body(Pieces(text.encode(), [MB]), len(text) + 5)
            with self.subTest(text), self.assertRaisesRegex(Invalid, "send it again"):
                read(Incoming(body, OBJECT, MB))

    @given(st.binary(), SIZES)
    def test_any_body_is_parsed_or_refused(self, body: bytes, sizes: list[int]) -> None:
        for kind in (OBJECT, MIXED, "multipart/mixed"):
            try:
                read(incoming(body, kind, sizes))
            except HostError as error:
                self.assertEqual(error.status, 400)


class MixedTest(unittest.TestCase):
    def test_fields_and_value(self) -> None:
        for size in (1, 7, MB):
            found = incoming(mixed({"metadata": {"k": 1}}, ("image/png", b"\x89PNG\r\n")), MIXED, [size])
            self.assertEqual((found.metadata, found.mimetype, found.encoding), ({"k": 1}, "image/png", "base64"))
            self.assertEqual((found.length, read(found)), (None, b"\x89PNG\r\n"))

    def test_the_type_is_that_of_the_fields_or_else_of_the_part(self) -> None:
        for fields, kind, expected in (
            ({}, "text/plain; charset=utf-8", ("text/plain; charset=utf-8", "utf-8")),
            ({"mimetype": "a/b"}, "text/plain; charset=utf-8", ("a/b", "base64")),
            ({"mimetype": "a/b", "valuetransferencoding": "utf-8"}, "c/d", ("a/b", "utf-8")),
            ({"valuetransferencoding": "base64"}, "text/plain; charset=utf-8", ("text/plain; charset=utf-8", "base64")),
            ({}, "", (None, "base64")),
        ):
            found = incoming(mixed(fields, (kind, b"x")), MIXED)
            self.assertEqual((found.mimetype, found.encoding), expected)

    def test_fields_alone(self) -> None:
        found = incoming(mixed({"copy": "/a"}), MIXED)
        self.assertEqual((read(found), found.fields), (None, {"copy": "/a"}))

    @given(st.binary(), SIZES)
    def test_any_value_comes_through(self, value: bytes, sizes: list[int]) -> None:
        self.assertEqual(read(incoming(mixed({}, ("a/b", value)), MIXED, sizes)), value)

    def test_what_is_refused(self) -> None:
        for body in (
            mixed({"value": "a"}, ("a/b", b"x")),
            mixed({"value": 5}, ("a/b", b"x")),
            mixed([], ("a/b", b"x")),
            mixed({}, ("a/b", b"x"), ("a/b", b"y")),
            mixed({"copy": "/a"}, ("a/b", b"x")),
            mixed({"reference": "/a"}, ("a/b", b"x")),
            mixed({"valuetransferencoding": "rot13"}, ("a/b", b"x")),
            mixed({}, ("text/\xe4", b"x")),
            written([("text/plain", b"{}"), ("a/b", b"x")], BOUNDARY),
            written([(OBJECT, b"{} x"), ("a/b", b"x")], BOUNDARY),
            written([], BOUNDARY),
            mixed({}, ("a/b", b"x"))[:-3],
            b"",
        ):
            with self.subTest(body), self.assertRaises(Invalid):
                read(incoming(body, MIXED))


class TransferTest(unittest.TestCase):
    def test_from_where(self) -> None:
        self.assertEqual(transfer({"copy": "/cdmi/a/o"}), ("copy", Path(("a", "o"), slash=False)))
        self.assertEqual(transfer({"move": "/a/", "metadata": {}}), ("move", Path(("a",), slash=True)))
        for text in ("{}", '{"metadata": {}}', '{"copy": null}'):
            self.assertIsNone(transfer(json.loads(text)))

    def test_what_is_refused(self) -> None:
        refused: list[dict[str, Any]] = [{"copy": "/a", "move": "/a"}, {"copy": 5}, {"copy": ""}, {"move": ["/a"]}]
        for fields in (*refused, {"copy": "a"}):
            with self.subTest(fields), self.assertRaises(Invalid):
                transfer(fields)
