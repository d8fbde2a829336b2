"""What is measured, and what is required of it."""

import gc
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Bound
from bench.rounds import settle
from bench.stacked import memory
from bench.stacked.data import BLOCK, Given, random_blocks, shifted, text_blocks
from bench.stacked.stacks import CONTEXT, PLAIN, STACKS, make
from modules import ReadStream, StorageModule

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["ROWS", "Ground", "Row"]

_RANGE = 64 * 1024  # bytes
_RANGES = 500
_SLOWER = Bound(3, at_most=True)
_CONSTANT = 16  # MiB


@dataclass
class Ground:
    """Where a run works, and how much it does.

    :param size: of an object, in MiB.
    :param large: of the object whose memory is looked at, in MiB.
    """

    directory: Path
    rounds: int = 11
    size: int = 64
    large: int = 512
    made: dict[str, StorageModule] = field(default_factory=dict)

    def stack(self, name: str) -> StorageModule:
        """Return a stack, made when it is first asked for."""
        if name not in self.made:
            self.made[name] = make(name, self.directory)
        return self.made[name]


@dataclass(frozen=True)
class Row:
    """One row of the table. ``measure`` returns a ratio for each round."""

    name: str  #: for the command line
    work: str  #: for the reader
    against: str
    required: Bound | None
    measure: Callable[[Ground], Sequence[float]]


def _in_turns(
    ground: Ground, ours: Callable[[], object], theirs: Callable[[], object], before: Callable[[], object] = int
) -> list[float]:
    """Return how many times as fast ``ours`` is, round by round, who is first by chance; one round warms up.

    :param before: what each round begins with, outside of the time.
    """
    chance = random.Random(1)  # noqa: S311 (any order will do)
    ratios = []
    for turn in range(ground.rounds + 1):
        before()
        taken: dict[Callable[[], object], float] = {}
        for work in chance.sample((ours, theirs), 2):
            settle(ground.directory)
            with _no_collection():
                begin = time.perf_counter()
                work()
                taken[work] = time.perf_counter() - begin
        if turn:
            ratios.append(taken[theirs] / taken[ours])
    return ratios


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _put(module: StorageModule, blocks: Sequence[bytes]) -> str:
    module_data = str(module.new_data(CONTEXT))
    module.assign(CONTEXT, module_data, Given(blocks))
    return module_data


def _read(module: StorageModule, module_data: str) -> None:
    stream = module.get_read_stream(CONTEXT, module_data)
    while stream.read(BLOCK):
        pass
    stream.close()


def _ranges(module: StorageModule, module_data: str, size: int) -> None:
    """Read ranges as a host does, which opens the object for each."""
    chance = random.Random(2)  # noqa: S311 (any places will do)
    for _ in range(_RANGES):
        module.get_size(CONTEXT, module_data)
        stream = module.get_read_stream(CONTEXT, module_data)
        _range(stream, chance.randrange(size - _RANGE))
        stream.close()


def _ranges_of_one(module: StorageModule, module_data: str, size: int) -> None:
    """Read ranges of a stream that is open."""
    chance = random.Random(2)  # noqa: S311 (any places will do)
    stream = module.get_read_stream(CONTEXT, module_data)
    for _ in range(_RANGES):
        _range(stream, chance.randrange(size - _RANGE))
    stream.close()


def _range(stream: ReadStream, place: int) -> None:
    stream.seek(place)
    left = _RANGE
    while left:
        left -= len(stream.read(left))


class _Kept:
    """What was put: new data each round, or else a stack that keeps what is twice the same once had nothing to do."""

    def __init__(self, mebibytes: int) -> None:
        self._mebibytes = mebibytes
        self._objects: list[tuple[StorageModule, str]] = []
        self._blocks: list[bytes] = []

    def put(self, module: StorageModule) -> None:
        self._objects.append((module, _put(module, self._blocks)))

    def renew(self) -> None:
        """Delete what was put, and make other data."""
        while self._objects:
            module, module_data = self._objects.pop()
            module.delete(CONTEXT, module_data)
        self._blocks = random_blocks(self._mebibytes)


def _writes(stack: str) -> Callable[[Ground], Sequence[float]]:
    def measure(ground: Ground) -> Sequence[float]:
        plain, stacked = ground.stack(PLAIN), ground.stack(stack)
        kept = _Kept(ground.size)
        ratios = _in_turns(ground, lambda: kept.put(stacked), lambda: kept.put(plain), kept.renew)
        kept.renew()
        return ratios

    return measure


