"""Where what lies in a compressed object."""

import errno
import io
import tracemalloc
import unittest
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

import stacked.seektable
from stacked.seektable import SeekTable, TableWriter, frame_at, frame_size, frame_start
from tests.stacked.seekable import Entry, entries_of, forged, of_small_frames

NUMBERS = st.integers(0, 2**27) | st.sampled_from([0, 8191, 8192, 16383, 16384, 24575, 24576])


def written(packed: list[int], size: int) -> bytes:
    """Return a compressed object whose frames are zeros of those sizes."""
    table, left = TableWriter(), size
    for number, length in enumerate(packed):
        table.add(length, min(frame_size(number), left), number)
        left -= min(frame_size(number), left)
    return bytes(sum(packed)) + b"".join(table.blocks())


class GeometryTest(unittest.TestCase):
    @given(NUMBERS, st.floats(0, 1))
    def test_frames_lie_one_behind_the_other(self, number: int, part: float) -> None:
        start, size = frame_start(number), frame_size(number)
        self.assertEqual(frame_start(number + 1), start + size)
        for place in (start, start + int(part * (size - 1)), start + size - 1):
            self.assertEqual(frame_at(place), number)

    def test_they_are_small_at_first(self) -> None:
        gib = 2**30
        sizes = [frame_size(frame_at(place)) // 1024 for place in (0, gib - 1, gib, 3 * gib, 7 * gib, 2**50)]
        self.assertEqual(sizes, [128, 128, 256, 512, 1024, 1024])


class Sparse(io.RawIOBase):
    """A file that has zeros before ``end``; it counts what is read."""

    def __init__(self, zeros: int, end: bytes) -> None:
        self._zeros, self._end, self._place = zeros, end, 0
        self.given = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._place = offset + (0, self._place, self._zeros + len(self._end))[whence]
        return self._place

    def read(self, size: int = -1, /) -> bytes:
        if self._place < self._zeros:
            raise AssertionError("the frames are read")
        data = self._end[self._place - self._zeros :][:size]
        self._place += len(data)
        self.given += len(data)
        return data


class SeekTableTest(unittest.TestCase):
    @given(st.lists(st.integers(1, 100), max_size=60), st.data())
    def test_every_frame_is_found(self, packed: list[int], data: st.DataObject) -> None:
        with of_small_frames():
            last = frame_start(len(packed) - 1) if packed else 0
            size = last + data.draw(st.integers(1, frame_size(len(packed) - 1))) if packed else 0
            table = SeekTable(io.BytesIO(written(packed, size)))
            self.assertEqual(table.size, size)
            for number in data.draw(st.permutations(range(len(packed)))):
                frame = table.frame(number)
                self.assertEqual((frame.offset, frame.packed), (sum(packed[:number]), packed[number]))
                self.assertEqual(
                    (frame.size, frame.checksum), (min(frame_size(number), size - frame_start(number)), number)
                )

    @given(st.lists(st.integers(1, 100), max_size=60))
    def test_the_file_is_what_the_page_says(self, packed: list[int]) -> None:
        with of_small_frames():
            size = frame_start(len(packed))
            data = written(packed, size)
            entries = [Entry(length, frame_size(number), number) for number, length in enumerate(packed)]
        self.assertEqual(entries_of(data)[:-1], entries)
        self.assertEqual(data, forged(bytes(sum(packed)), entries, size, group=4))

    def test_of_a_large_object_little_is_held_and_little_is_read(self) -> None:
        frames = 24576 + 57 * 1024  # 64 GiB
        table = TableWriter()
        tracemalloc.start()
        try:
            for number in range(frames):
                table.add(5000, frame_size(number), number)
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        self.assertLess(held, 10 * frames)
        file = Sparse(frames * 5000, b"".join(table.blocks()))
        found = SeekTable(file)
        self.assertEqual(found.size, 64 * 2**30)
        self.assertLess(file.given, 10_000)
        self.assertEqual(found.frame(70_000), (70_000 * 5000, 5000, 2**20, 70_000))
        self.assertLess(file.given, 22_000)

    def test_an_object_that_no_table_can_tell_of_is_refused(self) -> None:
        table = TableWriter()
        with mock.patch.object(stacked.seektable, "_MOST_FRAMES", 3):
            table.add(1, 1, 1)
            table.add(1, 1, 1)
            with self.assertRaises(OSError) as raised:
                table.add(1, 1, 1)
        self.assertEqual(raised.exception.errno, errno.EFBIG)


class HostileTest(unittest.TestCase):
    """What lies there is nobody's promise."""

    def assert_corrupt_or_sound(self, data: bytes) -> None:
        try:
            table = SeekTable(io.BytesIO(data))
            for number in range(min(table.size, 40)):
                if frame_start(number) < table.size:
                    frame = table.frame(number)
                    self.assertLessEqual(frame.size, frame_size(number))
                    self.assertLessEqual(frame.packed, 2 * frame.size + 128)
        except OSError as error:
            self.assertEqual(error.errno, errno.EIO)
            self.assertRegex(str(error), r"^\[Errno 5\] the compressed object is corrupt: [^\n]+$")

    @given(st.binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        self.assert_corrupt_or_sound(data)
        self.assert_corrupt_or_sound(data + b"\x80\xb1\xea\x92\x8f")

    @given(
        st.lists(st.tuples(*[st.integers(0, 2**32 - 1) | st.integers(0, 600)] * 3), max_size=20),
        st.integers(0, 2**64 - 1) | st.integers(0, 3000),
        st.data(),
    )
    def test_any_numbers_under_right_checksums(
        self, rows: list[tuple[int, ...]], size: int, data: st.DataObject
    ) -> None:
        entries = [Entry(*row) for row in rows]
        groups = -(-len(rows) // 4)
        end = st.integers(0, 2**64 - 1) | st.integers(0, 3000)
        ends = data.draw(st.none() | st.lists(end, min_size=groups, max_size=groups))
        with of_small_frames():
            self.assert_corrupt_or_sound(forged(bytes(500), entries, size, ends, group=4))

    def test_each_number_that_is_wrong_is_named(self) -> None:
        good = [Entry(50, 131072, 1), Entry(60, 9, 2)]
        size = 131072 + 9
        self.assertEqual(SeekTable(io.BytesIO(forged(bytes(110), good, size))).frame(1), (50, 60, 9, 2))
        for reason, data in {
            "do not agree": forged(bytes(110), good, 2 * 131072 + 1),
            "and the seek table do not agree": forged(bytes(111), good, size),
            "do not add up": forged(bytes(110), good, size - 1),
            "larger than": forged(bytes(140_000), [Entry(139_940, 131072, 1), good[1]], size),
            "than it can be": forged(bytes(60), [Entry(0, 131072, 1), good[1]], size),
            "shorter than its seek table": forged(b"", good, size)[-40:],
            "too short": b"",
            "end with a seek table": forged(bytes(110), good, size) + bytes(9),
            "no summary": forged(bytes(110), good, size).replace(b"\x5e\x2a\x4d\x18", b"\x5f\x2a\x4d\x18"),
            "last entry": forged(bytes(110), good, size)[:-10] + b"?" + forged(b"", good, size)[-9:],
        }.items():
            with self.subTest(reason), self.assertRaisesRegex(OSError, reason) as raised:
                SeekTable(io.BytesIO(data)).frame(1)
            self.assertEqual(raised.exception.errno, errno.EIO)
        with of_small_frames(), self.assertRaisesRegex(OSError, "do not add up"):
            ends = [41, 50]
            SeekTable(io.BytesIO(forged(bytes(50), [Entry(10, 64, 0)] * 5, 320, ends, group=4))).frame(0)

    def test_a_read_that_failed_does_not_shift_the_next_ones(self) -> None:
        class Failing(io.BytesIO):
            fails = False

            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(size)
                if self.fails:
                    raise TimeoutError("later")
                return data

        data = bytes(range(200))
        stream = Failing(forged(data, [Entry(200, 64, 0)], 64))
        with of_small_frames():
            table = SeekTable(stream)
            self.assertEqual(table.bytes_at(10, 5), data[10:15])
            stream.fails = True
            self.assertRaises(TimeoutError, table.bytes_at, 15, 5)
            stream.fails = False
            self.assertEqual(table.bytes_at(15, 5), data[15:20])

    def test_a_table_of_more_than_there_is_takes_no_memory(self) -> None:
        tail = bytes(100) + (2**27).to_bytes(4, "little") + b"\x80\xb1\xea\x92\x8f"
        tracemalloc.start()
        try:
            with self.assertRaises(OSError):
                SeekTable(io.BytesIO(tail))
            self.assertLess(tracemalloc.get_traced_memory()[1], 100_000)
        finally:
            tracemalloc.stop()
