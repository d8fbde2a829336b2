"""Compression: smaller where it can be, readable by zstd, and never a wrong byte."""

import errno
import io
import random
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from fsstore import FileStorage
from modules import ReadStream, StorageModule
from simple.simple import SimpleStorage
from stacked import CompressedStorage, StackedModule
from stacked.compression import _Compressor, _Decompressed
from stacked.seektable import TableWriter
from tests.programs import find, needs
from tests.server import ROOT, environment
from tests.sources import Breaking
from tests.stacked.fuzz_compression import once
from tests.stacked.seekable import Entry, entries_of, forged, of_small_frames, zstd, zstd_frames
from tests.stacked.stack import StackCase, file_storage

FRAME = 131072
LINES = b"".join(b"%d bottles of beer on the wall, %d bottles of beer\n" % (n * n, n) for n in range(40_000))
TEXT = LINES[: 4 * FRAME]
NOISE = random.Random(6).randbytes(4 * FRAME)


def packed(data: bytes, level: int = 3) -> bytes:
    """Return ``data`` as it is kept."""
    return b"".join(_Compressor(level).blocks(io.BytesIO(data), TableWriter()))


def unpacked(data: bytes) -> bytes:
    """Return what ``data`` keeps."""
    return bytes(_Decompressed(io.BytesIO(data)).read())


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def make_module(self) -> StorageModule:
        return CompressedStorage(store=file_storage(self.directory))

    def peek(self, module_data: str) -> bytes | None:
        module = CompressedStorage(store=FileStorage(self.directory))
        try:
            with module.below({}).get_read_stream(module.opened(module_data).inner) as inner:  # type: ignore[attr-defined]
                return zstd.decompress(inner.read())
        except FileNotFoundError:
            return None


class KitInTheMiddleTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def make_module(self) -> StorageModule:
        return StackedModule(store=CompressedStorage(StackedModule(file_storage(self.directory)), level=1))


