"""The vendor modules that an administrator has configured: added, changed, shown, removed."""

import json
import uuid
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError

from host.catalogue import stacks
from host.catalogue.engine import Catalogue
from host.catalogue.schema import KEPT, copies, data, vendor_modules
from host.errors import Conflict, HostError, Invalid, NotFound
from host.guarded import VENDOR_ERRORS
from host.loader import Configuration, Loader, bind, construct, load_class, masked, prepare, reason
from host.stacking import require_free_of_circles, stores_of

__all__ = ["Registry"]

Arguments = list[Any] | dict[str, Any]


class Registry:
    """The configured modules of a cloud."""

    def __init__(self, catalogue: Catalogue, loader: Loader) -> None:
        self._catalogue = catalogue
        self._loader = loader

    def configure(self, name: str, dotted: str, description: str, locations: dict[str, Arguments]) -> None:
        """Keep what an administrator says of the module ``name``, once it is shown to work.

        What is kept already is brought to a location that is new.

        :param locations: the arguments of each location; one alone has the name "".
        :raises Invalid: the class does not import, is no storage module, refuses its arguments or the modules that it
            is to stand on, or would stand on itself.
        :raises Conflict: a location is to be removed, and not everything has been brought to the others; or somebody
            else added the module at the same time.
        """
        cls = load_class(dotted)
        bound = {location: bind(cls, arguments) for location, arguments in locations.items()}
        self._loader.changed(name)
        found = self._loader.configuration(name)
        old = {} if found is None else _renamed(found.locations, bound)
        is_in_use = self._keeps_data(name)
        for location, arguments in bound.items():
            is_same = found is not None and found.module == dotted and old.get(location) == arguments
            # A storage that keeps data is not made anew: its disk may not be mounted.
            if not is_same and not (is_in_use and location in old):
                prepare(cls, arguments)
        instances = {location: construct(cls, arguments) for location, arguments in bound.items()}
        with self._catalogue.reading() as connection:
            known = stacks.read(connection)
        stores = stores_of(name, instances, bound, self._loader, known)
        edition = uuid.uuid4().hex
        new = Configuration(name, dotted, description, bound, edition)
        try:
            with self._catalogue.writing() as connection:
                stacks.lock(connection)
                _write(connection, new)
                require_free_of_circles(name, stores, stacks.read(connection))
                _require_configured(connection, cls.__name__, stores)
                stacks.write(connection, name, stores)
        except IntegrityError as error:
            raise Conflict(f"vendor module {name!r} was added by somebody else just now: try again") from error
        self._loader.keep(name, edition, instances)

    def names(self) -> list[str]:
        """Return the names of all configured modules, in order."""
        with self._catalogue.reading() as connection:
            return list(connection.scalars(select(vendor_modules.c.name).order_by(vendor_modules.c.name)))

    def classes(self) -> list[str]:
        """Return the dotted names of all configured classes, each once."""
        with self._catalogue.reading() as connection:
            return list(connection.scalars(select(vendor_modules.c.module).distinct()))

    def describe(self, name: str) -> dict[str, Any]:
        """Return the configuration of ``name`` as it may be shown, and the module's statistics.

        :raises NotFound: no module has that name.
        """
        self._loader.changed(name)
        found = self._loader.configuration(name)
        if found is None:
            raise NotFound(f"no vendor module {name!r}")
        shown: dict[str, Any] = {"module": found.module, "description": found.description}
        if "" in found.locations:
            statistics = self._statistics(found, "")
            return {**shown, "args": masked(found.locations[""]), "statistics": statistics}
        return {
            **shown,
            "locations": {location: masked(arguments) for location, arguments in found.locations.items()},
            "statistics": {location: self._statistics(found, location) for location in found.locations},
        }

    def remove(self, name: str) -> None:
        """Forget the module ``name``.

        :raises NotFound: no module has that name.
        :raises Conflict: a user's policy, stored data or another module needs it.
        """
        try:
            with self._catalogue.writing() as connection:
                stacks.lock(connection)
                if uppers := [upper for upper, stores in stacks.read(connection).items() if name in stores]:
                    raise Conflict(
                        f"vendor module {name!r} is in use: the data of {' and '.join(map(repr, uppers))} is in it"
                    )
                stacks.write(connection, name, ())
                if not connection.execute(delete(vendor_modules).where(vendor_modules.c.name == name)).rowcount:
                    raise NotFound(f"no vendor module {name!r}")
        except IntegrityError as error:
            raise Conflict(f"vendor module {name!r} is in use: users or stored data need it") from error
        self._loader.changed(name)

    def _statistics(self, found: Configuration, location: str) -> Any:
        try:
            return json.loads(json.dumps(self._loader.guarded(found.name, location).statistics()))
        except HostError as error:  # an administrator wants to see why
            return {"error": reason(error.__cause__ or error, found.locations[location])}
        except VENDOR_ERRORS as error:
            return {"error": reason(error, found.locations[location])}

    def _keeps_data(self, name: str) -> bool:
        """Tell whether the catalogue knows of data in ``name``, or in what stands on it: its storage is not new then.

        Or its disk is missing.
        """
        with self._catalogue.reading() as connection:
            names = [name, *stacks.names_above(stacks.read(connection), name)]
            return connection.execute(select(data.c.id).where(data.c.module.in_(names)).limit(1)).first() is not None


