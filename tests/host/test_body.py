"""The request body as a source."""

import io
import operator
import os
import unittest

from hypothesis import given
from hypothesis import strategies as st

from host.body import BLOCK, Body
from host.errors import Failed, Full, Invalid, TooLarge, TryAgain
from tests.sources import Breaking, OneByte, Pieces


class BodyTest(unittest.TestCase):
    @given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1), st.booleans())
    def test_every_byte_comes_through(self, data: bytes, sizes: list[int], is_chunked: bool) -> None:
        body = Body(OneByte(data), None if is_chunked else len(data))
        read: list[bytes] = []
        while block := body.read(sizes[len(read) % len(sizes)]):
            read.append(block)
        self.assertEqual(b"".join(read), data)
        self.assertEqual((body.count, body.ended, body.error), (len(data), True, None))

    def test_the_server_is_read_in_large_blocks_and_never_after_the_end(self) -> None:
        asked = []

        class Input(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                asked.append(size)
                return super().read(size)

        data = os.urandom(2 * BLOCK + 5)
        body = Body(Input(data), len(data))
        self.assertEqual(b"".join(iter(lambda: body.read(1000), b"")), data)
        self.assertEqual(body.read(1), b"")
        self.assertEqual(asked, [BLOCK, BLOCK, 5])

    def test_a_body_that_ends_early_is_an_error_every_time(self) -> None:
        body = Body(io.BytesIO(b"123"), 10)
        self.assertEqual(body.read(10), b"123")
        for _ in range(2):
            with self.assertRaisesRegex(Invalid, "3 of 10"):
                body.read(10)
        self.assertIsInstance(body.error, Invalid)

    def test_what_the_server_raises_is_an_error_of_the_body(self) -> None:
        for raised, expected in (
            (OSError("gone"), Invalid),
            (ValueError("chunk"), Invalid),
            (TimeoutError(), TryAgain),
            (BlockingIOError(), TryAgain),
        ):
            body = Body(Breaking(b"123", raised), None)
            body.read(10)
            with self.subTest(raised), self.assertRaises(expected):
                body.read(10)
            self.assertIsInstance(body.error, expected)

    def test_an_error_of_our_own_goes_through_with_its_cause(self) -> None:
        cause = OSError("of a module")
        error = Failed("the storage module failed")
        error.__cause__ = cause
        body = Body(Breaking(b"", error), None)
        with self.assertRaises(Failed) as caught:
            body.read(10)
        self.assertIs(caught.exception, error)
        self.assertIs(body.error, error)
        self.assertIs(error.__cause__, cause)

    def test_more_than_there_is_room_for_is_refused(self) -> None:
        body = Body(io.BytesIO(bytes(11)), None, room=10)
        with self.assertRaises(Full):
            body.read(11)
        self.assertEqual(Body(io.BytesIO(bytes(10)), 10, room=10).read(), bytes(10))
        with self.assertRaises(Full):
            Body(io.BytesIO(b""), 0, room=-1).read()  # the quota was made less

    def test_more_than_an_object_may_have_is_refused(self) -> None:
        body = Body(io.BytesIO(bytes(11)), None, limit=10)
        with self.assertRaises(TooLarge):
            body.read(11)
        self.assertEqual(Body(io.BytesIO(bytes(10)), None, limit=10).read(), bytes(10))
        with self.assertRaises(TooLarge):
            Body(io.BytesIO(bytes(11)), 11, 5, limit=10).read()

    def test_what_says_that_it_is_too_much_is_not_read(self) -> None:
        for room, limit in ((10, None), (None, 10), (0, 10)):
            source = io.BytesIO(bytes(11))
            body = Body(source, 11, room, limit=limit)
            for _ in range(2):
                self.assertRaises((Full, TooLarge), body.read, 1)
            self.assertEqual((source.tell(), body.count), (0, 0))

    def test_reading_does_not_wait_while_there_is_something(self) -> None:
        body = Body(io.BytesIO(b"1234"), None)
        self.assertFalse(body.has(1))
        body.read(1)
        self.assertTrue(body.has(1))
        self.assertFalse(body.has(-1))
        body.read(3)
        self.assertFalse(body.has(1))
        body.read(1)
        self.assertTrue(body.has(1))

    @given(st.integers(0, 30), st.lists(st.integers(0, 9), max_size=8))
    def test_it_tells_how_much_is_still_to_come(self, length: int, sizes: list[int]) -> None:
        body = Body(OneByte(bytes(length)), length)
        read = sum(len(body.read(size)) for size in sizes)
        self.assertEqual(operator.length_hint(body), length - read)
        self.assertEqual(operator.length_hint(Body(OneByte(b"12"), None)), 0)

    @given(st.one_of(st.text().map(str.encode), st.binary()), st.lists(st.integers(1, 5), min_size=1), st.booleans())
    def test_text_is_told_from_other_bytes(self, data: bytes, sizes: list[int], is_chunked: bool) -> None:
        body = Body(Pieces(data, sizes), None if is_chunked else len(data), text=True)
        body.read()
        try:
            data.decode()
        except UnicodeDecodeError:
            self.assertFalse(body.is_text)
        else:
            self.assertTrue(body.is_text)
