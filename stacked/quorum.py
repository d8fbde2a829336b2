"""The arguments of a mirror: which stores, and how many of them make a quorum. Pure functions."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from stacked.store import Store

__all__ = ["binding", "require_journal", "stores_of", "writes_of"]

_UNKNOWN = -1


def binding(capacities: Sequence[Mapping[str, int]], writes: int) -> Mapping[str, int]:
    """Return the capacity of the store which is full first, so that too few are left."""
    known = sorted((capacity for capacity in capacities if capacity["free"] != _UNKNOWN), key=lambda one: -one["free"])
    unknown = len(capacities) - len(known)
    if len(capacities) < writes or not known:
        return dict.fromkeys(("total", "free", "used"), _UNKNOWN)
    return {name: known[max(0, min(writes - unknown, len(known)) - 1)][name] for name in ("total", "free", "used")}


def stores_of(value: Any) -> dict[str, Store]:
    """Return the stores by name.

    :raises ValueError: there are too few, or one twice.
    """
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        raise ValueError("stores: list the names of two modules or more in which each object is to be kept")
    found: dict[str, Store] = {}
    for place, one in enumerate(value, 1):
        store = Store("stores", one)
        name = store.name if store.names() else str(place)
        if name in found:
            raise ValueError(f"stores: {name!r} is there twice")
        found[name] = store
    return found


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
