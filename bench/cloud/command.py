"""The command line."""

import argparse
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.cloud.ground import Ground, Size, say
from bench.cloud.results import page, tables
from bench.cloud.rows import ROWS
from bench.cloud.run import QUICK, run
from bench.machine import file_system

__all__ = ["main"]

_NAMES = [row.name for row in ROWS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 if a row failed, which those have not that lack a program."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.directory is not None and not options.directory.is_dir():
        parser.error(f"--directory {options.directory}: there is no such directory")
    signal.signal(signal.SIGTERM, _stop)
    size = _size(options)
    with tempfile.TemporaryDirectory(dir=options.directory, prefix=".bench-cloud-") as scratch:
        directory = Path(scratch).resolve()
        kind = file_system(directory)
        results = run(Ground(directory, size, options.cache, options.swift_python), options.only or _NAMES)
    say("")
    print(f"## {kind}\n\n{tables(results)}")
    if options.write is not None:
        options.write.write_text(page(results, _command(options), kind, size.objects, size.transfers), "utf-8")
    return int(any(result.is_failed for result in results))


def _stop(number: int, frame: object) -> None:
    """Leave as after Ctrl-C, with all servers stopped."""
    raise KeyboardInterrupt


def _size(options: argparse.Namespace) -> Size:
    size = QUICK if options.quick else Size()
    return replace(
        size,
        rounds=size.rounds * options.times,
        runs=size.runs * options.times,
        objects=options.objects or size.objects,
        transfers=options.transfers or size.transfers,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cloud", description="Measure vsm serve beside nginx and OpenStack Swift."
    )
    parser.add_argument("--only", action="append", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    where = "where to work; else in the directory for temporary files"
    parser.add_argument("--directory", type=Path, metavar="DIR", help=where)
    cache = Path(tempfile.gettempdir()) / f"storage-modules-bench-{os.getuid()}"
    kept = "where an environment with Swift is kept; else in the directory for temporary files"
    parser.add_argument("--cache", type=Path, metavar="DIR", default=cache, help=kept)
    python = "an interpreter that has swift; else this one if it has, else one of an environment that is made"
    parser.add_argument("--swift-python", type=Path, metavar="PYTHON", help=python)
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the page")
    many = f"for lists: names in the large container, {Size.objects}"
    parser.add_argument("--objects", type=_at_least(2000), metavar="N", help=many)
    transfers = f"for memory: so many, {Size.transfers}"
    parser.add_argument("--transfers", type=_at_least(20), metavar="N", help=transfers)
    times = "N times as many rounds, where a verdict is uncertain"
    parser.add_argument("--times", type=int, default=1, metavar="N", help=times)
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: the figures are worth nothing")
    parser.epilog = "--only may be repeated. It wants nginx, wrk and memcached; what is missing is left out."
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def _command(options: argparse.Namespace) -> str:
    """Return the command that was given, less where it worked: that is another place on every machine."""
    words = [f"--only {name}" for name in options.only or ()]
    words += [f"--objects {options.objects}"] if options.objects else []
    words += [f"--transfers {options.transfers}"] if options.transfers else []
    words += [f"--times {options.times}"] if options.times != 1 else []
    words += ["--quick"] if options.quick else []
    return " ".join(["python -m bench.cloud", *words, f"--write {options.write}"])
