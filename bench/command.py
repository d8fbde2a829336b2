"""The command line."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench import plot
from bench.page import page
from bench.results import Place
from bench.run import NAMES, Wish, run
from bench.tables import tables

__all__ = ["main"]

_GIB = 2**30
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (a directory of its own is made there)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.write is not None and find_spec("matplotlib") is None:
        parser.error("--write needs matplotlib: pip install '.[plot]'")
    places: list[Place] = []
    for directory in options.directory or _directories():
        # What goes through memory is seen in the first directory; in memory itself it would not fit.
        size = 0 if places else int(options.memory * _GIB)
        wish = Wish(
            options.only or NAMES, not options.without_peers, options.objects, size, options.times, options.quick
        )
        with tempfile.TemporaryDirectory(dir=directory, prefix=".bench-") as scratch:
            places.append(run(Path(scratch), wish))
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        print(f"## {places[-1].file_system}\n\n{tables(places[-1])}\n", flush=True)
    if options.write is not None:
        picture = options.write.with_suffix(".svg")
        plot.draw(places, picture)
        options.write.write_text(page(places, _command(options), picture.name), "utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure FileStorage beside work by hand, and beside its peers."
    )
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    where = "where to work; else in the directory for temporary files, and in /dev/shm"
    parser.add_argument("--directory", action="append", type=Path, metavar="DIR", help=where)
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the page, and FILE.svg beside it")
    parser.add_argument("--objects", type=int, default=0, metavar="N", help="for scale: so many, against 1000")
    parser.add_argument("--memory", type=float, default=10, metavar="GIB", help="for memory: the size, %(default)s")
    parser.add_argument("--without-peers", action="store_true", help="FileStorage and by hand alone")
    times = "N times as many rounds, where a verdict is uncertain"
    parser.add_argument("--times", type=int, default=1, metavar="N", help=times)
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: the figures are worth nothing")
    parser.epilog = "--only and --directory may be repeated."
    return parser


def _directories() -> list[Path]:
    return [Path(tempfile.gettempdir()), *([_SHARED_MEMORY] if _SHARED_MEMORY.is_dir() else [])]


def _command(options: argparse.Namespace) -> str:
    """Return the command that was given, less where it worked: that is another place on every machine."""
    words = [f"--only {name}" for name in options.only or ()]
    words += [f"--objects {options.objects}"] if options.objects else []
    words += [f"--memory {options.memory:g}"] if options.memory != 10 else []
    words += ["--without-peers"] if options.without_peers else []
    words += [f"--times {options.times}"] if options.times != 1 else []
    words += ["--quick"] if options.quick else []
    return " ".join(["python -m bench", *words, f"--write {options.write}"])
