"""Keyrings: the keys that protect the keys of objects, in a file or an environment variable.

It needs the standard library alone, so that ``vsm key`` runs where nothing is encrypted. docs/formats/encryption.md
has the format. Nothing here puts key material into an error, a ``repr``, or a variable of a function that raises.
"""

import base64
import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["ID", "KEY_SIZE", "Key", "Keyring", "Ring", "dump", "open_safely", "parse", "read_file"]

#: Bytes of key material.
KEY_SIZE = 32
#: What the id of a key looks like.
ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")

_VERSION = 1
_ACTIVE, _RETIRED = "active", "retired"
_FRESH = 1.0  # seconds for which a keyring is believed; then it is looked whether it has changed
_LARGEST = 1024 * 1024  # bytes of a keyring, and 6,000 keys
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_WANTED = "the absolute path of a file that vsm key new has made, or env:NAME of an environment variable"


class Key:
    """A key of a keyring. Its ``repr`` does not show what is secret.

    :param created: when it was made, in UTC, as ``2026-01-31T12:00:00Z``.
    """

    __slots__ = ("created", "id", "is_retired", "material")

    def __init__(self, identity: str, created: str, material: bytes, *, is_retired: bool = False) -> None:
        self.id = identity
        self.created = created
        self.is_retired = is_retired
        #: The secret.
        self.material = material

    def __repr__(self) -> str:
        return f"<Key {self.id}>"

    @property
    def state(self) -> str:
        """``active`` or ``retired``."""
        return _RETIRED if self.is_retired else _ACTIVE


class Ring(NamedTuple):
    """The keys of a keyring, the oldest first."""

    keys: tuple[Key, ...]

    @property
    def newest(self) -> Key | None:
        """The key for new objects: the last one that is not retired."""
        return next((key for key in reversed(self.keys) if not key.is_retired), None)

    def find(self, identity: str) -> Key | None:
        """Return the key of that id, retired or not."""
        return next((key for key in self.keys if key.id == identity), None)


def dump(keys: Iterable[Key]) -> bytes:
    """Return the text of a keyring: all that is secret, too."""
    made = [
        {"id": key.id, "created": key.created, "state": key.state, "key": base64.b64encode(key.material).decode()}
        for key in keys
    ]
    return json.dumps({"version": _VERSION, "keys": made}, indent=1).encode() + b"\n"


def parse(text: bytes | str) -> Ring | str:
    """Return the keyring whose text that is, or in one line why it is none, without a part of it.

    It does not raise, since a traceback may show the variables of its functions.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(value, dict) or value.keys() != {"version", "keys"}:
        return "it is no JSON object of version and keys"
    if type(value["version"]) is not int or value["version"] != _VERSION:
        return f"it is of another version than {_VERSION}"
    if not isinstance(value["keys"], list) or not value["keys"]:
        return "it has no keys"
    keys = []
    for number, item in enumerate(value["keys"], 1):
        key = _key(item)
        if key is None:
            return f"key {number} is not an id, created, state and key of {KEY_SIZE} bytes in Base64"
        keys.append(key)
    if len({key.id for key in keys}) < len(keys):
        return "two keys have one id"
    return Ring(tuple(keys))


def _key(item: Any) -> Key | None:
    if not isinstance(item, dict) or item.keys() != {"id", "created", "state", "key"}:
        return None
    if not all(isinstance(value, str) for value in item.values()) or item["state"] not in (_ACTIVE, _RETIRED):
        return None
    if not ID.fullmatch(item["id"]) or not _CREATED.fullmatch(item["created"]):
        return None
    try:
        material = base64.b64decode(item["key"], validate=True)
    except ValueError:
        return None
    if len(material) != KEY_SIZE:
        return None
    return Key(item["id"], item["created"], material, is_retired=item["state"] == _RETIRED)


def open_safely(path: str, *, is_any_owner: bool = False) -> int:
    """Return a descriptor of the keyring at ``path``, if nobody else can read or write it.

    :param is_any_owner: whether it may belong to another user: for root, who changes that user's.
    :raises OSError: it cannot be opened; with ``errno.EACCES``, it is no file, not of this user or root, or has
        another mode than 0600 or less.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        wrong = "it is no file"
    elif status.st_uid not in (os.geteuid(), 0) and not is_any_owner:
        wrong = f"it belongs to user {status.st_uid}, and neither to this one nor to root"
    elif status.st_mode & 0o7177:
        wrong = f"its mode is {stat.S_IMODE(status.st_mode):04o}: others must not reach it: chmod 600"
    elif status.st_size > _LARGEST:
        wrong = f"it has {status.st_size} bytes: that is no keyring"
    else:
        return descriptor
    os.close(descriptor)
    raise PermissionError(errno.EACCES, wrong)


