"""A JSON object that comes in pieces."""

import base64
import binascii
import json
import tracemalloc
import unittest
from collections.abc import Sequence
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from host.errors import HostError, Invalid, TooLarge
from host.wire import reader
from host.wire.reader import ObjectReader, ValueReader, decode_value
from host.wire.values import refuse_constant, require_sane
from tests.host.wire.test_values import JSON, nested
from tests.sources import Endless, Pieces

MB = 1024 * 1024
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def whole(reading: ValueReader) -> bytes:
    return b"".join(iter(lambda: reading.read(MB), b""))


def drain(reading: ValueReader) -> None:
    while reading.read(MB):
        pass


def read(body: bytes, sizes: Sequence[int] = (MB,), encoding: str = "utf-8") -> tuple[dict[str, Any], bytes | None]:
    """Return the fields of a body that comes in pieces, and its value."""
    found = ObjectReader(Pieces(body, sizes), MB)
    found.begin()
    value = whole(found.value(encoding)) if found.has_value else None
    found.finish()
    return found.fields, value


def held(body: bytes, sizes: Sequence[int], limit: int) -> str:
    found = ObjectReader(Pieces(body, sizes), limit)
    found.begin()
    value = found.hold()
    found.finish()
    return value


def strictly(body: bytes) -> dict[str, Any] | None:
    """Return what the standard library makes of a body; None if it, or a promise of ours, refuses it."""
    tops: list[list[str]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        tops.append([name for name, _ in pairs])
        return dict(pairs)

    try:
        fields = json.loads(body.decode(), parse_constant=refuse_constant, object_pairs_hook=note)
        require_sane(fields)
    except (ValueError, RecursionError, HostError):
        return None
    return fields if isinstance(fields, dict) and len(set(tops[-1])) == len(tops[-1]) else None


def value_apart(fields: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    rest = dict(fields)
    value = rest.pop("value").encode() if isinstance(rest.get("value"), str) else None
    return rest, value


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a JSON object: its keys in any order, often a value, and in any style."""
    fields = draw(st.dictionaries(st.text(), JSON, max_size=4))
    items = list(fields.items())
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), ("value", draw(st.text())))
    indent = draw(st.sampled_from([None, 0, 2, "\t"]))
    marks = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", "\t: ")]))
    text = json.dumps(dict(items), ensure_ascii=draw(st.booleans()), indent=indent, separators=marks)
    return (draw(st.text(" \t\r\n", max_size=3)) + text + "\n").encode()


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a text, and a JSON string that means it, each character of which is escaped or not."""
    text = draw(st.text())
    short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    string = ""
    for character in text:
        units = character.encode("utf-16-be").hex()
        escape = "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
        forms = [escape, escape.upper().replace("\\U", "\\u"), short.get(character, escape)]
        if character >= " " and character not in '"\\':
            forms.append(character)
        string += draw(st.sampled_from(forms))
    return text, string


class AnyObjectTest(unittest.TestCase):
    @given(bodies(), SIZES)
    def test_as_json_has_it_however_it_comes(self, body: bytes, sizes: list[int]) -> None:
        expected = value_apart(json.loads(body))
        self.assertEqual(read(body, sizes), expected)
        self.assertEqual(read(body), expected)

    @given(written(), SIZES)
    def test_every_way_to_write_a_value(self, both: tuple[str, str], sizes: list[int]) -> None:
        text, string = both
        body = f'{{"value": "{string}", "a": 1}}'.encode()
        self.assertEqual(read(body, sizes), ({"a": 1}, text.encode()))
        self.assertEqual(held(body, sizes, len(text)), text)

    @given(bodies(), SIZES, st.data())
    def test_a_body_that_is_cut_or_changed_is_taken_as_json_takes_it(
        self, body: bytes, sizes: list[int], data: st.DataObject
    ) -> None:
        begin = data.draw(st.integers(0, len(body)))
        end = begin + data.draw(st.integers(0, 3))
        other = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"}", b"{", b",", b"1", b".", b"e", b"\xff", b"\\ud800", b"x"])
        )
        self._compare(body[:begin] + other + body[end:], sizes)

    @given(st.text('{}[]":,\\ud8De0-+.1NaInftrulse\n').map(str.encode), SIZES)
    def test_what_looks_like_json_is_taken_as_json_takes_it(self, text: bytes, sizes: list[int]) -> None:
        for body in (text, b"{" + text + b"}", b'{"a":' + text + b"}", b'{"value":"' + text + b'"}'):
            self._compare(body, sizes)

    def _compare(self, body: bytes, sizes: list[int]) -> None:
        fields = strictly(body)
        if fields is not None or not body.strip(b" \t\r\n"):
            self.assertEqual(read(body, sizes), value_apart(fields or {}))
            return
        with self.assertRaises(Invalid):
            read(body, sizes)

    @given(st.binary(), SIZES)
    def test_any_bytes_are_parsed_or_refused(self, body: bytes, sizes: list[int]) -> None:
        for each in (body, b'{"value":"' + body, b'{"a":' + body):
            try:
                read(each, sizes)
            except HostError as error:
                self.assertEqual(error.status, 400)
                self.assertNotIn("\n", str(error))


