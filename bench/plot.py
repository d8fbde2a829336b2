"""The picture of a run: each ratio as a bar from 1, on a logarithmic scale."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import lines
from bench.figures import Spread, number
from bench.results import Place, Result

__all__ = ["draw"]

_BAR = 0.2  # inches
_OURS = {lines.AS_IT_COMES: "#1f4e9c", lines.UNCHECKED: "#8fb3e6", lines.VERIFIED: "#9a9a9a"}
_HUES = ("#c44e52", "#dd8452", "#937860", "#da8bc3", "#2f8f5b")
_MARK = "#d62728"
_PEERS = {lines.AS_IT_COMES: "#1f4e9c"} | dict(zip(lines.PEERS, _HUES, strict=True))


def draw(places: Sequence[Place], path: Path) -> None:
    """Draw the ratios of all places to ``path``: FileStorage above, its peers below."""
    from matplotlib import rc_context  # here, since most runs draw nothing and it takes its time
    from matplotlib.figure import Figure

    rows = (lines.BY_HAND, _OURS, "FileStorage, of the same by hand"), (lines.BESIDE, _PEERS, "of durable work by hand")
    heights = [max(5, *(_height(place.chosen(chosen), colours) for place in places)) for chosen, colours, _ in rows]
    figure = Figure(figsize=(6 * len(places), _BAR * sum(heights) + 3), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[height + 7 for height in heights])
    for part, (chosen, colours, words) in zip(parts, rows, strict=True):
        grid = part.subplots(1, len(places), squeeze=False, sharex=True)[0]
        for axes, place in zip(grid, places, strict=True):
            _panel(axes, place, place.chosen(chosen), colours)
            axes.set_title(f"{place.file_system}: {words}", fontsize=10)
        _legend(part, [result for place in places for result in place.chosen(chosen)], colours)
    with rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none"}):  # the same figures, the same file
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _height(results: Sequence[Result], colours: Mapping[str, str]) -> int:
    return sum(1 + len(colours.keys() & result.samples.keys()) for result in results)


def _panel(axes: Any, place: Place, results: Sequence[Result], colours: Mapping[str, str]) -> None:
    """Draw the bars of each line, and a mark where they have to reach."""
    from matplotlib.ticker import FuncFormatter

    at = 0
    ticks = []
    for result in results:
        names = [name for name in colours if name in result.samples]
        bound = place.required(result).get(lines.AS_IT_COMES)
        for bar, name in enumerate(names):
            _bar(axes, at + bar, result.speed(name), colours[name], 1 if bound is None else max(1, bound.value))
        if bound is not None:
            axes.plot([bound.value] * 2, [at - 0.5, at + len(names) - 0.5], color=_MARK, linewidth=2)
        ticks.append((at + (len(names) - 1) / 2, result.line.work))
        at += len(names) + 1
    axes.set_xscale("log")
    axes.margins(x=0.12)  # for the numbers
    axes.set_yticks([height for height, _ in ticks], [work for _, work in ticks])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("operations a second, of those by hand (1)", fontsize=9)


def _bar(axes: Any, at: float, figure: Spread, colour: str, clear: float) -> None:
    """Draw a bar, with its number to the right of it and of ``clear``."""
    axes.barh(at, figure.median - 1, left=1, height=0.8, color=colour)
    axes.plot([figure.from_, figure.to], [at, at], color="black", linewidth=0.8)
    right = max(figure.to, clear)
    axes.annotate(number(figure.median), (right, at), (4, 0), textcoords="offset points", va="center", fontsize=8)


def _legend(part: Any, results: Sequence[Result], colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    present = {name for result in results for name in result.samples}
    handles: list[Any] = [Patch(color=colours[name], label=_label(name)) for name in colours if name in present]
    if any(result.line.required for result in results):
        handles.append(Line2D([], [], color=_MARK, linewidth=2, label="required"))
    handles.append(Line2D([], [], color="black", linewidth=0.8, label="where the true median is, at 95 %"))
    part.legend(handles=handles, fontsize=8, loc="outside lower center", ncols=4, frameon=False)


def _label(name: str) -> str:
    peer = lines.PEERS.get(name)
    return name if peer is None or peer.durable == "yes" else f"{name} (not durable)"
