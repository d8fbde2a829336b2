"""How data is cut into chunks: where its content says so, so that what is inserted moves no cut but the next ones.

FastCDC: Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems",
IEEE TPDS 31 (2020).
"""

import hashlib
from collections.abc import Iterator

from pyfastcdc import FastCDC

from modules import Source
from stacked.dedup_manifest import CHUNK_LIMIT

__all__ = ["cut"]

_AVERAGE = 32 * 1024  # bytes. With the least of 8 KiB chunks have 40 KiB: an insertion costs 1.3 of them
_LEAST = 8 * 1024


class _Reading:
    """A source with nothing but ``read``: the library would look for more."""

    def __init__(self, source: Source) -> None:
        self.read = source.read


def cut(key: bytes, source: Source) -> Iterator[bytes]:
    """Return the chunks of what ``source`` gives.

    The cuts depend on ``key``: else the sizes of the chunks would tell what an object is.
    """
    # The library takes 63 bits, and 0 for none.
    seed = int.from_bytes(hashlib.blake2b(digest_size=8, key=key, person=b"cut").digest()) >> 2 | 1
    cutter = FastCDC(_AVERAGE, min_size=_LEAST, max_size=CHUNK_LIMIT, normalized_chunking=1, seed=seed)
    for chunk in cutter.cut_stream(_Reading(source)):
        yield bytes(chunk.data)
