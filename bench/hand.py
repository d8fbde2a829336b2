"""The work by hand: the system calls that cannot be done without, and nothing around them.

Two ways to put: a temporary name that is renamed (:class:`Hand`), and a file without a name that is
linked (:class:`Linked`). Objects lie in 256 directories, made before the clock starts.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.sources import BLOCK, block
from bench.stores import RANGE, Unavailable

__all__ = ["Careless", "Hand", "Linked", "Verified", "shards"]

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC
_ATTRIBUTE = "user.crc32"


def shards(directory: Path) -> list[str]:
    """Make 256 directories and return their paths."""
    paths = [str(directory / f"{number:02x}") for number in range(256)]
    for path in paths:
        os.mkdir(path)
    return paths


class Hand:
    """Put: temporary name, fsync, rename, fsync of the directory."""

    def __init__(self, directory: Path) -> None:
        self._shards = shards(directory)
        self._made = 0

    def names(self, count: int) -> list[str]:
        numbers = range(self._made, self._made + count)
        self._made += count
        # Not one directory after the other: a random identity does not do so either.
        return [f"{self._shards[number * 37 % 256]}/{number:032x}" for number in numbers]

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            temporary = f"{name}.new"
            descriptor = os.open(temporary, _NEW, 0o444)
            _write(descriptor, size)
            os.fsync(descriptor)
            os.close(descriptor)
            os.rename(temporary, name)
            _sync(name.rpartition("/")[0])

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            descriptor = os.open(name, _READ)
            if size <= BLOCK:
                os.read(descriptor, size)
            else:
                while os.read(descriptor, BLOCK):
                    pass
            os.close(descriptor)

    def range(self, names: Sequence[str], size: int) -> None:
        for name in names:
            descriptor = os.open(name, _READ)
            os.lseek(descriptor, size // 2, os.SEEK_SET)
            os.read(descriptor, RANGE)
            os.close(descriptor)

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            os.stat(name)

    get_size = available

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            os.unlink(name)
            _sync(name.rpartition("/")[0])


class Linked(Hand):
    """Put: O_TMPFILE, fdatasync, linkat, fsync of the directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        try:
            os.close(os.open(directory, os.O_WRONLY | os.O_TMPFILE, 0o444))
        except OSError as error:
            raise Unavailable(f"no O_TMPFILE: {error.strerror}") from error

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            shard, _, base = name.rpartition("/")
            directory = os.open(shard, _DIRECTORY)
            descriptor = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o444, dir_fd=directory)
            _write(descriptor, size)
            os.fdatasync(descriptor)
            os.link(f"/proc/self/fd/{descriptor}", base, dst_dir_fd=directory, follow_symlinks=True)
            os.close(descriptor)
            os.fsync(directory)
            os.close(directory)


class Careless(Hand):
    """Put: temporary name and rename, nothing synced; and as little for a delete."""

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            temporary = f"{name}.new"
            descriptor = os.open(temporary, _NEW, 0o444)
            _write(descriptor, size)
            os.close(descriptor)
            os.rename(temporary, name)

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            os.unlink(name)


class Verified(Careless):
    """Get: open, read, getxattr, zlib.crc32, close. How it puts is not measured."""

    def put(self, names: Sequence[str], size: int) -> None:
        super().put(names, size)
        checksum = 0
        for data in _blocks(size):
            checksum = zlib.crc32(data, checksum)
        try:
            for name in names:
                os.chmod(name, 0o600)  # who is not root may not give an attribute to a file that is read-only
                os.setxattr(name, _ATTRIBUTE, checksum.to_bytes(4, "big"))
        except OSError as error:
            raise Unavailable(f"no extended attributes: {error.strerror}") from error

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            descriptor = os.open(name, _READ)
            expected = int.from_bytes(os.getxattr(descriptor, _ATTRIBUTE), "big")
            if size <= BLOCK:
                checksum = zlib.crc32(os.read(descriptor, size))
            else:
                checksum = 0
                while data := os.read(descriptor, BLOCK):
                    checksum = zlib.crc32(data, checksum)
            os.close(descriptor)
            if checksum != expected:
                raise AssertionError(f"{name} is corrupt")


def _blocks(size: int) -> Iterator[bytes]:
    for start in range(0, size, BLOCK):
        yield block(min(BLOCK, size - start))


def _write(descriptor: int, size: int) -> None:
    if size <= BLOCK:
        written = os.write(descriptor, block(size))
    else:
        written = sum(os.write(descriptor, data) for data in _blocks(size))
    if written != size:
        raise AssertionError("a short write")


def _sync(directory: str) -> None:
    descriptor = os.open(directory, _DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)
