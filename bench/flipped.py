"""Whether a get as it is measured here looks at the checksum: a figure that may or may not contain that says little."""

import errno
import os
from pathlib import Path

from bench.ours import Ours
from bench.sources import block

__all__ = ["is_noticed"]

_SIZE = 4096


def is_noticed(root: Path) -> bool:
    """Store an object in the empty directory ``root``, flip a bit of it on the disk, and get it.

    :returns: whether the get failed for that.
    """
    root.mkdir()
    storage = Ours(root)
    names = storage.names(1)
    storage.put(names, _SIZE)
    _flip(root)
    try:
        storage.get(names, _SIZE)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return True
    return False


def _flip(root: Path) -> None:
    """Flip a bit of the one file that holds the object."""
    paths = [path for path in root.rglob("*") if path.is_file() and path.stat().st_size == _SIZE]
    (path,) = [path for path in paths if path.read_bytes() == block(_SIZE)]
    path.chmod(0o600)
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, bytes([block(_SIZE)[9] ^ 1]), 9)
    os.close(descriptor)
