"""Encryption: the module below sees the size of an object, and nothing else of it."""

import base64
import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_bytes
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from modules import Context, ReadStream, Source
from stacked import record
from stacked.base import StackedModule
from stacked.chunked import ObjectKey, PlainStream, encrypted, expanded, plain_size, sealed_size
from stacked.keyring import ID, Key, Keyring, Ring
from stacked.streams import BlockSource, hint

__all__ = ["EncryptedStorage"]

#: What the keys of objects are for, wherever such a label goes into a derivation.
_LABEL = b"storage-modules/encryption@v1"
_SIZE = 32  # bytes of the key of an object
_WRAPPED = _SIZE + 16  # bytes
#: Objects whose keys are kept in memory: one that is read by many ranges is unwrapped once.
_KNOWN = 32


class _Known(NamedTuple):
    """An object whose key was unwrapped, and the keyring as it was then: a key that is taken out counts at once."""

    inner: str
    ring: Ring
    key: ObjectKey


class EncryptedStorage(StackedModule):
    """A module that encrypts what the module below keeps. docs/formats/encryption.md has what it is safe from.

    Each object has a random key. It is in ``module_data``, wrapped by the newest key of the keyring.

    :param store: the name under which the module below is configured; in Python, it may be that module.
    :param keyring: the absolute path of a keyring, or ``env:NAME``; ``vsm key new`` makes one.
    :raises ValueError: one of them is missing or wrong; or another argument is given.
    """

    layer = "encryption"
    fields = ("key", "wrapped")
    defeats = {  # noqa: RUF012
        "compression": "what is encrypted does not become smaller",
        "dedup": "what is encrypted is never twice the same",
    }

    def __init__(self, store: Any = None, keyring: Any = None, **unknown: Any) -> None:
        super().__init__(store, **unknown)
        self._keyring = Keyring(keyring)
        self._known: dict[str, _Known] = {}  # by module_data
        self._wrappers: dict[str, tuple[Key, AESSIV]] = {}  # what the keys of the keyring wrap with

    def new_data(self, context: Context) -> str:
        inner = self.below(context).new_data()
        key = self._keyring.newest()
        wrapped = self._wrapper(key).encrypt(token_bytes(_SIZE), _bound_to(key.id, inner))
        return record.encode(self.layer, inner, key=key.id, wrapped=base64.b64encode(wrapped).decode())

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        inner, _, key = self._object(context, module_data)
        length = hint(stream)
        source = BlockSource(encrypted(stream, key.encryptor()), None if length is None else sealed_size(length))
        self.below(context).assign(inner, source)
        source.require_end()

    def available(self, context: Context, module_data: str) -> bool:
        inner = self._object(context, module_data).inner  # what cannot be read is not available, nor absent
        return self.below(context).available(inner)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        inner, _, key = self._object(context, module_data)
        sealed = self.below(context).get_read_stream(inner)
        try:
            return PlainStream(sealed, key, inner)
        except BaseException:
            sealed.close()
            raise

    def delete(self, context: Context, module_data: str) -> None:
        super().delete(context, module_data)
        self._known.pop(module_data, None)

    def get_size(self, context: Context, module_data: str) -> int:
        known = self._known.get(module_data)
        inner = self.opened(module_data).inner if known is None else known.inner
        return plain_size(self.below(context).get_size(inner))

    def figures(self) -> Mapping[str, Any]:
        try:
            ring = self._keyring.ring()
        except OSError as error:
            return {"error": error.strerror}
        newest = ring.newest
        retired = sum(key.is_retired for key in ring.keys)
        return {
            "newest_key": None if newest is None else newest.id,
            "active_keys": len(ring.keys) - retired,
            "retired_keys": retired,
        }

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        """Count the objects of each key, so that it is known when one is not needed any more."""
        keys: Counter[str] = Counter()
        wrong = 0

        def inner_ones() -> Iterator[str]:
            nonlocal wrong
            for module_data in kept:
                try:
                    opened = self.opened(module_data)
                except ValueError:
                    wrong += 1
                    continue
                keys[opened.fields["key"]] += 1
                yield opened.inner

        counted = inner_ones()
        below = self.below(context).upkeep(counted)
        for _ in counted:  # those that the module below did not ask for
            pass
        return {**below, "keys": dict(keys), "wrong": below.get("wrong", 0) + wrong}

    def opened(self, module_data: str) -> record.Record:
        opened = super().opened(module_data)
        key, wrapped = opened.fields["key"], opened.fields["wrapped"]
        if not isinstance(key, str) or not ID.fullmatch(key):
            raise ValueError("module_data: key: no id of a key")
        opened.fields["wrapped"] = _bytes_of(wrapped)
        return opened

    def _object(self, context: Context, module_data: str) -> _Known:
        """Return an object and its key.

        :raises ValueError: this module never made ``module_data``.
        :raises OSError: with ``errno.ENOKEY``, the keyring has not the key that wraps the object's; with
            ``errno.EIO``, that does not unwrap it.
        """
        known = self._known.get(module_data)
        if known is not None and self._keyring.ring() is known.ring:
            return known
        opened = self.opened(module_data)
        by = self._keyring.find(opened.fields["key"])
        key = _unwrapped(self._wrapper(by), opened, by)
        if key is None:
            self.below(context).available(opened.inner)  # for the error that it may raise
            reason = f"key {by.id} is not the one that wrapped its key, or that is of another object"
            raise OSError(errno.EIO, f"corrupt: {opened.inner}: {reason}")
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[module_data] = known = _Known(opened.inner, self._keyring.ring(), key)
        return known

    def _wrapper(self, key: Key) -> AESSIV:
        kept = self._wrappers.get(key.id)
        if kept is None or kept[0] is not key:
            kept = (key, AESSIV(expanded(key.material, _LABEL + b" wrap", 64)))
            self._wrappers[key.id] = kept
        return kept[1]


def _unwrapped(wrapper: AESSIV, opened: record.Record, key: Key) -> ObjectKey | None:
    """Return the key of an object, or None: it was not wrapped for that object with that key."""
    try:
        secret = wrapper.decrypt(opened.fields["wrapped"], _bound_to(key.id, opened.inner))
    except InvalidTag:
        return None
    return ObjectKey(secret, _LABEL + b"\0" + _bytes(opened.inner))


def _bound_to(identity: str, inner: str) -> list[bytes]:
    """Return what a wrapped key is bound to: the key that wraps it, and the object whose key it is."""
    return [_LABEL, identity.encode(), _bytes(inner)]


def _bytes(inner: str) -> bytes:
    return inner.encode("utf-8", "surrogatepass")


def _bytes_of(wrapped: object) -> bytes:
    """Return a wrapped key.

    :raises ValueError: it is none.
    """
    if isinstance(wrapped, str):
        try:
            found = base64.b64decode(wrapped, validate=True)
        except ValueError:
            found = b""
        if len(found) == _WRAPPED:
            return found
    raise ValueError("module_data: wrapped: no wrapped key")
