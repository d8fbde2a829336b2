"""The request body as a source."""

import io
import os
import unittest

from hypothesis import given
from hypothesis import strategies as st

from host.body import BLOCK, Body
from host.errors import Full, Invalid, TryAgain
from tests.sources import Breaking, OneByte


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
        ):
            body = Body(Breaking(b"123", raised), None)
            body.read(10)
            with self.subTest(raised), self.assertRaises(expected):
                body.read(10)
            self.assertIsInstance(body.error, expected)

    def test_more_than_there_is_room_for_is_refused(self) -> None:
        body = Body(io.BytesIO(bytes(11)), None, room=10)
        with self.assertRaises(Full):
            body.read(11)
        self.assertEqual(Body(io.BytesIO(bytes(10)), 10, room=10).read(), bytes(10))

    def test_text_is_told_from_other_bytes(self) -> None:
        for data, expected in (("ä" * BLOCK).encode(), True), (b"\xff", False), ("ä".encode()[:1], False), (b"", True):
            body = Body(io.BytesIO(data), len(data))
            body.read()
            self.assertEqual(body.is_text, expected)
