"""One run: the rows that were asked for, one after the other."""

import sys
import traceback
from collections.abc import Collection
from contextlib import closing

from bench.cloud.ground import Ground, Size, say
from bench.cloud.measures import MEASURES
from bench.cloud.process import ServerError
from bench.cloud.results import Result
from bench.cloud.rows import ROWS, Row
from bench.stores import Unavailable

__all__ = ["QUICK", "run"]

#: Only to see that it runs.
QUICK = Size(rounds=2, large=2**20, runs=2, seconds=1, kept=20, objects=3000, transfers=20)


def run(ground: Ground, names: Collection[str]) -> list[Result]:
    """Measure the rows of these names, and stop the servers."""
    with closing(ground):
        return [_measured(row, ground) for row in ROWS if row.name in names]


def _measured(row: Row, ground: Ground) -> Result:
    say(row.name)
    try:
        return MEASURES[row.kind](row, ground)
    except Unavailable as error:
        return Result(row, why=str(error))
    except Exception as error:  # whatever it is, the figures of the other rows are not to be lost
        say("")
        told = str(error) if isinstance(error, ServerError) else "".join(traceback.format_exception(error))
        print(f"{row.name}: {told}", file=sys.stderr)
        return Result(row, why=str(error).strip().partition("\n")[0] or repr(error), is_failed=True)
