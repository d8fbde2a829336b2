"""Where an object lies: pure functions between an identity and a path below the root.

Two layouts are known. What is new goes by the second:

1. ``SHARD/IDENTITY``: the identity is 32 hexadecimal digits, the shard its first two. The number of
   files in a shard grows with the number of objects.
2. ``UPPER/LEAF/IDENTITY``: the leaves are filled one after the other, :data:`FILES` objects in each,
   and :data:`LEAVES` leaves in each upper directory, so that no directory grows with the number of
   objects. docs/decisions/007-layout.md says what was measured.
"""

import os
import re

__all__ = ["FILES", "LAYOUT", "LEAVES", "is_identity", "is_leaf", "is_upper", "new_path", "shard_of", "split_path"]

#: The layout of what is new.
LAYOUT = 2
#: Objects in a leaf directory, more or less: processes that start anew may fill one up a little further.
FILES = 1024
#: Leaf directories in an upper one.
LEAVES = 1024

_UPPERS = 0x10000
_PATHS = {
    1: re.compile("(([0-9a-f]{2}))/(\\2[0-9a-f]{30})"),
    2: re.compile("([0-9a-f]{4}/([0-3][0-9a-f]{2}))/([0-9a-f]{32})"),
}


def new_path(slot: int) -> str:
    """Return a path that no object has had: it holds 128 random bits.

    :param slot: how many paths were made before this one, at all, more or less.
    """
    return f"{shard_of(slot)}/{os.urandom(16).hex()}"


def shard_of(slot: int) -> str:
    """Return the directory of the path of that number."""
    leaf = slot // FILES
    return f"{leaf // LEAVES % _UPPERS:04x}/{leaf % LEAVES:03x}"


def split_path(number: int, path: str) -> tuple[str, str]:
    """Return the shard and the file name of ``path`` in the layout ``number``.

    The shard is the path of the directory below the root: one name, or two with a slash between them.

    :raises ValueError: the layout is unknown, or ``path`` is none of its paths.
    """
    match = _PATHS[number].fullmatch(path) if number in _PATHS else None
    if match is None:
        raise ValueError("not a path of a known layout")
    return match[1], match[3]


def is_upper(name: str) -> bool:
    """Tell whether ``name`` is that of a directory in the root in which objects or leaves lie."""
    return re.fullmatch("[0-9a-f]{2}|[0-9a-f]{4}", name) is not None


def is_leaf(name: str) -> bool:
    """Tell whether ``name`` is that of a leaf directory of the second layout."""
    return re.fullmatch("[0-3][0-9a-f]{2}", name) is not None


def is_identity(name: str) -> bool:
    """Tell whether ``name`` is that of an object's file."""
    return re.fullmatch("[0-9a-f]{32}", name) is not None
