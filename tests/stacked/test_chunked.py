"""Cobblestone-256: against the published vectors, a second implementation, and whoever changes a byte."""

import errno
import hashlib
import io
import json
import unittest
import zlib
from pathlib import Path
from typing import Any

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from stacked.chunked import CHUNK, HEADER, SEALED, ObjectKey, PlainStream, encrypted, expanded, plain_size, sealed_size
from tests.sources import Pieces
from tests.stacked.cobblestone import seal

VECTORS = Path(__file__).parent / "vectors/cobblestone-256.json"
KEY, CONTEXT, SALT = bytes(range(32)), b"an object", bytes(range(24))
DATA = b"".join(number.to_bytes(4, "big") for number in range(3 * CHUNK // 4 + 25))
SEALED_DATA = seal(KEY, CONTEXT, SALT, DATA)


class Little(io.BytesIO):
    """Gives little at a time, and counts what it gave."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None and size >= 0, "a module below is read by sizes"
        data = super().read(min(size, 10_000))
        self.given += len(data)
        return data


def stream(sealed: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> PlainStream:
    return PlainStream(Little(sealed), ObjectKey(key, context), "it")


def beginning(sealed: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> tuple[bytes, bool]:
    """Return what can be read from the start on, and whether that came to an end."""
    read = b""
    try:
        with stream(sealed, key, context) as plain:
            while data := plain.read(50_000):
                read += data
            return read, True
    except OSError as error:
        assert error.errno == errno.EIO, error
        return read, False


class VectorsTest(unittest.TestCase):
    def test_the_published_ones(self) -> None:
        tests = json.loads(VECTORS.read_text())["tests"]
        self.assertEqual(len(tests), 25)
        for test in tests:
            with self.subTest(test["id"], comment=test["comment"]):
                self.check(test)

    def check(self, test: dict[str, Any]) -> None:
        key, context = bytes.fromhex(test["key"]), bytes.fromhex(test["context"])
        sealed = zlib.decompress(bytes.fromhex(test["ct"]))
        read, is_whole = beginning(sealed, key, context)
        self.assertEqual(is_whole, test["result"] == "valid")
        self.assertLessEqual(len(read), test.get("length", 0))
        if is_whole:
            self.assertEqual(hashlib.sha512(read).hexdigest(), test["sha512"])
            self.assertEqual(seal(key, context, sealed[:24], read), sealed)
            self.assertEqual((len(read), plain_size(len(sealed))), (test["length"], len(read)))
        elif "length" in test:
            self.assertIn(hashlib.sha512(read).hexdigest(), (test["sha512"], hashlib.sha512(b"").hexdigest()))

    def test_a_counter_of_more_than_one_byte(self) -> None:
        data = bytes(258 * CHUNK)
        sealed = seal(KEY, CONTEXT, SALT, data)
        self.assertEqual(beginning(sealed), (data, True))
        decryptor = Cobblestone256Decryptor(KEY, CONTEXT)
        self.assertEqual(decryptor.update(sealed) + decryptor.finalize(), data)

    @given(st.binary(min_size=1, max_size=80), st.binary(max_size=200), st.integers(1, 200))
    def test_the_derivation_is_that_of_the_library(self, secret: bytes, info: bytes, size: int) -> None:
        self.assertEqual(expanded(secret, info, size), HKDFExpand(SHA512(), size, info).derive(secret))


class EncryptedTest(unittest.TestCase):
    @given(st.integers(0, 2), st.integers(-2, 2), st.lists(st.integers(1, 70_000), min_size=1))
    def test_it_is_what_the_second_implementation_makes(self, chunks: int, more: int, sizes: list[int]) -> None:
        data = DATA[: max(0, chunks * CHUNK + more)]
        sealed = b"".join(encrypted(Pieces(data, sizes), ObjectKey(KEY, CONTEXT).encryptor()))
        self.assertEqual(sealed, seal(KEY, CONTEXT, sealed[:24], data))
        self.assertEqual((len(sealed), plain_size(len(sealed))), (sealed_size(len(data)), len(data)))
        self.assertEqual(beginning(sealed), (data, True))

    def test_an_object_of_several_blocks(self) -> None:
        for size in (31 * CHUNK - 1, 31 * CHUNK, 31 * CHUNK + 1, 70 * CHUNK + 5):
            data = (DATA * (size // len(DATA) + 1))[:size]
            blocks = list(encrypted(io.BytesIO(data), ObjectKey(KEY, CONTEXT).encryptor()))
            self.assertTrue(all(blocks))
            self.assertEqual(beginning(b"".join(blocks)), (data, True))

    def test_no_salt_comes_twice(self) -> None:
        key = ObjectKey(KEY, CONTEXT)
        self.assertEqual(len({b"".join(encrypted(io.BytesIO(), key.encryptor()))[:24] for _ in range(100)}), 100)

    def test_sizes_that_no_object_has(self) -> None:
        good = {sealed_size(size) for size in range(2 * CHUNK + 10)}
        for size in range(max(good) + 1):
            if size not in good:
                with self.assertRaises(OSError) as raised:
                    plain_size(size)
                self.assertEqual(raised.exception.errno, errno.EIO)
        self.assertEqual(plain_size(sealed_size(2**52 - 1)), 2**52 - 1)
        self.assertRaises(OSError, plain_size, sealed_size(2**52))

    def test_no_secret_is_seen(self) -> None:
        self.assertNotIn("\\x01\\x02", repr(ObjectKey(KEY, CONTEXT)))


STEPS = st.lists(
    st.tuples(st.just("read"), st.integers(-1, 40_000), st.just(0))
    | st.tuples(st.just("seek"), st.integers(-20_000, 60_000), st.integers(0, 2)),
    max_size=12,
)


class PlainStreamTest(unittest.TestCase):
    @given(st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, len(DATA)]), STEPS)
    def test_it_is_a_file(self, size: int, steps: list[tuple[str, int, int]]) -> None:
        data = DATA[:size]
        plain, model = stream(seal(KEY, CONTEXT, SALT, data)), io.BytesIO(data)
        for what, number, whence in steps:
            if what == "read":
                got = plain.read(number)
                self.assertEqual(got, model.read(len(got) if number >= 0 else -1))
                self.assertTrue(got or number == 0 or model.read(1) == b"")
                continue
            place = (0, model.tell(), size)[whence] + number
            if place < 0:
                self.assertRaises(ValueError, plain.seek, number, whence)
            else:
                self.assertEqual((plain.seek(number, whence), plain.tell()), (model.seek(place), place))

    def test_a_range_reads_what_it_needs(self) -> None:
        data = bytes(100 * CHUNK)
        below = Little(seal(KEY, CONTEXT, SALT, data))
        plain = PlainStream(below, ObjectKey(KEY, CONTEXT), "it")
        self.assertEqual(below.given, HEADER)
        plain.seek(50 * CHUNK + 5)
        self.assertEqual(len(plain.read(100)), 100)
        self.assertEqual(below.given, HEADER + SEALED)

    def test_who_reads_on_gets_more_at_a_time(self) -> None:
        below = Little(seal(KEY, CONTEXT, SALT, bytes(100 * CHUNK)))
        plain = PlainStream(below, ObjectKey(KEY, CONTEXT), "it")
        counts = []
        while plain.read(CHUNK):
            counts.append((below.given - HEADER) // SEALED)
        self.assertEqual(list(dict.fromkeys(counts))[:7], [1, 3, 7, 15, 31, 62, 93])

    @given(st.data())
    def test_whatever_is_changed_no_wrong_byte_comes_out(self, data: st.DataObject) -> None:
        changed = data.draw(mutations(SEALED_DATA))
        try:
            plain = stream(changed)
            for _ in range(6):
                place, size = data.draw(st.integers(0, len(DATA) + 9)), data.draw(st.integers(1, 2 * CHUNK))
                plain.seek(place)
                read = plain.read(size)
                self.assertEqual(read, DATA[place : place + len(read)])
                self.assertTrue(read or place >= len(DATA) or changed == SEALED_DATA)
            read, is_whole = beginning(changed)
            self.assertTrue(DATA.startswith(read))
            self.assertEqual(is_whole, changed == SEALED_DATA)
        except OSError as error:
            self.assertEqual(error.errno, errno.EIO)
            self.assertNotEqual(changed, SEALED_DATA)

    def test_each_bit_of_what_is_not_data_counts(self) -> None:
        sealed = seal(KEY, CONTEXT, SALT, b"data")
        for place in range(len(sealed)):
            for bit in range(8):
                changed = bytearray(sealed)
                changed[place] ^= 1 << bit
                self.assertEqual(beginning(bytes(changed)), (b"", False), (place, bit))

    def test_every_truncation_is_found_out_before_the_end_is_told(self) -> None:
        for size in (*range(0, 200), *range(HEADER + SEALED - 20, HEADER + SEALED + 20), len(SEALED_DATA) - 1):
            read, is_whole = beginning(SEALED_DATA[:size])
            self.assertTrue(DATA.startswith(read) and not is_whole, size)
            with self.assertRaises(OSError):
                stream(SEALED_DATA[:size]).seek(0, 2)

    def test_what_is_good_before_a_bad_chunk_can_be_read(self) -> None:
        changed = bytearray(SEALED_DATA)
        changed[HEADER + 2 * SEALED + 7] ^= 1
        plain = stream(bytes(changed))
        self.assertEqual(plain.read(3 * CHUNK), DATA[: 2 * CHUNK])
        for _ in range(2):
            with self.assertRaisesRegex(OSError, "corrupt: it: chunk 2 is not what was stored"):
                plain.read(10)
        plain.seek(3 * CHUNK)
        self.assertEqual(plain.read(), DATA[3 * CHUNK :])

    def test_another_key_and_another_object(self) -> None:
        for key, context in ((bytes(32), CONTEXT), (KEY, b"another object"), (KEY, b"")):
            with self.assertRaisesRegex(OSError, "not encrypted with this key as this object") as raised:
                stream(SEALED_DATA, key, context)
            self.assertEqual(raised.exception.errno, errno.EIO)

    def test_a_read_that_failed_below_can_be_tried_again(self) -> None:
        class Failing(Little):
            left = 2

            def read(self, size: int | None = -1, /) -> bytes:
                if self.given > HEADER and self.left:
                    self.left -= 1
                    super().read(1000)
                    raise TimeoutError("again")
                return super().read(size)

        below = Failing(SEALED_DATA)
        plain = PlainStream(below, ObjectKey(KEY, CONTEXT), "it")
        below.given = HEADER + 1
        for _ in range(2):
            self.assertRaises(TimeoutError, plain.read, 10)
        self.assertEqual(plain.read(10), DATA[:10])

    def test_it_closes_what_is_below(self) -> None:
        below = Little(SEALED_DATA)
        plain = PlainStream(below, ObjectKey(KEY, CONTEXT), "it")
        plain.close()
        self.assertTrue(below.closed)


def mutations(sealed: bytes) -> st.SearchStrategy[bytes]:
    """Return strategies of what can become of an encrypted object: nothing, too."""
    place = st.integers(0, len(sealed) - 1)
    chunk = st.integers(0, (len(sealed) - HEADER) // SEALED)

    def piece(number: int) -> bytes:
        return sealed[HEADER + number * SEALED : HEADER + (number + 1) * SEALED]

    def with_chunks(numbers: list[int]) -> bytes:
        return sealed[:HEADER] + b"".join(piece(number) for number in numbers)

    flipped = st.tuples(place, st.integers(1, 255)).map(
        lambda it: sealed[: it[0]] + bytes([sealed[it[0]] ^ it[1]]) + sealed[it[0] + 1 :]
    )
    cut = place.map(lambda at: sealed[:at])
    longer = st.binary(min_size=1, max_size=40).map(lambda more: sealed + more)
    gap = st.tuples(place, st.integers(1, 20_000)).map(lambda it: sealed[: it[0]] + sealed[it[0] + it[1] :])
    return flipped | cut | longer | gap | st.lists(chunk, max_size=6).map(with_chunks) | st.just(sealed)
