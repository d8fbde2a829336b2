"""``vsm upkeep``: delete the data that no name points to any more, and bring copies to their places.

A running server does the same every few seconds; this is for a cloud that is not running, and for
whoever wants the space now. With ``--status`` it only tells what waits. With ``--modules`` each storage
module looks after its storage as well, which no server does by itself: it may read all of it.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from host.cloud import Cloud
from host.storages import Outcome, look_after
from vsm.data import open_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")
    parser.add_argument("--grace", type=int, metavar="SECONDS", help="keep what is younger (as the settings say)")
    parser.add_argument("--status", action="store_true", help="change nothing, and tell what waits")
    parser.add_argument("--modules", action="store_true", help="have each module look after its storage, too")
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
            if not options.json:
                copied = [f"{arrived} copied, {late} to come"] if arrived or late else []
                print(f"{deleted} deleted, {failed} failed", *copied, flush=True)
            outcomes = _look_after(cloud, is_told=not options.json) if options.modules else []
    finally:
        cloud.close()
    if options.json:
        done: dict[str, Any] = {"deleted": deleted, "failed": failed, "arrived": arrived, "late": late}
        if options.modules:
            done["modules"] = [
                {"module": each.module, "location": each.location, "error": each.error or None, "told": each.told}
                for each in outcomes
            ]
        print(json.dumps(done))
    return 0 if not failed and not late and all(each.is_well for each in outcomes) else 1


def _look_after(cloud: Cloud, *, is_told: bool) -> list[Outcome]:
    """Have each module look after its storage, and tell of each what came of it, as soon as it is done."""
    outcomes = []
    for each in look_after(cloud.catalogue, cloud.loader):
        outcomes.append(each)
        if is_told:
            place = f"{each.module} at {each.location}" if each.location else each.module
            print(f"{place}: {f'failed: {each.error}' if each.told is None else json.dumps(each.told)}", flush=True)
    return outcomes


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
