"""Cobblestone-256: chunks of 16 KiB under AES-256-GCM, each in its place, and an end that cannot be moved.

It is c2sp.org/chunked-encryption with SHA-512 and AES-256-GCM, as docs/formats/encryption.md tells. The library
encrypts. It has no way to read a part, so what decrypts is here.
"""

import errno
import hmac
from collections.abc import Iterator
from typing import NamedTuple

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from modules import ReadStream, Source
from stacked.streams import SeekableStream, read_full

__all__ = [
    "CHUNK",
    "HEADER",
    "SEALED",
    "ObjectKey",
    "PlainStream",
    "encrypted",
    "expanded",
    "plain_size",
    "sealed_size",
]

#: Bytes of a chunk, and of a chunk that is encrypted; of what comes before the first one.
CHUNK = 16 * 1024
_TAG = 16
SEALED = CHUNK + _TAG
_SALT, _COMMITMENT = 24, 32
HEADER = _SALT + _COMMITMENT
_MOST = 2**38  # chunks

_INFO = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
_KEY, _NONCE, _HASH = 32, 12, 64  # bytes
#: Chunks that are encrypted at once: of blocks of 1 MiB the C library would give back each one to the kernel.
_WRITTEN = 31
#: Chunks that are decrypted at once where an object is read from chunk to chunk.
_AHEAD = 31


