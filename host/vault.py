"""Where names and data meet: what ties an object of the tree to the bytes in a storage module.

A crash between any two steps of :meth:`Vault.store` leaves the old object or the new one, and no data
that nothing knows of:

1. ``new_data``, and a row in ``pending`` that names it;
2. ``assign``;
3. one transaction: the name points to the new data, what it replaced becomes garbage, the row in
   ``pending`` is gone.

What step 3 was not reached for is found in ``pending`` by :mod:`host.upkeep`.
"""

import errno
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from host import objectid
from host.accounts import Account
from host.body import Body
from host.database import accounts, garbage, nodes, pending, writing
from host.errors import Conflict, Failed, Full, HostError, NotFound, TryAgain
from host.loader import VENDOR_ERRORS, Loader
from host.node import Node
from host.tree import child, node_of
from modules import MODULE_DATA_LIMIT, ReadStream, StorageModule

__all__ = ["Facts", "Vault"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LATER = {errno.EROFS, errno.EAGAIN, errno.EBUSY, errno.EMFILE, errno.ENFILE}


@dataclass(frozen=True)
class Facts:
    """What is said of an object beside its data. None keeps what it was."""

    mimetype: str | None = None
    encoding: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Upload:
    """Data on its way, which no name points to yet. ``ticket`` is its row in ``pending``."""

    policy: str
    module: StorageModule
    module_data: str
    ticket: int


class Vault:
    """Stores and opens the data of objects."""

    def __init__(self, engine: Engine, loader: Loader) -> None:
        self._engine = engine
        self._loader = loader
        #: This process, in ``pending`` and ``processes``.
        self.process = uuid.uuid4().hex

    def store(self, account: Account, parent: Node, name: str, body: Body, facts: Facts) -> tuple[Node, bool]:
        """Keep ``body`` as the object ``name`` in ``parent``, new or in place of the old one.

        :returns: the object, and whether it is new.
        :raises HostError: it was not kept, and nothing has changed.
        """
        upload = self._reserve(account.policy)
        is_naming = False
        try:
            size = self._fill(upload, body)
            values = _columns(upload, size, facts, is_text=body.is_text)
            is_naming = True
            return self._name(upload, account, parent, name, values)
        except BaseException as error:
            # Only a commit that breaks may have happened all the same; whether it did, the row tells.
            self._abandon(upload, is_sure=not is_naming or isinstance(error, HostError))
            raise

    def open(self, node: Node) -> ReadStream:
        """Open the data of an object.

        :raises HostError: it cannot be read, or is not what was stored.
        """
        module = self._module(node.module)
        with _judged():
            size = module.get_size(self._loader.context, node.module_data)
            if size != node.size:
                raise Failed(f"{node.size} bytes were stored, the storage module has {size}")
            return module.get_read_stream(self._loader.context, node.module_data)

    def _module(self, name: str) -> StorageModule:
        try:
            return self._loader.instance(name)
        except LookupError as error:
            raise Failed("the storage module of this data is not configured") from error

    def _reserve(self, policy: str) -> _Upload:
        module = self._module(policy)
        with _judged():
            module_data = str(module.new_data(self._loader.context))
        if not _can_be_kept(module_data):
            raise Failed("the storage module made a module_data that cannot be kept")
        row = {"module": policy, "module_data": module_data, "since": int(time.time()), "process": self.process}
        with writing(self._engine) as connection:
            return _Upload(policy, module, module_data, ticket=_insert(connection, pending, row))

    def _fill(self, upload: _Upload, body: Body) -> int:
        try:
            with _judged():
                upload.module.assign(self._loader.context, upload.module_data, body)
                size = upload.module.get_size(self._loader.context, upload.module_data)
        except HostError:
            if body.error is not None:  # not the module's fault, whatever it made of it
                raise body.error from None
            raise
        if body.error is not None:
            raise body.error
        if not body.ended or size != body.count:
            raise Failed(f"the storage module kept {size} bytes of {body.count} that it read")
        return size

    def _name(
        self, upload: _Upload, account: Account, parent: Node, name: str, values: dict[str, Any]
    ) -> tuple[Node, bool]:
        """Let the name point to the data, in one transaction."""
        try:
            with writing(self._engine) as connection:
                if not connection.execute(delete(pending).where(pending.c.id == upload.ticket)).rowcount:
                    raise TryAgain("the upload was given up, its server was not heard of for too long: send it again")
                old = child(connection, parent.id, name)
                if old is None:
                    identity = _add(connection, account, parent, name, values)
                elif old.container:
                    raise Conflict(f"{name!r} is a container")
                else:
                    identity = old.id
                    waste = {"module": old.module, "module_data": old.module_data, "since": values["mtime"]}
                    connection.execute(insert(garbage).values(waste))
                    connection.execute(update(nodes).where(nodes.c.id == identity).values(values))
                _charge(connection, account, values["size"] - (old.size if old is not None else 0))
                return node_of(connection.execute(select(nodes).where(nodes.c.id == identity)).one()), old is None
        except IntegrityError as error:
            raise NotFound("the container was removed while the object was stored") from error

    def _abandon(self, upload: _Upload, is_sure: bool) -> None:
        """Delete the data of a failed upload; what does not go now is garbage, for later.

        :param is_sure: no name points to the data. Else none does only if the row in ``pending`` is there.
            (It may be gone for another reason: upkeep gave this process up, perhaps before ``assign``
            was through. So the data is deleted once more.)
        """
        with writing(self._engine) as connection:
            is_pending = connection.execute(delete(pending).where(pending.c.id == upload.ticket)).rowcount
            if not is_pending and not is_sure:
                return
            row = {"module": upload.policy, "module_data": upload.module_data, "since": 0}
            waste = _insert(connection, garbage, row)
        try:
            upload.module.delete(self._loader.context, upload.module_data)
        except VENDOR_ERRORS:
            return  # it stays on the garbage list, and upkeep says what is wrong when it fails too
        with writing(self._engine) as connection:
            connection.execute(delete(garbage).where(garbage.c.id == waste))


def _columns(upload: _Upload, size: int, facts: Facts, *, is_text: bool) -> dict[str, Any]:
    """Return what is to be set in the row of a node; what is not said stays as it was."""
    values = {
        "module": upload.policy,
        "module_data": upload.module_data,
        "size": size,
        "mtime": int(time.time()),
        "mimetype": facts.mimetype,
        "encoding": facts.encoding if is_text else "base64",
        "metadata": facts.metadata,
    }
    return {key: value for key, value in values.items() if value is not None}


def _add(connection: Connection, account: Account, parent: Node, name: str, values: dict[str, Any]) -> str:
    """Insert an object and return its id."""
    identity = objectid.new()
    place = {"id": identity, "parent": parent.id, "name": name, "container": False, "owner": account.name}
    unsaid = {"metadata": {}, "mimetype": "application/octet-stream", "encoding": "base64"}
    connection.execute(insert(nodes).values({**place, "ctime": values["mtime"], **unsaid, **values}))
    return identity


def _can_be_kept(module_data: str) -> bool:
    """Tell whether every database keeps ``module_data`` as it is."""
    try:
        return len(module_data.encode()) <= MODULE_DATA_LIMIT and "\0" not in module_data
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    return int(connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


def _charge(connection: Connection, account: Account, size: int) -> None:
    """Take ``size`` bytes of the account's quota, as one step that other writers cannot pass."""
    used = accounts.c.used + size
    charge = update(accounts).where(accounts.c.name == account.name).values(used=used)
    if size > 0:
        charge = charge.where(or_(accounts.c.quota.is_(None), used <= accounts.c.quota))
    if not connection.execute(charge).rowcount:
        raise Full("the quota does not have room for this object")


@contextmanager
def _judged() -> Iterator[None]:
    """Tell apart what a module raises: full, worth another try, broken. Its text stays here."""
    try:
        yield
    except HostError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise Full("the storage is full") from error
        if error.errno in _LATER or isinstance(error, (TimeoutError, ConnectionError)):
            raise TryAgain("the storage cannot do that now: try again") from error
        raise Failed("the storage module failed") from error
    except VENDOR_ERRORS as error:
        raise Failed("the storage module failed") from error
