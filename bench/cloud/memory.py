"""How much memory a worker of ours has after many large transfers, and after few."""

import re
from pathlib import Path

from bench.cloud.ours import Ours

__all__ = ["FEW", "largest", "measure", "resident"]

FEW = 10  #: transfers after which memory is first looked at
_CLEAN = 40  # transfers between two deletions of what was replaced


def measure(server: Ours, size: int, transfers: int) -> tuple[list[float], list[float]]:
    """PUT and GET objects of ``size`` bytes in turn, through a new connection each.

    :returns: MiB of the largest worker, after each ten of the last tenth of the transfers; and as often, so that
        the two can be compared, after :data:`FEW`.
    """
    few = 0.0
    many = []
    for done in range(2, transfers + 1, 2):
        server.put(["memory"], size)
        server.get(["memory"], size)
        if done == FEW:
            few = largest(server.workers())
        elif done > transfers - max(transfers // 10, 2) and done % 10 == 0:
            many.append(largest(server.workers()))
        if done % _CLEAN == 0:
            server.upkeep()
    return many, [few] * len(many)


def largest(pids: list[int]) -> float:
    """Return the MiB that are resident of the process that has the most."""
    return max(resident(Path(f"/proc/{pid}/status").read_text("ascii", "replace")) for pid in pids)


def resident(status: str) -> float:
    """Return the MiB that are resident (proc(5): VmRSS in status).

    :raises ValueError: it does not say.
    """
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise ValueError("no VmRSS")
    return int(found[1]) / 1024
