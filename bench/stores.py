"""What every contender can do.

A method does its work on many objects, since a call for each would cost as much as the fastest of the
system calls that are measured. ``size`` is that of the objects, in bytes. What a contender cannot do it
has no method for, and it is then left out of that line.
"""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["RANGE", "Store", "Unavailable"]

RANGE = 64 * 1024  #: bytes of a range, read from the middle of an object


class Unavailable(Exception):
    """A contender cannot be had here; the message says why."""


class Store(Protocol):
    """Keeps objects. Others of its methods are named in :data:`bench.lines.OPERATIONS`."""

    def names(self, count: int) -> list[str]:
        """Return the names of so many objects that are still to be put."""

    def put(self, names: Sequence[str], size: int) -> None:
        """Store each of the objects."""

    def delete(self, names: Sequence[str], size: int) -> None:
        """Delete each of the objects."""
