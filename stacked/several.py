"""What the modules that stand on several others have in common."""

import errno
from typing import Any

from stacked.store import Store

__all__ = ["judged", "named_stores"]


def judged(name: str, error: BaseException) -> Exception:
    """Return an error of a store as the contract has it: a vendor's module may raise anything."""
    if isinstance(error, (OSError, ValueError)):
        return error
    return OSError(errno.EIO, f"{name}: {type(error).__name__}: {error}")


def named_stores(value: Any, least: int) -> dict[str, Store]:
    """Return the modules of a list by name; one that is itself in the list is called by its place.

    :param least: how many there must be.
    :raises ValueError: there are fewer, or one twice.
    """
    if not isinstance(value, (list, tuple)) or len(value) < least:
        raise ValueError(f"stores: list the names of the modules below, {least} or more")
    found: dict[str, Store] = {}
    for place, one in enumerate(value, 1):
        store = Store("stores", one)
        name = store.name if store.names() else str(place)
        if name in found:
            raise ValueError(f"stores: {name!r} is there twice")
        found[name] = store
    return found
