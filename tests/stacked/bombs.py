"""Small objects that claim, or hold, a gigabyte and more: prints by how many KiB the memory grew to refuse them."""

import errno
import io
import resource
from collections.abc import Iterator

from stacked.compression import _Compressor, _Decompressed
from stacked.seektable import TableWriter
from tests.stacked.seekable import Entry, forged

FRAME = 131072
GIB = 2**30


def frame_of_zeros(header: str) -> bytes:
    """Return a frame of a GiB of zeros: 8192 blocks of 128 KiB, each a byte that is to be repeated (RFC 8878, 3.1.1.2).

    :param header: what follows the magic number, in hexadecimal digits.
    """
    blocks = [(last | 1 << 1 | FRAME << 3).to_bytes(3, "little") + b"\0" for last in [0] * 8191 + [1]]
    return b"\x28\xb5\x2f\xfd" + bytes.fromhex(header) + b"".join(blocks) + b"????"


def bombs() -> Iterator[bytes]:
    """Return them."""
    for header in (
        "84 88 00000040",  # a window of 128 MiB; it says that a GiB follows
        "84 88 00000200",  # that 128 KiB do
        "84 38 00000200",  # the same, and a window of 128 KiB
        "a4 00000200",  # the same, and no window
        "c4 f8 0000000000010000",  # a window of more than a TiB; 256 TiB
        "04 88",  # it does not say
    ):
        frame = frame_of_zeros(header)
        for size in (FRAME, GIB, 2**32 - 1):
            for whole in (size, FRAME, 2**40):
                yield forged(frame, [Entry(len(frame), size, int.from_bytes(b"????", "little"))], whole)
    yield forged(bytes(9000), [Entry(9, FRAME, 0)] * 1000, 1000 * FRAME)
    yield bytes(50) + (2**27).to_bytes(4, "little") + b"\x80\xb1\xea\x92\x8f"


def main() -> None:
    """Refuse them all."""
    made = list(bombs())
    _Decompressed(io.BytesIO(b"".join(_Compressor(3).blocks(io.BytesIO(bytes(FRAME)), TableWriter())))).read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in made:
        try:
            data = _Decompressed(io.BytesIO(bomb)).read(1)
        except OSError as error:
            if error.errno == errno.EIO:
                continue
            raise
        raise SystemExit(f"{data!r} was read")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


if __name__ == "__main__":
    main()
