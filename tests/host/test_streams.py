"""Parts of objects as streams."""

import io
import unittest
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from host.errors import Failed
from host.streams import Source, Spliced, Window
from tests.sources import Pieces

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)


class Short(io.BytesIO):
    """Gives at most three bytes a read."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3 if size is None or size < 0 else min(size, 3))


class Generous(io.BytesIO):
    """Gives more than is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read((size or 0) + 1)


class Counted(Pieces):
    """Notes in ``log`` that it was opened and closed."""

    def __init__(self, name: str, data: bytes, log: list[str]) -> None:
        super().__init__(data, [2])
        self.name = name
        self.log = log
        log.append(f"open {name}")

    def close(self) -> None:
        self.log.append(f"close {self.name}")


class WindowTest(unittest.TestCase):
    @given(st.binary(max_size=40), st.data(), SIZES)
    def test_a_part_as_slicing_has_it(self, data: bytes, drawn: st.DataObject, sizes: list[int]) -> None:
        first = drawn.draw(st.integers(0, len(data)))
        length = drawn.draw(st.integers(0, len(data) - first))
        ahead = drawn.draw(st.integers(0, 50))
        read: list[bytes] = []
        window = Window(Short(data), first, length, ahead)
        while block := window.read(sizes[len(read) % len(sizes)]):
            read.append(block)
        self.assertEqual(b"".join(read), data[first : first + length])
        self.assertEqual(window.read(5), b"")
        self.assertTrue(all(len(block) <= max(sizes) for block in read))

    @given(st.binary(max_size=40), st.integers(0, 50), st.integers(0, 50))
    def test_all_the_rest(self, data: bytes, ahead: int, size: int) -> None:
        window = Window(Short(data), 0, len(data), ahead)
        self.assertEqual(window.read(size) + window.read(-1), data)
        self.assertEqual(window.read(), b"")

    def test_nothing_is_asked_for_nothing(self) -> None:
        for ahead in (0, 2):
            window = Window(io.BytesIO(b"1234"), 0, 4, ahead)
            self.assertEqual(window.read(0), b"")
            self.assertEqual(window.read(), b"1234")

    def test_a_stream_that_ends_early_is_an_error(self) -> None:
        for size in (1, 10, -1):
            window = Window(io.BytesIO(b"123"), 1, 3)
            with self.subTest(size), self.assertRaisesRegex(Failed, "1 bytes early"):
                while window.read(size):
                    pass

    def test_a_stream_that_gives_too_much_is_an_error(self) -> None:
        """Else what comes behind the part would be sent, or the length that was told would be wrong."""
        with self.assertRaises(Failed):
            Window(Generous(b"123456"), 0, 3).read(3)

    def test_what_is_wrong_with_its_begin_shows_before_it_is_sent(self) -> None:
        stream = io.BytesIO(b"")
        with self.assertRaises(Failed):
            Window(stream, 0, 3, ahead=10)
        self.assertTrue(stream.closed)

    def test_a_stream_that_cannot_seek_is_closed(self) -> None:
        class Stuck(io.BytesIO):
            def seek(self, place: int, whence: int = 0, /) -> int:
                raise OSError("stuck")

        stream = Stuck(b"1234")
        self.assertRaises(OSError, Window, stream, 1, 2)
        self.assertTrue(stream.closed)

    def test_it_closes_its_stream(self) -> None:
        stream = io.BytesIO(b"123")
        Window(stream, 0, 3).close()
        self.assertTrue(stream.closed)


class SplicedTest(unittest.TestCase):
    @given(st.lists(st.one_of(st.binary(max_size=9), st.integers(0, 9)), max_size=5), SIZES)
    def test_parts_in_their_order(self, parts: list[bytes | int], sizes: list[int]) -> None:
        log: list[str] = []

        def opener(part: bytes) -> Callable[[], Source]:
            return lambda: Counted("part", part, log)

        spliced = Spliced([part if isinstance(part, int) else opener(part) for part in parts])
        read: list[bytes] = []
        while block := spliced.read(sizes[len(read) % len(sizes)]):
            read.append(block)
        self.assertEqual(b"".join(read), b"".join(bytes(part) if isinstance(part, int) else part for part in parts))
        self.assertEqual(log, ["open part", "close part"] * sum(isinstance(part, bytes) for part in parts))

    def test_each_is_opened_when_it_is_its_turn(self) -> None:
        log: list[str] = []
        spliced = Spliced([lambda: Counted("a", b"12", log), lambda: Counted("b", b"34", log)])
        self.assertEqual((spliced.read(9), log), (b"12", ["open a"]))
        self.assertEqual((spliced.read(9), log), (b"34", ["open a", "close a", "open b"]))
        spliced.close()
        spliced.close()
        self.assertEqual(log, ["open a", "close a", "open b", "close b"])

    def test_a_gap_takes_no_memory(self) -> None:
        spliced = Spliced([2**60])
        self.assertEqual(spliced.read(1000), bytes(1000))
        self.assertEqual(spliced.read(1000), bytes(1000))

    def test_what_was_never_opened_is_not_closed(self) -> None:
        Spliced([lambda: self.fail("it was opened")]).close()