def read_file(descriptor: int) -> Ring | str:
    """Return the keyring in an open file, as :func:`parse` does."""
    with open(descriptor, "rb", closefd=False) as file:
        return parse(file.read(_LARGEST + 1))


class _Kept(NamedTuple):
    """A keyring as it was read; ``seal`` changes when it does."""

    until: float
    seal: object
    ring: Ring


class Keyring:
    """A keyring as a module uses it for months: it is read again when it has changed.

    All threads may use it, and it holds nothing that a fork breaks.

    :param value: the argument ``keyring``: the absolute path of a file, or ``env:NAME``.
    :raises ValueError: it is neither, or no keyring is there.
    """

    def __init__(self, value: object) -> None:
        variable = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
        if not isinstance(value, str) or not (variable or (os.path.isabs(value) and "\0" not in value)):
            raise ValueError(f"keyring: give {_WANTED}")  # without the value: it may be a key
        self._path = value
        self._variable = variable and variable[1]
        self._kept: _Kept | None = None
        try:
            self.ring()
        except OSError as error:
            raise ValueError(error.strerror) from None

    def newest(self) -> Key:
        """Return the key for new objects.

        :raises OSError: with ``errno.ENOKEY``, there is none, or the keyring cannot be read.
        """
        newest = self.ring().newest
        if newest is None:
            raise self._error("all its keys are retired: vsm key new makes one")
        return newest

    def find(self, identity: str) -> Key:
        """Return the key of that id.

        :raises OSError: with ``errno.ENOKEY``, there is none, or the keyring cannot be read.
        """
        found = self.ring().find(identity) or self.ring(is_now=True).find(identity)
        if found is None:
            raise self._error(f"it has no key {identity}")
        return found

    def ring(self, *, is_now: bool = False) -> Ring:
        """Return the keyring as it was a second ago at the latest.

        :param is_now: whether to look even if it was looked just now.
        :raises OSError: with ``errno.ENOKEY``, it cannot be read.
        """
        kept, now = self._kept, time.monotonic()
        if kept is None or is_now or now >= kept.until:
            kept = self._looked(kept, now)
            self._kept = kept
        return kept.ring

    def _looked(self, kept: _Kept | None, now: float) -> _Kept:
        if self._variable is not None:
            return _Kept(now + _FRESH, None, self._good(self._in_environment(self._variable)))
        try:
            descriptor = open_safely(self._path)
        except OSError as error:
            reason = error.strerror
        else:
            try:
                seal = _seal(os.fstat(descriptor))
                ring = kept.ring if kept is not None and kept.seal == seal else self._good(read_file(descriptor))
                return _Kept(now + _FRESH, seal, ring)
            finally:
                os.close(descriptor)
        raise self._error(reason or "it cannot be opened")

    def _in_environment(self, variable: str) -> Ring | str:
        return parse(os.environ[variable]) if variable in os.environ else "there is no such environment variable"

    def _good(self, found: Ring | str) -> Ring:
        if isinstance(found, str):
            raise self._error(found)
        return found

    def _error(self, reason: str) -> OSError:
        return OSError(errno.ENOKEY, f"keyring: {self._path}: {reason}")


def _seal(status: os.stat_result) -> object:
    """Return what differs once a file was changed or replaced."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
