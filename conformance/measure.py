"""How fast a storage module is, beside the same system calls by hand, in one run.

Times of one machine say little on another, and little on this one an hour later. So every round
does the same work by hand and by the module, one right after the other and in turns, and what is
told is the median of the ratios. By hand is what a module that keeps objects as files cannot do
without: for a put a temporary file, its sync, a rename and the sync of the directory; for a delete
the unlink and that sync. Both write the same bytes, in blocks of the same size, on the same file
system. What is read was written just before: it is the way through the module that is measured, not
the disk.
"""

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modules import Context, StorageModule

__all__ = ["FULL", "QUICK", "Load", "Row", "measure"]

_BLOCK = 1024 * 1024  # bytes a read and a write
_RANGE = 64 * 1024  # bytes of a range
_LOOKUPS = ("range", "size")
OPERATIONS = ("put", "get", *_LOOKUPS, "delete")


@dataclass(frozen=True)
class Load:
    """How much is done: in each round so many objects of each size, shared out to the threads."""

    objects: dict[int, int]  #: objects by their size in bytes
    threads: Sequence[int] = (1, 8)
    rounds: int = 5
    lookups: int = 400  #: ranges and sizes: at least so many of each, or they are over before a clock ticks


FULL = Load({4 * 1024: 400, 1024 * 1024: 48, 64 * 1024 * 1024: 8})
QUICK = Load({4 * 1024: 40, 1024 * 1024: 8}, rounds=3, lookups=80)


@dataclass
class Row:
    """One operation on objects of one size by so many threads."""

    operation: str
    size: int  #: bytes
    threads: int
    module: list[float] = field(default_factory=list)  #: operations a second, for each round
    by_hand: list[float] = field(default_factory=list)  #: the same

    @property
    def ratio(self) -> float:
        """The module's rate, of that by hand: the median over the rounds."""
        return statistics.median(a / b for a, b in zip(self.module, self.by_hand, strict=True))


class _Side(Protocol):
    """What is measured: both sides do the same by these names."""

    def new(self) -> str: ...
    def put(self, name: str, size: int) -> None: ...
    def get(self, name: str, size: int) -> None: ...
    def range(self, name: str, size: int) -> None: ...
    def size(self, name: str, size: int) -> None: ...
    def delete(self, name: str, size: int) -> None: ...


def measure(
    module: StorageModule,
    context: Context,
    directory: str,
    load: Load = FULL,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Row]:
    """Measure ``module`` against the same work by hand in ``directory``.

    Both leave what they find as it was, also when they are interrupted.

    :param progress: is called before each piece of work with how many are done, how many there are, and its name.
    :raises Exception: what the module raises.
    """
    rows: list[Row] = []
    combinations = [(size, threads) for size in load.objects for threads in load.threads]
    with tempfile.TemporaryDirectory(dir=directory, prefix=".measure-") as scratch:
        by_module, by_hand = _Module(module, context), _ByHand(scratch)
        for done, (size, threads) in enumerate(combinations):
            block = {name: Row(name, size, threads) for name in OPERATIONS}
            for turn in range(load.rounds):
                if progress is not None:
                    what = f"{size} bytes, {threads} threads"
                    progress(done * load.rounds + turn, len(combinations) * load.rounds, what)
                # In turns, so that a machine that grows slower is unjust to both alike.
                sides: list[_Side] = [by_module, by_hand] if turn % 2 else [by_hand, by_module]
                for side in sides:
                    for name, rate in _round(side, size, load, threads).items():
                        (block[name].module if side is by_module else block[name].by_hand).append(rate)
            rows += block.values()
    return rows


def _round(side: _Side, size: int, load: Load, threads: int) -> dict[str, float]:
    """Do every operation on new objects of ``size`` bytes, and return the operations a second of each."""
    names = [side.new() for _ in range(max(load.objects[size], threads))]
    lookups = names * -(-load.lookups // len(names))
    try:
        return {
            name: _rate(getattr(side, name), lookups if name in _LOOKUPS else names, size, threads)
            for name in OPERATIONS
        }
    except BaseException:
        with contextlib.suppress(Exception):  # the error to tell is the one that is under way
            _rate(side.delete, names, size, threads)
        raise


def _rate(work: Callable[[str, int], None], names: Sequence[str], size: int, threads: int) -> float:
    """Return how many a second of ``names`` so many threads work on. None of them works on after that."""
    begin: list[float] = []
    errors: list[BaseException] = []
    working: set[int] = set()
    changed = threading.Condition()
    stop = threading.Event()
    # To start threads takes longer than to ask for a size: the clock starts when all are there.
    gate = threading.Barrier(threads, lambda: begin.append(time.perf_counter()))

    def run(number: int) -> None:
        with changed:
            if stop.is_set():
                return
            working.add(number)
        try:
            gate.wait()
            for name in names[number::threads]:
                if stop.is_set():
                    return
                work(name, size)
        except BaseException as error:  # handed on below
            errors.append(error)
            stop.set()
        finally:
            with changed:
                working.discard(number)
                changed.notify()

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - begin[0]
    finally:
        # An interrupt comes to this thread alone, also while it starts a worker: that one it cannot join.
        gate.abort()
        with changed:
            stop.set()
            changed.wait_for(lambda: not working)
        for worker in workers:
            if worker.is_alive():
                worker.join()
    if errors:
        raise errors[0]
    return len(names) / seconds


class _Zeros:
    """A source of ``size`` bytes that costs nothing to make."""

    _block = bytes(_BLOCK)

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, at most a block."""
        length = min(self._left, _BLOCK) if size < 0 else min(self._left, size, _BLOCK)
        self._left -= length
        return self._block if length == _BLOCK else self._block[:length]


class _Module:
    """The work, by the module."""

    def __init__(self, module: StorageModule, context: Context) -> None:
        self._module = module
        self._context = context

    def new(self) -> str:
        return str(self._module.new_data(self._context))

    def put(self, name: str, size: int) -> None:
        self._module.assign(self._context, name, _Zeros(size))

    def get(self, name: str, size: int) -> None:
        stream = self._module.get_read_stream(self._context, name)
        with contextlib.closing(stream):
            while stream.read(_BLOCK):
                pass

    def range(self, name: str, size: int) -> None:
        stream = self._module.get_read_stream(self._context, name)
        with contextlib.closing(stream):
            stream.seek(size // 2)
            stream.read(_RANGE)

    def size(self, name: str, size: int) -> None:
        self._module.get_size(self._context, name)

    def delete(self, name: str, size: int) -> None:
        self._module.delete(self._context, name)


class _ByHand:
    """The work, by system calls on files of one directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._made = 0

    def new(self) -> str:
        self._made += 1
        return os.path.join(self._directory, str(self._made))

    def put(self, name: str, size: int) -> None:
        temporary = f"{name}.new"
        source = _Zeros(size)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            while block := source.read(_BLOCK):
                while block:
                    block = block[os.write(descriptor, block) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name)
        self._sync()

    def get(self, name: str, size: int) -> None:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            while os.read(descriptor, _BLOCK):
                pass
        finally:
            os.close(descriptor)

    def range(self, name: str, size: int) -> None:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.lseek(descriptor, size // 2, os.SEEK_SET)
            os.read(descriptor, _RANGE)
        finally:
            os.close(descriptor)

    def size(self, name: str, size: int) -> None:
        os.stat(name)

    def delete(self, name: str, size: int) -> None:
        os.unlink(name)
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
