"""JSON that comes from outside."""

import json
import unittest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from host.errors import HostError, Invalid
from host.wire.values import json_object, require_sane, text, user_metadata

#: Any JSON that can be kept.
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)


def nested(depth: int) -> Any:
    """Return lists, ``depth`` of them in one another."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


class JsonObjectTest(unittest.TestCase):
    @given(st.dictionaries(st.text(), JSON), st.booleans())
    def test_as_json_has_it(self, fields: dict[str, Any], is_ascii: bool) -> None:
        self.assertEqual(json_object(json.dumps(fields, ensure_ascii=is_ascii).encode()), fields)

    def test_nothing_is_an_empty_object(self) -> None:
        for body in (b"", b" ", b"\r\n\t", b"{}", b" {} "):
            self.assertEqual(json_object(body), {}, body)

    def test_what_is_refused(self) -> None:
        for body in (
            b"no JSON",
            b"[]",
            b'"a"',
            b"5",
            b"null",
            b"\xff",
            b'{"a": NaN}',
            b'{"a": [-Infinity]}',
            b'{"a": 1e999}',
            b'{"a": "\\ud800"}',
            b'{"\\udfff": 1}',
            b'{"a": {"b": ["x\\ud83d"]}}',
            b'{"a": "\n"}',
            b'{"a": 1,}',
            b'{"a": 1} x',
            b"{'a': 1}",
            b'{"a": ' + b"1" * 5000 + b"}",
            b"[" * 100_000,
            b'{"a":' * 100_000,
        ):
            with self.subTest(body[:60]), self.assertRaises(Invalid) as caught:
                json_object(body)
            self.assertNotIn("\n", str(caught.exception))

    @given(st.one_of(st.binary(), st.text('{}[]":,\\ud8e0-.NaInfty \n').map(str.encode)))
    def test_any_body_is_parsed_or_refused(self, body: bytes) -> None:
        try:
            fields = json_object(body)
        except HostError as error:
            self.assertEqual(error.status, 400)
        else:
            self.assertEqual(json.loads(json.dumps(fields).encode()), fields)


class SaneTest(unittest.TestCase):
    def test_how_deep_it_may_be(self) -> None:
        require_sane({"a": nested(63)})
        for value in ({"a": nested(64)}, nested(65), {"a": [{"b": nested(70)}]}):
            with self.assertRaises(Invalid):
                require_sane(value)

    def test_unprintable_text_is_text(self) -> None:
        require_sane({"\0\x7f\u2028": ["\ue000\U0010ffff\ufdd0"]})


class FieldsTest(unittest.TestCase):
    def test_metadata_loses_nulls_and_what_is_the_systems(self) -> None:
        given_fields = {"k": "v", "n": 2, "f": 0.5, "no": False, "empty": "", "in": {"k": None}, "gone": None}
        kept = {key: value for key, value in given_fields.items() if key != "gone"}
        system = dict.fromkeys(("cdmi_size", "cdmi_ctime", "cdmi_mtime", "cdmi_atime", "cdmi_owner"), "7")
        self.assertEqual(user_metadata({"metadata": {**given_fields, **system}}), kept)
        self.assertEqual(
            user_metadata({"metadata": {"cdmi_acl_": [], "cdmi_size_": 1}}), {"cdmi_acl_": [], "cdmi_size_": 1}
        )

    def test_no_metadata_is_told_from_empty_metadata(self) -> None:
        self.assertIsNone(user_metadata({}))
        self.assertIsNone(user_metadata({"metadata": None}))
        self.assertEqual(user_metadata({"metadata": {}}), {})

    def test_what_is_no_metadata(self) -> None:
        for value in (["k"], "k", 5, True):
            with self.subTest(value), self.assertRaises(Invalid):
                user_metadata({"metadata": value})

    def test_texts(self) -> None:
        self.assertEqual(text({"a": "b"}, "a"), "b")
        self.assertEqual(text({"a": ""}, "a"), "")
        self.assertIsNone(text({"a": None}, "a"))
        self.assertIsNone(text({}, "a"))
        for value in (5, ["a"], {"a": "b"}, False):
            with self.subTest(value), self.assertRaisesRegex(Invalid, "^a: not a string$"):
                text({"a": value}, "a")
