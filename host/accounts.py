"""Who may do what: accounts, their passwords and their part of the storage."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from host.catalogue import contents, tree
from host.catalogue.account import Account, by_name
from host.catalogue.engine import Catalogue
from host.catalogue.schema import accounts, nodes, vendor_modules
from host.errors import Conflict, Forbidden, Invalid, NotFound
from host.lockout import Lockout

__all__ = ["ADMINISTRATOR", "USER", "Accounts"]

#: The account that is there from the beginning, and the role of those who may do what it may.
ADMINISTRATOR = "administrator"
USER = "user"
_FRESH = 0.5  # seconds for which an account is believed to be as it was
_MOST = 10_000  # accounts that are kept in memory


class Accounts:
    """The accounts of a cloud."""

    def __init__(self, catalogue: Catalogue, enterprise_number: int) -> None:
        self._catalogue = catalogue
        self._enterprise_number = enterprise_number
        self._lockout = Lockout(catalogue)
        # OWASP's parameters for argon2id: 19 MiB a password, one at a time.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._hashing = threading.Lock()
        # A hash takes tens of milliseconds, and every request bears a password: what has been
        # verified once is known again by a digest under a key that never leaves the process.
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, tuple[str, bytes]] = {}
        #: What was read of an account for requests from an address, until when that is believed, and until when no
        #: password is looked at.
        self._read: dict[tuple[str, str], tuple[float, tuple[Account, str] | None, float]] = {}

    def authenticate(self, name: str, password: str, address: str = "") -> Account | None:
        """Return the account of ``name`` if ``password`` is its password, else None.

        :param address: where the request comes from.
        :raises TooMany: there were too many wrong passwords from there; this one is not looked at.
        """
        found, until = self._state(name, address)
        self._lockout.require(until)
        if found is not None and self._is_verified(name, found[1], password):
            return found[0]
        with self._hashing:  # one after the other: so each guess knows of those before it
            self._read.pop((name, address), None)
            found, _ = self._state(name, address)
            failures, until = self._lockout.failures(name, address)
            self._lockout.require(until)
            if not self._verify(name, self._nobody if found is None else found[1], password) or found is None:
                self._lockout.failed(name, address)
                self._read.pop((name, address), None)
                return None
            if failures:
                self._lockout.forgive(name, address)
        return found[0]

    def now(self, account: Account) -> Account:
        """Return ``account`` as it is now, which :meth:`authenticate` may have read half a second ago.

        :raises NotFound: it was removed.
        """
        with self._catalogue.reading() as connection:
            found = by_name(connection, account.name)
        if found is None:
            raise NotFound("the account was removed")
        return found[0]

    def put(self, name: str, **values: Any) -> bool:
        """Make the account ``name``, or change what is given of it, and tell whether it is new.

        :param values: ``password``, ``policy``, ``role``, ``quota`` in bytes and ``quota_objects``, which may be None
            for no limit.
        :raises Invalid: a new account without password or policy, or a policy that is no module.
        :raises Forbidden: the administrator would not be one any more.
        :raises Conflict: somebody else made the account, or removed its policy, at the same time.
        """
        if name == ADMINISTRATOR and values.get("role", ADMINISTRATOR) != ADMINISTRATOR:
            raise Forbidden("the administrator cannot become a user")
        if "password" in values:
            with self._hashing:
                values["password"] = self._hasher.hash(values["password"])
        try:
            with self._catalogue.writing() as connection:
                _require_policy(connection, values)
                is_new = connection.scalar(select(accounts.c.id).where(accounts.c.name == name)) is None
                if is_new:
                    self._create(connection, name, values)
                elif values:
                    connection.execute(update(accounts).where(accounts.c.name == name).values(values))
        except IntegrityError as error:
            raise Conflict("the user or the policy was changed meanwhile: try again") from error
        self._forget(name)
        return is_new

    def change_policy(self, old: str, new: str) -> list[str]:
        """Give all accounts of one policy another one, and return their names.

        :raises Invalid: the new one is no module.
        """
        query = select(accounts.c.id, accounts.c.name).where(accounts.c.policy == old).order_by(accounts.c.id)
        with self._catalogue.writing() as connection:
            _require_policy(connection, {"policy": new})
            rows = connection.execute(query.with_for_update()).all()  # in the order in which everybody locks them
            mine = accounts.c.id.in_([row.id for row in rows])
            connection.execute(update(accounts).where(mine).values(policy=new))
        for row in rows:
            self._forget(row.name)
        return [row.name for row in rows]

    def names(self) -> list[str]:
        """Return the names of all accounts, in order."""
        with self._catalogue.reading() as connection:
            return list(connection.scalars(select(accounts.c.name).order_by(accounts.c.name)))

    def describe(self, name: str) -> dict[str, Any]:
        """Return what may be shown of the account ``name``: all but the password.

        :raises NotFound: there is none.
        """
        with self._catalogue.reading() as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
        if row is None:
            raise NotFound(f"no user {name!r}")
        shown = {
            key: getattr(row, key) for key in ("name", "role", "policy", "quota", "used", "quota_objects", "objects")
        }
        return {key: value for key, value in shown.items() if value is not None}

    def remove(self, name: str) -> None:
        """Remove the account ``name`` and all that it stores.

        :raises NotFound: there is none.
        :raises Forbidden: it is the administrator's.
        """
        if name == ADMINISTRATOR:
            raise Forbidden("the administrator cannot be removed")
        with self._catalogue.writing() as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
            if row is None:
                raise NotFound(f"no user {name!r}")
            tree.lock(connection, row.id)
            connection.execute(delete(accounts).where(accounts.c.id == row.id))
            for identity in (row.root, row.unnamed):
                if (top := tree.by_id(connection, identity)) is not None:
                    contents.detach(connection, top)
        self._forget(name)
        self._verified.pop(name, None)

    def _create(self, connection: Connection, name: str, values: Mapping[str, Any]) -> None:
        if missing := " and ".join(key for key in ("password", "policy") if key not in values):
            raise Invalid(f"{missing}: a new user needs it")
        new_id = tree.new_id(self._enterprise_number)
        tops = [new_id(), new_id()]
        for top in tops:
            tree.insert_node(connection, top, 0, None, "", {})
        row = {"name": name, "role": USER, "root": tops[0], "unnamed": tops[1], "used": 0, "objects": 0, **values}
        identity = connection.scalar(insert(accounts).values(row).returning(accounts.c.id))
        connection.execute(update(nodes).where(nodes.c.id.in_(tops)).values(owner=identity))

    def _state(self, name: str, address: str) -> tuple[tuple[Account, str] | None, float]:
        """Return an account and its password's hash, and until when its passwords are not looked at."""
        now = time.monotonic()
        known = self._read.get((name, address))
        if known is not None and now < known[0]:
            return known[1], known[2]
        with self._catalogue.reading() as connection:
            found = by_name(connection, name)
        _, until = self._lockout.failures(name, address)
        if len(self._read) >= _MOST:
            self._read.clear()
        self._read[name, address] = (now + _FRESH, found, until)
        return found, until

    def _forget(self, name: str) -> None:
        for key in [key for key in list(self._read) if key[0] == name]:
            self._read.pop(key, None)

    def _is_verified(self, name: str, stored: str, password: str) -> bool:
        known_hash, known_digest = self._verified.get(name, ("", b""))
        return known_hash == stored and hmac.compare_digest(known_digest, self._digest(password))

    def _verify(self, name: str, stored: str, password: str) -> bool:
        try:
            self._hasher.verify(stored, password)
        except VerificationError:
            return False
        self._verified[name] = (stored, self._digest(password))
        return True

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode(), hashlib.sha256)


def _require_policy(connection: Connection, values: Mapping[str, Any]) -> None:
    policy = values.get("policy")
    found = select(vendor_modules.c.name).where(vendor_modules.c.name == policy)
    if policy is not None and connection.scalar(found) is None:
        raise Invalid(f"policy: no vendor module {policy!r}: PUT it first")
