"""Who may do what: accounts, their passwords and their part of the storage."""

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Engine, delete, insert, select, update

from host.database import accounts, reading, vendor_modules, writing
from host.errors import Forbidden, Invalid, NotFound
from host.tree import discard, new_container

__all__ = ["ADMINISTRATOR", "KEEP", "Account", "Accounts"]

ADMINISTRATOR = "administrator"
_USER = "user"
#: In place of a quota: leave it as it is.
KEEP = -1


@dataclass(frozen=True)
class Account:
    """One account. ``quota`` and ``used`` are bytes; a quota of None is no limit."""

    name: str
    role: str
    policy: str
    root: str
    quota: int | None
    used: int

    @property
    def room(self) -> int | None:
        """Bytes that may still be stored; None for any number."""
        return None if self.quota is None else max(0, self.quota - self.used)


class Accounts:
    """The accounts of a cloud."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # OWASP's parameters for argon2id: 19 MiB a password, one at a time.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._hashing = threading.Lock()
        # A hash takes tens of milliseconds, and every request bears a password: what has been
        # verified once is known again by a digest under a key that never leaves the process.
        self._key = secrets.token_bytes(32)
        self._known: dict[str, tuple[str, bytes]] = {}

    def authenticate(self, name: str, password: str) -> Account | None:
        """Return the account of ``name`` if ``password`` is its password, else None."""
        with reading(self._engine) as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
        stored = self._nobody if row is None else row.password
        if not self._verify(name, stored, password) or row is None:
            return None
        return Account(row.name, row.role, row.policy, row.root, row.quota, row.used)

    def put(
        self,
        name: str,
        password: str | None = None,
        policy: str | None = None,
        quota: int | None = KEEP,
        role: str = _USER,
    ) -> bool:
        """Make the account ``name``, or change what is given of it, and tell whether it is new.

        :param quota: bytes; None for no limit, :data:`KEEP` for what it was.

        :raises Invalid: a new account without password or policy, or a policy that is no module.
        """
        given = {"password": password and self._hash(password), "policy": policy}
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if quota != KEEP:
            values["quota"] = quota
        with writing(self._engine) as connection:
            if policy is not None and not connection.scalar(
                select(vendor_modules.c.name).where(vendor_modules.c.name == policy)
            ):
                raise Invalid(f"policy: no vendor module {policy!r}: PUT it first")
            if connection.scalar(select(accounts.c.name).where(accounts.c.name == name)):
                if values:
                    connection.execute(update(accounts).where(accounts.c.name == name).values(values))
                return False
            if missing := " and ".join(key for key in ("password", "policy") if key not in values):
                raise Invalid(f"{missing}: a new user needs it")
            root = new_container(connection, None, "", name, {}, int(time.time()))
            connection.execute(insert(accounts).values(name=name, role=role, root=root, used=0, **values))
            return True

    def names(self) -> list[str]:
        """Return the names of all accounts, in order."""
        with reading(self._engine) as connection:
            return list(connection.scalars(select(accounts.c.name).order_by(accounts.c.name)))

    def describe(self, name: str) -> dict[str, Any]:
        """Return what may be shown of the account ``name``: all but the password.

        :raises NotFound: there is none.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
        if row is None:
            raise NotFound(f"no user {name!r}")
        shown = {"name": row.name, "role": row.role, "policy": row.policy, "used": row.used}
        return shown if row.quota is None else {**shown, "quota": row.quota}

    def remove(self, name: str) -> None:
        """Remove the account ``name`` and all that it stores.

        :raises NotFound: there is none.
        :raises Forbidden: it is the administrator's.
        """
        if name == ADMINISTRATOR:
            raise Forbidden("the administrator cannot be removed")
        with writing(self._engine) as connection:
            root = connection.scalar(select(accounts.c.root).where(accounts.c.name == name))
            if root is None:
                raise NotFound(f"no user {name!r}")
            connection.execute(delete(accounts).where(accounts.c.name == name))
            discard(connection, root)
        self._known.pop(name, None)

    def _verify(self, name: str, stored: str, password: str) -> bool:
        digest = hmac.digest(self._key, password.encode(), hashlib.sha256)
        known_hash, known_digest = self._known.get(name, ("", b""))
        if known_hash == stored and hmac.compare_digest(known_digest, digest):
            return True
        try:
            with self._hashing:
                self._hasher.verify(stored, password)
        except VerificationError:
            return False
        self._known[name] = (stored, digest)
        return True

    def _hash(self, password: str) -> str:
        with self._hashing:
            return self._hasher.hash(password)
