"""The command line, the table and the page."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Spread, spread
from bench.machine import facts, file_system
from bench.stacked.rows import ROWS, Ground, Row
from bench.tables import cell, table

__all__ = ["main"]

_HEAD = """\
# Performance of the stacked modules

What `stacked` costs and saves, as ratios to FileStorage alone. This page was written by

```
pip install '.[encryption,compression,dedup]'
{command}
```

on {facts}; the data on {file_system}.
Believe the ratios rather than the rates, which are one machine's at one time.

## How it is measured

- Each round does the same work with the stack and with FileStorage, or with zstd itself, right after each other, in an
  order that chance chooses. A figure is the **median of the ratios of the rounds** (least to greatest). *Uncertain* is
  a verdict where what is required lies within the limits between which the true median is, with a certainty of
  95 %. Where nothing is required the figure tells what to expect.
- Objects have {size} MiB. What is put is random and new in each round, and durable when the clock stops. What is
  read is in memory. A figure of a put or a get is a rate as a part of FileStorage's; one of *64 KiB anywhere* is
  a time in relation to its time, of `get_size`, `get_read_stream`, `seek`, `read` and `close`: what a host does.
- Text is the source of Python's standard library, and zstd compresses the same blocks of 1 MiB at the same level in
  memory, and stores nothing.
- Saved is what the files of store and index did not grow by, when a second copy was put with one byte
  inserted in each MiB, as a part of the copy.
- Memory is the peak of what was resident (VmHWM) while an object of {large} MiB was put, read and deleted, above what
  it was after one of 8 MiB.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.directory, prefix=".bench-stacked-") as scratch:
        ground = Ground(Path(scratch).resolve(), options.rounds, options.size, options.large)
        kind = file_system(ground.directory)
        found = [(row, _measured(row, ground)) for row in ROWS if not options.only or row.name in options.only]
    told = table(["work", "against", "required", "figure"], [_row(row, figure) for row, figure in found])
    print(told)
    if options.write is not None:
        words = [f"--only {name}" for name in options.only or ()]
        for name in ("rounds", "size", "large"):
            words += [f"--{name} {getattr(options, name)}"] if getattr(options, name) != getattr(Ground, name) else []
        command = " ".join(["python -m bench.stacked", *words, f"--write {options.write}"])
        head = _HEAD.format(
            command=command, facts="; ".join(facts()), file_system=kind, size=ground.size, large=ground.large
        )
        options.write.write_text(f"{head}\n## Figures\n\n{told}\n", "utf-8")
    return 0


def _measured(row: Row, ground: Ground) -> Spread:
    print(f"{row.name} ...", end="\r\033[K", file=sys.stderr, flush=True)
    return spread(row.measure(ground))


def _row(row: Row, figure: Spread) -> list[str]:
    return [row.work, row.against, str(row.required or ""), cell(figure, row.required)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.stacked", description="Measure the stacked modules.")
    names = [row.name for row in ROWS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    where = "where to work; else in the directory for temporary files"
    parser.add_argument("--directory", type=Path, metavar="DIR", help=where)
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the page")
    parser.add_argument("--rounds", type=int, default=Ground.rounds, metavar="N", help="rounds (%(default)s)")
    parser.add_argument("--size", type=int, default=Ground.size, metavar="MIB", help="of an object (%(default)s)")
    parser.add_argument(
        "--large", type=int, default=Ground.large, metavar="MIB", help="where memory is looked at (%(default)s)"
    )
    return parser
