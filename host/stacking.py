"""What a module that is being configured stands on, and whether it may."""

from collections.abc import Mapping
from typing import Any

from host.catalogue.stacks import Stacks, way
from host.errors import Invalid
from host.guarded import VENDOR_ERRORS
from host.loader import Loader, reason, without
from modules import StorageModule

__all__ = ["require_free_of_circles", "stores_of"]


def stores_of(
    name: str,
    instances: Mapping[str, StorageModule],
    arguments: Mapping[str, Mapping[str, Any]],
    loader: Loader,
    known: Stacks,
) -> list[str]:
    """Return the names of all modules that a new one is to stand on, at any of its locations.

    :param name: under which it is being configured; ``getModule`` finds it there.
    :param instances: of it, by location.
    :param arguments: of each location: what is secret among them is not told.
    :param known: what stands on what by now.
    :raises Invalid: it refuses them, or stands on itself.
    """
    found: dict[str, None] = {}
    for location, instance in instances.items():
        found |= dict.fromkeys(_asked(name, instance, arguments[location], loader, known))
    return list(found)


def require_free_of_circles(name: str, stores: list[str], known: Stacks) -> None:
    """Check that no module stands on itself once ``name`` stands on ``stores``.

    :raises Invalid: one does; the text has the whole circle.
    """
    for store in stores:
        names = way({**known, name: ()}, store, name)
        if names is not None:
            raise Invalid(f"args: a module would stand on itself: {' -> '.join([name, *names])}")


def _asked(
    name: str, instance: StorageModule, arguments: Mapping[str, Any], loader: Loader, known: Stacks
) -> list[str]:
    asked: list[str] = []

    def get_module(other: str) -> StorageModule:
        asked.append(other)
        if other == name:
            return instance
        loader.changed(other)  # another process may have configured it just now
        found: StorageModule = loader.context["func"]["getModule"](other)
        return found

    cls = type(instance).__name__
    try:
        stores = instance.stands_on({**loader.context, "func": {**loader.context["func"], "getModule": get_module}})
        if isinstance(stores, str) or not all(isinstance(store, str) for store in stores):
            raise TypeError("stands_on does not return a list of names")
        return list(stores)
    except VENDOR_ERRORS as error:
        # A module that looks below itself does not come back from a circle: which one it is, these names tell.
        require_free_of_circles(name, [other for other in asked if isinstance(other, str)], known)
        told = without(reason(error, arguments), loader.secrets())
        raise Invalid(f"args: {cls} refuses them: {told}") from None
