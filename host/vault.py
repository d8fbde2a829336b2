"""Where names and data meet: what ties an object of the tree to the bytes in a storage module.

A crash between any two steps of :meth:`Vault.store` leaves the old object or the new one, and no data
that nothing knows of:

1. ``new_data``, and a row of ``data`` that notes it as pending;
2. ``assign``;
3. one transaction: the data is kept, the name points to it, what it replaced becomes garbage.

What step 3 was not reached for stays pending, until :mod:`host.upkeep` finds that its process is dead.
"""

import logging
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from host.body import BLOCK, Body
from host.catalogue import contents, tree
from host.catalogue.account import Account
from host.catalogue.engine import Catalogue
from host.catalogue.node import Data, Node
from host.errors import Conflict, Failed, HostError, NotFound, TryAgain
from host.guarded import GuardedModule
from host.loader import Loader
from host.reservations import Reservation, Reservations
from host.streams import Window
from host.wire.conditions import NONE, Conditions
from host.wire.path import Path

__all__ = ["Facts", "Stored", "Target", "Vault"]

log = logging.getLogger(__name__)

F = TypeVar("F")
N = TypeVar("N")


@dataclass(frozen=True)
class Facts:
    """What is said of an object beside its data. None keeps what it was.

    :param items: of the metadata, which are set, or removed where None; the others stay.
    """

    mimetype: str | None = None
    encoding: str | None = None
    metadata: dict[str, Any] | None = None
    items: dict[str, Any] | None = None

    def merged(self, old: dict[str, Any]) -> dict[str, Any]:
        """Return the metadata that comes of ``old``."""
        whole = old if self.metadata is None else self.metadata
        return {key: value for key, value in {**whole, **(self.items or {})}.items() if value is not None}


@dataclass(frozen=True)
class Target:
    """Where an object is to be: at a path, if ``conditions`` hold for what is there.

    :param is_inside: in the container at the path, under a name of the host's choice.
    :param etag: of the object that must still be there, "" if there must be none, or else somebody was quicker.
    :param container: the id of a container that no path leads to, in which it is made under the path's last name.
    """

    account: Account
    path: Path
    conditions: Conditions = NONE
    is_inside: bool = False
    etag: str | None = None
    container: str | None = None

    def look(self, connection: Connection) -> tuple[str, Node | None]:
        """Return the id of the container in which the object is to be, and the object that is there now, or None.

        :raises HostError: there is no such container, the conditions do not hold, or it is a container itself.
        """
        old: Node | None = None
        if self.container is not None:
            if tree.by_id(connection, self.container) is None:
                raise NotFound("the copy was given up, its server was not heard of for too long: try again")
            parent = self.container
        elif self.is_inside:
            parent = tree.container(connection, self.account, self.path).id
        elif self.path.names:
            parent, old = tree.spot(connection, self.account, self.path)
        else:  # an id, which only something that is there has
            old = tree.locate(connection, self.account, self.path)
            if old is None:
                raise NotFound(f"nothing has the id {self.path.id}")
            parent = old.parent or ""
        if old is not None and old.container:
            raise Conflict(f"{old.name!r} is a container")
        self.conditions.require_to_write(old)
        if self.etag is not None and self.etag != ("" if old is None else old.etag):
            raise Conflict("the object was changed meanwhile: read it and try again")
        return parent, old


@dataclass(frozen=True)
class Stored:
    """What became of an object that was stored."""

    id: str
    etag: str
    is_new: bool


