"""Where an object lies: pure functions between an identity and a path below the root.

An object's path is ``SHARD/IDENTITY``: the identity is 32 hexadecimal digits, the shard its first
two. So there are 256 shard directories; docs/decisions/004-fsstore.md says why so many.
"""

import re
import uuid

__all__ = ["new_path", "split_path"]

_PATH = re.compile("([0-9a-f]{2})/(\\1[0-9a-f]{30})")


def new_path() -> str:
    """Return a path that no object has had: it holds 122 random bits (RFC 9562, section 5.4)."""
    identity = uuid.uuid4().hex
    return f"{identity[:2]}/{identity}"


def split_path(path: str) -> tuple[str, str]:
    """Return the shard and the file name of ``path``.

    :raises ValueError: ``path`` is none that :func:`new_path` can have returned.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("not a path of this layout")
    return match[1], match[2]