class CompressedStorageTest(StackCase):
    def setUp(self) -> None:
        super().setUp()
        self.modules["simple"] = SimpleStorage(str(self.directory / "simple"))
        self.module = CompressedStorage("simple")

    def stored(self, data: bytes) -> str:
        module_data = self.module.new_data(self.context)
        self.module.assign(self.context, module_data, io.BytesIO(data))
        return module_data

    def file(self) -> Any:
        (path,) = (path for path in (self.directory / "simple").iterdir() if path.is_file())
        return path

    def test_arguments_are_checked_at_the_door(self) -> None:
        for wrong in (0, 20, -1, 3.0, "3", None, True, [3]):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "^level: "):
                CompressedStorage("simple", wrong)
        with self.assertRaisesRegex(ValueError, "^store: "):
            CompressedStorage(level=3)
        with self.assertRaisesRegex(ValueError, "^speed: "):
            CompressedStorage("simple", speed=3)
        self.assertEqual(CompressedStorage("simple", 19).statistics(self.context)["level"], 19)

    def test_it_is_refused_on_deduplication(self) -> None:
        class Dedup(StackedModule):
            layer = "dedup"

        self.modules["dedup"] = Dedup("simple")
        with self.assertRaisesRegex(ValueError, "^store: compression on dedup: .* put dedup on top of it$"):
            CompressedStorage("dedup").stands_on(self.context)
        self.modules["compressed"] = self.module
        self.assertEqual(Dedup("compressed").stands_on(self.context), ["compressed"])

    def test_statistics_tell_what_was_saved(self) -> None:
        self.assertEqual(self.module.statistics(self.context)["since_start"], {"taken": 0, "kept": 0})
        threads = [threading.Thread(target=self.stored, args=(TEXT,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = self.module.statistics(self.context)
        kept = sum(path.stat().st_size for path in (self.directory / "simple").iterdir() if path.is_file())
        self.assertEqual((found["layer"], found["level"]), ("compression", 3))
        self.assertEqual(found["since_start"], {"taken": 5 * len(TEXT), "kept": kept})
        with mock.patch("os.getpid", return_value=-1):  # as after a fork
            self.assertEqual(self.module.statistics(self.context)["since_start"], {"taken": 0, "kept": 0})

    def test_a_source_that_breaks_leaves_nothing_and_no_compressor_is_used_on(self) -> None:
        for _ in range(2):
            module_data = self.module.new_data(self.context)
            with self.assertRaisesRegex(ConnectionError, "gone"):
                self.module.assign(self.context, module_data, Breaking(TEXT + b"x", ConnectionError("gone")))
            self.assertFalse(self.module.available(self.context, module_data))
        self.assertEqual(self.module.get_size(self.context, self.stored(TEXT)), len(TEXT))
        self.assertEqual(self.module.statistics(self.context)["since_start"]["taken"], len(TEXT))

    def test_compressors_are_used_again(self) -> None:
        with mock.patch("stacked.compression._Compressor", wraps=_Compressor) as made:
            for _ in range(3):
                self.stored(TEXT)
        self.assertEqual(made.call_count, 1)

    def test_who_does_not_read_to_the_end_has_not_stored_it(self) -> None:
        module_data = self.module.new_data(self.context)
        with (
            mock.patch.object(SimpleStorage, "assign", lambda module, context, module_data, stream: stream.read(1)),
            self.assertRaisesRegex(OSError, "did not read the data to its end"),
        ):
            self.module.assign(self.context, module_data, io.BytesIO(TEXT))
        self.assertEqual(self.module.statistics(self.context)["since_start"]["taken"], 0)

    def test_the_size_is_told_without_the_data(self) -> None:
        module_data = self.stored(NOISE)
        data = bytearray(self.file().read_bytes())
        data[: 4 * FRAME] = bytes(4 * FRAME)
        self.file().write_bytes(data)
        self.assertEqual(self.module.get_size(self.context, module_data), len(NOISE))

    def test_a_part_is_read_from_its_frame_alone(self) -> None:
        module_data = self.stored(NOISE)
        data = bytearray(self.file().read_bytes())
        data[10], data[-300_000] = data[10] ^ 1, data[-300_000] ^ 1  # in the first frame, and in the second
        self.file().write_bytes(data)
        stream = self.module.get_read_stream(self.context, module_data)
        self.addCleanup(stream.close)
        stream.seek(2 * FRAME)
        self.assertEqual(stream.read(), NOISE[2 * FRAME :])
        for place in (0, FRAME, 2 * FRAME - 1):
            stream.seek(place)
            with self.assertRaises(OSError) as raised:
                stream.read(1)
            self.assertEqual(raised.exception.errno, errno.EIO)

    def test_what_is_no_compressed_object_is_an_error_and_nothing_stays_open(self) -> None:
        module_data = self.stored(TEXT)
        self.file().write_bytes(TEXT)
        opened: list[ReadStream] = []
        original = SimpleStorage.get_read_stream

        def noted(*arguments: Any) -> Any:
            opened.append(original(*arguments))
            return opened[-1]

        with mock.patch.object(SimpleStorage, "get_read_stream", noted):
            for method in (self.module.get_read_stream, self.module.get_size):
                with self.assertRaisesRegex(OSError, "does not end with a seek table") as raised:
                    method(self.context, module_data)
                self.assertEqual(raised.exception.errno, errno.EIO)
        self.assertEqual([stream.closed for stream in opened], [True, True])  # type: ignore[attr-defined]


class FormatTest(unittest.TestCase):
    def test_the_table_is_what_the_page_of_zstd_says(self) -> None:
        data = TEXT + NOISE[:1000]
        kept = packed(data)
        *frames, summary = zstd_frames(kept)
        *entries, last = entries_of(kept)
        self.assertEqual([entry.size for entry in entries], [FRAME] * 4 + [1000])
        for number, (frame, entry) in enumerate(zip(frames, entries, strict=True)):
            piece = data[number * FRAME : (number + 1) * FRAME]
            self.assertEqual(zstd.decompress(frame), piece)
            self.assertEqual(zstd.get_frame_info(frame).decompressed_size, len(piece))
            self.assertEqual(entry.checksum, int.from_bytes(frame[-4:], "little"))
        self.assertEqual((len(summary), last.size), (last.packed, 0))

    def test_the_empty_object_is_the_one_of_our_page(self) -> None:
        page = Path(ROOT, "docs/formats/compression.md").read_text("utf-8")
        self.assertEqual(packed(b""), bytes.fromhex(page.split("```")[1]))

    def test_checksums_are_xxh64(self) -> None:
        frame = packed(b"Nobody inspects the spammish repetition")
        # The vector of XXH64 with seed 0 that the documentation of the xxhash package has: 0xfbcea83c8a378bf1.
        self.assertEqual(entries_of(frame)[0].checksum, 0x8A378BF1)

    @needs("zstd")
    def test_the_program_zstd_reads_it(self) -> None:
        for level in (1, 3, 12):
            for data in (b"", b"x", TEXT[:FRAME], TEXT[: FRAME + 1], NOISE, TEXT[:200_000] + NOISE + TEXT):
                kept = packed(data, level)
                program = str(find("zstd"))
                done = subprocess.run([program, "-dc"], input=kept, capture_output=True, check=True)
                self.assertEqual((done.stdout == data, done.stderr), (True, b""))
                subprocess.run([program, "-tq"], input=kept, check=True)

    def test_text_becomes_small_and_noise_stays_as_it_is(self) -> None:
        for level in (1, 3, 12):
            self.assertLess(len(packed(TEXT, level)), len(TEXT) / 3)
            self.assertLess(len(packed(NOISE, level)), len(NOISE) * 1.001)
        self.assertLess(len(packed(TEXT, 19)), len(packed(TEXT, 3)))
        self.assertLess(len(packed(b"")), 60)

    def test_each_frame_is_decided_on_by_itself(self) -> None:
        nearly = bytearray(NOISE[:FRAME])
        nearly[:2500] = bytes(2500)  # it would become smaller by two percent
        data = NOISE[:FRAME] + TEXT[:FRAME] + bytes(nearly) + TEXT[FRAME : 2 * FRAME]
        for level in (3, 10):
            with self.subTest(level):
                sizes = [entry.packed for entry in entries_of(packed(data, level))[:4]]
                self.assertGreater(min(sizes[0], sizes[2]), FRAME)
                self.assertLess(max(sizes[1], sizes[3]), FRAME / 3)
                self.assertEqual(unpacked(packed(data, level)), data)

    def test_at_a_slow_level_noise_is_probed_only(self) -> None:
        compressor = _Compressor(19)
        with mock.patch.object(compressor, "_context", None):  # which would fail
            self.assertEqual(zstd.decompress(compressor.frame(NOISE[:FRAME])), NOISE[:FRAME])


DATA = st.lists(st.tuples(st.binary(max_size=40), st.integers(1, 40))).map(
    lambda some: b"".join(d * n for d, n in some)
)
STEPS = st.lists(
    st.tuples(st.just("read"), st.integers(-1, 1500), st.just(0))
    | st.tuples(st.just("seek"), st.integers(-300, 3000), st.integers(0, 2))
)


class SmallFramesTest(unittest.TestCase):
    """Objects of many frames that are small."""

    def setUp(self) -> None:
        small = of_small_frames()
        small.__enter__()
        self.addCleanup(small.__exit__, None, None, None)

    @given(DATA, STEPS, st.sampled_from([1, 3, 11]))
    def test_it_is_a_file(self, data: bytes, steps: list[tuple[str, int, int]], level: int) -> None:
        stream, model = _Decompressed(io.BytesIO(packed(data, level))), io.BytesIO(data)
        for what, number, whence in steps:
            if what == "seek":
                place = number + (0, model.tell(), len(data))[whence]
                if place < 0:
                    self.assertRaises(ValueError, stream.seek, number, whence)
                else:
                    self.assertEqual(stream.seek(number, whence), model.seek(place))
                continue
            got = stream.read(number)
            self.assertEqual(got, model.read(len(got)) if number >= 0 else model.read())
            self.assertTrue(got or number == 0 or model.tell() >= len(data))

    @given(DATA.filter(len), st.data())
    def test_whatever_becomes_of_it_no_byte_is_wrong(self, data: bytes, draw: st.DataObject) -> None:
        kept = packed(data)
        place = draw.draw(st.integers(0, len(kept) - 1))
        length = draw.draw(st.integers(0, 30))
        changed = kept[:place] + draw.draw(st.binary(max_size=30)) + kept[place + length :]
        self.assert_right_or_corrupt(changed, data)

    def test_whatever_byte_is_flipped_no_byte_is_wrong(self) -> None:
        data = TEXT[:700] + NOISE[:100] + TEXT[:700]
        kept = packed(data)
        for place in range(len(kept)):
            for bit in (1, 4, 128):
                changed = bytearray(kept)
                changed[place] ^= bit
                self.assert_right_or_corrupt(bytes(changed), data)
        for size in range(len(kept)):
            with self.assertRaises(OSError):
                unpacked(kept[:size])

    def test_frames_that_changed_places_are_found_out(self) -> None:
        data = NOISE[:256]
        kept = packed(data)
        first, second, *_ = zstd_frames(kept)
        self.assertEqual(len(first), len(second))
        with self.assertRaisesRegex(OSError, "not the one of the seek table"):
            unpacked(second + first + kept[len(first + second) :])

    def assert_right_or_corrupt(self, changed: bytes, data: bytes) -> None:
        try:
            stream = _Decompressed(io.BytesIO(changed))
            self.assertEqual(stream.seek(0, 2), len(data))
            for place in range(0, len(data), 50):
                stream.seek(place)
                self.assertEqual(stream.read(1), data[place : place + 1])
            stream.seek(0)
            self.assertEqual(stream.read(), data)
        except OSError as error:
            self.assertEqual(error.errno, errno.EIO)
            self.assertNotIn("\n", str(error))


def frame_of(data: bytes, checksum: int = 1, size: bool = True) -> bytes:
    """Return ``data`` as a frame, of another make than ours."""
    parameter = zstd.CompressionParameter
    return zstd.compress(data, options={parameter.checksum_flag: checksum, parameter.content_size_flag: int(size)})


def forgeries() -> Iterator[tuple[str, bytes]]:
    """Return objects under right checksums whose frame is wrong, each with what is said of it."""
    good = frame_of(TEXT[:FRAME])
    checksum = int.from_bytes(good[-4:], "little")
    for reason, frame in {
        "does not agree": frame_of(TEXT[: FRAME + 1]),
        "header of a frame": frame_of(TEXT[:FRAME], size=False),
        "of a frame does not agree": frame_of(TEXT[:FRAME], checksum=0),
        "not the one of the seek table": b"\x50\x2a\x4d\x18" + (len(good)).to_bytes(4, "little") + good,
        "cannot be decompressed": good[:100] + b"????" + good[104:],
        "longer or shorter": good[:-4] + good[-4:] + good[-4:],
        "one of the seek table": b"?",
    }.items():
        own = int.from_bytes(frame[-4:], "little")
        yield reason, forged(frame, [Entry(len(frame), FRAME, own)], FRAME)
    yield "frame is not the one", forged(good, [Entry(len(good), FRAME, checksum ^ 1)], FRAME)


class HostileTest(unittest.TestCase):
    def test_a_frame_that_is_not_what_the_table_says(self) -> None:
        for reason, data in forgeries():
            with self.subTest(reason), self.assertRaisesRegex(OSError, reason) as raised:
                unpacked(data)
            self.assertEqual(raised.exception.errno, errno.EIO)

    def test_some_of_what_the_fuzzer_tries(self) -> None:
        some = random.Random(5)
        with of_small_frames():
            for _ in range(300):
                once(some)

    def test_bombs_take_no_memory(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.stacked.bombs"],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(int(done.stdout), 4 * 1024, "KiB")
