"""``vsm upkeep``: delete the data that no name points to any more, and bring copies to their places.

A running server does the same every few seconds; this is for a cloud that is not running, and for
whoever wants the space now. With ``--status`` it only tells what waits.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from vsm.data import open_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")
    parser.add_argument("--grace", type=int, metavar="SECONDS", help="keep what is younger (as the settings say)")
    parser.add_argument("--status", action="store_true", help="change nothing, and tell what waits")
    parser.add_argument("--json", action="store_true", help="tell it as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    cloud = open_data(options.data)
    try:
        if options.status:
            status = cloud.upkeep.status()
            print(json.dumps(status) if options.json else _told(status))
            return 0
        with cloud.upkeep.living():
            deleted, failed = cloud.upkeep.reap(options.grace)
            arrived, late = cloud.upkeep.replication.work()  # also what was in the hands of the dead until now
    finally:
        cloud.close()
    if options.json:
        print(json.dumps({"deleted": deleted, "failed": failed, "arrived": arrived, "late": late}))
    else:
        print(
            f"{deleted} deleted, {failed} failed", *([f"{arrived} copied, {late} to come"] if arrived or late else [])
        )
    return 1 if failed or late else 0


def _told(status: dict[str, Any]) -> str:
    lines = [
        f"garbage: {status['garbage']}",
        f"uploads on their way: {status['pending']}",
        f"removed containers: {status['removed_containers']}",
    ]
    now = time.time()
    for copy in status["copies"]:
        line = f"{copy['module']} to {copy['location']}: {copy['waiting']} copies, {copy['bytes']} bytes"
        line += f", the oldest {max(0, now - copy['since']):.0f} seconds old"
        if copy["error"]:
            line += f"; {copy['attempts']} tries failed: {copy['error']}"
        lines.append(line)
    return "\n".join(lines)