class ObjectReaderTest(unittest.TestCase):
    def test_nothing_is_an_empty_object(self) -> None:
        for body in (b"", b" ", b"{}", b" {\r\n} "):
            self.assertEqual(read(body, [1]), ({}, None), body)

    def test_what_is_refused_however_it_comes(self) -> None:
        for body in (
            b"no JSON",
            b"[]",
            b'{"a": 1} x',
            b'{"a": 1}{}',
            b'{"value": "a"} "',
            b'{"value": "a", }',
            b'{"value": "a" "b": 1}',
            b'{"value": "a',
            b'{"value": "a\\',
            b'{"value": "a\\"}',
            b'{"value": "\\x"}',
            b'{"value": "\\u12"}',
            b'{"value": "\\u12g4"}',
            b'{"value": "a\nb"}',
            b'{"value": "\0"}',
            b'{"value": "\\ud800"}',
            b'{"value": "\\udc00\\ud800"}',
            b'{"value": "\\ud800\\ud800\\udc00"}',
            b'{"value": "\\ud83d' + b"x" * 100 + b'"}',
            b'{"value": "\xed\xa0\x80"}',
            b'{"value": "\xff"}',
            b'{"a": "\xc3',
            b'{"a": NaN}',
            b'{"a": -Infinity, "value": "x"}',
            b'{"a": "\\ud800", "value": "x"}',
            b'{"a\\udc00": 1, "value": "x"}',
            b'{"a": 1e999}',
            b'{"a": 01}',
            b'{"a": 1.}',
            b'{"a": +1}',
            b'{"a": 1e}',
            b'{"a" 1}',
            b"{1: 2}",
            b"{'a': 1}",
            b'{"a": /* no */ 1}',
        ):
            for size in (1, 2, 3, 5, MB):
                with self.subTest(body[:40], size=size), self.assertRaises(Invalid):
                    read(body, [size])

    def test_a_field_comes_once(self) -> None:
        for body in (
            b'{"value": "a", "value": "b"}',
            b'{"value": "a", "value": null}',
            b'{"value": null, "value": "a"}',
            b'{"v\\u0061lue": 1, "value": "a"}',
            b'{"valuetransferencoding": "base64", "value": "YQ==", "valuetransferencoding": "utf-8"}',
            b'{"a": 1, "a": 1}',
        ):
            with self.subTest(body), self.assertRaisesRegex(Invalid, "twice"):
                read(body)
        with self.assertRaises(Invalid) as caught:
            read(b'{"%b": 1, "%b": 1}' % (b"a" * 5000, b"a" * 5000))
        self.assertLess(len(str(caught.exception)), 120)

    def test_what_comes_before_the_value_can_be_kept_when_it_comes(self) -> None:
        for body in (b'{"copy": "\\ud800", "value": "x"}', b'{"copy": 1e999, "value": "x"}'):
            with self.subTest(body), self.assertRaises(Invalid):
                ObjectReader(Pieces(body, [MB]), MB).begin()

    def test_a_value_that_is_no_string_is_a_field(self) -> None:
        for text in (b"5", b"null", b'["x"]', b'{"value": "x"}'):
            self.assertEqual(read(b'{"value": ' + text + b"}", [1]), ({"value": json.loads(text)}, None))

    def test_a_number_may_be_cut_anywhere(self) -> None:
        for number in (b"1.5", b"-0.5e-3", b"1E+5", b"10", b"-1", b"0.0", b"1e5"):
            for size in range(1, 10):
                self.assertEqual(read(b'{"a":' + number + b"}", [size]), ({"a": json.loads(number)}, None))

    def test_how_deep_it_may_be(self) -> None:
        for depth, is_allowed in ((63, True), (64, False), (500, False), (300_000, False)):
            body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
            with self.subTest(depth):
                if is_allowed:
                    self.assertEqual(read(body), ({"a": nested(depth)}, None))
                else:
                    self.assertRaises(Invalid, read, body)

    def test_a_value_is_held_up_to_the_limit(self) -> None:
        body = b'{"value": "12345\\u00e4"}'
        for size in (1, MB):
            self.assertEqual(held(body, [size], 6), "12345ä")
            with self.assertRaises(TooLarge) as caught:
                held(body, [size], 5)
            self.assertEqual(caught.exception.status, 413)

    def test_what_comes_first_is_known_before_the_rest_comes(self) -> None:
        source = Endless(b'{"metadata": {"k": 1}, "value": "' + b"a" * 1000, b"a" * 1000, 10_000)
        found = ObjectReader(source, MB)
        found.begin()
        self.assertEqual((found.fields, found.has_value), ({"metadata": {"k": 1}}, True))
        self.assertTrue(found.value("utf-8").read(MB))
        self.assertLess(source.given, 3000)


