"""The marker in a root: a small file that tells that it is one, of which format, and which of all.

Without it an empty directory below an unmounted disk looks like a storage from which all is gone.
docs/formats/root.md has the format.
"""

import errno
import json
import os
import re
import uuid
from typing import NamedTuple

from fsstore import layout
from fsstore.durable import Directory, Durability, open_object, require_file
from fsstore.newfile import NewFile, Style

__all__ = ["FORMAT", "NAME", "Marker", "make", "read"]

NAME = "fsstore.json"
#: The newest format of a root that this code knows. The first had no marker.
FORMAT = 2

_LIMIT = 4096  # bytes of a marker
_IDENTITY = re.compile("[0-9a-f]{32}")
#: What a root may hold when its marker is made: objects of the first format, and what mkfs leaves.
_HARMLESS = re.compile("[0-9a-f]{2}|lost\\+found")


class Marker(NamedTuple):
    """What a root says of itself."""

    format: int
    identity: str
    layout: int


def make(path: str, root: Directory) -> None:
    """Make the directory ``path``, which is open, a root, durably, unless it is one.

    :raises OSError: it holds something else already, or cannot be written to.
    """
    if NAME in (names := os.listdir(root.descriptor)):
        return
    if strange := [name for name in names if not _HARMLESS.fullmatch(name)]:
        text = f"{path}: holds {sorted(strange)[0]!r} and no {NAME}: name an empty directory"
        raise OSError(errno.ENOTEMPTY, text)
    described = {"format": FORMAT, "identity": uuid.uuid4().hex, "layout": layout.LAYOUT}
    with NewFile(lambda: root, Style(Durability("full"))) as file:
        file.write(json.dumps(described).encode() + b"\n")
        file.publish(NAME)


def read(path: str, root: Directory) -> tuple[Marker, os.stat_result]:
    """Return the marker of the root ``path``, which is open, and the status of its file.

    :raises OSError: there is none, or one of a newer format.
    """
    try:
        descriptor = open_object(root.descriptor, NAME)
    except FileNotFoundError:
        raise OSError(
            errno.ENODEV,
            f"{path}: no storage is there: mount its disk; only if it is new: python -m fsstore init {path}",
        ) from None
    try:
        status = require_file(os.fstat(descriptor), NAME)
        return _parse(path, os.read(descriptor, _LIMIT)), status
    finally:
        os.close(descriptor)


def _parse(path: str, text: bytes) -> Marker:
    try:
        fields = json.loads(text)
        marker = Marker(fields["format"], fields["identity"], fields["layout"])
        is_ours = type(marker.format) is type(marker.layout) is int and _IDENTITY.fullmatch(marker.identity)
    except (ValueError, TypeError, KeyError, RecursionError):
        is_ours = None
    if not is_ours:
        raise OSError(errno.EIO, f"{path}/{NAME}: not the marker of a storage: bring it back from a backup")
    if marker.format > FORMAT or marker.layout > layout.LAYOUT:
        raise OSError(errno.ENOTSUP, f"{path}: of format {marker.format}: this version knows {FORMAT}: update it")
    return marker
