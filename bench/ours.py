"""The work by FileStorage, through the methods that a host calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsstore
from bench.sources import BLOCK, source
from bench.stores import RANGE, Unavailable
from modules import Context, StorageModule

__all__ = ["CONTEXT", "Ours", "make_storage"]

CONTEXT: Context = {"func": {}}


def make_storage(root: Path, **arguments: Any) -> StorageModule:
    """Return a FileStorage on the empty directory ``root``, or on one that it has made its own.

    :param arguments: of its constructor, beside ``root``.
    :raises Unavailable: it does not take them here.
    """
    if not any(root.iterdir()):
        fsstore.make_root(str(root))
    try:
        return fsstore.FileStorage(root=str(root), **arguments)
    except (ImportError, ValueError) as error:
        raise Unavailable(" ".join(str(error).split())) from error


class Ours:
    """A FileStorage."""

    def __init__(self, root: Path, **arguments: Any) -> None:
        self._storage = make_storage(root, **arguments)

    def names(self, count: int) -> list[str]:
        return [str(self._storage.new_data(CONTEXT)) for _ in range(count)]

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._storage.assign(CONTEXT, name, source(size))

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            stream = self._storage.get_read_stream(CONTEXT, name)
            if size <= BLOCK:
                stream.read(size)
            else:
                while stream.read(BLOCK):
                    pass
            stream.close()

    def range(self, names: Sequence[str], size: int) -> None:
        for name in names:
            stream = self._storage.get_read_stream(CONTEXT, name)
            stream.seek(size // 2)
            stream.read(RANGE)
            stream.close()

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._storage.available(CONTEXT, name)

    def get_size(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._storage.get_size(CONTEXT, name)

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._storage.delete(CONTEXT, name)
