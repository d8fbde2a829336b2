"""What an administrator says of a storage, checked at the door. Pure functions, but for the names of groups."""

import grp
import os
import re
from typing import Any, NamedTuple

from fsstore import checksum
from fsstore.durable import LEVELS

__all__ = ["Arguments", "Reserve", "check", "check_root"]

_SIZE = re.compile(r"([0-9]+) ?(|[KMGT]i?)B?")
_PERCENT = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?) ?%")
_NO_GROUP = 2**32 - 1  # what chown(2) takes for: leave it as it is
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Reserve(NamedTuple):
    """Space that is left free: a part of all, or a number of bytes."""

    part: float = 0.0
    bytes: int = 0


class Arguments(NamedTuple):
    """The checked arguments; :class:`fsstore.storage.FileStorage` says what they mean."""

    root: str
    durability: str
    reserve: Reserve
    checksum: str
    read_only: bool
    file_mode: int
    directory_mode: int
    group: int


def check(
    root: Any,
    durability: Any,
    reserve: Any,
    algorithm: Any,
    read_only: Any,
    file_mode: Any,
    directory_mode: Any,
    group: Any,
) -> Arguments:
    """Return the arguments as they are meant.

    :raises ValueError: one of them cannot be; the text names it.
    """
    return Arguments(
        check_root(root),
        _one_of("durability", durability, LEVELS),
        _reserve(reserve),
        _algorithm(algorithm),
        _truth("read_only", read_only),
        _file_mode(file_mode),
        _directory_mode(directory_mode),
        _group(group),
    )


def check_root(value: Any) -> str:
    """Return the path of a root.

    :raises ValueError: it cannot be one.
    """
    if not isinstance(value, str) or not os.path.isabs(value) or "\0" in value:
        raise ValueError(f"root: {value!r} is not the absolute path of a directory")
    return value


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(known)}")
    return value


def _algorithm(value: Any) -> str:
    name = _one_of("checksum", value, (*checksum.ALGORITHMS, checksum.NONE))
    if name != checksum.NONE and checksum.sum_of(name) is None:
        raise ValueError(f"checksum: {name} needs the package xxhash: install the extra xxhash, or take crc32")
    return name


def _reserve(value: Any) -> Reserve:
    if type(value) is int and value >= 0:
        return Reserve(bytes=value)
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        return Reserve(part=float(match[1]) / 100)
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        return Reserve(bytes=int(match[1]) * _UNITS[match[2]])
    raise ValueError(f'reserve: {value!r} is no number of bytes such as 1000000 or "10 GiB", and no part such as "1%"')


def _truth(name: str, value: Any) -> bool:
    known = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, (bool, str)) or value not in known:
        raise ValueError(f"{name}: {value!r} is neither true nor false")
    return known[value]


def _mode(name: str, value: Any) -> int:
    """Modes are given as text, as chmod has them: a JSON number would be taken for decimal digits."""
    if not isinstance(value, str) or not re.fullmatch("[0-7]{3,4}", value):
        raise ValueError(f'{name}: {value!r} is no mode in three or four octal digits, such as "0440"')
    return int(value, 8)


def _file_mode(value: Any) -> int:
    mode = _mode("file_mode", value)
    if mode & ~0o555 or not mode & 0o400:
        raise ValueError(f"file_mode: {value!r}: objects are readable by their owner and writable by nobody")
    return mode


def _directory_mode(value: Any) -> int:
    mode = _mode("directory_mode", value)
    if mode & 0o700 != 0o700:
        raise ValueError(f"directory_mode: {value!r}: the owner needs all rights: 0700 at least")
    return mode


def _group(value: Any) -> int:
    if value is None:
        return -1
    if type(value) is int and 0 <= value < _NO_GROUP:
        return value
    try:
        return grp.getgrnam(value).gr_gid
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"group: {value!r} is no group of this system") from None
