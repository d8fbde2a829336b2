"""The directories of a root, one after the other, and what may lie in each."""

import os
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from fsstore import counters, layout, marker, quarantine, sidecar
from fsstore.durable import Directory, open_directory
from fsstore.newfile import is_temporary

__all__ = ["ROOT", "Kind", "Place", "kind_of", "walk"]

#: The path of the root itself.
ROOT = "."

_OURS = {marker.NAME, counters.NAME, "lost+found"}  # the last one is the file system's
_ENTRY = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}(?:\.sum)?")


class Kind(Enum):
    """What something is by its name, and by where it lies."""

    OBJECT = auto()
    DIRECTORY = auto()  # it should be one of ours
    OURS = auto()
    TEMPORARY = auto()
    SIDECAR = auto()
    DESCRIPTION = auto()  # of an object in quarantine
    FOREIGN = auto()


class Place(NamedTuple):
    """A directory, and the names in it, in order."""

    path: str  # below the root
    directory: Directory
    names: list[str]
    done: float = 0.0  # the part of the root that lies before it, more or less
    part: float = 0.0  # the part that it is

    @property
    def is_shard(self) -> bool:
        """Whether objects lie there."""
        return len(self.path) == 2 or "/" in self.path


def walk(root: Directory, after: str = "") -> Iterator[Place]:
    """Yield the directories of a root in the order of their paths, which is also the order of strings.

    Links are not followed, and what is no directory, or was removed meanwhile, is passed over. At most
    two directories are open, and of two the names are held.

    :param after: the path of the last directory that is not wanted any more.
    """
    names = sorted(os.listdir(root.descriptor))
    if after < ROOT:
        yield Place(ROOT, root, names)
    tops = [name for name in names if layout.is_upper(name) or name == quarantine.NAME]
    part = 1 / (len(tops) or 1)
    for number, top in enumerate(tops):
        if (upper := _open(root, top)) is None:
            continue
        names = sorted(os.listdir(upper.descriptor))
        if after < top:
            yield Place(top, upper, names, number * part, part if len(top) == 2 else 0.0)
        leaves = [name for name in names if layout.is_leaf(name)] if len(top) == 4 else []
        for inner, leaf in enumerate(leaves):
            if after < (path := f"{top}/{leaf}") and (directory := _open(upper, leaf)) is not None:
                names = sorted(os.listdir(directory.descriptor))
                yield Place(path, directory, names, (number + inner / len(leaves)) * part, part / len(leaves))


def kind_of(place: Place, name: str) -> Kind:
    """Tell what the file ``name`` in ``place`` should be."""
    if is_temporary(name):
        return Kind.TEMPORARY
    if place.is_shard:
        return _in_shard(place.path, name)
    if place.path == ROOT:
        if name in _OURS:
            return Kind.OURS
        return Kind.DIRECTORY if layout.is_upper(name) or name == quarantine.NAME else Kind.FOREIGN
    if place.path == quarantine.NAME:
        if quarantine.is_description(name):
            return Kind.DESCRIPTION
        return Kind.OURS if _ENTRY.fullmatch(name) else Kind.FOREIGN
    return Kind.DIRECTORY if layout.is_leaf(name) else Kind.FOREIGN


def _in_shard(path: str, name: str) -> Kind:
    if sidecar.owner(name) is not None:
        return Kind.SIDECAR
    try:
        layout.split_path(2 if "/" in path else 1, f"{path}/{name}")
    except ValueError:
        return Kind.FOREIGN
    return Kind.OBJECT


def _open(parent: Directory, name: str) -> Directory | None:
    try:
        return open_directory(parent, name)
    except (FileNotFoundError, NotADirectoryError):
        return None