def _renamed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the old locations by the names that they will have.

    Where one location had no name, the first of the new ones is that; where only one without a name is left, it is
    the one of the same arguments, or else the first.
    """
    if ("" in old) == ("" in new):
        return old
    if "" in old:
        return {next(iter(new)): old[""]}
    heir = next((name for name, arguments in old.items() if arguments == new[""]), next(iter(old)))
    return {"" if name == heir else name: arguments for name, arguments in old.items()}


def _require_configured(connection: Connection, cls: str, stores: list[str]) -> None:
    """Check, in the transaction that says so, that what a module is to stand on is there."""
    query = select(vendor_modules.c.name).where(vendor_modules.c.name.in_(stores))
    there = set(connection.scalars(query))
    for store in stores:
        if store not in there:
            raise Invalid(f"args: {cls} stands on {store!r}, which is no vendor module: PUT it first")


def _write(connection: Connection, new: Configuration) -> None:
    """Write a configuration, and queue what is to be brought to its new locations."""
    mine = vendor_modules.c.name == new.name
    query = select(vendor_modules.c.locations).where(mine).with_for_update(key_share=True)
    row = connection.execute(query).first()
    values = {"module": new.module, "description": new.description, "locations": json.dumps(new.locations)}
    values["edition"] = new.edition
    if row is None:
        connection.execute(insert(vendor_modules).values(name=new.name, **values))
        return
    connection.execute(update(vendor_modules).where(mine).values(values))
    old = _renamed(json.loads(row.locations), new.locations)
    added = [location for location in new.locations if location not in old]
    removed = [location for location in old if location not in new.locations]
    if connection.dialect.name == "postgresql" and (added or removed):
        # What is being named just now, by a process that does not know of this yet, comes first.
        connection.execute(text("LOCK TABLE data IN SHARE MODE"))
    if removed:
        _forget_locations(connection, new.name, removed)
    for location in added:
        everything = select(data.c.id, literal(location), literal(new.name), literal(0), literal(0))
        everything = everything.where(data.c.module == new.name, data.c.state == KEPT)
        columns = ["data", "location", "module", "due", "attempts"]
        connection.execute(insert(copies).from_select(columns, everything))


def _forget_locations(connection: Connection, module: str, removed: list[str]) -> None:
    """Forget what was still to be brought to locations.

    :raises Conflict: something is still to be brought to another one, maybe from there.
    """
    mine = copies.c.module == module
    kept = exists().where(data.c.id == copies.c.data, data.c.state == KEPT)
    waiting = select(copies.c.data).where(mine, kept, copies.c.location.not_in(removed)).limit(1)
    if connection.execute(waiting).first() is not None:
        raise Conflict(f"vendor module {module!r}: not everything has been brought to its other locations yet")
    connection.execute(delete(copies).where(mine, copies.c.location.in_(removed)))
