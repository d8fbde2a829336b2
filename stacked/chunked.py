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
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from modules import ReadStream, Source
from stacked.streams import SeekableStream, read_full

__all__ = ["CHUNK", "HEADER", "SEALED", "ObjectKey", "PlainStream", "encrypted", "plain_size", "sealed_size"]

#: Bytes of a chunk, and of a chunk that is encrypted; of what comes before the first one.
CHUNK = 16 * 1024
_TAG = 16
SEALED = CHUNK + _TAG
_SALT, _COMMITMENT = 24, 32
HEADER = _SALT + _COMMITMENT
_MOST = 2**38  # chunks

_INFO = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
_KEY, _NONCE = 32, 12  # bytes
#: Chunks that are encrypted at once: what comes out has less than 1 MiB, which modules like to read.
_WRITTEN = 63
#: Chunks that are decrypted at once where an object is read from chunk to chunk.
_AHEAD = 64


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

    __slots__ = ("_context", "_secret")

    def __init__(self, secret: bytes, context: bytes) -> None:
        self._secret = secret
        self._context = context

    def encryptor(self) -> Cobblestone256Encryptor:
        """Return what encrypts the data of the object, once: each has a salt of its own."""
        return Cobblestone256Encryptor(self._secret, self._context)

    def derive(self, salt: bytes) -> _Derived:
        """Return what the data with that salt is encrypted with."""
        expand = HKDFExpand(SHA512(), _KEY + _NONCE + _COMMITMENT, _INFO + salt + self._context)
        made = expand.derive(self._secret)
        nonce = int.from_bytes(made[_KEY : _KEY + _NONCE], "big")
        return _Derived(AESGCM(made[:_KEY]), nonce, made[_KEY + _NONCE :])


def encrypted(source: Source, encryptor: Cobblestone256Encryptor) -> Iterator[bytes]:
    """Return what ``source`` gives, encrypted, in blocks of about 1 MiB."""
    size = _WRITTEN * CHUNK
    while len(block := read_full(source, size)) == size:
        yield encryptor.update(block)
    yield encryptor.update(block) + encryptor.finalize()


class PlainStream(SeekableStream):
    """A stream over the data of an encrypted object. No byte leaves it that was not verified in its place.

    The end is verified when it is made: what is truncated is never read as a shorter object.

    :param sealed: the encrypted object, which the stream closes at its end; not if this raises.
    :param name: what errors call the object.
    :raises OSError: with ``errno.EIO``, it is not of that key, or truncated, or changed at its end.
    """

    def __init__(self, sealed: ReadStream, key: ObjectKey, name: str) -> None:
        self._name = name
        self._sealed = sealed
        self._sealed_place = total = sealed.seek(0, 2)
        super().__init__(plain_size(total))
        self._last = self._size // CHUNK
        self._buffer = memoryview(bytearray())
        self._start = self._end = 0  # of what is in the buffer
        self._ahead = 0  # chunks
        at = HEADER + self._last * SEALED
        if self._last == 0:
            header, sealed_tail = self._fetched(0, total, split=HEADER)
        else:
            header = self._fetched(0, HEADER)[0]
            sealed_tail = self._fetched(at, total - at)[0]
        self._derived = key.derive(header[:_SALT])
        if not hmac.compare_digest(self._derived.commitment, header[_SALT:]):
            raise self._error("it was not encrypted with this key as this object")
        self._tail = memoryview(bytearray(max(0, len(sealed_tail) - _TAG)))
        if not self._is_opened(self._last, memoryview(sealed_tail), self._tail):
            raise self._error(f"chunk {self._last}, the last one, is not what was stored")

    def _read_at(self, place: int, size: int) -> bytes:
        number, offset = divmod(place, CHUNK)
        if number == self._last:
            return bytes(self._tail[offset : offset + size])
        if not self._start <= place < self._end:
            self._fill(number, -(-(place + size) // CHUNK) - number)
        offset = place - self._start
        return bytes(self._buffer[offset : min(offset + size, self._end - self._start)])

    def _release(self) -> None:
        self._buffer = self._tail = memoryview(b"")
        self._sealed.close()

    def _fill(self, first: int, wanted: int) -> None:
        """Decrypt chunks from ``first`` on: those that are wanted, and more if the object is read on and on."""
        is_next = self._end and first * CHUNK == self._end
        self._ahead = min(self._ahead * 2, _AHEAD) if is_next else wanted
        count = min(max(wanted, self._ahead), _AHEAD, self._last - first)
        self._ahead = max(self._ahead, count)
        sealed = memoryview(self._fetched(HEADER + first * SEALED, count * SEALED)[0])
        if len(self._buffer) < count * CHUNK:
            self._buffer = memoryview(bytearray(count * CHUNK))
        self._start = self._end = first * CHUNK
        for number in range(count):
            piece = sealed[number * SEALED : (number + 1) * SEALED]
            if not self._is_opened(first + number, piece, self._buffer[number * CHUNK : (number + 1) * CHUNK]):
                break  # what is good before it may be read; it is an error once it is its turn
            self._end += CHUNK
        if self._end == self._start:
            raise self._error(f"chunk {first} is not what was stored")

    def _is_opened(self, number: int, sealed: memoryview, buffer: memoryview) -> bool:
        """Decrypt a chunk into ``buffer``, and tell whether it is what was encrypted there."""
        nonce = (self._derived.nonce ^ number).to_bytes(_NONCE, "big")
        try:
            self._derived.cipher.decrypt_into(nonce, sealed, None, buffer)
        except InvalidTag:
            return False
        return True

    def _fetched(self, place: int, size: int, split: int = 0) -> tuple[bytes, bytes]:
        """Return ``size`` bytes of the encrypted object, in two parts."""
        if place != self._sealed_place:
            self._sealed_place = self._sealed.seek(place)
        data = read_full(self._sealed, size)
        self._sealed_place += len(data)
        if len(data) != size:
            raise self._error("it is shorter than it was")
        return (data[:split], data[split:]) if split else (data, b"")

    def _error(self, reason: str) -> OSError:
        return OSError(errno.EIO, f"corrupt: {self._name}: {reason}")
