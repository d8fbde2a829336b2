"""Where objects are put that are not what was stored: out of service, and not away.

In the directory ``quarantine`` of the root each has a file ``ENTRY``, the object as it was found, and
one ``ENTRY.json`` that says where it was and why it is here. docs/formats/quarantine.md has the format.
"""

import json
import os
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from fsstore import layout, sidecar
from fsstore.durable import Directory, open_object, stat_object
from fsstore.newfile import NewFile, Style
from fsstore.root import Root

__all__ = ["NAME", "Entry", "entries", "is_description", "put", "read", "restore"]

NAME = "quarantine"

_LIMIT = 8192  # bytes of a description
_DESCRIPTION = re.compile("([0-9a-f]{32}-[0-9a-f]{8})\\.json")


class Entry(NamedTuple):
    """An object in quarantine."""

    name: str
    path: str  # below the root
    reason: str
    time: str  # ISO 8601, UTC


def put(root: Root, style: Style, shard: str, name: str, descriptor: int, reason: str) -> str | None:
    """Move the object ``name``, whose file is open, into quarantine, durably.

    :returns: the name of the entry, or None: another object has that name by now, and stays.
    :raises OSError: it cannot be moved.
    """
    root.forget(NAME)  # it is used seldom, so look whether it is still there
    source, target = root.shard(shard), root.make_shard(NAME)
    status = os.fstat(descriptor)
    if not os.path.samestat(status, stat_object(source.descriptor, name)):
        return None
    entry = f"{name}-{secrets.token_hex(4)}"
    described = Entry(entry, f"{shard}/{name}", reason, datetime.now(UTC).isoformat(timespec="seconds"))
    with NewFile(lambda: target, style._replace(algorithm="")) as file:
        file.write(json.dumps(described._asdict()).encode() + b"\n")
        file.publish(f"{entry}.json")
    try:
        os.rename(name, entry, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)
    except BaseException:
        os.unlink(f"{entry}.json", dir_fd=target.descriptor)
        raise
    moved = os.stat(entry, dir_fd=target.descriptor, follow_symlinks=False)
    if not os.path.samestat(status, moved):  # it was replaced at this very moment
        _move(target, entry, source, name)
        os.unlink(f"{entry}.json", dir_fd=target.descriptor)
        return None
    with suppress(FileNotFoundError):
        beside = sidecar.name_of(name, status)
        os.rename(beside, f"{entry}.sum", src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)
    style.durability.sync_directory(target)
    style.durability.sync_directory(source)
    return entry


def entries(root: Root) -> list[Entry]:
    """Return what is in quarantine, by name. What somebody else put there is passed over: the survey reports it."""
    try:
        directory = root.shard(NAME)
    except FileNotFoundError:
        return []
    found = []
    for name in sorted(filter(is_description, os.listdir(directory.descriptor))):
        with suppress(ValueError, OSError):
            found.append(read(directory, name))
    return found


def is_description(name: str) -> bool:
    """Tell whether ``name`` is that of an entry's description."""
    return _DESCRIPTION.fullmatch(name) is not None


def restore(root: Root, style: Style, name: str) -> Entry:
    """Put the entry ``name`` back where it was.

    :raises FileNotFoundError: there is no such entry.
    :raises FileExistsError: the object has been stored anew.
    """
    if not is_description(f"{name}.json"):
        raise FileNotFoundError(f"{name}: no entry of the quarantine")
    try:
        directory = root.shard(NAME)
        entry = read(directory, f"{name}.json")
    except FileNotFoundError:
        raise FileNotFoundError(f"{name}: no entry of the quarantine") from None
    shard, _, identity = entry.path.rpartition("/")
    target = root.make_shard(shard)
    status = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
    beside = sidecar.name_of(identity, status)
    with suppress(FileNotFoundError):
        _move(directory, f"{name}.sum", target, beside)  # first, so that the object is never seen without
    try:
        _move(directory, name, target, identity)
    except BaseException:
        with suppress(FileNotFoundError):
            _move(target, beside, directory, f"{name}.sum")
        raise
    style.durability.sync_directory(target)
    style.durability.remove(directory, f"{name}.json")
    return entry


def _move(source: Directory, name: str, target: Directory, new: str) -> None:
    """Move a file to where there must be none; a rename would replace it."""
    try:
        os.link(name, new, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor, follow_symlinks=False)
    except OSError as error:
        if isinstance(error, (FileExistsError, FileNotFoundError)) or _exists(target, new):
            raise
        os.rename(name, new, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)  # no links here
    else:
        os.unlink(name, dir_fd=source.descriptor)


def _exists(directory: Directory, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def read(directory: Directory, name: str) -> Entry:
    """Read the description ``name``; it may be anybody's, so the path is taken apart as one of ours.

    :raises ValueError: it is none.
    """
    descriptor = open_object(directory.descriptor, name)
    try:
        fields = json.loads(os.read(descriptor, _LIMIT))
        entry = Entry(*(str(fields[key]) for key in Entry._fields))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{NAME}/{name}: not a description of an entry") from error
    finally:
        os.close(descriptor)
    layout.split_path(1 if len(entry.path) == 35 else 2, entry.path)
    return entry
