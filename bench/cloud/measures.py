"""How each kind of row is measured."""

from collections.abc import Callable, Sequence

from bench.cloud import memory, wrk
from bench.cloud.client import Large, Target, request
from bench.cloud.ground import Ground, say
from bench.cloud.listing import PAGE, page_path
from bench.cloud.ours import Ours
from bench.cloud.process import ServerError
from bench.cloud.results import Result
from bench.cloud.rows import Row
from bench.lines import Line
from bench.rounds import measure, settle, timed

__all__ = ["MEASURES", "in_turns"]

_OURS, _THEIRS = "ours", "theirs"
_TRANSFERS = 4  # of a connection in a round, when it is the only one
_PAGES = 20  # of a round


def in_turns(
    ours: Callable[[int], float], theirs: Callable[[int], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Return the figures of both sides for each round; who begins changes. The round 0 warms up and does not count.

    :param ours: and ``theirs`` take the number of the round.
    """
    figures: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for side in (0, 1) if turn % 2 else (1, 0):
            figure = (ours, theirs)[side](turn)
            if turn:
                figures[side].append(figure)
    return figures


def large(row: Row, ground: Ground) -> Result:
    """Measure large transfers, in MB/s, as :func:`bench.rounds.measure` does."""
    sides: dict[str, Large] = {_THEIRS: ground.nginx(), _OURS: ground.ours()}
    size = ground.size.large
    for side in sides.values():
        side.verify(size)
    batch = max(_TRANSFERS, row.connections)
    line = Line(
        row.name,
        row.work,
        row.method.lower(),
        size,
        batch,
        (_THEIRS,),
        (_OURS,),
        objects=1 if row.method == "GET" else 0,
        threads=row.connections,
        rounds=ground.size.rounds,
    )
    samples = measure(line, [sides], ground.directory)
    ours, theirs = ([size / sample.wall / 1e6 for sample in samples[name]] for name in (_OURS, _THEIRS))
    return Result(row, ours, theirs)


def small(row: Row, ground: Ground) -> Result:
    """Measure small requests, in requests a second, by wrk."""
    wrk.program()
    swift, ours = ground.swift().target, ground.ours().target
    sides = [_side(row, target, ground) for target in (ours, swift)]
    return Result(row, *in_turns(sides[0], sides[1], ground.size.runs))


def _side(row: Row, target: Target, ground: Ground) -> Callable[[int], float]:
    """Return what measures one side, when what it needs is there."""
    script = ground.directory / f"{row.name}-{target.port}.lua"
    size = ground.size
    body = wrk.content(size.small)
    if row.method == "GET":
        for number in range(0 if target.port in ground.filled else size.kept):
            request(target, "PUT", wrk.kept(target, number), body)
        ground.filled.add(target.port)
        _require_same(target, wrk.kept(target, size.kept - 1), body)
        script.write_text(wrk.get_script(target, size.kept), "utf-8")
    else:
        script.write_text(wrk.put_script(target, size.small), "utf-8")

    def side(turn: int) -> float:
        word = f"{row.name}-{turn}"
        rate = wrk.wrk(target, script, row.connections, size.seconds if turn else 1, word)
        if row.method == "PUT":
            settle(ground.directory)
            if not turn:
                _require_same(target, wrk.made(target, word), body)
        return rate

    return side


def _require_same(target: Target, path: str, body: bytes) -> None:
    if request(target, "GET", path)[1] != body:
        raise ServerError(f"{target.name}: GET {path}: other bytes came back than were stored")


def listing(row: Row, ground: Ground) -> Result:
    """Measure pages of names, in milliseconds a page."""
    say(f"{row.name}: {ground.size.objects} names are made")
    pages = ground.pages()
    first = 0 if row.name == "list" else ground.size.objects // 2
    paths = [page_path("many", first), page_path("few", 0)]
    for path in paths:
        pages.verify(path)
    many, few = (_pages(pages.get, path) for path in paths)
    return Result(row, *in_turns(many, few, ground.size.rounds))


def _pages(get: Callable[[Sequence[str], int], None], path: str) -> Callable[[int], float]:
    return lambda turn: timed(get, [path] * _PAGES, PAGE).wall * 1000


def workers(row: Row, ground: Ground) -> Result:
    """Measure the memory of the workers of a server that does nothing else, in MiB."""
    place = ground.directory / "memory"
    place.mkdir()
    server = Ours(place / "cloud")
    try:
        return Result(row, *memory.measure(server, ground.size.large, ground.size.transfers))
    finally:
        server.stop()


MEASURES: dict[str, Callable[[Row, Ground], Result]] = {
    "large": large,
    "small": small,
    "list": listing,
    "memory": workers,
}