def sealed_size(size: int) -> int:
    """Return how many bytes an object of ``size`` bytes has when it is encrypted."""
    return HEADER + size + _TAG * (size // CHUNK + 1)


def plain_size(size: int) -> int:
    """Return of how many bytes the encrypted object of ``size`` bytes is.

    :raises OSError: with ``errno.EIO``, of none: it is truncated, or something else.
    """
    chunks, rest = divmod(size - HEADER, SEALED)
    if size < HEADER or rest < _TAG or chunks >= _MOST:
        raise OSError(errno.EIO, f"no encrypted object has {size} bytes: it is truncated, or no such object")
    return chunks * CHUNK + rest - _TAG


class _Derived(NamedTuple):
    """What encrypts one object: keys of its own, and what commits it to them."""

    cipher: AESGCM
    nonce: int
    commitment: bytes


class ObjectKey:
    """The key of an object, for that object alone. Its ``repr`` does not show it.

    :param secret: 32 bytes that are wholly random.
    :param context: what the object is. It is a part of the keys, so that one object is not taken for another.
    """

    __slots__ = ("_context", "_latest", "_secret")

    def __init__(self, secret: bytes, context: bytes) -> None:
        self._secret = secret
        self._context = context
        self._latest: tuple[bytes, _Derived] | None = None

    def encryptor(self) -> Cobblestone256Encryptor:
        """Return what encrypts the data of the object, once: each has a salt of its own."""
        return Cobblestone256Encryptor(self._secret, self._context)

    def derive(self, salt: bytes) -> _Derived:
        """Return what the data with that salt is encrypted with."""
        latest = self._latest
        if latest is not None and latest[0] == salt:
            return latest[1]
        made = expanded(self._secret, _INFO + salt + self._context, _KEY + _NONCE + _COMMITMENT)
        nonce = int.from_bytes(made[_KEY : _KEY + _NONCE], "big")
        derived = _Derived(AESGCM(made[:_KEY]), nonce, made[_KEY + _NONCE :])
        self._latest = (salt, derived)
        return derived


def expanded(secret: bytes, info: bytes, size: int) -> bytes:
    """Return ``size`` bytes: HKDF-Expand with SHA-512, of RFC 5869, section 2.3."""
    made = block = b""
    for number in range(1, size // _HASH + 2):
        block = hmac.digest(secret, block + info + bytes([number]), "sha512")
        made += block
    return made[:size]


def encrypted(source: Source, encryptor: Cobblestone256Encryptor) -> Iterator[bytes]:
    """Return what ``source`` gives, encrypted, in blocks of 497 KiB."""
    size = _WRITTEN * CHUNK
    while len(block := read_full(source, size)) == size:
        yield encryptor.update(block)
    yield encryptor.update(block) + encryptor.finalize()


class PlainStream(SeekableStream):
    """A stream over the data of an encrypted object. No byte leaves it that was not verified in its place.

    The end is verified before anybody is told that it is there: what is truncated is never read as a shorter object.

    :param sealed: the encrypted object, which the stream closes at its end; not if this raises.
    :param name: what errors call the object.
    :raises OSError: with ``errno.EIO``, it was not encrypted with that key, or cannot be a whole object.
    """

    def __init__(self, sealed: ReadStream, key: ObjectKey, name: str) -> None:
        self._name = name
        self._sealed = sealed
        # In this order a file store below does not compare a checksum, which would tell what the tags tell.
        header = read_full(sealed, HEADER)
        self._sealed_place = self._sealed_size = sealed.seek(0, 2)
        super().__init__(plain_size(self._sealed_size))
        self._last = self._size // CHUNK
        self._is_end_verified = False
        self._buffer = memoryview(bytearray())
        self._start = self._end = 0  # of what is in the buffer
        self._ahead = 0  # chunks
        self._derived = key.derive(header[:_SALT])
        if not hmac.compare_digest(self._derived.commitment, header[_SALT:]):
            raise self._error("it was not encrypted with this key as this object")

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data and size != 0:
            self._verify_end()
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        place = super().seek(offset, whence)
        if whence == 2:
            self._verify_end()
        return place

    def _read_at(self, place: int, size: int) -> bytes:
        if not self._start <= place < self._end:
            first = place // CHUNK
            self._fill(first, (place + size - 1) // CHUNK + 1 - first)
        offset = place - self._start
        return bytes(self._buffer[offset : min(offset + size, self._end - self._start)])

    def _release(self) -> None:
        self._buffer = memoryview(b"")
        self._sealed.close()

    def _verify_end(self) -> None:
        if not self._is_end_verified:
            self._fill(self._last, 1)

    def _fill(self, first: int, wanted: int) -> None:
        """Decrypt chunks from ``first`` on: those that are wanted, and more if the object is read on and on."""
        if first and first * CHUNK == self._end:
            wanted = max(wanted, self._ahead * 2)
        self._ahead = count = min(wanted, _AHEAD, self._last + 1 - first)
        place = HEADER + first * SEALED
        self._open(first, memoryview(self._fetched(place, min(count * SEALED, self._sealed_size - place))))

    def _open(self, first: int, sealed: memoryview) -> None:
        """Decrypt the chunks ``sealed``, of which ``first`` is the first one, into the buffer."""
        count = -(-len(sealed) // SEALED)
        size = len(sealed) - count * _TAG
        if len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        self._start = self._end = first * CHUNK
        buffer, nonce, decrypt_into = self._buffer[:size], self._derived.nonce, self._derived.cipher.decrypt_into
        number, end = first, self._start
        try:
            for start in range(0, len(sealed), SEALED):
                plain = buffer[end - self._start : end - self._start + CHUNK]
                its_nonce = (nonce ^ number).to_bytes(_NONCE, "big")
                end += decrypt_into(its_nonce, sealed[start : start + SEALED], None, plain)
                number += 1
        except InvalidTag:
            pass  # what is good before it may be read; it is an error once it is its turn
        self._end = end
        if number == first:
            raise self._error(f"chunk {first} is not what was stored")
        self._is_end_verified |= number > self._last

    def _fetched(self, place: int, size: int) -> bytes:
        """Return ``size`` bytes of the encrypted object."""
        if place != self._sealed_place:
            self._sealed.seek(place)
        self._sealed_place = -1  # unknown, if this raises
        data = read_full(self._sealed, size)
        if len(data) != size:
            raise self._error("it is shorter than it was")
        self._sealed_place = place + size
        return data

    def _error(self, reason: str) -> OSError:
        return OSError(errno.EIO, f"corrupt: {self._name}: {reason}")
