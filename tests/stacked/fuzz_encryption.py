"""Fuzz everything that ``stacked.EncryptedStorage`` reads: ``python -m tests.stacked.fuzz_encryption --seconds 600``.

Nothing but the documented errors may come, no wrong byte, and no more memory. A failure tells its seed, and
``--seed`` begins with that one.
"""

import argparse
import contextlib
import errno
import io
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from conformance.saboteurs.correct import MemoryStorage
from stacked import keyfile
from stacked.encryption import EncryptedStorage
from stacked.keyring import Keyring, Ring, dump, parse

CHUNK = 16384
SIZES = (0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77)
TOKENS = [b'"', b"{", b"}", b"[", b",", b"null", b"1e999", b"\x00", b"\\u0000", b"\\ud800", b"\xff", b"key", b"wrapped"]


class Fuzzer:
    """What is fuzzed, made once."""

    def __init__(self, directory: str) -> None:
        self.path = Path(directory, "keyring")
        keyfile.add(str(self.path))
        keyfile.add(str(self.path))
        self.text = self.path.read_bytes()
        self.below = MemoryStorage()
        self.module = EncryptedStorage(self.below, str(self.path))
        whole = random.Random(1).randbytes(max(SIZES))
        self.objects = [(self.module.new_data({}), whole[:size]) for size in SIZES]
        self.stored: list[bytes] = []
        for module_data, data in self.objects:
            self.module.assign({}, module_data, io.BytesIO(data))
            with contextlib.closing(self.below.get_read_stream({}, self.inner(module_data))) as stream:
                self.stored.append(stream.read())

    def inner(self, module_data: str) -> str:
        """Return the module_data of the module below."""
        inner = json.loads(module_data)["inner"]
        return inner if isinstance(inner, str) else json.dumps(inner)

    def stored_bytes(self, chance: random.Random) -> str:
        """Read an object whose bytes were changed."""
        number = chance.randrange(len(self.objects))
        module_data, data = self.objects[number]
        stored = self.stored[number]
        changed = shuffled(chance, stored) if chance.random() < 0.3 else mutated(chance, stored, self.stored)
        self.below.assign({}, self.inner(module_data), io.BytesIO(changed))
        try:
            with contextlib.closing(self.module.get_read_stream({}, module_data)) as stream:
                for _ in range(chance.randrange(4)):
                    place = stream.seek(chance.randrange(len(data) + 10))
                    read = stream.read(chance.randrange(1, 40_000))
                    assert read == data[place : place + len(read)]
                stream.seek(0)
                read = stream.read(-1)
        except OSError as error:
            assert error.errno == errno.EIO and changed != stored, error
            return "refused"
        assert read == data and changed == stored
        return "read"

    def module_data(self, chance: random.Random) -> str:
        """Use module_data that was changed."""
        module_data, data = chance.choice(self.objects)
        self.below.assign({}, self.inner(module_data), io.BytesIO(self.stored[self.objects.index((module_data, data))]))
        changed = mutated(chance, module_data.encode(), [text.encode() for text, _ in self.objects])
        text = changed.decode("utf-8", chance.choice(["replace", "surrogateescape"]))
        call = chance.choice([self.module.get_size, self.module.available, self.read])
        try:
            call({}, text)
        except ValueError:
            return "not made here"
        except OSError as error:
            assert error.errno in (errno.EIO, errno.ENOKEY, errno.ENOENT) or isinstance(error, FileNotFoundError), error
            return "refused"
        return "used"

    def read(self, context: dict[str, object], text: str) -> None:
        """Read an object that is one of ours, if it is any."""
        with contextlib.closing(self.module.get_read_stream(context, text)) as stream:
            read = stream.read(-1)
        assert any(read == data for one, data in self.objects if self.inner(one) == self.inner(text))

    def keyring(self, chance: random.Random) -> str:
        """Read a keyring that was changed."""
        changed = mutated(chance, self.text, [self.text])
        found = parse(changed)
        assert isinstance(found, Ring) or ("\n" not in found and len(found) < 200)
        if isinstance(found, Ring):
            assert isinstance(parse(dump(found.keys)), Ring), "it cannot be written again"
        if chance.random() < 0.1:
            path = self.path.with_name("changed")
            path.touch(mode=0o600)
            path.write_bytes(changed)
            try:
                Keyring(str(path))
            except ValueError as error:
                assert str(error).startswith("keyring: ") and not isinstance(found, Ring)
        return "read" if isinstance(found, Ring) else "refused"


def shuffled(chance: random.Random, stored: bytes) -> bytes:
    """Return an encrypted object with its chunks in another order, some missing, some twice."""
    chunks = [stored[at : at + CHUNK + 16] for at in range(56, len(stored), CHUNK + 16)]
    return stored[:56] + b"".join(chance.choices(chunks, k=chance.randrange(len(chunks) + 2)))


def mutated(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Return ``data`` with a few changes."""
    for _ in range(chance.choice([0, 1, 1, 1, 2, 5])):
        at, length = chance.randrange(len(data) + 1), chance.choice([0, 1, 1, 4, 16, 400, 20_000])
        other = chance.choice(others)
        start = chance.randrange(len(other) + 1)
        put = chance.choice([b"", bytes([chance.randrange(256)]), chance.choice(TOKENS), other[start : start + length]])
        data = data[:at] + put + data[at + length :]
    return data


def main() -> int:
    """Run until the time is over, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end, seed, counts = time.monotonic() + options.seconds, options.seed, Counter[str]()
    memory = 0
    with tempfile.TemporaryDirectory() as directory:
        fuzzer = Fuzzer(directory)
        targets: list[Callable[[random.Random], str]] = [fuzzer.stored_bytes, fuzzer.module_data, fuzzer.keyring]
        while time.monotonic() < end:
            target = targets[seed % len(targets)]
            try:
                counts[f"{target.__name__}: {target(random.Random(seed))}"] += 1
            except BaseException:
                print(f"failed: --seed {seed}", file=sys.stderr)
                raise
            seed += 1
            if seed == options.seed + 3000:
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory if memory else 0
    print(f"seeds {options.seed} to {seed - 1}: {dict(sorted(counts.items()))}; {grown} KiB more than after 3000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
