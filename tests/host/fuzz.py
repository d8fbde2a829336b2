"""Requests at random for the host: ``python -m tests.host.fuzz --seconds 600``.

It makes a cloud in a temporary directory and plays with it, through the application in this process or, with
``--socket``, through ``vsm serve`` with what is no HTTP, too. In bursts: after each, what the users stored has to read
back equal, and the catalogue has to agree with what the module holds. Each finding is printed with a line for a shell
that makes the request again, or with its bytes in hexadecimal. The exit status is 1 if there is one.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.host.fuzzing.grounds import Grounds, InThisProcess, Served
from tests.host.fuzzing.players import Board
from tests.postgresql import database

__all__ = ["main"]


def _fuzz(grounds: Grounds, seconds: float, burst: int) -> Board:
    """Play for so many seconds, tell what is found, and return it."""
    deadline, told = time.monotonic() + seconds, 0
    try:
        while True:
            grounds.burst(burst)
            for finding in grounds.board.findings[told:]:
                print(finding, flush=True)
            told = len(grounds.board.findings)
            if time.monotonic() > deadline:
                break
    finally:
        grounds.close()
    return grounds.board


def _summary(board: Board) -> str:
    """Return the requests by method and status."""
    methods: Counter[str] = Counter()
    for (method, _), count in board.counts.items():
        methods[method] += count
    lines = [f"{sum(methods.values())} requests"]
    for method, count in methods.most_common():
        statuses = sorted((status, number) for (each, status), number in board.counts.items() if each == method)
        lines.append(f"  {method} {count}: " + ", ".join(f"{status} {number}" for status, number in statuses))
    lines.append(f"{len(board.findings)} findings")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of the dice")
    parser.add_argument("--socket", action="store_true", help="through vsm serve")
    parser.add_argument("--postgresql", action="store_true", help="with a catalogue in a server of its own, not SQLite")
    parser.add_argument("--burst", type=int, default=400, help="acts of each player between two looks (%(default)s)")
    options = parser.parse_args(arguments)
    catalogue = database() if options.postgresql else ""
    print(f"seed {options.seed}", flush=True)
    kind = Served if options.socket else InThisProcess
    board = _fuzz(kind(random.Random(options.seed), catalogue), options.seconds, options.burst)
    print(_summary(board))
    return 1 if board.findings else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives this process
    sys.exit(main())
