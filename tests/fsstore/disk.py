"""A directory tree as a value: taken from a real one, compared, and made real again."""

import errno
import itertools
import os
import stat
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

__all__ = ["MODE", "MTIME", "Inode", "State", "Tree", "Value", "materialise", "snapshot", "timeless", "without"]

#: The name of the permission bits among an inode's attributes. No extended attribute is called so.
MODE = "mode"
#: The name of a file's time of modification, in nanoseconds since 1970, if that was ever set.
MTIME = "mtime"

#: An attribute: permission bits, a time, or an extended attribute.
Value: TypeAlias = int | bytes


@dataclass(frozen=True, slots=True)
class Inode:
    """A file, or with None as its data a directory, and its attributes in the order of their names."""

    data: bytes | None
    attributes: tuple[tuple[str, Value], ...]


#: What lies below a root: path, the first path of the same file, and the inode, in the order of the
#: paths. Two states that are equal look the same from outside.
State: TypeAlias = tuple[tuple[str, str, Inode], ...]


@dataclass
class Tree:
    """Inodes by number, and the entries of each directory: names and inode numbers."""

    root: int
    inodes: dict[int, Inode]
    entries: dict[int, dict[str, int]]

    def state(self) -> State:
        """Return what can be reached from the root."""
        first: dict[int, str] = {}
        return tuple(
            (path, path if inode.data is None else first.setdefault(number, path), inode)
            for path, number in self._walk(self.root, "")
            for inode in [self.inodes[number]]
        )

    def _walk(self, directory: int, prefix: str) -> Iterator[tuple[str, int]]:
        for name, number in sorted(self.entries[directory].items()):
            yield prefix + name, number
            if number in self.entries:
                yield from self._walk(number, f"{prefix}{name}/")


def snapshot(root: Path) -> tuple[Tree, dict[tuple[int, int], int]]:
    """Return the tree below ``root``, and the number that each (device, inode) has in it."""
    numbers: dict[tuple[int, int], int] = {}
    count = itertools.count()
    tree = Tree(0, {}, {})

    def add(path: str) -> int:
        status = os.lstat(path)
        key = status.st_dev, status.st_ino
        if key in numbers:
            return numbers[key]
        number = numbers[key] = next(count)
        is_directory = stat.S_ISDIR(status.st_mode)
        tree.inodes[number] = Inode(None if is_directory else Path(path).read_bytes(), _attributes(path, status))
        if is_directory:
            tree.entries[number] = {name: add(os.path.join(path, name)) for name in sorted(os.listdir(path))}
        return number

    add(str(root))
    return tree, numbers


def _attributes(path: str, status: os.stat_result) -> tuple[tuple[str, Value], ...]:
    values: dict[str, Value] = {MODE: stat.S_IMODE(status.st_mode)}
    if not stat.S_ISDIR(status.st_mode):
        values[MTIME] = status.st_mtime_ns
    try:
        names = [name for name in os.listxattr(path) if name.startswith("user.")]
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        names = []
    values.update({name: os.getxattr(path, name) for name in names})
    return tuple(sorted(values.items()))


def without(state: State, names: Container[str]) -> State:
    """Return ``state`` less the entries of the root that are called so, and all below them."""
    return tuple(entry for entry in state if entry[0].partition("/")[0] not in names)


def timeless(state: State) -> State:
    """Return ``state`` less the times of files, which every write sets anew."""
    return tuple(
        (path, first, Inode(inode.data, tuple(pair for pair in inode.attributes if pair[0] != MTIME)))
        for path, first, inode in state
    )


def materialise(state: State, directory: Path) -> None:
    """Make ``state`` real below ``directory``, which exists and is empty.

    Extended attributes are left out where the file system has none.
    """
    directories: list[tuple[str, Inode]] = []
    for path, first, inode in state:
        target = f"{directory}/{path}"
        if inode.data is None:
            os.mkdir(target)
            directories.append((target, inode))
        elif path != first:
            os.link(f"{directory}/{first}", target)
        else:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
            try:
                os.write(descriptor, inode.data)
            finally:
                os.close(descriptor)
            _set_attributes(target, inode)
    for target, inode in reversed(directories):  # when all that lies in them is made
        _set_attributes(target, inode)


def _set_attributes(path: str, inode: Inode) -> None:
    for name, value in inode.attributes:
        if isinstance(value, bytes):
            try:
                os.setxattr(path, name, value)
            except OSError as error:
                if error.errno != errno.ENOTSUP:
                    raise
    values = {name: value for name, value in inode.attributes if isinstance(value, int)}
    if MTIME in values:
        os.utime(path, ns=(values[MTIME], values[MTIME]))
    os.chmod(path, values[MODE])
