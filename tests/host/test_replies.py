"""Answers that are streamed."""

import base64
import email
import email.policy
import io
import json
import unittest
from collections.abc import Iterator
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from host import replies
from host.errors import Failed
from host.replies import Blocks, Listing, Ranges, Value
from host.streams import Window
from host.wire.multipart import boundary_of
from tests.host.wire.test_multipart import read
from tests.host.wire.test_values import JSON

PARTS = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda pair: (min(pair), max(pair))), max_size=5
)
FIELDS = st.dictionaries(
    st.text().filter(lambda name: name not in ("value", "children", "childrenrange")), JSON, max_size=3
)


class Short(io.BytesIO):
    """Gives at most seven bytes a read."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))


def window(data: bytes) -> Window:
    return Window(Short(data), 0, len(data))


class ValueTest(unittest.TestCase):
    @given(FIELDS, st.text())
    def test_text(self, fields: dict[str, object], text: str) -> None:
        answer = Value(fields, window(text.encode()), "utf-8")
        self.assertEqual(json.loads(b"".join(answer)), {**fields, "value": text})

    @given(FIELDS, st.binary())
    def test_bytes_and_how_long_they_are(self, fields: dict[str, object], data: bytes) -> None:
        body = b"".join(Value(fields, window(data), "base64"))
        self.assertEqual(json.loads(body), {**fields, "value": base64.b64encode(data).decode()})
        self.assertEqual(Value.length(fields, len(data)), len(body))

    def test_data_that_is_no_text_after_all_breaks_off(self) -> None:
        for data in (b"abc\xff", "ä".encode()[:1]):
            with self.subTest(data), self.assertRaises(UnicodeDecodeError):
                b"".join(Value({}, window(data), "utf-8"))

    def test_it_closes_its_stream(self) -> None:
        stream = io.BytesIO(b"123")
        answer = Value({}, Window(stream, 0, 3), "utf-8")
        next(iter(answer))
        answer.close()
        self.assertTrue(stream.closed)


class BlocksTest(unittest.TestCase):
    @given(st.binary())
    def test_all_bytes(self, data: bytes) -> None:
        self.assertEqual(b"".join(Blocks(window(data))), data)

    def test_it_closes_its_stream(self) -> None:
        stream = io.BytesIO(b"123")
        Blocks(Window(stream, 0, 3)).close()
        self.assertTrue(stream.closed)


class ListingTest(unittest.TestCase):
    @given(FIELDS, st.lists(st.lists(st.text(), min_size=1), max_size=4), st.integers(0, 9))
    def test_all_pages(self, fields: dict[str, object], pages: list[list[str]], first: int) -> None:
        children = [name for page in pages for name in page]
        expected = {**fields, "children": children}
        if children:
            expected["childrenrange"] = f"{first}-{first + len(children) - 1}"
        self.assertEqual(json.loads(b"".join(Listing(fields, iter(pages), first))), expected)

    def test_a_page_is_read_when_it_is_its_turn(self) -> None:
        read: list[int] = []

        def pages() -> Iterator[list[str]]:
            for number in range(3):
                read.append(number)
                yield [f"{number}"]

        answer = iter(Listing({}, pages(), 0))
        next(answer)
        next(answer)
        self.assertEqual(read, [0])


class RangesTest(unittest.TestCase):
    DATA = bytes(range(256))

    def setUp(self) -> None:
        self.streams: list[io.BytesIO] = []

    def open(self, first: int, length: int) -> Window:
        self.streams.append(Short(self.DATA))
        return Window(self.streams[-1], first, length)

    @given(PARTS)
    def test_every_range_is_a_part(self, ranges: list[tuple[int, int]]) -> None:
        answer = Ranges(ranges, 256, "text/plain", self.open)
        body = b"".join(answer)
        self.assertEqual(len(body), answer.length)
        parts = read(body, boundary_of(answer.content_type))
        self.assertEqual(parts, [("text/plain", self.DATA[first : last + 1]) for first, last in ranges])
        self.assertTrue(all(stream.closed for stream in self.streams))

    def test_as_a_mail_reader_has_it(self) -> None:
        answer = Ranges([(48, 57), (65, 90)], 256, "text/plain", self.open)
        head = f"Content-Type: {answer.content_type}\r\n\r\n".encode()
        message = email.message_from_bytes(head + b"".join(answer), policy=email.policy.HTTP)
        self.assertEqual(message.get_content_type(), "multipart/byteranges")
        parts = [(part["Content-Range"], part.get_payload()) for part in message.iter_parts()]
        self.assertEqual(parts, [("bytes 48-57/256", "0123456789"), ("bytes 65-90/256", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])

    def test_a_boundary_is_not_to_be_guessed(self) -> None:
        made = {Ranges([(0, 0)], 1, "", self.open).content_type for _ in range(100)}
        self.assertEqual(len(made), 100)

    def test_it_closes_what_is_open(self) -> None:
        answer = Ranges([(0, 9), (20, 29)], 256, "", self.open)
        answer.close()
        blocks = iter(answer)
        next(blocks)
        next(blocks)
        self.assertEqual([stream.closed for stream in self.streams], [False])
        answer.close()
        self.assertEqual([stream.closed for stream in self.streams], [True])

    def test_an_error_in_the_middle_goes_through(self) -> None:
        def fail(first: int, length: int) -> Window:
            raise Failed("gone")

        with self.assertRaises(Failed):
            b"".join(Ranges([(0, 1)], 2, "", fail))


class BlockTest(unittest.TestCase):
    def test_pieces_are_joined_wherever_they_are_cut(self) -> None:
        text = "aä\U0001f600€" * 5
        for size in range(1, 8):
            with mock.patch.object(replies, "BLOCK", size):
                data = text.encode()
                self.assertEqual(json.loads(b"".join(Value({}, window(data), "utf-8")))["value"], text)
                value = json.loads(b"".join(Value({}, window(data), "base64")))["value"]
                self.assertEqual(base64.b64decode(value, validate=True), data)
