"""Directory layouts of a file store, by hand: where an object lies, and the system calls that reach it.

The calls are those of :mod:`fsstore.durable`: each directory is opened relative to the one above it,
a file is made without a name and gets one by a link.
"""

import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

__all__ = ["LAYOUTS", "Layout", "Parts", "Place", "Tree", "identity"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UPPER = 1024  # leaf directories in an upper directory of those that are filled one after the other

Parts = tuple[str, ...]
Place = tuple[Parts, str]  #: the directories below the root, and the file's name


def identity(number: int, shard: str = "") -> str:
    """Return 32 hexadecimal digits that are always the same for ``number``, the first ones ``shard``."""
    return (shard + hashlib.blake2b(number.to_bytes(8), digest_size=16).hexdigest())[:32]


@functools.cache
def _intern(parts: Parts) -> Parts:
    return parts


@dataclass(frozen=True)
class Layout:
    """Where objects lie.

    :param levels: directories above a file that two hexadecimal digits of its name each tell.
    :param leaf: files in a leaf directory, where these are filled one after the other; else 0.
    :param abreast: so many leaves are filled at the same time.
    """

    name: str
    levels: int = 0
    leaf: int = 0
    abreast: int = 1

    def place(self, number: int, name: str) -> Place:
        """Return where the object lies that is the ``number``-th to be put."""
        if not self.leaf:
            return _intern(tuple(name[2 * level : 2 * level + 2] for level in range(self.levels))), name
        group = number // (self.leaf * self.abreast)
        return self.directory(group * self.abreast + number % self.abreast), name

    def directory(self, index: int) -> Parts:
        """Return the ``index``-th leaf directory."""
        if self.leaf:
            return _intern((f"{index // _UPPER:04x}", f"{index % _UPPER:03x}"))
        digits = f"{index:0{2 * self.levels}x}"
        return _intern(tuple(digits[2 * level : 2 * level + 2] for level in range(self.levels)))

    def directories(self, objects: int) -> int:
        """Return how many leaf directories there are when there are so many objects."""
        return -(-objects // self.leaf) if self.leaf else int(256**self.levels)


LAYOUTS = [
    Layout("flat"),
    Layout("256 shards", levels=1),
    Layout("65,536 shards", levels=2),
    Layout("in turn, 256 a leaf", leaf=256),
    Layout("in turn, 1024 a leaf", leaf=1024),
    Layout("in turn, 4096 a leaf", leaf=4096),
]


class Tree:
    """Files of one layout under one root.

    :param root: the path of a directory, which is made.
    :param data: what each file holds.
    """

    def __init__(self, layout: Layout, root: str, data: bytes) -> None:
        os.mkdir(root)
        self.layout, self.root, self.data = layout, root, data
        self.objects: list[Place] = []
        self._descriptor = os.open(root, _DIRECTORY)

    def close(self) -> None:
        """Close the root."""
        os.close(self._descriptor)

    @contextmanager
    def _open(self, parts: Parts) -> Iterator[int]:
        descriptor = os.dup(self._descriptor)
        try:
            for part in parts:
                above, descriptor = descriptor, os.open(part, _DIRECTORY, dir_fd=descriptor)
                os.close(above)
            yield descriptor
        finally:
            os.close(descriptor)

    def make(self, parts: Parts) -> None:
        """Make the directory ``parts`` and those above it, where they are missing."""
        for depth in range(len(parts)):
            with suppress(FileExistsError):
                os.mkdir("/".join(parts[: depth + 1]), dir_fd=self._descriptor)

    def put(self, place: Place, durable: bool = False) -> None:
        """Make the file, and its directory if that is missing."""
        try:
            self._put(place, durable)
        except FileNotFoundError:
            self.make(place[0])
            self._put(place, durable)

    def _put(self, place: Place, durable: bool) -> None:
        with self._open(place[0]) as directory:
            descriptor = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o444, dir_fd=directory)
            try:
                if self.data:
                    os.write(descriptor, self.data)
                if durable:
                    os.fdatasync(descriptor)
                os.link(f"/proc/self/fd/{descriptor}", place[1], dst_dir_fd=directory, follow_symlinks=True)
            finally:
                os.close(descriptor)
            if durable:
                os.fsync(directory)

    def get(self, place: Place) -> None:
        """Open the file, read it and close it."""
        with self._open(place[0]) as directory:
            descriptor = os.open(place[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.read(descriptor, 65536)
            finally:
                os.close(descriptor)

    def stat(self, place: Place) -> None:
        """Ask for the file's status."""
        with self._open(place[0]) as directory:
            os.stat(place[1], dir_fd=directory, follow_symlinks=False)

    def delete(self, place: Place) -> None:
        """Remove the file."""
        with self._open(place[0]) as directory:
            os.unlink(place[1], dir_fd=directory)

    def walk(self, status: bool, below: Iterable[Parts] = ((),)) -> tuple[int, int, int]:
        """List the directories ``below`` and all in them, with each file's status on request.

        :returns: how many files and how many directories there are, and the directories' bytes on disk.
        """
        files, directories, size, todo = 0, 0, 0, ["/".join((self.root, *parts)) for parts in below]
        while todo:
            path = todo.pop()
            directories, size = directories + 1, size + os.stat(path).st_blocks * 512
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        files += 1
                        if status:
                            entry.stat(follow_symlinks=False)
        return files, directories, size
