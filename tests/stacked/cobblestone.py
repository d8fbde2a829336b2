"""Encryption a second time, in one shot and by other means than ``stacked``: for tests to hold one against the other.

What it follows: c2sp.org/chunked-encryption; RFC 5297 for the keys of objects; docs/formats/encryption.md.
"""

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = ["seal", "unseal", "unwrap", "wrap"]

_LABEL = b"storage-modules/encryption@v1"


def seal(key: bytes, context: bytes, salt: bytes, message: bytes) -> bytes:
    """Return the encrypted message."""
    cipher, base, commitment = _derived(key, context, salt)
    sealed = salt + commitment
    for number in range(len(message) // 16384 + 1):
        sealed += cipher.encrypt(_nonce(base, number), message[number * 16384 : number * 16384 + 16384], b"")
    return sealed


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Return the message, whole or not at all."""
    cipher, base, commitment = _derived(key, context, sealed[:24])
    assert sealed[24:56] == commitment
    chunks = [sealed[at : at + 16400] for at in range(56, len(sealed), 16400)]
    parts = [cipher.decrypt(_nonce(base, number), chunk, b"") for number, chunk in enumerate(chunks)]
    assert [len(part) == 16384 for part in parts] == [True] * (len(parts) - 1) + [False]
    return b"".join(parts)


def wrap(ring_key: bytes, key_id: str, inner: str, key: bytes) -> bytes:
    """Return the key of an object as a key of a keyring wraps it: AES-SIV, by AES-CMAC and AES-CTR."""
    made = HKDFExpand(SHA512(), 64, _LABEL + b" wrap").derive(ring_key)
    tag = _tag(made[:32], [_LABEL, key_id.encode(), inner.encode()], key)
    return tag + _counted(made[32:], tag, key)


def unwrap(ring_key: bytes, key_id: str, inner: str, wrapped: bytes) -> bytes:
    """Return the key of an object."""
    made = HKDFExpand(SHA512(), 64, _LABEL + b" wrap").derive(ring_key)
    key = _counted(made[32:], wrapped[:16], wrapped[16:])
    assert _tag(made[:32], [_LABEL, key_id.encode(), inner.encode()], key) == wrapped[:16]
    return key


def _derived(key: bytes, context: bytes, salt: bytes) -> tuple[AESGCM, bytes, bytes]:
    info = b"c2sp.org/chunked-encryption@v1+" + b"AEAD_AES_256_GCM" + b"\x00" + salt + context
    made = HKDFExpand(SHA512(), 76, info).derive(key)
    return AESGCM(made[:32]), made[32:44], made[44:]


def _nonce(base: bytes, number: int) -> bytes:
    return _xor(base, number.to_bytes(12, "big"))


def _tag(key: bytes, parts: list[bytes], plain: bytes) -> bytes:
    total = _mac(key, bytes(16))
    for part in parts:
        total = _xor(_doubled(total), _mac(key, part))
    return _mac(key, plain[:-16] + _xor(plain[-16:], total))


def _counted(key: bytes, tag: bytes, data: bytes) -> bytes:
    counter = bytes(byte & 0x7F if place in (8, 12) else byte for place, byte in enumerate(tag))
    encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _mac(key: bytes, data: bytes) -> bytes:
    mac = cmac.CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _doubled(block: bytes) -> bytes:
    number = int.from_bytes(block, "big") << 1
    return ((number ^ 0x87) & (2**128 - 1) if number >> 128 else number).to_bytes(16, "big")
