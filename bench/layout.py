"""Which directory layout a file store should have: ``python -m bench.layout DIRECTORY [--objects N]``.

All layouts are measured in one run and in turns, since only their ratios can be believed. With
``--emulate N`` there are not N objects but all of the directories that N objects need, of which so
many are filled that there are some 65,536 files, one directory at least. With ``--threads`` durable
puts by many threads are measured. Caches are made cold by ``/proc/sys/vm/drop_caches``, which needs
root's rights; without them the columns of cold caches are left out.
"""

import argparse
import itertools
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.trees import LAYOUTS, Layout, Parts, Place, Tree, identity

__all__ = ["main"]

_CHUNKS = 20  # the trees grow in so many turns
_FILES = 65_536  # files of an emulation, or one leaf's
_DURABLE = 2048  # durable puts a round
_DROP = Path("/proc/sys/vm/drop_caches")

Row = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="bench.layout", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", help="where to measure; left as it was")
    parser.add_argument("--objects", type=int, default=100_000, help="files in each tree")
    parser.add_argument("--size", type=int, default=0, help="bytes in a file")
    parser.add_argument("--sample", type=int, default=500, help="operations in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--emulate", type=int, metavar="N", help="the directories of N objects, a few of them filled")
    parser.add_argument("--cgroup", help="only gets, from cold caches on, by a process in this control group")
    parser.add_argument("--threads", type=int, nargs="+", help="durable puts by so many threads, and nothing else")
    options = parser.parse_args(arguments)
    random.seed(7)
    scratch = tempfile.mkdtemp(dir=options.directory, prefix=".layout-")
    try:
        if options.threads:
            columns = measure_durable(scratch, options.size, options.rounds, options.threads)
        else:
            columns = measure(scratch, options)
        print(table(columns))
    finally:
        shutil.rmtree(scratch)


def measure(scratch: str, options: argparse.Namespace) -> dict[str, Row]:
    """Build a tree of each layout, measure each, and return the rows by the layouts' names."""
    # A flat tree has no leaf to stand for it.
    layouts = [layout for layout in LAYOUTS if layout.levels or layout.leaf or not options.emulate]
    trees = [Tree(layout, f"{scratch}/{index}", bytes(options.size)) for index, layout in enumerate(layouts)]
    rows: dict[str, Row] = {tree.layout.name: {} for tree in trees}
    try:
        for name, seconds in build(trees, options.objects, options.emulate).items():
            rows[name]["build"] = seconds
        filled = {tree.layout.name: {parts for parts, _ in tree.objects} for tree in trees}
        for tree in trees:
            random.shuffle(tree.objects)
        numbers = {tree.layout.name: itertools.count(options.emulate or options.objects) for tree in trees}
        if options.cgroup:
            measure_steady(trees, rows, options)
            return rows
        measure_rounds(trees, rows, options, numbers, cold=False)
        if os.access(_DROP, os.W_OK):
            measure_rounds(trees, rows, options, numbers, cold=True)
            for tree in trees:
                below: set[Parts] = filled[tree.layout.name] if options.emulate else {()}
                rows[tree.layout.name] |= measure_first(tree) | measure_walk(tree, below)
    finally:
        for tree in trees:
            tree.close()
    return rows


