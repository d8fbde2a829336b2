"""The kit's sources keep the contract of a source."""

import unittest
from collections.abc import Callable

from conformance.streams import (
    Pieces,
    SourceDied,
    Watched,
    dying,
    generated,
    one_byte_at_a_time,
    random_bytes,
    short_reads,
)
from modules import Source


def read_all(source: Source) -> bytes:
    return b"".join(iter(lambda: source.read(1000), b""))


class StreamsTest(unittest.TestCase):
    def test_sources_give_what_they_were_given(self) -> None:
        data = random_bytes(20_000)
        makers: list[Callable[[bytes], Source]] = [short_reads, one_byte_at_a_time, Watched]
        for maker in makers:
            with self.subTest(maker.__name__):
                self.assertEqual(read_all(maker(data)), data)
                self.assertEqual(maker(data).read()[:1], data[:1])

    def test_a_source_has_nothing_but_read(self) -> None:
        for name in ("seek", "tell", "close", "fileno", "__len__", "__iter__", "__enter__"):
            self.assertFalse(hasattr(Pieces([]), name), name)

    def test_no_read_gives_more_than_asked_for(self) -> None:
        for source in (short_reads(bytes(10_000)), generated(100_000), Pieces([bytes(10_000)])):
            self.assertLessEqual(len(source.read(7)), 7)

    def test_the_end_stays_the_end(self) -> None:
        source = Pieces([b"data"])
        self.assertEqual([source.read(9) for _ in range(3)], [b"data", b"", b""])

    def test_a_source_that_died_stays_dead(self) -> None:
        error = SourceDied("once")
        source = dying(b"data", error)
        self.assertEqual(source.read(9), b"data")
        for _ in range(2):
            with self.assertRaises(SourceDied) as caught:
                source.read(9)
            self.assertIs(caught.exception, error)

    def test_reads_without_a_size_are_noted(self) -> None:
        source = Pieces([b"da", b"ta"])
        self.assertEqual(source.read(), b"data")
        self.assertEqual(source.whole_reads, 1)

    def test_touches_are_noted(self) -> None:
        source = Watched(b"data")
        source.read(1)
        source.close()
        touched = source.over()
        source.read(1)
        self.assertEqual(touched, ["close", "read"])

    def test_generated_data_has_its_size_and_repeats(self) -> None:
        for size in (0, 1, 65_536, 200_001):
            self.assertEqual(len(read_all(generated(size))), size)
        self.assertEqual(read_all(generated(70_000, seed=1)), read_all(generated(70_000, seed=1)))
        self.assertNotEqual(read_all(generated(70_000, seed=1)), read_all(generated(70_000, seed=2)))
