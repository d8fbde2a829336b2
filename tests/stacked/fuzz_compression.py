"""Compressed objects with something wrong, at random: ``python -m tests.stacked.fuzz_compression --seconds 600``.

What is read of them is what was stored, or an ``OSError`` with EIO; nothing else is raised, nothing takes long, and
the memory does not grow. The seed of each thousand is printed where one fails.
"""

import argparse
import errno
import io
import random
import resource
import struct
import time

from stacked.compression import _Compressor, _Decompressed
from stacked.seektable import TableWriter
from tests.stacked.seekable import Entry, entries_of, forged, of_small_frames, zstd_frames

_COMPRESSORS = {level: _Compressor(level) for level in (1, 3, 9)}
_PATIENCE = 5.0  # seconds for one object
_GROWTH = 16 * 1024  # KiB


def data_of(some: random.Random) -> bytes:
    """Return some data: noise, and what repeats itself."""
    pieces = [some.randbytes(some.randrange(1, 60)) * some.choice((1, 1, 5, 40)) for _ in range(some.randrange(12))]
    return b"".join(pieces)


def damaged(kept: bytes, some: random.Random) -> bytes:
    """Return a compressed object with bits flipped, and pieces cut out, doubled, moved and replaced."""
    data = bytearray(kept)
    for _ in range(some.choice((1, 1, 2, 5))):
        place, length = some.randrange(len(data) + 1), some.choice((1, 4, 12, 60))
        what = some.randrange(6)
        if what <= 1 and place < len(data):
            data[place] ^= 1 << some.randrange(8)
        elif what == 2:
            del data[place : place + length]
        elif what == 3:
            data[place:place] = data[:place][-length:]
        elif what == 4:
            number = some.choice((0, 1, 2**27, 2**31, 2**32 - 1, some.getrandbits(32), some.randrange(3000)))
            data[place : place + 4] = struct.pack("<I", number)
        else:
            data[place:], data[:0] = b"", data[place:]
    return bytes(data)


def lying(kept: bytes, size: int, some: random.Random) -> bytes:
    """Return a compressed object with other frames and numbers, under checksums that are right."""
    frames, entries = zstd_frames(kept)[:-1], entries_of(kept)[:-1]
    for number in range(len(frames)):
        what = some.randrange(8)
        if what == 0:
            frames[number] = damaged(frames[number], some)
            entries[number] = Entry(len(frames[number]), entries[number].size, entries[number].checksum)
        elif what == 1:
            wrong = some.choice((0, 1, 512, 2**31, 2**32 - 1, some.getrandbits(32)))
            entries[number] = entries[number]._replace(**{some.choice(Entry._fields): wrong})
    size = some.choice((size, size, size + 1, 0, some.getrandbits(40), 2**64 - 1))
    return forged(b"".join(frames), entries, size, group=4)


def read(changed: bytes, some: random.Random) -> list[tuple[int, bytes]]:
    """Return what can be read, each with its place; none where the object is found corrupt."""
    found = []
    try:
        stream = _Decompressed(io.BytesIO(changed))
        size = stream.seek(0, 2)
        for _ in range(8):
            place = some.randrange(min(size, 20_000) + 1)
            stream.seek(place)
            try:
                found.append((place, stream.read(some.randrange(1, 2000))))
            except OSError as error:
                require(error)
    except OSError as error:
        require(error)
    return found


def require(error: OSError) -> None:
    """Raise what is not the error of a corrupt object."""
    if error.errno != errno.EIO or "\n" in str(error):
        raise error


def once(some: random.Random) -> None:
    """Try one object."""
    data = data_of(some)
    kept = b"".join(some.choice(list(_COMPRESSORS.values())).blocks(io.BytesIO(data), TableWriter()))
    is_lying = some.random() < 0.4
    changed = lying(kept, len(data), some) if is_lying else damaged(kept, some)
    begun = time.monotonic()
    found = read(changed, some)
    if time.monotonic() - begun > _PATIENCE:
        raise AssertionError("it took too long")
    # Who can make checksums can make other data: there nothing is asked for but the right errors.
    if not is_lying and any(piece != data[place : place + len(piece)] for place, piece in found):
        raise AssertionError("a wrong byte")


def main() -> None:
    """Go on until the time is over."""
    parser = argparse.ArgumentParser(description="Damage compressed objects at random, and read them.")
    parser.add_argument("--seconds", type=float, default=10, help="how long (10)")
    parser.add_argument("--seed", type=int, default=1, help="of the first thousand (1)")
    arguments = parser.parse_args()
    seed, count, before = arguments.seed, 0, 0
    end = time.monotonic() + arguments.seconds
    with of_small_frames():
        while time.monotonic() < end:
            some = random.Random(seed)
            try:
                for _ in range(1000):
                    once(some)
            except BaseException:
                print(f"failed with --seed {seed}", flush=True)
                raise
            seed, count = seed + 1, count + 1000
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            before = before or grown
            if grown - before > _GROWTH:
                raise SystemExit(f"the memory grew by {grown - before} KiB, up to --seed {seed - 1}")
    print(f"{count} objects, seeds {arguments.seed} to {seed - 1}, memory grew by {grown - before} KiB")


if __name__ == "__main__":
    main()
