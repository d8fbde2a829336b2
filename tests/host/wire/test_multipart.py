"""Bodies of several parts."""

import tracemalloc
import unittest
from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from host.errors import HostError, Invalid
from host.wire.multipart import Mixed, boundary_of
from tests.sources import Endless, Pieces

MB = 1024 * 1024
BOUNDARY = b"gc0pJq0M:08jU534c0p"
#: RFC 2046, section 5.1.1; the last character is no blank.
CHARACTERS = "0123456789abcXYZ'()+_,-./:=?"
BOUNDARIES = st.builds(
    lambda text, last: (text + last).encode(), st.text(CHARACTERS + " ", max_size=69), st.sampled_from(CHARACTERS)
)
SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=4)
Parts = list[tuple[str, bytes]]


def near(boundary: bytes) -> st.SearchStrategy[bytes]:
    """Give data that has much of a delimiter in it."""
    pieces = [b"\r\n", b"\r", b"\n", b"--", b"-", boundary[:-1], boundary[1:], b"\r\n--" + boundary[:-1], b"x"]
    return st.lists(st.one_of(st.sampled_from(pieces), st.binary(max_size=5)), max_size=8).map(b"".join)


def written(parts: Parts, boundary: bytes, *, before: bytes = b"", blanks: bytes = b"", after: bytes = b"") -> bytes:
    """Return a body."""
    body = before
    for content_type, data in parts:
        head = f"Content-Type: {content_type}\r\n".encode() if content_type else b""
        body += b"--" + boundary + blanks + b"\r\n" + head + b"\r\n" + data + b"\r\n"
    return body + b"--" + boundary + b"--" + after


def read(body: bytes, boundary: bytes, sizes: Sequence[int] = (MB,), size: int = MB) -> Parts:
    """Return the parts of a body that comes in pieces, and that is read by ``size`` bytes."""
    mixed = Mixed(Pieces(body, sizes), boundary)
    found: Parts = []
    while part := mixed.next_part():
        blocks = []
        while block := part.read(size):
            assert len(block) <= size
            blocks.append(block)
        found.append((part.content_type, b"".join(blocks)))
    return found


class BoundaryTest(unittest.TestCase):
    def test_the_forms(self) -> None:
        for text in (
            "multipart/mixed; boundary=abc",
            'multipart/mixed;Boundary="abc"',
            "multipart/mixed; charset=utf-8 ; boundary = abc ; x=y",
        ):
            self.assertEqual(boundary_of(text), b"abc", text)
        self.assertEqual(boundary_of('multipart/mixed; boundary="a b;c:d"'), b"a b;c:d")

    def test_what_names_none(self) -> None:
        for text in (
            "",
            "multipart/mixed",
            "multipart/mixed; boundary=",
            'multipart/mixed; boundary=""',
            "xboundary=a",
        ):
            with self.subTest(text), self.assertRaises(Invalid):
                boundary_of(text)

    @given(st.text(st.characters(max_codepoint=255)))
    def test_any_type_names_one_or_is_refused(self, text: str) -> None:
        for each in (text, f"multipart/mixed; boundary={text}", f'multipart/mixed; boundary="{text}"'):
            try:
                self.assertTrue(0 < len(boundary_of(each)) <= 70)
            except HostError as error:
                self.assertEqual(error.status, 400)


