"""A server is killed again and again: ``python -m tests.host.kill --kills 250``.

It prints what was acknowledged and what was found. The exit status is 1 if something is not as it has to be.
"""

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.host.killing.loop import Loop
from tests.postgresql import database

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=250, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of the dice")
    parser.add_argument("--postgresql", action="store_true", help="with a catalogue in a server of its own, not SQLite")
    options = parser.parse_args(arguments)
    catalogue = database() if options.postgresql else ""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory, "cloud")
        data.mkdir(mode=0o700)
        loop = Loop(data, random.Random(options.seed), catalogue)
        loop.run(options.kills)
        told = loop.end()
    print(f"seed {options.seed}: {loop.kills} kills in {time.monotonic() - begin:.0f} seconds")
    print(_told(loop))
    print(f"upkeep: {told}")
    print(f"{len(loop.tally.failures)} failures", *loop.tally.failures, sep="\n")
    return 1 if loop.tally.failures else 0


def _told(loop: Loop) -> str:
    tally = loop.tally
    kinds = ", ".join(f"{kind} {count}" for kind, count in tally.acknowledged.most_common())
    lines = [f"{tally.acknowledged.total()} changes acknowledged, with {tally.bytes} bytes sent: {kinds}"]
    lines.append(f"{tally.old + tally.new} in flight: {tally.old} not done, {tally.new} done")
    for name, seconds in (("to the greeting", loop.greetings), ("from there to the first answer", loop.answers)):
        lines.append(f"{name}: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server outlives this process
    sys.exit(main())
