"""How data is cut into chunks: where its content says so, so that what is inserted moves no cut but the next ones.

FastCDC: Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems",
IEEE TPDS 31 (2020).
"""

from collections.abc import Iterator

from pyfastcdc import FastCDC

from modules import Source
from stacked.dedup.manifest import CHUNK_LIMIT, seed_of

__all__ = ["blocks"]

_AVERAGE = 32 * 1024  # bytes beyond the least. So chunks have 48 KiB, and an insertion in each MiB costs 6 %
_LEAST = 32 * 1024
_BLOCK = 2 * 1024 * 1024  # bytes whose chunks are looked up together
_READ = 256 * 1024  # bytes


def blocks(key: bytes, source: Source) -> Iterator[list[memoryview]]:
    """Return the chunks of what ``source`` gives, as many at a time as are to be looked up together.

    They are good until the next ones are asked for: all lie in one buffer.

    The cuts depend on ``key``: else the sizes of the chunks would tell what an object is.
    """
    cutter = FastCDC(_AVERAGE, min_size=_LEAST, max_size=CHUNK_LIMIT, normalized_chunking=1, seed=seed_of(key))
    buffer = memoryview(bytearray(_BLOCK))
    size, part = 0, b"begin"
    while part:
        while size < _BLOCK and (part := source.read(min(_READ, _BLOCK - size))):
            buffer[size : size + len(part)] = part
            size += len(part)
        chunks, place = [], 0
        for chunk in cutter.cut_buf(buffer[:size]):
            if part and size - place < CHUNK_LIMIT:  # where it is cut depends on what is still to come
                break
            chunks.append(chunk.data)
            place += chunk.length
        if chunks:
            yield chunks
        buffer[: size - place] = buffer[place:size]
        size -= place