def _reads(stack: str) -> Callable[[Ground], Sequence[float]]:
    def measure(ground: Ground) -> Sequence[float]:
        with _both(ground, stack) as (ours, theirs):
            return _in_turns(ground, lambda: _read(*ours), lambda: _read(*theirs))

    return measure


def _times_of(work: Callable[[StorageModule, str, int], None], stack: str) -> Callable[[Ground], Sequence[float]]:
    def measure(ground: Ground) -> Sequence[float]:
        size = ground.size * BLOCK
        with _both(ground, stack) as (ours, theirs):
            rates = _in_turns(ground, lambda: work(*ours, size), lambda: work(*theirs, size))
        return [1 / rate for rate in rates]

    return measure


@contextmanager
def _both(ground: Ground, stack: str) -> Iterator[list[tuple[StorageModule, str]]]:
    """Keep the same data in a stack and in FileStorage."""
    blocks = random_blocks(ground.size)
    kept = [(module, _put(module, blocks)) for module in (ground.stack(stack), ground.stack(PLAIN))]
    try:
        yield kept
    finally:
        for module, module_data in kept:
            module.delete(CONTEXT, module_data)


def _text(ground: Ground) -> Sequence[float]:
    """Compare a put of text with zstd itself on the same blocks, in memory."""
    module, blocks, kept = ground.stack("compression"), text_blocks(ground.size), list[str]()

    def put() -> None:
        kept.append(_put(module, blocks))

    def alone() -> None:
        for block in blocks:
            zstd.compress(block, 3)

    def renew() -> None:
        while kept:
            module.delete(CONTEXT, kept.pop())

    ratios = _in_turns(ground, put, alone, renew)
    renew()
    return ratios


def _second_copy(ground: Ground) -> Sequence[float]:
    """Return which part of a second copy is saved, with one byte inserted in each MiB; once, for chance has no part."""
    module, blocks = ground.stack("dedup"), random_blocks(ground.size)
    first = _put(module, blocks)
    before = _used(ground)
    second = _put(module, shifted(blocks))
    saved = 1 - (_used(ground) - before) / (ground.size * BLOCK)
    for module_data in (first, second):
        module.delete(CONTEXT, module_data)
    return [saved]


def _used(ground: Ground) -> int:
    """Return how many bytes of files the stack has, its index and all."""
    paths = ground.directory.glob("dedup*/**/*"), ground.directory.glob("dedup*")
    return sum(path.stat().st_size for found in paths for path in found if path.is_file())


def _grows(stack: str) -> Callable[[Ground], Sequence[float]]:
    def measure(ground: Ground) -> Sequence[float]:
        return [memory.growth(ground.directory, stack, ground.large)]

    return measure


def _rows() -> Iterator[Row]:
    yield Row("encryption-put", "encryption, put 64 MiB", PLAIN, Bound(0.6), _writes("encryption"))
    yield Row("encryption-get", "encryption, get 64 MiB", PLAIN, Bound(0.6), _reads("encryption"))
    work = "encryption, time of 64 KiB anywhere"
    yield Row("encryption-range", work, PLAIN, _SLOWER, _times_of(_ranges, "encryption"))
    work += ", of an open stream"
    yield Row("encryption-range-open", work, PLAIN, None, _times_of(_ranges_of_one, "encryption"))
    yield Row("compression-text", "compression, put of text", "zstd in memory", Bound(0.8), _text)
    yield Row("dedup-put", "dedup, put of new data", PLAIN, Bound(0.4), _writes("dedup"))
    yield Row("dedup-saved", "dedup, part of a second copy saved", "all of it", Bound(0.9), _second_copy)
    for stack in STACKS:
        if stack not in (PLAIN, "encryption"):
            name = stack.replace(" ", "-")
            if stack != "dedup":
                yield Row(f"{name}-put", f"{stack}, put", PLAIN, None, _writes(stack))
            yield Row(f"{name}-get", f"{stack}, get", PLAIN, None, _reads(stack))
            yield Row(f"{name}-range", f"{stack}, time of 64 KiB anywhere", PLAIN, None, _times_of(_ranges, stack))
    for stack in STACKS:
        name = f"{stack.replace(' ', '-')}-memory"
        yield Row(name, f"{stack}, MiB more for a large object", "8 MiB", Bound(_CONSTANT, at_most=True), _grows(stack))


ROWS = tuple(_rows())
