"""One run: everything that was asked for, in one directory."""

import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from bench import flipped, memory, scale
from bench.contenders import Contenders
from bench.lines import BESIDE, LINES, Line
from bench.machine import file_system
from bench.results import Place, Result
from bench.rounds import measure

__all__ = ["NAMES", "Wish", "run"]

NAMES = (*(line.name for line in LINES), "memory", "scale")  #: what can be asked for

_SCALE_ROUNDS = 21


@dataclass(frozen=True)
class Wish:
    """What to measure."""

    names: Collection[str]  #: of :data:`NAMES`
    peers: bool
    objects: int  #: of the large store, for ``scale``; 0 leaves it out
    memory: int  #: bytes of the object, for ``memory``; 0 leaves it out
    times: int = 1  #: so many times the usual number of rounds
    quick: bool = False  #: only to see that it runs


def run(scratch: Path, wish: Wish) -> Place:
    """Measure in ``scratch``, an empty directory; whoever made it removes it."""
    place = Place(file_system(scratch))
    contenders = Contenders(scratch, 20) if wish.quick else Contenders(scratch)
    for line in LINES:
        if line.name in wish.names and (wish.peers or line not in BESIDE):
            _say(f"{place.file_system}: {line.name}")
            _measure(line, contenders, scratch, wish, place)
    place.unavailable = contenders.unavailable
    place.is_flip_noticed = flipped.is_noticed(scratch / "flipped")
    if wish.memory and "memory" in wish.names:
        _say(f"{place.file_system}: memory")
        place.peaks = memory.measure(scratch, wish.memory)
    if wish.objects and "scale" in wish.names:
        for kind in scale.KINDS:
            _say(f"{place.file_system}: scale, {kind}")
            room = scratch / kind
            place.costs += scale.measure(kind, room, wish.objects, 2 if wish.quick else _SCALE_ROUNDS * wish.times)
            shutil.rmtree(room)  # two kinds at once may not fit
    return place


def _measure(line: Line, contenders: Contenders, scratch: Path, wish: Wish, place: Place) -> None:
    if wish.quick:
        line = replace(line, trees=1, batch=max(line.batch // 20, line.threads), objects=min(line.objects, 5), rounds=2)
    line = replace(line, rounds=line.rounds * wish.times)
    trees = []
    for tree in range(line.trees):
        baselines = contenders.choose(line.baselines, line.operation, tree)
        others = contenders.choose(line.contenders, line.operation, tree)
        if not baselines or not others:
            return
        trees.append(baselines | others)
    place.results.append(Result(line, measure(line, trees, scratch)))


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
