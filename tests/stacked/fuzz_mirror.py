"""Feeds a mirror stored bytes, module_data and journals that were changed: ``python -m tests.stacked.fuzz_mirror``.

What it gives is the data, or an error of the contract; it uses no more memory at the end than at the beginning.
"""

import argparse
import gc
import io
import json
import random
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from typing import Any

from modules import Context, ReadStream, Source, StorageModule
from stacked.mirror import MirroredStorage
from stacked.spread import SpreadStorage

__all__ = ["InMemory", "Round"]

_GROWN = 2_000_000  # bytes of memory that may be more after all rounds


class InMemory(StorageModule):
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._count = 0

    def new_data(self, context: Context) -> str:
        self._count += 1
        return str(self._count)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.objects[module_data] = b"".join(iter(lambda: stream.read(1000), b""))

    def available(self, context: Context, module_data: str) -> bool:
        return module_data in self.objects

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        if module_data not in self.objects:
            raise FileNotFoundError(module_data)
        return io.BytesIO(self.objects[module_data])

    def delete(self, context: Context, module_data: str) -> None:
        self.objects.pop(module_data, None)

    def get_size(self, context: Context, module_data: str) -> int:
        return len(self.objects[module_data])

    def statistics(self, context: Context) -> Mapping[str, Any]:
        return {"capacity": {"total": -1, "free": -1, "used": -1}}


class Round:
    """One mirror, whose stores are in memory, and one object in it.

    :param journal: the path of its journal.
    """

    def __init__(self, chance: random.Random, journal: str) -> None:
        self._chance = chance
        self._journal = journal
        self.stores = [InMemory(), InMemory(), InMemory()]
        self.mirror = MirroredStorage(self.stores, 2, journal)
        self.spread = SpreadStorage([self.mirror])
        self.data = chance.randbytes(chance.choice((0, 1, 60, 64, 500, 5000)))
        self.module_data = self.spread.new_data({})
        self.spread.assign({}, self.module_data, io.BytesIO(self.data))

    def changed(self, data: bytes) -> bytes:
        """Return ``data``, changed somewhere."""
        chance = self._chance
        place = chance.randrange(len(data) + 1) if chance.random() < 0.5 else max(0, len(data) - chance.randrange(70))
        return chance.choice(
            (
                lambda: data[:place],
                lambda: data[place:],
                lambda: data[:place] + chance.randbytes(chance.randrange(1, 9)) + data[place:],
                lambda: data[:place] + chance.randbytes(1) + data[place + 1 :],
                lambda: data[:place] + data[place + chance.randrange(1, 70) :],
                lambda: data + data,
                lambda: chance.randbytes(chance.randrange(200)),
            )
        )()

    def read(self, module_data: str) -> bytes:
        """Return what the object gives, read in pieces of any size."""
        size = self._chance.choice((1, 7, 100, 10_000))
        with closing(self.spread.get_read_stream({}, module_data)) as stream:
            return b"".join(iter(lambda: stream.read(size), b""))

    def change_copies(self) -> None:
        """Change one copy: the others give the data, or the reader gets an error. Then upkeep mends it."""
        objects = self._chance.choice(self.stores).objects
        for name in objects:
            objects[name] = self.changed(objects[name])
        for _ in range(2):
            assert self.spread.get_size({}, self.module_data) == len(self.data)
            with suppress(OSError):  # it is corrupt, and that was found after a part had been given
                assert self.read(self.module_data) == self.data
            self.upkeep([self.module_data])

    def change_module_data(self) -> None:
        """Change module_data: it is refused."""
        text = self.changed(self.module_data.encode()).decode("utf-8", "replace")
        with suppress(ValueError, RecursionError):
            if json.loads(text) == json.loads(self.module_data):
                return  # with another space
        for call in (self.spread.get_size, self.spread.available, self.spread.delete, self.read_it):
            try:
                call({}, text)
            except ValueError:
                continue
            raise AssertionError(f"it took {text}")
        self.upkeep([text])

    def read_it(self, context: Context, module_data: str) -> None:
        self.read(module_data)

    def change_journal(self) -> None:
        """Put nonsense into the journal: it is told as wrong, and the object is there or an error."""
        chance = self._chance
        key = bytes.fromhex(self.module_data.split('"sum": "')[1][:32])
        values = (key, "1", b"", chance.randbytes(9), "x", None, 5, -1, self.module_data, "2", "lacking")
        row = [chance.choice(values) for _ in range(5)]
        with closing(sqlite3.connect(self._journal)) as connection, suppress(sqlite3.Error), connection:
            connection.execute("INSERT INTO amiss VALUES (?, ?, ?, ?, ?)", row)
            connection.execute("INSERT INTO late VALUES (?, ?, ?)", row[:3])
        with suppress(OSError, ValueError):
            assert self.read(self.module_data) == self.data
        self.upkeep([self.module_data])
        with closing(sqlite3.connect(self._journal)) as connection, connection:
            connection.execute("DELETE FROM amiss")
            connection.execute("DELETE FROM late")

    def upkeep(self, kept: Iterable[str]) -> None:
        self.spread.upkeep({}, iter(kept))
        self.spread.statistics({})


def _memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end, count, before = time.monotonic() + options.seconds, 0, 0
    with tempfile.TemporaryDirectory() as directory:
        journal = f"{directory}/journal"
        MirroredStorage.prepare(["one", "two", "three"], 2, journal)
        tracemalloc.start()
        while time.monotonic() < end:
            chance = random.Random(f"{options.seed}/{count}")
            one = Round(chance, journal)
            try:
                chance.choice((one.change_copies, one.change_copies, one.change_module_data, one.change_journal))()
            except BaseException:
                print(f"seed {options.seed}, round {count}")
                raise
            count += 1
            if count == 200:
                before = _memory()
        grown = _memory() - before
    print(f"{count} rounds with seed {options.seed}; {grown} bytes of memory more")
    if count > 200 and grown > _GROWN:
        raise SystemExit("memory grows")


if __name__ == "__main__":
    main()