class BoundedTest(unittest.TestCase):
    """What a hostile client can cost."""

    def test_fields_have_a_limit(self) -> None:
        just = b'{"a": "' + b"x" * (MB - 10) + b'"}'
        self.assertEqual(len(read(just, [MB])[0]["a"]), MB - 10)
        for begin, block in (
            (b'{"', b"a" * 100_000),
            (b'{"', b"\\" * 100_000),
            (b'{"a": "', b"\\" * 100_000),
            (b'{"a": "', b"a" * 100_000),
            (b'{"a": [', b"1," * 100_000),
            (b'{"a": [', b"[]," * 100_000),
            (b'{"a": 1', b"1" * 100_000),
            (b'{"a": 1.', b"1" * 100_000),
            (b'{"a": 1', b"-" * 100_000),
            (b'{"a": ', b"x" * 100_000),
        ):
            source = Endless(begin, block, 100 * MB)
            with self.subTest(begin + block[:5]), self.assertRaises(TooLarge):
                ObjectReader(source, MB).begin()
            self.assertLess(source.given, 3 * MB)

    def test_many_fields_have_the_limit_together(self) -> None:
        for count, is_allowed in ((1000, True), (1100, False)):
            body = b"{" + b",".join(b'"%d":"%b"' % (n, b"x" * 1000) for n in range(count)) + b"}"
            if is_allowed:
                self.assertEqual(len(read(body)[0]), count)
            else:
                self.assertRaises(TooLarge, read, body)

    def test_what_is_not_whole_is_not_looked_at_at_every_read(self) -> None:
        decode, looks = json.JSONDecoder.raw_decode, []

        def counted(decoder: json.JSONDecoder, text: str, idx: int = 0) -> Any:
            looks.append(len(text))
            return decode(decoder, text, idx)

        with mock.patch.object(json.JSONDecoder, "raw_decode", counted):
            read(b'{"a": [' + b"1," * 200_000 + b"1]}", [50])
        self.assertLess(len(looks), 40)

    def test_neither_is_a_key(self) -> None:
        pattern = mock.Mock(wraps=reader._STRING)
        with mock.patch.object(reader, "_STRING", pattern):
            read(b'{"' + b"\\\\" * 200_000 + b'": 1}', [50])
        self.assertLess(pattern.match.call_count, 40)

    def test_what_is_read_is_not_kept(self) -> None:
        for begin, block in (
            (b"", b" " * MB),
            (b'{"a": 1, "value": "', b"\\\\" * (MB // 2)),
            (b'{"a": 1, "value": "', b"\\u20ac" * (MB // 6)),
            (b'{"a": 1, "value": "', b"a" * MB),
        ):
            found = ObjectReader(Endless(begin, block, 32 * MB), MB)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            with self.subTest(begin + block[:6]):
                found.begin()
                if found.has_value:
                    self.assertRaises(Invalid, drain, found.value("utf-8"))
                self.assertLess(tracemalloc.get_traced_memory()[1], 20 * MB)
            tracemalloc.stop()


class ValueReaderTest(unittest.TestCase):
    @given(st.binary(), st.data(), SIZES)
    def test_base64_with_newlines(self, value: bytes, data: st.DataObject, sizes: list[int]) -> None:
        text = base64.b64encode(value).decode()
        for place in sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)), reverse=True):
            text = text[:place] + data.draw(st.sampled_from(["\r\n", "\n", " ", "\t"])) + text[place:]
        body = json.dumps({"valuetransferencoding": "base64", "value": text}).encode()
        self.assertEqual(read(body, sizes, "base64")[1], value)
        self.assertEqual(decode_value(text, "base64"), value)

    @given(st.text("ABab01+/==\n -_ä\xa0"), SIZES)
    def test_what_is_no_base64_is_refused(self, text: str, sizes: list[int]) -> None:
        digits = text.replace("\n", "").replace(" ", "")
        try:
            expected = binascii.a2b_base64(digits, strict_mode=True) if len(digits) % 4 == 0 else None
        except ValueError:
            expected = None
        body = json.dumps({"value": text}).encode()
        if expected is not None:
            self.assertEqual(decode_value(text, "base64"), expected)
            self.assertEqual(read(body, sizes, "base64")[1], expected)
            return
        self.assertRaises(Invalid, decode_value, text, "base64")
        self.assertRaises(Invalid, read, body, sizes, "base64")

    def test_strictness(self) -> None:
        for text in (
            "a",
            "ab",
            "abc",
            "abc=d",
            "YQ=",
            "YQ===",
            "YQ==YQ==",
            "YQ== x",
            "====",
            "=",
            "YQ\u2003==",
            "Y-_=",
            "YQ==\0",
        ):
            with self.subTest(text), self.assertRaises(Invalid):
                decode_value(text, "base64")
            with self.subTest(text, size=1), self.assertRaises(Invalid):
                read(json.dumps({"value": text}).encode(), [1], "base64")
        for text, value in (("", b""), ("\n", b""), ("YQ==", b"a"), (" Y Q\t=\r\n= ", b"a"), ("YWJj", b"abc")):
            self.assertEqual(decode_value(text, "base64"), value)

    def test_text_is_in_utf_8(self) -> None:
        self.assertEqual(decode_value("ä\U0001f600\0", "utf-8"), "ä\U0001f600\0".encode())
