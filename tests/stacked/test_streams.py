"""The streams of stacked modules, against those of the standard library."""

import errno
import io
import operator
import unittest
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from stacked.streams import BlockSource, SeekableStream, full_blocks, hint, read_full
from tests.sources import Breaking, OneByte, Pieces


class BlockSourceTest(unittest.TestCase):
    @given(st.lists(st.binary(min_size=1, max_size=20)), st.lists(st.integers(1, 30), min_size=1))
    def test_every_byte_comes_once(self, blocks: list[bytes], sizes: list[int]) -> None:
        source = BlockSource(iter(blocks))
        got, turn = b"", 0
        while piece := source.read(sizes[turn % len(sizes)]):
            self.assertLessEqual(len(piece), sizes[turn % len(sizes)])
            got, turn = got + piece, turn + 1
        self.assertEqual(got, b"".join(blocks))
        source.require_end()
        self.assertEqual(source.read(1), b"")

    def test_a_negative_size_gives_all_the_rest(self) -> None:
        source = BlockSource(iter([b"ab", b"cd"]))
        self.assertEqual((source.read(1), source.read(0), source.read()), (b"a", b"", b"bcd"))

    def test_an_error_stays_one(self) -> None:
        def blocks() -> Iterator[bytes]:
            yield b"ab"
            raise ConnectionError("gone")

        source = BlockSource(blocks())
        self.assertEqual(source.read(5), b"ab")
        for _ in range(2):
            with self.assertRaisesRegex(ConnectionError, "gone"):
                source.read(5)
        with self.assertRaisesRegex(ConnectionError, "gone"):
            source.require_end()

    def test_who_does_not_read_to_the_end_is_found_out(self) -> None:
        source = BlockSource(iter([b"ab"]))
        source.read(2)
        with self.assertRaises(OSError) as raised:
            source.require_end()
        self.assertEqual(raised.exception.errno, errno.EIO)

    def test_it_tells_its_length_if_it_knows_it(self) -> None:
        self.assertEqual(operator.length_hint(BlockSource(iter([]), 7), -1), 7)
        self.assertEqual(operator.length_hint(BlockSource(iter([])), -1), -1)


class FullBlocksTest(unittest.TestCase):
    @given(st.binary(max_size=100), st.integers(1, 40), st.lists(st.integers(1, 50), min_size=1))
    def test_only_the_last_block_is_short(self, data: bytes, size: int, sizes: list[int]) -> None:
        expected = [data[at : at + size] for at in range(0, len(data), size)]
        self.assertEqual(list(full_blocks(Pieces(data, sizes), size)), expected)

    def test_a_source_that_gives_little_is_read_to_its_end(self) -> None:
        self.assertEqual(read_full(OneByte(b"abc"), 2), b"ab")
        self.assertEqual(read_full(OneByte(b"abc"), 9), b"abc")

    def test_what_the_source_raises_goes_out(self) -> None:
        blocks = full_blocks(Breaking(b"abc", ConnectionError("gone")), 2)
        self.assertEqual(next(blocks), b"ab")
        with self.assertRaisesRegex(ConnectionError, "gone"):
            next(blocks)

    def test_a_hint_that_is_nonsense_is_none(self) -> None:
        class Odd(io.BytesIO):
            def __init__(self, told: object) -> None:
                super().__init__()
                self._told = told

            def __length_hint__(self) -> object:
                return self._told

        told = [hint(Odd(value)) for value in (7, 0, -3, "x", NotImplemented)]
        self.assertEqual([*told, hint(io.BytesIO())], [7, 0, None, None, None, None])


class OverBytes(SeekableStream):
    """A stream over bytes which gives some at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(len(data))
        self._data, self._most = data, most
        self.released = 0

    def _read_at(self, place: int, size: int) -> bytes:
        return self._data[place : place + min(size, self._most)]

    def _release(self) -> None:
        self.released += 1


STEPS = st.lists(
    st.tuples(st.just("read"), st.integers(-1, 30), st.just(0))
    | st.tuples(st.just("seek"), st.integers(-20, 40), st.integers(0, 2))
)


class SeekableStreamTest(unittest.TestCase):
    @given(st.binary(max_size=30), st.integers(1, 9), STEPS)
    def test_it_is_a_file(self, data: bytes, most: int, steps: list[tuple[str, int, int]]) -> None:
        stream, model = OverBytes(data, most), io.BytesIO(data)
        for what, number, whence in steps:
            if what == "read":
                got = stream.read(number)
                self.assertEqual(got, model.read(len(got) if number >= 0 else -1))
                self.assertTrue(got or number == 0 or model.read(1) == b"")
                continue
            place = (0, model.tell(), len(data))[whence] + number
            if place < 0:
                self.assertRaises(ValueError, stream.seek, number, whence)
            else:
                self.assertEqual((stream.seek(number, whence), stream.tell()), (model.seek(place), place))

    def test_it_is_released_once(self) -> None:
        with OverBytes(b"abc", 2) as stream:
            self.assertEqual(stream.read(), b"abc")
        stream.close()
        self.assertEqual((stream.closed, stream.released), (True, 1))
        for use in (stream.read, stream.tell, stream.__enter__, lambda: stream.seek(0)):
            self.assertRaises(ValueError, use)

    def test_a_whence_that_is_none_is_refused(self) -> None:
        self.assertRaises(ValueError, OverBytes(b"", 1).seek, 0, 3)
