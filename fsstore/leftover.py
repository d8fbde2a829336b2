"""Whatever lies in a root and is no object: is it where it belongs, or left over, or somebody else's?"""

import os
import stat

from fsstore import quarantine, sidecar
from fsstore.durable import NotAFile, stat_object
from fsstore.report import FOREIGN, LEFTOVER, YOUNG, Finding
from fsstore.walk import ROOT, Kind, Place

__all__ = ["look", "path_of"]


def look(place: Place, name: str, kind: Kind, limit: int) -> Finding | None:
    """Return what is to be said of ``name``; None: nothing.

    :param kind: what it should be.
    :param limit: what was changed later than that may be in use; nanoseconds since 1970.
    """
    try:
        status = os.stat(name, dir_fd=place.directory.descriptor, follow_symlinks=False)
        found, reason = _judge(place, name, kind, status, limit)
    except FileNotFoundError:
        return None
    if not found:
        return None
    if found == LEFTOVER and status.st_ctime_ns > limit:
        found = YOUNG
    return Finding(found, path_of(place, name), reason, status.st_ino, status.st_ctime_ns)


def path_of(place: Place, name: str) -> str:
    """Return the path of ``name`` below the root."""
    return name if place.path == ROOT else f"{place.path}/{name}"


def _judge(place: Place, name: str, kind: Kind, status: os.stat_result, limit: int) -> tuple[str, str]:
    if kind is Kind.FOREIGN:
        return FOREIGN, "nothing of this storage has such a name here"
    if kind is Kind.DIRECTORY:
        return ("", "") if stat.S_ISDIR(status.st_mode) else (FOREIGN, "not a directory")
    if not stat.S_ISREG(status.st_mode):
        return FOREIGN, "not a plain file"
    if kind is Kind.SIDECAR:
        return _sidecar(place, name, limit)
    if kind is Kind.DESCRIPTION:
        return _description(place, name)
    return LEFTOVER, "a temporary file of a writer that came to no end"


def _sidecar(place: Place, name: str, limit: int) -> tuple[str, str]:
    identity = name.partition(".")[0]
    try:
        status = stat_object(place.directory.descriptor, identity)
    except (FileNotFoundError, NotAFile):
        return LEFTOVER, "a checksum without an object"
    if sidecar.name_of(identity, status) == name:
        return "", ""
    if status.st_ctime_ns > limit:  # who has just replaced it is about to remove this
        return YOUNG, "a checksum of an object that was replaced"
    return LEFTOVER, "a checksum of an object that was replaced"


def _description(place: Place, name: str) -> tuple[str, str]:
    try:
        entry = quarantine.read(place.directory, name)
        os.stat(name.removesuffix(".json"), dir_fd=place.directory.descriptor, follow_symlinks=False)
    except ValueError:
        return FOREIGN, "not a description of an object in quarantine"
    except FileNotFoundError:
        return LEFTOVER, "a description without an object"
    return ("", "") if f"{entry.name}.json" == name else (FOREIGN, "a description of something else")
