"""``vsm bench``: measure a storage module beside the same system calls by hand."""

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from conformance import target as named
from conformance.measure import FULL, QUICK, Row, measure
from conformance.target import CannotRunError, Target, bar
from vsm.errors import CommandError

__all__ = ["add_arguments", "run"]

_EPILOG = """\
Put, get, a range of 64 KiB, the size and delete, of objects of 4 KiB, 1 MiB and 64 MiB, by 1 and by 8
threads. The work by hand is done in the first directory that an argument names, so that both are on
one file system. The ratio is the module's rate, of that by hand: the median of the ratios of all
rounds. Believe it rather than the rates, which are one machine's at one time. What is stored is
deleted again; for a while it takes 512 MiB. --quick leaves 64 MiB out.

exit status: 0 measured, 1 the module failed, 2 it could not be tried, 130 interrupted

  vsm bench fsstore.FileStorage root=/srv/try
  vsm bench fsstore.FileStorage root=/srv/try --plot filestorage.svg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    named.add_arguments(parser)
    parser.epilog = _EPILOG
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios, as .png or .svg")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        if options.plot is not None:
            _try_plot(options.plot)  # rather now than after everything
        target = Target(options)
        module = target.make()
    except CannotRunError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    directory = next(iter(target.directories()), tempfile.gettempdir())
    load = QUICK if options.quick else FULL
    context = {"func": {"getModule": target.get_module}}
    try:
        rows = measure(module, context, directory, load, bar if sys.stderr.isatty() else None)
    except KeyboardInterrupt:
        print("\nbench: interrupted; what was stored is deleted", file=sys.stderr)
        return 130
    except Exception as error:  # a vendor's code may raise anything
        raise CommandError(" ".join(f"{options.module}: {type(error).__name__}: {error}".split())) from error
    print(f"{options.module}, by hand in {directory}\n{_table(rows)}")
    if options.plot is not None:
        _plot(rows, options.module, options.plot)
    return 0


def _table(rows: list[Row]) -> str:
    """Return the table that a person reads."""
    lines = [f"{'':8}{'size':>8}{'threads':>9}{'module op/s':>14}{'by hand op/s':>14}{'ratio':>8}"]
    for row in rows:
        rates = f"{median(row.module):14,.0f}{median(row.by_hand):14,.0f}"
        lines.append(f"{row.operation:8}{_unit(row.size):>8}{row.threads:9}{rates}{row.ratio:8.2f}")
    return "\n".join(lines)


def _unit(size: int) -> str:
    return f"{size // 1024} KiB" if size < 1024 * 1024 else f"{size // 1024 // 1024} MiB"


def _try_plot(path: Path) -> None:
    """See whether a plot can be made.

    :raises CannotRunError: it cannot.
    """
    if path.suffix not in (".png", ".svg"):
        raise CannotRunError(f"--plot {path}: neither .png nor .svg")
    if find_spec("matplotlib") is None:
        raise CannotRunError("--plot needs matplotlib: in the kit's directory: pip install '.[plot]'")
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise CannotRunError(f"--plot {path}: cannot be written: {error.strerror}") from error


def _plot(rows: list[Row], name: str, path: Path) -> None:
    from matplotlib.figure import Figure  # here, since most runs draw nothing and it takes its time

    figure = Figure(figsize=(8, 0.25 * len(rows) + 1.5), layout="constrained")
    axes = figure.subplots()
    for threads in sorted({row.threads for row in rows}):
        chosen = [(number, row.ratio) for number, row in enumerate(rows) if row.threads == threads]
        axes.barh(*zip(*chosen, strict=True), label=f"{threads} threads" if threads > 1 else "1 thread")
    axes.set_yticks(range(len(rows)), [f"{row.operation} {_unit(row.size)}" for row in rows])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.legend()
    axes.set_xlabel("operations a second, of those by hand")
    axes.set_title(name)
    figure.savefig(path)