def build(trees: list[Tree], objects: int, emulate: int | None) -> dict[str, float]:
    """Fill the trees in turns, and return the microseconds that a file took, by the layouts' names."""
    seconds: dict[str, float] = defaultdict(float)
    if emulate:
        plans = [emulated(tree, emulate) for tree in trees]
    else:
        names = [identity(number) for number in range(objects)]
        plans = [[tree.layout.place(*pair) for pair in enumerate(names)] for tree in trees]
    for chunk in range(_CHUNKS):
        for tree, plan in zip(trees, plans, strict=True):
            part = plan[len(plan) * chunk // _CHUNKS : len(plan) * (chunk + 1) // _CHUNKS]
            seconds[tree.layout.name] += clock(tree.put, part) * len(part)
            tree.objects += part
    return {tree.layout.name: seconds[tree.layout.name] / len(tree.objects) for tree in trees}


def emulated(tree: Tree, objects: int) -> list[Place]:
    """Make the directories that so many objects need, and return the files that fill a few of them.

    The files come in the order in which a store would meet them: leaves that a hash tells fill
    together, the others one after the other.
    """
    layout, count = tree.layout, tree.layout.directories(objects)
    for index in range(count):
        tree.make(layout.directory(index))
    files = layout.leaf or objects // count
    filled = [layout.directory(index) for index in range(0, count, max(1, count // max(1, _FILES // files)))]
    shards = ["" if layout.leaf else "".join(parts) for parts in filled]
    leaves = [[(parts, identity(n, shard)) for n in range(files)] for parts, shard in zip(filled, shards, strict=True)]
    if layout.leaf:
        return [place for leaf in leaves for place in leaf]
    return [place for turn in zip(*leaves, strict=True) for place in turn]


def measure_rounds(
    trees: list[Tree],
    rows: dict[str, Row],
    options: argparse.Namespace,
    numbers: Mapping[str, Iterator[int]],
    cold: bool,
) -> None:
    """Measure each operation on each tree, in turns, and add the medians to the rows.

    :param numbers: of the objects to come, by the layouts' names.
    """
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for turn in range(options.rounds):
        for tree in trees if turn % 2 else reversed(trees):
            count = min(options.sample, len(tree.objects) // (4 * options.rounds))
            new = [new_place(tree, next(numbers[tree.layout.name]), options.emulate) for _ in range(count)]
            old, tree.objects = tree.objects[-count:], tree.objects[:-count]
            look = random.sample(tree.objects, count)
            operations: list[tuple[str, Callable[[Place], None], list[Place]]] = [
                ("put", tree.put, new),
                ("get", tree.get, look),
                ("stat", tree.stat, look),
                ("delete", tree.delete, old),
            ]
            for name, operation, places in operations:
                if cold:
                    drop_caches()
                times[tree.layout.name, name + " cold" * cold].append(clock(operation, places))
    for (layout, name), values in times.items():
        rows[layout][name] = statistics.median(values)


def new_place(tree: Tree, number: int, emulate: int | None) -> Place:
    """Return where the next object goes; in an emulation a hash tells only shards that are filled."""
    if tree.layout.leaf or not emulate:
        return tree.layout.place(number, identity(number))
    parts = random.sample(tree.objects, 1)[0][0]
    return parts, identity(number, "".join(parts))


def measure_steady(trees: list[Tree], rows: dict[str, Row], options: argparse.Namespace) -> None:
    """Measure gets in a control group that has little memory, from cold caches on, and add the medians to the rows."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for turn in range(options.rounds):
        for tree in trees if turn % 2 else reversed(trees):
            drop_caches()
            places = random.sample(tree.objects, 3 * options.sample)
            for part, taken in enumerate(clock_in_group(options.cgroup, tree, places), 1):
                times[tree.layout.name, f"get, third {part}"].append(taken)
    for (layout, name), values in times.items():
        rows[layout][name] = statistics.median(values)


def clock_in_group(group: str, tree: Tree, places: list[Place]) -> list[float]:
    """Return what :func:`clock` says of a get of each third of the places, by a child in the control group."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            Path(group, "cgroup.procs").write_text(str(os.getpid()))
            os.write(writer, " ".join(str(clock(tree.get, places[part::3])) for part in range(3)).encode())
        finally:
            os._exit(0)  # never into what the parent has to clean up
    os.close(writer)
    with open(reader) as pipe:
        times = [float(word) for word in pipe.read().split()]
    os.waitpid(child, 0)
    return times


def measure_first(tree: Tree, rounds: int = 10, leaves: int = 50) -> Row:
    """Measure a get from a leaf directory of which nothing is in memory, one get a leaf."""
    times = []
    for _ in range(rounds):
        sample = random.sample(tree.objects, min(len(tree.objects), 20 * leaves))
        places = list({place[0]: place for place in sample}.values())[:leaves]
        drop_caches()
        times.append(clock(tree.get, places))
    return {"get first": statistics.median(times)}


def measure_walk(tree: Tree, below: set[Parts]) -> Row:
    """Measure listing what is below these directories with cold caches, without and with each file's status."""
    row: Row = {}
    for name, status in (("list cold", False), ("walk cold", True)):
        drop_caches()
        start = time.perf_counter()
        files, directories, size = tree.walk(status, below)
        row[name] = (time.perf_counter() - start) * 1e6 / files
    return row | {"files": files, "directories": directories, "KiB of directories": size / 1024}


def measure_durable(scratch: str, size: int, rounds: int, threads: Sequence[int]) -> dict[str, Row]:
    """Measure durable puts a second by so many threads, in turns."""
    layouts = [
        Layout("256 shards", levels=1),
        *(Layout(f"in turn, 1024 a leaf, {n} abreast", leaf=1024, abreast=n) for n in (1, 4, 16)),
    ]
    trees = [Tree(layout, f"{scratch}/{index}", bytes(size)) for index, layout in enumerate(layouts)]
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    for turn in range(rounds * len(threads)):
        many = threads[turn % len(threads)]
        numbers = range(turn * _DURABLE, (turn + 1) * _DURABLE)
        for tree in trees if turn // len(threads) % 2 else reversed(trees):
            places = [tree.layout.place(number, identity(number)) for number in numbers]
            for parts in {parts for parts, _ in places}:
                tree.make(parts)
            os.sync()
            start = time.perf_counter()
            with ThreadPoolExecutor(many) as pool:
                list(pool.map(lambda place, tree=tree: tree.put(place, durable=True), places))
            rates[tree.layout.name, many].append(_DURABLE / (time.perf_counter() - start))
    rows: dict[str, Row] = {tree.layout.name: {} for tree in trees}
    for (layout, many), values in rates.items():
        rows[layout][f"puts a second, {many} threads"] = statistics.median(values)
    return rows


def clock(operation: Callable[[Place], None], places: Sequence[Place]) -> float:
    """Return the microseconds that the operation takes on one of the places, on average."""
    start = time.perf_counter()
    for place in places:
        operation(place)
    return (time.perf_counter() - start) * 1e6 / max(1, len(places))


def drop_caches() -> None:
    """Empty the kernel's caches of pages, names and inodes."""
    os.sync()
    _DROP.write_text("3")


def table(rows: dict[str, Row]) -> str:
    """Return the rows as a Markdown table: microseconds an operation, where a column does not say otherwise."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[column]:,.0f}" for column in columns) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
