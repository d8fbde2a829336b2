"""Which saboteur is killed by which tests."""

from collections.abc import Callable
from typing import TypeVar

from modules import StorageModule

__all__ = ["SABOTEURS", "killed_by"]

_Saboteur = TypeVar("_Saboteur", bound=type[StorageModule])

#: Each saboteur, and the names of the tests that are meant to kill it.
SABOTEURS: dict[type[StorageModule], tuple[str, ...]] = {}


def killed_by(*tests: str) -> Callable[[_Saboteur], _Saboteur]:
    """Register a saboteur, which each of ``tests`` is meant to kill."""

    def register(saboteur: _Saboteur) -> _Saboteur:
        SABOTEURS[saboteur] = tests
        return saboteur

    return register
