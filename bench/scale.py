"""What an operation costs among many objects, and among few.

Two stores of the same kind, side by side: each round does the same in both. Durability is "none" where the
store has that choice, so that the many can be made in a reasonable time, and so that syncs, which cost the
same anywhere, do not hide a difference.
"""

import gc
import os
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import lines
from bench.figures import Bound, Spread, ratios
from bench.hand import Careless
from bench.ours import Ours
from bench.rounds import settle, timed
from bench.stores import Store, Unavailable

__all__ = ["FEW", "KINDS", "REQUIRED", "Cost", "measure"]

FEW = 1000  #: objects of the small store
REQUIRED = Bound(1.2, at_most=True)
_SIZE = 4096
_BATCH = 200
_KNOWN = 20_000  # names that are remembered of the many
OPERATIONS = ("put", "get", "available", "delete")


@dataclass(frozen=True)
class Cost:
    """What one thing is among many objects, of what it is among few."""

    contender: str
    work: str
    few: float  #: microseconds, or files
    many: float  #: the same
    ratio: Spread


def measure(kind: str, directory: Path, objects: int, rounds: int) -> list[Cost]:
    """Compare a store of ``objects`` objects with one of :data:`FEW`.

    :param kind: one of :data:`KINDS`.
    :param directory: where to make both; it must not exist.
    """
    sides = []
    for count in (FEW, objects):
        root = directory / str(count)
        root.mkdir(parents=True)
        sides.append(_Side(root, KINDS[kind](root), count))
    costs = _compare(kind, sides, directory, rounds)
    few, many = (_files(side.root) for side in sides)
    return [*costs, Cost(kind, "files per directory", few, many, ratios([many], [few]))]


def _ours(root: Path) -> Store:
    try:
        return Ours(root, durability="none")
    except Unavailable:
        return Ours(root)


KINDS: dict[str, Callable[[Path], Store]] = {lines.AS_IT_COMES: _ours, lines.READ: Careless}


class _Side:
    """A store with its population."""

    def __init__(self, root: Path, store: Store, count: int) -> None:
        self.root = root
        self.store = store
        self.known: list[str] = []
        step = max(1, count // _KNOWN)
        for begin in range(0, count, _BATCH):
            names = store.names(min(_BATCH, count - begin))
            store.put(names, _SIZE)
            self.known += names[begin % step :: step]

    def round(self, chance: random.Random, directory: Path) -> dict[str, float]:
        """Do each operation, and return the seconds that one took."""
        new = self.store.names(_BATCH)
        some: Sequence[str] = chance.choices(self.known, k=_BATCH)
        seconds = {}
        for operation in OPERATIONS:
            names = new if operation in ("put", "delete") else some
            seconds[operation] = timed(getattr(self.store, operation), names, _SIZE).wall
            settle(directory)
        return seconds


def _compare(kind: str, sides: list[_Side], directory: Path, rounds: int) -> list[Cost]:
    chance = random.Random(1)  # noqa: S311 (the same objects each time are what is wanted)
    seconds: list[list[dict[str, float]]] = [[], []]
    for turn in range(rounds + 1):
        gc.collect()
        for which in (0, 1) if turn % 2 else (1, 0):
            took = sides[which].round(chance, directory)
            if turn:  # the first warms up
                seconds[which].append(took)
    costs = []
    for operation in OPERATIONS:
        few, many = ([took[operation] for took in side] for side in seconds)
        medians = [statistics.median(side) * 1e6 for side in (few, many)]
        costs.append(Cost(kind, operation, medians[0], medians[1], ratios(many, few)))
    return costs


def _files(root: Path) -> float:
    """Return how many files there are in a directory that has any: the mean."""
    counts = [len(files) for place, _, files in os.walk(root) if files and Path(place) != root]
    return statistics.mean(counts)
