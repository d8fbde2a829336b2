"""What is stored. It is made before the clock starts, and given in blocks of 1 MiB."""

import os
import random
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["BLOCK", "Given", "random_blocks", "shifted", "text_blocks"]

BLOCK = 1024 * 1024  #: bytes


class Given:
    """A source of ``blocks``, which tells how long it is."""

    def __init__(self, blocks: Sequence[bytes]) -> None:
        self._left = sum(map(len, blocks))
        self._blocks = iter(blocks)
        self._block = b""
        self._place = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, at most to the end of a block."""
        if self._place == len(self._block):
            self._block, self._place = next(self._blocks, b""), 0
        end = len(self._block) if size < 0 else min(self._place + size, len(self._block))
        piece = self._block if end - self._place == len(self._block) else self._block[self._place : end]
        self._place = end
        self._left -= len(piece)
        return piece

    def __length_hint__(self) -> int:
        return self._left


def random_blocks(count: int) -> list[bytes]:
    """Return so many blocks, unlike any that were there before."""
    return [os.urandom(BLOCK) for _ in range(count)]


def text_blocks(count: int) -> list[bytes]:
    """Return so many blocks of text: the source of Python's standard library, again from its begin at its end."""
    pieces = _texts()
    blocks = []
    for _ in range(count):
        block = bytearray()
        while len(block) < BLOCK:
            block += next(pieces)
        blocks.append(bytes(block[:BLOCK]))
    return blocks


def _texts() -> Iterator[bytes]:
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    while True:
        for path in paths:
            yield path.read_bytes()


def shifted(blocks: Sequence[bytes]) -> list[bytes]:
    """Return the same data with one byte inserted in each block, somewhere."""
    chance = random.Random(1)  # noqa: S311 (any place will do)
    found = []
    for block in blocks:
        place = chance.randrange(len(block))
        found.append(block[:place] + b"!" + block[place:])
    return found
