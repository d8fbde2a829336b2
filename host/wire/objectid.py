"""CDMI object ids (SNIA CDMI 1.1.1, section 5.10). Pure functions.

Big endian: a zero byte, the enterprise number in 3 bytes, a zero byte, the length of the whole in
1 byte, a CRC-16 in 2 bytes, and up to 32 bytes of one's own; written in hexadecimal.
"""

import secrets

__all__ = ["checksum", "is_valid", "new"]

#: The example number of RFC 5612. An operator with a number of IANA's should set that.
ENTERPRISE_NUMBER = 32473
_OPAQUE = 16  # bytes of ours, all random
_HEAD = 8


def checksum(data: bytes) -> int:
    """Return the CRC-16/ARC of ``data``: polynomial 0x8005 reflected, initial and final value 0."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]


def new(enterprise_number: int = ENTERPRISE_NUMBER) -> str:
    """Return an id that nothing has had: 48 hexadecimal digits, in capitals."""
    length = _HEAD + _OPAQUE
    opaque = secrets.token_bytes(_OPAQUE)
    head = b"\0" + enterprise_number.to_bytes(3, "big") + b"\0" + length.to_bytes(1, "big")
    crc = checksum(head + b"\0\0" + opaque)
    return (head + crc.to_bytes(2, "big") + opaque).hex().upper()


def is_valid(identity: str) -> bool:
    """Tell whether ``identity`` is well formed: its digits, its length and its checksum."""
    try:
        raw = bytes.fromhex(identity)
    except ValueError:
        return False
    if len(raw) * 2 != len(identity) or not _HEAD < len(raw) <= _HEAD + 32 or raw[5] != len(raw):
        return False
    if raw[0] or raw[4]:
        return False
    return checksum(raw[:6] + b"\0\0" + raw[8:]) == int.from_bytes(raw[6:8], "big")