class MixedTest(unittest.TestCase):
    def test_two_parts(self) -> None:
        parts = [("application/cdmi-object", b'{"metadata": {}}'), ("text/plain; charset=utf-8", b"the value\r\n")]
        for more in ({}, {"before": b"preamble\r\n", "after": b"\r\nepilogue"}, {"blanks": b" \t "}):
            self.assertEqual(read(written(parts, BOUNDARY, **more), BOUNDARY), parts)

    @given(st.data(), BOUNDARIES, SIZES, st.integers(1, 40))
    def test_any_parts_come_through_however_they_come(
        self, data: st.DataObject, boundary: bytes, sizes: list[int], size: int
    ) -> None:
        values = data.draw(st.lists(near(boundary), max_size=3))
        before, after = data.draw(near(boundary)), data.draw(near(boundary))
        for each in (*values, before):  # what ends with a line end may have a delimiter behind it
            assume(b"\r\n--" + boundary not in b"\r\n" + each + b"\r\n")
        kinds = data.draw(st.lists(st.sampled_from(["", "a/b", "text/plain; x=y"]), min_size=3, max_size=3))
        parts = list(zip(kinds, values, strict=False))
        body = written(parts, boundary, before=before + b"\r\n" if before else b"", after=after)
        self.assertEqual(read(body, boundary, sizes, size), parts)

    def test_a_body_that_is_cut_short_is_an_error_wherever(self) -> None:
        body = written([("application/cdmi-object", b"{}"), ("a/b", b"value\r\n--" + BOUNDARY[:-1])], BOUNDARY)
        for length in range(len(body)):
            for sizes in ([MB], [1]):
                with self.subTest(length, sizes=sizes), self.assertRaises(Invalid):
                    read(body[:length], BOUNDARY, sizes)
        self.assertEqual(len(read(body, BOUNDARY)), 2)

    def test_another_boundary_is_none(self) -> None:
        body = written([("a/b", b"value")], BOUNDARY)
        for other in (BOUNDARY + b"x", b"x" + BOUNDARY, BOUNDARY.lower()):
            with self.subTest(other), self.assertRaises(Invalid):
                read(body, other)

    def test_what_follows_a_boundary_is_blank(self) -> None:
        for wrong in (b"x", b"-", b" x", b"\r", b"\n"):
            with self.subTest(wrong), self.assertRaises(Invalid):
                read(b"--" + BOUNDARY + wrong + b"\r\n\r\nvalue\r\n--" + BOUNDARY + b"--", BOUNDARY)

    def test_header_fields(self) -> None:
        for head, expected in (
            (b"content-TYPE:a/b\r\n", "a/b"),
            (b"X: y\r\nContent-Type :  a/b \r\nZ: x\r\n", "a/b"),
            (b"Content-Type: a/b;\r\n charset=utf-8\r\n", "a/b; charset=utf-8"),
            (b"Content-Type: a/b;\r\n\tc=d;\r\n e=f\r\nX: y\r\n", "a/b;\tc=d; e=f"),
            (b"no colon\r\n", ""),
            (b"Content-Transfer-Encoding: Binary\r\n", ""),
        ):
            body = b"--" + BOUNDARY + b"\r\n" + head + b"\r\nvalue\r\n--" + BOUNDARY + b"--"
            self.assertEqual(read(body, BOUNDARY), [(expected, b"value")], head)

    def test_data_in_another_form_is_refused(self) -> None:
        for encoding in (b"base64", b"quoted-printable", b"x-gzip"):
            head = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
            with self.subTest(encoding), self.assertRaises(Invalid):
                read(b"--" + BOUNDARY + b"\r\n" + head + b"\r\nvalue\r\n--" + BOUNDARY + b"--", BOUNDARY)

    def test_a_header_has_a_limit(self) -> None:
        head = b"X: " + b"y" * 16_000 + b"\r\n"
        body = b"--" + BOUNDARY + b"\r\n%b\r\nvalue\r\n--" + BOUNDARY + b"--"
        self.assertEqual(read(body % head, BOUNDARY), [("", b"value")])
        with self.assertRaises(Invalid):
            read(body % (head + head), BOUNDARY)
        with self.assertRaises(Invalid):
            read(b"--" + BOUNDARY + b" " * 20_000 + b"\r\n\r\nvalue\r\n--" + BOUNDARY + b"--", BOUNDARY)

    def test_a_part_that_was_not_read_is_passed_over(self) -> None:
        mixed = Mixed(Pieces(written([("a/b", b"x" * 100), ("c/d", b"y")], BOUNDARY), [7]), BOUNDARY)
        first = mixed.next_part()
        assert first is not None
        self.assertEqual(len(first.read(10)), 10)
        second = mixed.next_part()
        assert second is not None
        self.assertEqual((second.content_type, second.read(10)), ("c/d", b"y"))

    def test_nothing_is_kept_of_what_is_long(self) -> None:
        begin = b"--" + BOUNDARY + b"\r\n"
        for first, block in (
            (b"", b"\r\n--" + BOUNDARY[:-1]),  # a preamble
            (begin + b"\r\n", b"\r\n--" + BOUNDARY[:-1]),  # data
            (begin, b"X: y\r\n"),  # a header
            (begin[:-2] + b"--", b"\r\n--" + BOUNDARY),  # an epilogue
        ):
            source = Endless(first, block * (MB // len(block)), 32 * MB)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            with self.subTest(first):
                mixed = Mixed(source, BOUNDARY)
                try:
                    part = mixed.next_part()
                    while part is not None and part.read(MB):
                        pass
                except Invalid:
                    pass
                self.assertLess(tracemalloc.get_traced_memory()[1], 8 * MB)
            tracemalloc.stop()

    @given(st.binary(), SIZES)
    def test_any_bytes_are_parsed_or_refused(self, data: bytes, sizes: list[int]) -> None:
        for body in (data, b"--b\r\n" + data, b"--b\r\n\r\n" + data, b"--b\r\n\r\nx\r\n--b" + data):
            try:
                read(body, b"b", sizes)
            except HostError as error:
                self.assertEqual(error.status, 400)
