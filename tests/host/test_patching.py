"""A part of an object is written."""

import io
import unittest

from hypothesis import given
from hypothesis import strategies as st

from host.catalogue.node import Data
from host.errors import Failed, Invalid
from host.patching import patched
from host.streams import Spliced, Window
from host.vault import Vault
from tests.host.wire.test_replies import node
from tests.sources import Breaking, Pieces

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)


class Kept(Vault):
    """A vault with the data of one object, which notes what is asked of it."""

    def __init__(self, data: bytes) -> None:
        self.kept = data
        self.opened: list[tuple[int, int]] = []

    def open(self, data: Data, first: int = 0, length: int | None = None) -> Window:
        assert length is not None
        self.opened.append((first, length))
        return Window(io.BytesIO(self.kept), first, length, 4)


def whole(spliced: Spliced, sizes: list[int]) -> bytes:
    blocks: list[bytes] = []
    try:
        while block := spliced.read(sizes[len(blocks) % len(sizes)]):
            blocks.append(block)
    finally:
        spliced.close()
    return b"".join(blocks)


class PatchedTest(unittest.TestCase):
    @given(
        st.one_of(st.none(), st.binary(max_size=20)),
        st.integers(0, 30),
        st.binary(min_size=1, max_size=20),
        SIZES,
        SIZES,
    )
    def test_as_a_file_would_have_it(
        self, old: bytes | None, first: int, new: bytes, sizes: list[int], pieces: list[int]
    ) -> None:
        file = io.BytesIO(old or b"")
        file.seek(first)
        file.write(new)
        vault = Kept(old or b"")
        was = None if old is None else node(bytes=len(old))
        spliced, length = patched(vault, was, (first, first + len(new) - 1), Pieces(new, pieces))
        self.assertEqual(whole(spliced, sizes), file.getvalue())
        self.assertEqual(length, len(file.getvalue()))

    def test_what_is_replaced_is_not_read(self) -> None:
        vault = Kept(b"0123456789")
        spliced, length = patched(vault, node(bytes=10), (2, 4), io.BytesIO(b"abc"))
        self.assertEqual((whole(spliced, [100]), length), (b"01abc56789", 10))
        self.assertEqual(vault.opened, [(0, 2), (5, 5)])
        vault.opened.clear()
        whole(patched(vault, node(bytes=10), (0, 9), io.BytesIO(bytes(10)))[0], [100])
        self.assertEqual(vault.opened, [])

    def test_a_body_that_has_not_the_bytes_of_the_range_is_refused(self) -> None:
        for data in (b"", b"12", b"1234"):
            for sizes in ([100], [1]):
                spliced, _ = patched(Kept(b"0123456789"), node(bytes=10), (2, 4), Pieces(data, sizes))
                with self.subTest(data, sizes=sizes), self.assertRaisesRegex(Invalid, "3 bytes of the range"):
                    whole(spliced, [100])

    def test_what_breaks_breaks_the_whole(self) -> None:
        spliced, _ = patched(Kept(b"01"), node(bytes=10), (2, 4), io.BytesIO(b"abc"))
        self.assertRaises(Failed, whole, spliced, [100])
        spliced, _ = patched(Kept(b"0123456789"), node(bytes=10), (0, 4), Breaking(b"ab", OSError("gone")))
        self.assertRaises(OSError, whole, spliced, [100])
