"""The arguments of a mirror: how many of the stores make a quorum, and the journal. Pure functions."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["binding", "require_journal", "writes_of"]

_UNKNOWN = -1


def binding(capacities: Sequence[Mapping[str, int]], writes: int) -> Mapping[str, int]:
    """Return the capacity of the store which is full first, so that too few are left."""
    known = sorted((capacity for capacity in capacities if capacity["free"] != _UNKNOWN), key=lambda one: -one["free"])
    unknown = len(capacities) - len(known)
    if len(capacities) < writes or not known:
        return dict.fromkeys(("total", "free", "used"), _UNKNOWN)
    return {name: known[max(0, min(writes - unknown, len(known)) - 1)][name] for name in ("total", "free", "used")}


def writes_of(value: Any, count: int) -> int:
    """Return in how many of ``count`` stores an object must be.

    :raises ValueError: ``value`` is not ``"all"`` or a number of more than half of them.
    """
    if value == "all":
        return count
    if isinstance(value, bool) or not isinstance(value, int) or not count // 2 < value <= count:
        raise ValueError(f'writes: "all", or a number from {count // 2 + 1} to {count}: more than half of the stores')
    return value


def require_journal(journal: Any, is_needed: bool) -> None:
    """See that ``journal`` may be the path of one.

    :raises ValueError: it may not, or is missing.
    """
    if journal is None and not is_needed:
        return
    if not isinstance(journal, str) or not os.path.isabs(journal) or "\0" in journal:
        raise ValueError(
            "journal: give the absolute path of a file on a disk of this server; it must be there unless writes is all"
        )
