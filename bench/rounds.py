"""How a line is measured: all contenders in turn, round after round, with nothing else under the clock."""

import gc
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Sample
from bench.lines import Line
from bench.stores import Store

__all__ = ["measure", "settle", "timed"]

_Work = Callable[[Sequence[str], int], None]


def measure(line: Line, trees: Sequence[Mapping[str, Store]], directory: Path) -> dict[str, list[Sample]]:
    """Measure ``line``.

    The first round with each of the trees warms up and does not count.

    :param trees: the contenders by name, each time the same ones but in other directories: each round takes the
        next of these.
    :param directory: one on the same file system, for a moment's file.
    :returns: a sample for each round, by the names of the contenders.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in trees[0]}
    kept = [{name: _keep(line, store) for name, store in tree.items()} for tree in trees]
    order = list(samples)
    chance = random.Random(1)  # noqa: S311 (any order will do)
    for turn in range(line.rounds + len(trees)):
        gc.collect()
        chance.shuffle(order)  # or somebody would always follow the same one, and pay for what that left behind
        tree = turn % len(trees)
        for name in order:
            sample = _batch(line, trees[tree][name], kept[tree][name])
            settle(directory)
            if turn >= len(trees):
                samples[name].append(sample)
    for stores, names in zip(trees, kept, strict=True):
        for name, store in stores.items():
            store.delete(names[name], line.size)
    return samples


def _keep(line: Line, store: Store) -> list[str]:
    """Make the objects that are there in all rounds, and return their names."""
    names = store.names(0 if line.are_fresh else line.objects)
    store.put(names, line.size)
    return names


def _batch(line: Line, store: Store, kept: list[str]) -> Sample:
    """Do the work of one round, on objects that are kept or on new ones, which are then deleted."""
    new = [] if kept else store.names(line.objects or line.batch)
    if line.operation != "put":
        store.put(new, line.size)
    names = kept or new
    names = (names * -(-line.batch // len(names)))[: line.batch]
    sample = timed(getattr(store, line.operation), names, line.size, line.threads)
    if line.operation != "delete":
        store.delete(new, line.size)
    return sample


def settle(directory: Path) -> None:
    """Have what one contender left to be written out of the next one's way.

    A new file's sync makes ext4 commit all that its journal holds.
    """
    path = directory / "settle"
    with path.open("wb") as file:
        file.write(b"settle")
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def timed(work: _Work, names: Sequence[str], size: int, threads: int = 1) -> Sample:
    """Do ``work`` on ``names``, shared out to so many threads, and tell what one of them took."""
    with _no_collection():
        if threads == 1:
            begin = _clocks()
            work(names, size)
            end = _clocks()
        else:
            begin, end = _in_threads(work, names, size, threads)
    return Sample((end[0] - begin[0]) / len(names), (end[1] - begin[1]) / len(names))


def _in_threads(
    work: _Work, names: Sequence[str], size: int, threads: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    begin: list[tuple[float, float]] = []
    # To start threads takes longer than many an operation: the clock starts when all are there.
    gate = threading.Barrier(threads, lambda: begin.append(_clocks()))

    def run(mine: Sequence[str]) -> None:
        gate.wait()
        work(mine, size)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, names[start::threads]) for start in range(threads)]:
            done.result()
        return begin[0], _clocks()


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
