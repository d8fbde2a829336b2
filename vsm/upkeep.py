"""``vsm upkeep``: delete the data that no name points to any more.

A running server does the same every few seconds; this is for a cloud that is not running, and for
whoever wants the space now.
"""

import argparse
from pathlib import Path

from host.upkeep import GRACE
from vsm.data import open_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")
    parser.add_argument(
        "--grace", type=int, default=GRACE, metavar="SECONDS", help="keep what is younger (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    cloud = open_data(options.data)
    try:
        deleted, failed = cloud.upkeep.reap(options.grace)
    finally:
        cloud.close()
    print(f"{deleted} deleted, {failed} failed")
    return 1 if failed else 0
