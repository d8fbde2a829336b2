"""What some honest modules cannot do, and how much work the kit does.

Everything that is not named here every module must do.
"""

import os
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

__all__ = ["FULL", "MEANINGS", "QUICK", "Capability", "Effort", "default_effort", "required", "requires"]

_Test = TypeVar("_Test", bound=Callable[..., None])


class Capability(StrEnum):
    """What a module may lack, if it says so and why: see :attr:`conformance.harness.Harness.lacks`."""

    DURABILITY = "durability"
    PROCESSES = "processes"
    LARGE_OBJECTS = "large objects"
    READING_DELETED = "reading deleted"
    ACCOUNTING = "accounting"


MEANINGS = {
    Capability.DURABILITY: "data outlives the process that stored it",
    Capability.PROCESSES: "several processes, each with an instance of its own, work on one storage",
    Capability.LARGE_OBJECTS: "objects that are larger than memory",
    Capability.READING_DELETED: "a stream goes on when its object is deleted",
    Capability.ACCOUNTING: "the figure `used` follows what is stored and deleted, within seconds",
}


class Effort(NamedTuple):
    """How much work the kit does."""

    large: int  #: size of a large object, in bytes
    rounds: int  #: how often everything is done before a leak is looked for
    races: int  #: how often threads race
    examples: int  #: how many histories the model tries


FULL = Effort(large=64 * 1024 * 1024, rounds=1000, races=200, examples=60)
QUICK = Effort(large=8 * 1024 * 1024, rounds=250, races=25, examples=25)


def default_effort() -> Effort:
    """Return :data:`QUICK` if the environment variable ``CONFORMANCE_QUICK`` is not empty, else :data:`FULL`."""
    return QUICK if os.environ.get("CONFORMANCE_QUICK") else FULL


def requires(*capabilities: Capability) -> Callable[[_Test], _Test]:
    """Mark a test: it asks for ``capabilities``, and is not tried on a module that lacks one."""

    def mark(test: _Test) -> _Test:
        vars(test)["capabilities"] = capabilities
        return test

    return mark


def required(test: Callable[..., object]) -> tuple[Capability, ...]:
    """Return what :func:`requires` marked ``test`` with."""
    return getattr(test, "capabilities", ())
