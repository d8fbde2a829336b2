"""The manifest, and what is made of bytes that are none."""

import struct
import unittest

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from stacked.dedup.manifest import (
    CHUNK_LIMIT,
    HEAD_SIZE,
    Manifest,
    Table,
    bound_to,
    decode,
    decode_head,
    decode_table,
    encode,
    hash_chunk,
)

KEY, ROOT = b"k" * 32, "the module_data of the manifest"

Part = tuple[bytes, str, int]
PARTS = st.lists(
    st.tuples(st.binary(min_size=32, max_size=32), st.text(max_size=9), st.integers(1, CHUNK_LIMIT)), max_size=9
)


def table(parts: list[Part], *, span: int | None = None) -> Table:
    """Return a table of parts."""
    made = Table()
    for place, (digest, pack, size) in enumerate(parts):
        made.add(digest, pack, place, size, span or size)
    return made


def whole(data: bytes) -> Manifest:
    """Read a manifest."""
    head = decode_head(data[:HEAD_SIZE], ROOT)
    return decode(head, data[HEAD_SIZE:])


class ManifestTest(unittest.TestCase):
    @given(PARTS, PARTS)
    def test_what_was_written_is_read(self, leaves: list[Part], tail: list[Part]) -> None:
        first, last = table(leaves, span=5_000_000), table(tail)
        found = whole(encode(KEY, bound_to(KEY, ROOT), b"v" * 16, first, last))
        self.assertEqual((found.head.key, found.head.version), (KEY, b"v" * 16))
        self.assertEqual(found.head.size, first.end + last.end)
        for made, read in ((first, found.leaves), (last, found.tail)):
            self.assertEqual((made.packs, made.records, made.end), (read.packs, read.records, read.end))

    @given(PARTS.filter(bool), st.data())
    def test_the_part_of_a_place_is_found(self, parts: list[Part], data: st.DataObject) -> None:
        made = table(parts)
        place = data.draw(st.integers(0, made.end - 1))
        record, begin = made.find(place)
        self.assertLessEqual(begin, place)
        self.assertLess(place, record.end)
        self.assertEqual(record.end - begin, record.size)

    @given(PARTS, st.data())
    def test_whatever_is_changed_is_noticed(self, parts: list[Part], data: st.DataObject) -> None:
        text = bytearray(encode(KEY, bound_to(KEY, ROOT), bytes(16), Table(), table(parts)))
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] ^= data.draw(st.integers(1, 255))
        with self.assertRaises(ValueError):
            whole(bytes(text))

    def test_one_that_is_cut_off_or_goes_on_is_noticed(self) -> None:
        text = encode(KEY, bound_to(KEY, ROOT), bytes(16), Table(), table([(bytes(32), "pack", 5)]))
        for wrong in (text[:-1], text + b"x", text[: HEAD_SIZE - 1], b""):
            with self.assertRaises(ValueError):
                whole(wrong)

    def test_one_that_is_kept_elsewhere_is_noticed(self) -> None:
        text = encode(KEY, bound_to(KEY, "another"), bytes(16), Table(), Table())
        with self.assertRaisesRegex(ValueError, "of another object"):
            whole(text)

    @given(st.binary(max_size=300), st.booleans())
    def test_any_bytes_are_a_table_or_refused(self, data: bytes, is_leaf: bool) -> None:
        try:
            found = decode_table(data, is_leaf=is_leaf)
        except ValueError:
            return
        self.assertEqual(found.encode(), data)

    @given(st.binary(max_size=300))
    def test_any_bytes_are_a_manifest_or_refused(self, data: bytes) -> None:
        with self.assertRaises(ValueError):
            whole(data)

    def test_a_table_that_lies_is_refused(self) -> None:
        def text(packs: int, *records: tuple[int, int, int, int]) -> bytes:
            names = b"".join(struct.pack(">H", 1) + b"p" for _ in range(packs))
            return (
                struct.pack(">II", packs, len(records))
                + names
                + b"".join(struct.pack(">32sIIIQ", bytes(32), *record) for record in records)
            )

        self.assertEqual(decode_table(text(1, (0, 0, 5, 5), (0, 5, 2, 7)), is_leaf=True).end, 7)
        for wrong in (
            text(0, (0, 0, 5, 5)),  # no such pack
            text(1, (1, 0, 5, 5)),
            text(1, (0, 0, 5, 6)),  # of another size than it says
            text(1, (0, 0, 0, 0)),  # of none
            text(1, (0, 0, 5, 5), (0, 0, 5, 4)),  # going back
            text(1, (0, 0, CHUNK_LIMIT + 1, CHUNK_LIMIT + 1)),
            text(1, *[(0, 0, 1, end) for end in range(1, 1026)]),
            struct.pack(">II", 2**32 - 1, 0),
            struct.pack(">II", 0, 2**32 - 1),
        ):
            with self.assertRaises(ValueError):
                decode_table(wrong, is_leaf=True)

    def test_the_hash_of_a_chunk_is_keyed(self) -> None:
        self.assertNotEqual(hash_chunk(KEY, b"data"), hash_chunk(bytes(32), b"data"))
        # As docs/formats/dedup.md has it, in the words of the library.
        key = blake3(KEY, derive_key_context="storage-modules 2026 dedup chunk").digest()
        self.assertEqual(hash_chunk(KEY, memoryview(b"data")), blake3(b"data", key=key).digest())
