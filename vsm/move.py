"""``vsm move``: rewrite objects from one module to another while the cloud serves them."""

import argparse
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from host.errors import HostError
from host.moving import Choice, Moved, Moving, TooManyFailures
from vsm.data import open_cloud_with, open_settings
from vsm.errors import CommandError

__all__ = ["add_arguments", "run"]

_EPILOG = """\
Objects keep their names, ids, times and entity tags: users see nothing of it. Each is copied, read back and
compared before the old data goes; what is written meanwhile wins. First the policy of the users is changed,
so that what they store from now on goes where the rest is moved to.

Ctrl-C ends it at any time; run again, it goes on with what is left. With --to the same module all is written
anew that was there at the start: to go on, give the --before that was printed.

exit status: 0 all is moved, 1 something is left, and is told, 130 interrupted

  vsm move --data /srv/cloud/data --user alice --to packed
  vsm move --data /srv/cloud/data --module disk --to sealed --rate 20M
  vsm move --data /srv/cloud/data --module sealed --to sealed
"""
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}
_SECONDS = 10  # between two lines, where there is no terminal
_WIDTH = 30  # of the bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--user", metavar="USER", help="move all of this user's objects")
    what.add_argument("--module", metavar="NAME", help="move all objects that are in this vendor module")
    parser.add_argument("--to", required=True, metavar="NAME", help="the vendor module to which they are moved")
    parser.add_argument("--rate", type=_rate, metavar="BYTES/s", help="no more than this; a number, or with K, M or G")
    parser.add_argument("--jobs", type=_jobs, default=4, metavar="N", help="objects at a time (%(default)s)")
    parser.add_argument("--before", type=int, metavar="ID", help="only what was stored before this row of data")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and tell what would be moved")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    settings = open_settings(options.data)
    # Each thread may be in both modules; and one that hangs is nobody's but this command's.
    server = replace(settings.server, threads=4 * options.jobs)
    cloud = open_cloud_with(replace(settings, server=server))
    try:
        moving = Moving(cloud, Choice(options.to, options.module, options.user, options.before), options.rate)
        if options.dry_run:
            return _tell_what_would_be(moving)
        with cloud.upkeep.living(), _interruptible(moving):
            return _move(moving, options)
    except HostError as error:
        raise CommandError(str(error)) from error
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise CommandError(f"the catalogue cannot be used: {reason}: run it again to go on") from error
    finally:
        cloud.close()


def _move(moving: Moving, options: argparse.Namespace) -> int:
    if names := moving.switch():
        print(f"policy {options.to} from now on: {', '.join(names)}", flush=True)
    if options.module == options.to:
        print(f"to go on after a break: --before {moving.before}", flush=True)
    progress = _Progress(moving)
    problem = ""
    try:
        moving.run(options.jobs, progress.tell)
    except TooManyFailures as error:
        problem = str(error)
    progress.end()
    if problem:
        print(f"vsm move: {problem}", file=sys.stderr)
    left, _ = moving.left()
    counts = progress.counts
    print(
        f"{counts['moved']} moved, {progress.bytes} bytes; {counts['changed']} changed meanwhile; "
        f"{counts['failed']} failed; {left} left"
    )
    if moving.is_stopped and not problem:
        print("vsm move: interrupted: run it again to go on", file=sys.stderr)
        return 130
    return 1 if left or counts["failed"] else 0


def _tell_what_would_be(moving: Moving) -> int:
    if names := moving.policies():
        print(f"the policy would be changed of: {', '.join(names)}")
    count, size = moving.left()
    print(f"{count} objects would be moved, {size} bytes")
    return 0


class _Progress:
    """How far it is: a bar on a terminal, else a line now and then."""

    def __init__(self, moving: Moving) -> None:
        self._moving = moving
        self._total, self._all_bytes = moving.left()
        self._is_terminal = sys.stderr.isatty()
        self._next = time.monotonic() + _SECONDS
        self.counts = {"moved": 0, "changed": 0, "failed": 0}
        self.bytes = 0

    def tell(self, moved: Moved) -> None:
        """Count an object, and tell of it if it could not be moved."""
        self.counts[moved.outcome] += 1
        if moved.outcome == "moved":
            self.bytes += moved.entry.data.size
        elif moved.outcome == "failed":
            self.end()
            print(f"{self._moving.path_of(moved.entry)}: {moved.why}", file=sys.stderr, flush=True)
        self._draw()

    def end(self) -> None:
        """Take the bar away."""
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        done = sum(self.counts.values())
        total = max(self._total, done)
        text = f"{done}/{total} objects, {self.bytes / 1e6:.1f}/{max(self._all_bytes, self.bytes) / 1e6:.1f} MB"
        now = time.monotonic()
        if self._is_terminal:
            full = _WIDTH * done // total
            print(f"\r\033[K[{'#' * full}{' ' * (_WIDTH - full)}] {text}", end="", file=sys.stderr, flush=True)
        elif now >= self._next:
            self._next = now + _SECONDS
            print(text, file=sys.stderr, flush=True)


@contextmanager
def _interruptible(moving: Moving) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM end the work in order; the second one ends the process."""

    def stop(number: int, frame: Any) -> None:
        moving.stop()
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _rate(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d*)([KMG]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes a second, such as 500K or 20M")
    return int(found[1]) * _UNITS[found[2]]


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 32:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 32")
    return int(text)
