"""The upkeep of the storages themselves: each module gets what the catalogue keeps in it (``StorageModule.upkeep``)."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import exists, select

from host.catalogue.engine import Catalogue
from host.catalogue.schema import KEPT, copies, data, vendor_modules
from host.errors import HostError
from host.guarded import VENDOR_ERRORS
from host.loader import Loader, reason, without

__all__ = ["Outcome", "look_after"]

_PAGE = 1000


class Outcome(NamedTuple):
    """What came of the upkeep of one module at one location: what it returned, or why it failed."""

    module: str
    location: str
    told: dict[str, Any] | None
    error: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it was done, and no object is wrong."""
        wrong = 1 if self.told is None else self.told.get("wrong", 0)
        return isinstance(wrong, int) and wrong <= 0


def look_after(catalogue: Catalogue, loader: Loader) -> Iterator[Outcome]:
    """Do the upkeep of each configured module, at each of its locations. One that fails does not stop the others."""
    with catalogue.reading() as connection:
        query = select(vendor_modules.c.name, vendor_modules.c.locations).order_by(vendor_modules.c.name)
        configured = [(name, list(json.loads(locations))) for name, locations in connection.execute(query)]
    for module, locations in configured:
        for location in locations:
            yield _look_after(catalogue, loader, module, location)


def kept(catalogue: Catalogue, module: str, location: str) -> Iterator[str]:
    """Return the ``module_data`` of all that is kept in a module and has come to a location, page by page.

    What is stored meanwhile may come or not; what is deleted meanwhile, too.
    """
    is_to_come = exists().where(copies.c.data == data.c.id, copies.c.location == location)
    query = select(data.c.id, data.c.module_data).where(data.c.module == module, data.c.state == KEPT, ~is_to_come)
    last = 0
    while True:
        with catalogue.reading() as connection:
            rows = connection.execute(query.where(data.c.id > last).order_by(data.c.id).limit(_PAGE)).all()
        for row in rows:
            yield row.module_data
        if len(rows) < _PAGE:
            return
        last = rows[-1].id


def _look_after(catalogue: Catalogue, loader: Loader, module: str, location: str) -> Outcome:
    try:
        instance = loader.instance(module, location)
        told = instance.upkeep(loader.context, kept(catalogue, module, location))
        shown = json.loads(json.dumps(told))
        if not isinstance(shown, dict):
            raise TypeError(f"upkeep returned no mapping, but {type(told).__name__}")
        return Outcome(module, location, shown)
    except VENDOR_ERRORS as error:
        cause = error.__cause__ or error if isinstance(error, HostError) else error
        return Outcome(module, location, None, without(reason(cause), loader.secrets()))
