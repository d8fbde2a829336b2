"""Whatever the module below gives back, a deduplicating module tells what was stored, or EIO.

Use: ``python -m tests.stacked.fuzz_dedup [--seconds N] [--seed N]``. What it changes: bytes of manifests, leaves and
packs, their lengths, and which is which. It tells the seed of the round that went wrong.
"""

import argparse
import errno
import io
import random
import resource
import tempfile
import time
from pathlib import Path
from unittest import mock

from stacked.dedup import DedupStorage
from stacked.dedup.manifest import CHUNK_LIMIT, HEAD_SIZE, Table, bound_to, decode_head, decode_table, encode
from tests.stacked.dedup_steps import Memory

_MEMORY = 2 * 1024**3  # bytes of address space: what asks for more has taken a length for granted


class Fuzzer:
    """Objects over a dictionary, which is changed and mended again."""

    def __init__(self, index: str) -> None:
        DedupStorage.prepare(index=index)
        self.below = Memory()
        self.module = DedupStorage(self.below, index)
        self.objects: dict[str, bytes] = {}
        chance = random.Random(1)
        with mock.patch("stacked.dedup.upload.LEAF_CHUNKS", 4), mock.patch("stacked.dedup.upload._PACK", 100_000):
            for size in (0, 1, 50_000, 700_000):
                module_data = self.module.new_data({})
                self.objects[module_data] = chance.randbytes(size)
                self.module.assign({}, module_data, io.BytesIO(self.objects[module_data]))
        self.sound = dict(self.below.objects)

    def round(self, chance: random.Random) -> None:
        """Change something, and read everything."""
        self.below.objects = dict(self.sound)
        for _ in range(chance.randint(1, 3)):
            name = chance.choice(list(self.sound))
            self.below.objects[name] = self.changed(chance, self.below.objects[name])
        if chance.random() < 0.3:
            self.forge(chance)
        for module_data, data in self.objects.items():
            self.read(chance, module_data, data)
        junk = self.changed(chance, chance.choice(list(self.sound.values())))[chance.choice((0, HEAD_SIZE)) :]
        for parse in (lambda: decode_table(junk, is_leaf=chance.random() < 0.5), lambda: decode_head(junk, "")):
            try:
                parse()
            except ValueError:
                continue

    def forge(self, chance: random.Random) -> None:
        """Put a manifest in the place of another one which is signed and lies: the key is there to be read."""
        root = self.module.opened(chance.choice(list(self.objects))).inner
        head = decode_head(self.sound[root][:HEAD_SIZE], root)
        made = (Table(), Table())
        for table in made:
            for _ in range(chance.randint(0, 3)):
                pack = chance.choice((*self.sound, "", "0", "\0"))
                place, size = chance.choice((0, 1, 2**32 - 1)), chance.choice((1, 500, CHUNK_LIMIT))
                table.add(chance.randbytes(32), pack, place, size, size)
        self.below.objects[root] = encode(head.key, bound_to(head.key, root), head.version, *made)

    def changed(self, chance: random.Random, data: bytes) -> bytes:
        """Return other data."""
        kind, text = chance.randrange(6), bytearray(data)
        place = chance.randint(0, len(data))
        if kind == 0:
            return data[:place]
        if kind == 1:
            return data + chance.randbytes(chance.randint(1, 100))
        if kind == 2:
            return chance.choice(list(self.sound.values()))
        if kind == 3:
            return chance.randbytes(chance.randint(0, 500))
        if kind == 4 and text:
            text[place % len(text)] ^= 1 << chance.randrange(8)
        else:
            text[place : place + chance.randint(0, 8)] = chance.choice((b"\xff" * 8, bytes(8), chance.randbytes(8)))
        return bytes(text)

    def read(self, chance: random.Random, module_data: str, data: bytes) -> None:
        """Read an object, which gives its data or EIO."""
        try:
            self.module.available({}, module_data)
            is_forged = self.module.get_size({}, module_data) != len(data)
            with self.module.get_read_stream({}, module_data) as stream:
                place = chance.randint(0, len(data))
                stream.seek(place)
                while part := stream.read(chance.randint(1, 200_000)):
                    assert not is_forged
                    assert data[place : place + len(part)] == part
                    place += len(part)
                assert is_forged or place == len(data)
        except OSError as error:
            assert error.errno == errno.EIO, repr(error)


def main() -> None:
    """Do rounds until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with tempfile.TemporaryDirectory() as directory:
        fuzzer = Fuzzer(str(Path(directory) / "index"))
        end, seed = time.monotonic() + chosen.seconds, chosen.seed
        while time.monotonic() < end:
            try:
                fuzzer.round(random.Random(seed))
            except BaseException:
                print(f"seed {seed}")
                raise
            seed += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{seed - chosen.seed} rounds from seed {chosen.seed} on, all well; at most {peak} MiB of memory")


if __name__ == "__main__":
    main()
