"""get_read_stream, and the streams that it returns."""

import io
import os

from conformance.harness import Harness
from conformance.requirements import Capability, requires
from conformance.streams import random_bytes
from modules import ReadStream

__all__ = ["Reading"]

_DATA = random_bytes(200_000)


def read_exactly(stream: ReadStream, size: int) -> bytes:
    """Return the next ``size`` bytes, fewer only at the end: a read may give less than is asked for."""
    got = b""
    while len(got) < size and (more := stream.read(size - len(got))):
        got += more
    return got


class Reading(Harness):
    """get_read_stream"""

    def open(self, module_data: str | None = None) -> ReadStream:
        """Return a stream of an object, by default a new one of ``_DATA``."""
        module_data = self.put(_DATA) if module_data is None else module_data
        stream = self.module.get_read_stream(self.context, module_data)
        self.addCleanup(stream.close)
        return stream

    def test_a_stream_begins_at_the_first_byte(self) -> None:
        """Open the data of an object for reading, at its first byte."""
        self.assertEqual(read_exactly(self.open(), 100), _DATA[:100])

    def test_a_read_without_a_size_gives_all_the_rest(self) -> None:
        """from here on, or all the rest if it is negative."""
        stream = self.open()
        self.assertEqual(read_exactly(stream, 1000), _DATA[:1000])
        self.assert_same(stream.read(), _DATA[1000:])
        stream.seek(5)
        self.assert_same(stream.read(-1), _DATA[5:])

    def test_a_read_gives_no_more_than_asked_for(self) -> None:
        """Return up to ``size`` bytes"""
        stream = self.open()
        for size in (1, 10, 4096, 100_000):
            piece = stream.read(size)
            self.assertIsInstance(piece, bytes)
            self.assertTrue(1 <= len(piece) <= size, f"{len(piece)} bytes for read({size})")

    def test_a_read_past_the_end_gives_what_is_there(self) -> None:
        """Fewer bytes than asked for do not mean the end; ``b""`` does"""
        stream = self.open()
        self.assert_same(read_exactly(stream, 10 * len(_DATA)), _DATA)
        self.assertEqual(stream.read(1), b"")
        self.assertEqual(stream.read(), b"")

    def test_a_read_of_nothing_gives_nothing(self) -> None:
        """``b""`` does, unless ``size`` is 0."""
        stream = self.open()
        self.assertEqual(stream.read(0), b"")
        self.assertEqual(read_exactly(stream, 10), _DATA[:10], "after read(0)")

    def test_seek_goes_from_all_three_places(self) -> None:
        """Go to ``offset`` bytes from the start (0), from here (1) or from the end (2)."""
        stream, end = self.open(), len(_DATA)
        moves = [(10, 0, 10), (90_000, 0, 90_000), (-500, 1, 89_502), (0, 1, 89_504), (-100, 2, end - 100), (0, 0, 0)]
        for offset, whence, place in moves:
            stream.seek(offset, whence)
            self.assertEqual(read_exactly(stream, 2), _DATA[place : place + 2], f"after seek({offset}, {whence})")

    def test_seek_returns_the_new_place(self) -> None:
        """the new place, in bytes from the start."""
        stream, end = self.open(), len(_DATA)
        for offset, whence, place in [(10, 0, 10), (5, 1, 15), (-5, 1, 10), (-3, 2, end - 3), (0, 2, end), (0, 0, 0)]:
            self.assertEqual(stream.seek(offset, whence), place, f"seek({offset}, {whence})")
        self.assertEqual(stream.seek(7), 7, "seek(7)")

    def test_seek_past_the_end_is_allowed(self) -> None:
        """Past the end is allowed, and reads ``b""`` there."""
        stream, end = self.open(), len(_DATA)
        for offset, whence in ((end, 0), (end + 1000, 0), (1000, 2)):
            stream.seek(offset, whence)
            self.assertEqual(stream.read(10), b"", f"after seek({offset}, {whence})")
            self.assertEqual(stream.read(), b"", f"after seek({offset}, {whence})")
        stream.seek(-1, 2)
        self.assertEqual(stream.read(10), _DATA[-1:])

    def test_seek_before_the_start_is_refused(self) -> None:
        """or ``OSError``, for a place before the start"""
        stream = self.open()
        for offset, whence in ((-1, 0), (-1, 1), (-len(_DATA) - 1, 2)):
            with self.assertRaises((ValueError, OSError), msg=f"seek({offset}, {whence})"):
                stream.seek(offset, whence)
        self.assertEqual(read_exactly(stream, 3), _DATA[:3], "after a seek that was refused")

    def test_a_closed_stream_refuses(self) -> None:
        """:raises ValueError: after :meth:`close`."""
        stream = self.open()
        stream.close()
        with self.assertRaises(ValueError, msg="read"):
            stream.read(1)
        with self.assertRaises((ValueError, OSError), msg="seek"):
            stream.seek(0)

    def test_closing_twice_is_no_error(self) -> None:
        """Closing twice is no error."""
        stream = self.open()
        stream.read(1)
        for _ in range(3):
            stream.close()

    def test_several_streams_have_a_place_each(self) -> None:
        """let several streams of an object be open at the same time, each with a place of its own."""
        module_data = self.put(_DATA)
        streams = [self.open(module_data) for _ in range(3)]
        for number, stream in enumerate(streams):
            stream.seek(1000 * number)
        for number, stream in enumerate(streams):
            self.assertEqual(read_exactly(stream, 5), _DATA[1000 * number : 1000 * number + 5])
        streams[0].close()
        self.assertEqual(read_exactly(streams[1], 5), _DATA[1005:1010], "after another stream was closed")

    def test_an_open_stream_does_not_see_an_assign(self) -> None:
        """A stream shows the object as it was when it was opened: an :meth:`assign` meanwhile does not show"""
        module_data = self.put(_DATA)
        stream = self.open(module_data)
        got = read_exactly(stream, 10)
        self.put(random_bytes(100_000, seed=1), module_data)
        self.assert_same(got + stream.read(), _DATA)

    @requires(Capability.READING_DELETED)
    def test_an_open_stream_outlives_a_delete(self) -> None:
        """and a :meth:`delete` does not end it where the storage can do so."""
        module_data = self.put(_DATA)
        stream = self.open(module_data)
        got = read_exactly(stream, 10)
        self.module.delete(self.context, module_data)
        self.assert_absent(module_data)
        self.assert_same(got + stream.read(), _DATA)

    def test_a_file_descriptor_has_the_object_and_nothing_else(self) -> None:
        """whose file then holds the object from its first byte to its last and nothing else"""
        for data in (_DATA, b"", b"x"):
            stream = self.open(self.put(data))
            try:
                descriptor = stream.fileno()  # type: ignore[attr-defined]
            except (AttributeError, io.UnsupportedOperation):
                return  # it has none, as it may
            self.assertEqual(os.fstat(descriptor).st_size, len(data))
            self.assert_same(os.pread(descriptor, len(data) + 1, 0), data)

    def test_what_is_absent_cannot_be_read(self) -> None:
        """``FileNotFoundError`` no such data here"""
        module_data = self.new()
        with self.assertRaises(FileNotFoundError):
            self.module.get_read_stream(self.context, module_data)
        self.put(b"data", module_data)
        self.module.delete(self.context, module_data)
        with self.assertRaises(FileNotFoundError):
            self.module.get_read_stream(self.context, module_data)
