"""The tables of a run, in Markdown."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version

from bench import lines, memory, scale
from bench.figures import Bound, Spread, number
from bench.results import Place, Result

__all__ = ["tables"]

_EMPTY = ""


def tables(place: Place) -> str:
    """Return the tables of one file system, each under a heading; those with nothing in them are left out."""
    sections = (
        ("Against the same system calls by hand", _by_hand(place)),
        ("With checksum, against without", _inner(place, lines.CHECKSUMS)),
        ("What durability costs", _inner(place, lines.LEVELS)),
        ("Memory for one object", _memory(place)),
        ("Among many objects, against among few", _scale(place)),
        ("Peers", _peers(place)),
        ("What could not be had", "\n".join(f"- {name}: {why}" for name, why in place.unavailable.items())),
    )
    told = [f"### {heading}\n\n{body}" for heading, body in sections if body]
    return "\n\n".join(told)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, empty if it has no rows."""
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *written]) if written else ""


def cell(figure: Spread, required: Bound | None) -> str:
    """Return a figure with its verdict."""
    return f"**{figure}** {required.verdict(figure)}" if required else str(figure)


def _by_hand(place: Place) -> str:
    columns = (lines.AS_IT_COMES, lines.UNCHECKED, lines.VERIFIED)
    rows = []
    for result in place.chosen(lines.BY_HAND):
        line = result.line
        required = place.required(result)
        base = result.fastest()
        figures = {name: cell(result.speed(name), required.get(name)) for name in columns if name in result.samples}
        bound = str(required[lines.AS_IT_COMES]) if required else _EMPTY
        rows.append([line.work, f"{result.rate(base):,.0f}/s {base}", bound, *_pick(figures, columns)])
        if place.is_of_cpu(result):
            rows.append(_cpu_row(result, columns))
    noticed = "finds" if place.is_flip_noticed else "does **not** find"
    said = f"\n\nA get of FileStorage, as it is measured here, {noticed} a bit that was flipped on the disk."
    return table(["work", "by hand", "required", *columns], rows) + said if rows else _EMPTY


def _cpu_row(result: Result, columns: Sequence[str]) -> list[str]:
    base = result.thriftiest()
    figures = {name: cell(result.cpu(name), result.line.cpu) for name in columns if name in result.samples}
    by_hand = f"{result.microseconds(base):.0f} µs {base}"
    return [f"{result.line.work}: CPU time", by_hand, str(result.line.cpu), *_pick(figures, columns)]


def _inner(place: Place, chosen: Sequence[lines.Line]) -> str:
    """Compare FileStorage with itself."""
    rows = []
    for result in place.chosen(chosen):
        base = result.fastest()
        for name in result.line.contenders:
            if name in result.samples:
                required = result.line.required.get(name)
                bound = str(required) if required else _EMPTY
                rates = [f"{result.rate(base):,.0f}/s {base}", f"{result.rate(name):,.0f}/s {name}"]
                rows.append([result.line.work, *rates, bound, cell(result.speed(name), required)])
    return table(["work", "of", "is", "required", "ratio"], rows)


def _memory(place: Place) -> str:
    rows = []
    for peak in place.peaks:
        verdict = "met" if memory.REQUIRED.is_met(peak.mebibytes) else "not met"
        rows.append(
            [peak.work, f"{memory.REQUIRED} MiB", f"**{peak.mebibytes:.1f} MiB** {verdict}", f"{peak.rate:,.0f} MiB/s"]
        )
    return table(["work", "required", "most memory above idle", "rate"], rows)


def _scale(place: Place) -> str:
    rows = []
    for cost in place.costs:
        required = scale.REQUIRED if cost.contender == lines.AS_IT_COMES else None
        bound = str(required) if required else _EMPTY
        rows.append([cost.contender, cost.work, number(cost.few), number(cost.many), bound, cell(cost.ratio, required)])
    return table(["who", "what", "among few: µs, or files", "among many", "required", "ratio"], rows)


def _peers(place: Place) -> str:
    results = place.chosen(lines.BESIDE)
    if not results:
        return _EMPTY
    rows = [[lines.AS_IT_COMES, "yes", "yes", *_speeds(results, lines.AS_IT_COMES)]]
    for name, peer in lines.PEERS.items():
        known = "not to be had" if name in place.unavailable else version(peer.package)
        rows.append([f"{name} {known}", peer.durable, peer.atomic, *_speeds(results, name)])
    return table(["", "durable", "atomic", *(result.line.work for result in results)], rows)


def _speeds(results: Sequence[Result], name: str) -> list[str]:
    return [str(result.speed(name)) if name in result.samples else _EMPTY for result in results]


def _pick(figures: dict[str, str], columns: Sequence[str]) -> list[str]:
    return [figures.get(name, _EMPTY) for name in columns]
