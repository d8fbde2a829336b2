"""Encryption a second time, in one shot and by other means than ``stacked``: for tests to hold one against the other.

What it follows: c2sp.org/chunked-encryption; RFC 5297 for the keys of objects; docs/formats/encryption.md.
"""

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = ["seal", "wrap"]

_LABEL = b"storage-modules/encryption@v1"


def seal(key: bytes, context: bytes, salt: bytes, message: bytes) -> bytes:
    """Return the encrypted message."""
    info = b"c2sp.org/chunked-encryption@v1+" + b"AEAD_AES_256_GCM" + b"\x00" + salt + context
    made = HKDFExpand(SHA512(), 76, info).derive(key)
    cipher, base, commitment = AESGCM(made[:32]), made[32:44], made[44:]
    sealed = salt + commitment
    for number in range(len(message) // 16384 + 1):
        nonce = bytes(a ^ b for a, b in zip(base, number.to_bytes(12, "big"), strict=True))
        sealed += cipher.encrypt(nonce, message[number * 16384 : number * 16384 + 16384], b"")
    return sealed


def wrap(ring_key: bytes, key_id: str, inner: str, key: bytes) -> bytes:
    """Return the key of an object as a key of a keyring wraps it: AES-SIV, by AES-CMAC and AES-CTR."""
    made = HKDFExpand(SHA512(), 64, _LABEL + b" wrap").derive(ring_key)
    total = _mac(made[:32], bytes(16))
    for part in (_LABEL, key_id.encode(), inner.encode()):
        total = _xor(_doubled(total), _mac(made[:32], part))
    tag = _mac(made[:32], key[:-16] + _xor(key[-16:], total))
    counter = bytes(byte & 0x7F if place in (8, 12) else byte for place, byte in enumerate(tag))
    encryptor = Cipher(algorithms.AES(made[32:]), modes.CTR(counter)).encryptor()
    return tag + encryptor.update(key) + encryptor.finalize()


def _mac(key: bytes, data: bytes) -> bytes:
    mac = cmac.CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _doubled(block: bytes) -> bytes:
    number = int.from_bytes(block, "big") << 1
    return ((number ^ 0x87) & (2**128 - 1) if number >> 128 else number).to_bytes(16, "big")