class Vault:
    """Stores and opens the data of objects."""

    def __init__(self, catalogue: Catalogue, loader: Loader, new_id: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._loader = loader
        self._new_id = new_id
        #: This process, in the catalogue.
        self.process = uuid.uuid4().hex
        self._reservations = Reservations(catalogue, loader, self.process)
        self._unsettled: deque[tuple[Reservation, bool]] = deque()

    def look(self, target: Target) -> Node | None:
        """Return what is at ``target`` now, before a body is read for it.

        :raises HostError: nothing can be stored there.
        """
        with self._catalogue.reading() as connection:
            return target.look(connection)[1]

    def store(self, target: Target, body: Body, facts: Callable[[], Facts]) -> Stored:
        """Keep ``body`` as the object at ``target``, new or in place of the old one.

        :param facts: asked once the body was read, of which they may be a part.
        :raises HostError: it was not kept, and nothing has changed.
        """

        def fill(module: GuardedModule, module_data: str) -> int:
            return module.assign(module_data, body)

        def checked() -> Facts:
            known = facts()
            is_text = known.encoding != "utf-8" or body.is_text
            return known if is_text else Facts(known.mimetype, "base64", known.metadata, known.items)

        return self._store(target, fill, checked)

    def copy(self, target: Target, source: Node, facts: Facts) -> Stored:
        """Keep a copy of the data of ``source`` as the object at ``target``.

        :raises HostError: it was not kept, and nothing has changed.
        """

        def fill(module: GuardedModule, module_data: str) -> int:
            data = source.data
            if data.module == target.account.policy and _copy_inside(module, module_data, data):
                return data.size
            window = self.open(data)
            try:
                return module.assign(module_data, Body(window, data.size))
            finally:
                window.close()

        return self._store(target, fill, lambda: facts)

    def open(self, data: Data, first: int = 0, length: int | None = None) -> Window:
        """Open data, for ``length`` bytes from the byte ``first`` on; None for all of it.

        Its first block has been read then: of an object that is no larger, and of which the module knows that it is
        corrupt, no byte goes out. Where the local location fails, another one is read.

        :raises HostError: it cannot be read, or is not what was stored.
        """
        error: HostError | None = None
        try:
            locations = self._loader.locations(data.module)
        except LookupError:
            locations = [""]
        for location in locations:
            try:
                module = self._loader.guarded(data.module, location)
                return module.open(data.module_data, data.size, first, length, BLOCK)
            except HostError as failed:
                error = error or failed
                if len(locations) > 1:
                    log.warning("%s at %r cannot be read: %s", data.module, location, failed.__cause__ or failed)
        raise error or NotFound("the storage module has no location")

    def close(self) -> None:
        """Give up what was reserved and not used."""
        self._reservations.release()

    def tidy(self) -> None:
        """Let become garbage what no other process will while this one lives, and nobody uses here.

        :raises sqlalchemy.exc.SQLAlchemyError: the catalogue is away; it is done the next time.
        """
        self._settle()
        self._reservations.give_up_idle()

    def keep(self, policy: str, fill: Callable[[GuardedModule, str], F], name: Callable[[Reservation, F], N]) -> N:
        """Keep new data in the module ``policy``.

        :param fill: stores it, in a module under a ``module_data``.
        :param name: gets what ``fill`` returned, and lets a name point to the data, in one transaction in which it
            calls :meth:`count_as_kept`.
        :returns: what ``name`` returned.
        :raises HostError: it was not kept, and nothing has changed.
        """
        self._settle()
        reserved = self._reservations.take(policy)
        module: GuardedModule | None = None
        is_naming = False
        try:
            module = self._loader.guarded(reserved.module, reserved.location)
            filled = fill(module, reserved.module_data)
            is_naming = True
            return name(reserved, filled)
        except BaseException as error:
            # Only a commit that breaks may have happened all the same; whether it did, the row tells.
            self._abandon(module, reserved, is_sure=not is_naming or isinstance(error, HostError))
            raise

    def _store(self, target: Target, fill: Callable[[GuardedModule, str], int], facts: Callable[[], Facts]) -> Stored:
        def all_of_it(module: GuardedModule, module_data: str) -> tuple[int, Facts]:
            return fill(module, module_data), facts()

        return self.keep(
            target.account.policy, all_of_it, lambda reserved, filled: self._name(target, reserved, *filled)
        )

    def _name(self, target: Target, reserved: Reservation, size: int, facts: Facts) -> Stored:
        """Let the name point to the data, in one transaction."""

        def work(connection: Connection) -> Stored:
            account = target.account
            if not tree.lock(connection, account.id):
                raise NotFound("the account was removed")
            parent, old = target.look(connection)
            self.count_as_kept(connection, reserved, size)
            if old is None:
                return self._add(connection, target, parent, reserved, size, facts)
            contents.charge(connection, account.id, size - old.size, 0)
            values = {"mimetype": facts.mimetype, "encoding": facts.encoding, "data": reserved.id}
            changed = facts.metadata is not None or facts.items is not None
            metadata = {"metadata": facts.merged(old.metadata)} if changed else {}
            given = {key: value for key, value in values.items() if value is not None}
            etag = tree.update_node(connection, old, **given, **metadata)
            contents.waste(connection, old.data.id)
            return Stored(old.id, etag, is_new=False)

        try:
            return self._catalogue.commit(work, order=target.account.id)
        except IntegrityError as error:
            raise NotFound("the container was removed while the object was stored") from error

    def _add(
        self, connection: Connection, target: Target, parent: str, reserved: Reservation, size: int, facts: Facts
    ) -> Stored:
        contents.charge(connection, target.account.id, size, 1)
        identity = self._new_id()
        etag = tree.insert_node(
            connection,
            identity,
            target.account.id,
            parent,
            identity if target.is_inside else target.path.names[-1],
            facts.merged({}),
            mimetype=facts.mimetype or "application/octet-stream",
            encoding=facts.encoding or "base64",
            data=reserved.id,
        )
        return Stored(identity, etag, is_new=True)

    def count_as_kept(self, connection: Connection, reserved: Reservation, size: int) -> None:
        """Let data count as kept, in the transaction that names it, and see to it that it comes to all locations.

        :raises TryAgain: this process was taken for dead, or the location is none any more.
        """
        edition, others = reserved.edition, list(reserved.others)
        while not contents.keep(connection, reserved.id, self.process, size, edition):
            tried = edition
            edition, locations = contents.configured(connection, reserved.module)
            if reserved.location not in locations:
                raise TryAgain("the storage was configured anew: send it again")
            if edition == tried:
                raise TryAgain("the upload was given up, its server was not heard of for too long: send it again")
            others = [location for location in locations if location != reserved.location]
        if others:
            contents.queue(connection, reserved.id, reserved.module, others)

    def _abandon(self, module: GuardedModule | None, reserved: Reservation, is_sure: bool) -> None:
        """Delete the data of a failed upload; what does not go now is garbage, for later.

        :param is_sure: no name points to the data. Else none does only if it is pending still.
            (It may be so no more for another reason: upkeep gave this process up, perhaps before ``assign``
            was through. So the data is deleted once more.)
        """
        try:
            was_pending = self._waste(reserved, is_sure)
        except SQLAlchemyError:  # the catalogue is away, which the client is told by the first error
            self._unsettled.append((reserved, is_sure))
            return
        if not was_pending and is_sure:
            self.close()  # this process was taken for dead: so what it had noted is gone, too
        if module is None or not was_pending:
            return
        with suppress(HostError, SQLAlchemyError):  # upkeep says what is wrong, when it fails too
            module.delete(reserved.module_data)
            with self._catalogue.writing() as connection:
                contents.forget(connection, [reserved.id])

    def _waste(self, reserved: Reservation, is_sure: bool) -> bool:
        """Let the data of a failed upload become garbage, and tell whether it was pending."""
        with self._catalogue.writing() as connection:
            was_pending = contents.abandon(connection, reserved.id, self.process)
            if is_sure and not was_pending:
                contents.waste_again(connection, reserved.module, reserved.module_data)
        return was_pending

    def _settle(self) -> None:
        """Let become garbage what could not when its upload failed."""
        while True:
            try:
                reserved, is_sure = self._unsettled.popleft()
            except IndexError:  # another thread may have taken the last
                return
            try:
                self._waste(reserved, is_sure)
            except BaseException:
                self._unsettled.append((reserved, is_sure))
                raise


def _copy_inside(module: GuardedModule, module_data: str, source: Data) -> bool:
    """Let the module copy by itself, and tell whether it did."""
    try:
        if not module.copy(module_data, source.module_data):
            return False
        size = module.size(module_data)
    except HostError as error:  # the source may be at another location, or readable only as a stream
        log.info("%s did not copy by itself: %s", source.module, error.__cause__ or error)
        return False
    if size != source.size:
        raise Failed(f"the storage module copied {size} bytes of {source.size}")
    return True
