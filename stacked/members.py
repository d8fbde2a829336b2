"""The members of a spread: which there are, which is drawn for a new object, and what they have together."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from stacked.several import named_stores
from stacked.store import Store

__all__ = ["DRAINING", "READ_ONLY", "Choice", "members_of", "summed"]

DRAINING, READ_ONLY = "draining", "read-only"
_STATES = ("", DRAINING, READ_ONLY)
_FRESH = 5.0  # seconds for which it is believed what is free
_AVOID = 10.0  # seconds for which a member that failed is passed over
_UNKNOWN = -1

_lots = random.SystemRandom()


def members_of(value: Any) -> tuple[dict[str, Store], dict[str, str]]:
    """Return the members and their states, by name.

    :raises ValueError: there is none, one twice, or a state that is none.
    """
    if isinstance(value, Mapping) and value:
        for state in value.values():
            if state not in _STATES:
                raise ValueError(f'stores: the state of a member is "", "{DRAINING}" or "{READ_ONLY}", not {state!r}')
        return {name: Store("stores", name) for name in value}, dict(value)
    found = named_stores(value, 1)
    return found, dict.fromkeys(found, "")


class Choice:
    """Draws members by lot, by what is free in them.

    :param names: of the members that take new objects.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._until = 0.0
        self._free: Mapping[str, int] = dict.fromkeys(names, _UNKNOWN)
        self._avoided: dict[str, float] = {}

    def order(self, ask: Callable[[], Mapping[str, int]]) -> list[str]:
        """Return the members in the order in which they are to be tried; those that failed just now come last.

        :param ask: returns how many bytes are free, -1 where it cannot be known; a member that failed is missing there.
        """
        now = time.monotonic()
        if now >= self._until and len(self._names) > 1:
            self._until = now + _FRESH  # the other threads go on with what was known
            self._free = ask()
        avoided = self.avoided()
        keys = {name: self._key(name) for name in self._names}
        return sorted(self._names, key=lambda name: (name in avoided, keys[name]))

    def avoid(self, name: str) -> None:
        """Pass over a member for some seconds, since it failed."""
        self._avoided[name] = time.monotonic() + _AVOID

    def avoided(self) -> list[str]:
        """Return the members that are passed over."""
        now = time.monotonic()
        return [name for name in self._names if self._avoided.get(name, 0.0) > now]

    def _key(self, name: str) -> float:
        """Return a random number, which is the smallest of all as often as a member's free bytes are its part of all.

        Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
        """
        known = [free for free in self._free.values() if free >= 0]
        free = self._free.get(name, 0)
        weight = free if free >= 0 else (sum(known) // len(known) if known else 1)
        return _lots.expovariate(weight) if weight > 0 else float("inf")


def summed(capacities: Mapping[str, Mapping[str, int] | None], states: Mapping[str, str]) -> dict[str, Any]:
    """Return what the members have together, for ``statistics``.

    :param capacities: by name; None where it could not be told.
    """
    told = {name: one for name, one in capacities.items() if one is not None}
    writable = {name: one["free"] for name, one in told.items() if not states[name]}

    def total(values: list[int], is_whole: bool) -> int:
        return _UNKNOWN if not is_whole or _UNKNOWN in values else sum(values)

    is_whole = len(told) == len(capacities)
    capacity = {name: total([one[name] for one in told.values()], is_whole) for name in ("total", "used")}
    known = {name: free for name, free in writable.items() if free != _UNKNOWN}
    return {
        "capacity": {**capacity, "free": total(list(writable.values()), True)},
        "largest_object": max(known.values(), default=0 if not writable else _UNKNOWN),
        "binds": min(known, key=lambda name: known[name], default=None),
    }
