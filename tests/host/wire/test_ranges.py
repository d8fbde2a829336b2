"""Ranges of bytes."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from host.errors import HostError, Invalid, Unsatisfiable
from host.wire.ranges import byte_ranges, content_range

HEADERS = st.one_of(
    st.text(st.characters(max_codepoint=255)),
    st.text("0123456789-,= \tbytes").map(lambda text: f"bytes={text}"),
)
SIZES = st.integers(0, 40)


@st.composite
def asked(draw: st.DrawFn) -> str:
    """Draw one range that is well formed."""
    first, length = draw(SIZES), draw(SIZES)
    return draw(st.sampled_from([f"{first}-{first + length}", f"{first}-", f"-{length}"]))


def sliced(data: bytes, text: str) -> bytes:
    """Return what a range asks for, as slicing has it."""
    first, _, last = text.partition("-")
    if not first:
        return data[max(0, len(data) - int(last)) :]
    return data[int(first) :] if not last else data[int(first) : int(last) + 1]


class RangeTest(unittest.TestCase):
    def test_the_forms(self) -> None:
        cases = {
            "bytes=0-0": [(0, 0)],
            "bytes=2-4": [(2, 4)],
            "bytes=2-": [(2, 9)],
            "bytes=2-99": [(2, 9)],
            "bytes=-3": [(7, 9)],
            "bytes=-99": [(0, 9)],
            "bytes=9-9": [(9, 9)],
            "bytes=0-9": [(0, 9)],
            f"bytes=0-{'9' * 19}": [(0, 9)],
            "Bytes = 2 - 4 ": [(2, 4)],
            "bytes=0-0,-1": [(0, 0), (9, 9)],
            "bytes=, 5-6 ,,1-2,": [(5, 6), (1, 2)],
            "bytes=20-,0-1": [(0, 1)],
            "bytes=-0,0-1": [(0, 1)],
        }
        for header, expected in cases.items():
            self.assertEqual(byte_ranges(header, 10), expected, header)

    def test_what_overlaps_or_touches_is_one(self) -> None:
        for header, expected in (
            ("bytes=0-4,5-9", [(0, 9)]),
            ("bytes=5-9,0-4", [(0, 9)]),
            ("bytes=0-1,4-5,1-4", [(0, 5)]),
            ("bytes=0-0,0-0,0-0", [(0, 0)]),
            ("bytes=0-,0-,0-", [(0, 9)]),
            ("bytes=7-8,0-1,2-3", [(7, 8), (0, 3)]),
        ):
            self.assertEqual(byte_ranges(header, 10), expected, header)

    def test_what_is_malformed_or_unknown_is_ignored(self) -> None:
        for header in (
            None,
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "lines=1-2",
            "1-2",
            "bytes 1-2",
            "bytes=4-2",
            "bytes=0-1,4-2",
            "bytes=0-1,x",
            "bytes=0--1",
            "bytes=1",
            "bytes=\xb2-\xb3",
            f"bytes=0-{'9' * 5000}",
        ):
            self.assertIsNone(byte_ranges(header, 10), header)

    def test_too_many_ranges_are_ignored(self) -> None:
        self.assertEqual(byte_ranges("bytes=" + ",".join(["0-0"] * 100), 10), [(0, 0)])
        self.assertIsNone(byte_ranges("bytes=" + ",".join(["0-0"] * 101), 10))

    def test_ranges_outside_are_refused_with_the_size(self) -> None:
        for header, size in (
            ("bytes=10-", 10),
            ("bytes=10-20", 10),
            ("bytes=10-20,30-", 10),
            ("bytes=-0", 10),
            ("bytes=0-0", 0),
            ("bytes=-1", 0),
            ("bytes=0-", 0),
        ):
            with self.subTest(header), self.assertRaises(Unsatisfiable) as caught:
                byte_ranges(header, size)
            self.assertEqual(caught.exception.status, 416)
            self.assertEqual(caught.exception.headers, {"Content-Range": f"bytes */{size}"})

    @given(asked(), SIZES)
    def test_one_as_slicing_has_it(self, text: str, size: int) -> None:
        data = bytes(range(size))
        try:
            found = byte_ranges(f"bytes={text}", size)
        except Unsatisfiable:
            self.assertEqual(sliced(data, text), b"")
            return
        assert found is not None
        ((first, last),) = found
        self.assertEqual(data[first : last + 1], sliced(data, text))
        self.assertGreater(len(data[first : last + 1]), 0)

    @given(st.lists(asked(), min_size=1, max_size=8), SIZES)
    def test_several_give_every_byte_that_is_asked_for_once(self, texts: list[str], size: int) -> None:
        data = bytes(range(size))
        wanted = {byte for text in texts for byte in sliced(data, text)}
        try:
            found = byte_ranges(f"bytes={','.join(texts)}", size)
        except Unsatisfiable:
            self.assertEqual(wanted, set())
            return
        assert found is not None
        given_bytes = [byte for first, last in found for byte in data[first : last + 1]]
        self.assertEqual(sorted(given_bytes), sorted(wanted))
        for first, last in found:
            self.assertFalse({last + 1, first - 1} & set(given_bytes), "two parts touch")

    @given(HEADERS, SIZES)
    def test_any_header_is_parsed_or_ignored_or_refused(self, header: str, size: int) -> None:
        try:
            found = byte_ranges(header, size)
        except HostError as error:
            self.assertEqual(error.status, 416)
        else:
            self.assertTrue(found is None or all(0 <= first <= last < size for first, last in found))

    def test_a_long_header_takes_no_long_time(self) -> None:
        blanks = " " * 60_000  # once this took minutes
        for header in (f"bytes=1{blanks}x", f"bytes{blanks}=1{blanks}2-", f"bytes={blanks},{blanks}x", blanks):
            self.assertIsNone(byte_ranges(header, 10))


class ContentRangeTest(unittest.TestCase):
    def test_the_forms(self) -> None:
        for header in (
            "bytes 12-23/*",
            "bytes 12-23/100",
            "bytes=12-23",
            "bytes = 12 - 23 / * ",
            "bytes 12-23",
            " bytes\t12-23/*",
        ):
            self.assertEqual(content_range(header), (12, 23), header)
        self.assertEqual(content_range("bytes 0-0/1"), (0, 0))

    def test_what_is_none(self) -> None:
        for header in (
            "",
            "bytes",
            "bytes */10",
            "bytes 12-",
            "bytes -12",
            "bytes 23-12/*",
            "bytes12-23/*",
            "lines 1-2/*",
            "bytes 1-2/",
            "bytes 1-2/*x",
            "bytes 1-2,4-5/*",
            "bytes \xb2-\xb3/*",
            f"bytes 0-{'9' * 19}/*",
        ):
            with self.subTest(header), self.assertRaises(Invalid):
                content_range(header)

    @given(HEADERS)
    def test_any_header_is_parsed_or_refused(self, header: str) -> None:
        try:
            first, last = content_range(header.replace("=", " "))
        except HostError as error:
            self.assertEqual(error.status, 400)
        else:
            self.assertLessEqual(first, last)

    def test_a_long_header_takes_no_long_time(self) -> None:
        blanks = " " * 60_000
        for header in (f"bytes{blanks}x", f"bytes={blanks}x", f"bytes 1{blanks}x", f"bytes 1-{blanks}x", f"{blanks}x"):
            with self.assertRaises(Invalid):
                content_range(header)
