"""What a run found: the ratios, the table and the page."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cloud.rows import Row
from bench.figures import Spread, ratios
from bench.machine import facts
from bench.tables import cell, table

__all__ = ["Result", "page", "tables"]


@dataclass(frozen=True)
class Result:
    """One row. ``ours`` and ``theirs`` are the figures of the rounds, in the row's unit."""

    row: Row
    ours: Sequence[float] = ()
    theirs: Sequence[float] = ()
    why: str = ""  #: there are no figures
    is_failed: bool = False  #: and it is not for want of a program

    def ratio(self) -> Spread:
        """Return ours, of theirs."""
        return ratios(self.ours, self.theirs)


def tables(results: Sequence[Result]) -> str:
    """Return the table of a run, in Markdown, and below it what could not be measured."""
    rows = [_row(result) for result in results if not result.why]
    told = [table(["work", "ours", "against", "theirs", "required", "ratio"], rows)]
    told.append("\n".join(f"- {result.row.work}: not measured: {result.why}" for result in results if result.why))
    return "\n\n".join(part for part in told if part)


def _row(result: Result) -> list[str]:
    row = result.row
    ours, theirs = (f"{_number(statistics.median(values))} {row.unit}" for values in (result.ours, result.theirs))
    return [row.work, ours, row.against, theirs, str(row.required), cell(result.ratio(), row.required)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


_HEAD = """\
# Performance of the cloud

How fast `vsm serve` is, as ratios to what its users would pick instead. This page was written by

```
{command}
```

on {facts}; the data on {file_system}.
Believe the ratios rather than the rates, which are one machine's at one time.

## How it is measured

- All servers run on this machine, which the client has a share of too, and keep their data side by side on
  one file system. Both sides do the same work right after each other, round after round, first the one and then
  the other. A figure is the **median of the ratios of the rounds** (least to greatest); the rates are medians
  too. *Uncertain* is a verdict where what is required lies within the limits between which the true median
  is, with a certainty of 95 %. A row with an answer that was none of success is not told.
- **64 MiB**: nginx has two workers, as `vsm serve` has two processes, and `sendfile on`. It does not sync what
  it stores, so that a PUT of it is followed by an fsync of the file and of its directory, in its time. The
  client is one process of Python that receives into a buffer which it keeps, and sends from memory. That the
  same bytes come back is seen before, outside the time. What is read lies in memory.
- **4 KiB**: wrk, with two threads, against a Swift of four servers, one device and one replica, with memcached,
  with a token, and without the daemons that work in the background. Ours is asked with HTTP Basic
  authentication. Both have synced a PUT before they answer it. Reads are of a thousand objects.
- **Lists**: {objects:,} names are in the one container, and 1000 in the other, of the same server.
- **Memory** is what is resident (VmRSS) of the worker that has the most, after {transfers:,} transfers, PUTs and
  GETs in turn. The ratios are of the last tenth of them, to after 10.
"""


def page(results: Sequence[Result], command: str, file_system: str, objects: int, transfers: int) -> str:
    """Return the page of a run, in Markdown.

    :param command: that made it.
    :param objects: names in the large container.
    :param transfers: after which memory was looked at.
    """
    head = _HEAD.format(
        command=command, facts="; ".join(facts()), file_system=file_system, objects=objects, transfers=transfers
    )
    return f"{head}\n## Figures\n\n{tables(results)}\n"
