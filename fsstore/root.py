"""The directory in which all is kept: opened once, and looked at again and again whether it is still there."""

import errno
import os
import resource
import time
from contextlib import suppress

from fsstore import marker
from fsstore.durable import Directory, Durability, is_gone, open_directory

__all__ = ["Root", "open_root"]

#: Directories that are kept open: all of a million objects, and no more than a quarter of the open files that
#: the process may have when it begins.
_OPEN = 1024
_TRIES = 100
_FRESH = 0.1  # seconds for which it is believed that a directory is where it was; a large upload takes longer


class Root:
    """An open root. It may be used by all threads, and after a fork.

    :param path: the absolute path.
    :raises OSError: no storage is there, or one of a newer format.
    """

    def __init__(self, path: str, durability: Durability, directory_mode: int = 0o777, group: int = -1) -> None:
        self.path = path
        self.directory = open_root(path)
        self.marker, status = marker.read(path, self.directory)
        self._marker_path = os.path.join(path, marker.NAME)
        self._seen = (status.st_dev, status.st_ino)
        self._looked = time.monotonic()
        self._durability = durability
        self._mode = directory_mode
        self._group = group
        self._shards: dict[str, Directory] = {}
        may_open = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._bound = _OPEN if may_open < 0 else min(_OPEN, max(1, may_open // 4))  # less than 0: without a limit

    def require(self, fresh: float = 0.0) -> None:
        """Make sure that the path still leads here: that no disk was unmounted, and nothing put in its place.

        What is written goes to where the root was at the start, come what may; but nobody would find it.

        :param fresh: for how many seconds it is believed without looking.
        :raises OSError: with ``errno.ENODEV``, it does not.
        """
        now = time.monotonic()
        if now - self._looked < fresh:
            return
        try:
            status = os.stat(self._marker_path, follow_symlinks=False)
            if (status.st_dev, status.st_ino) != self._seen:
                self._look_again()
            self._looked = now
        except (FileNotFoundError, NotADirectoryError):
            text = f"{self.path}: the storage is not there any more: mount its disk, and start again"
            raise OSError(errno.ENODEV, text) from None

    def _look_again(self) -> None:
        """The marker is another file: was it copied, or is this another directory?"""
        found, status = marker.read(self.path, open_root(self.path))
        here = os.path.samestat(os.stat(self.path), os.fstat(self.directory.descriptor))
        if not here or found.identity != self.marker.identity:
            text = f"{self.path}: another storage is there than at the start: start again if that is right"
            raise OSError(errno.ENODEV, text)
        self._seen = (status.st_dev, status.st_ino)

    def shard(self, name: str) -> Directory:
        """Return the directory ``name``, one name or two with a slash between them.

        :raises FileNotFoundError: there is none.
        """
        directory = self._shards.get(name)
        if directory is None:
            directory = self._open_shard(name)
            self._keep(name, directory)
        return directory

    def current(self, name: str) -> Directory:
        """Return the directory ``name`` that has that name now, which the one that was kept open may have lost.

        :raises FileNotFoundError: there is none.
        """
        for _ in range(_TRIES):
            directory = self.shard(name)
            if directory.is_in_place():
                return directory
            self._shards.pop(name, None)
        raise TimeoutError(f"{self.path}/{name}: it is removed and made again all the time")

    def forget(self, name: str) -> None:
        """Forget the directory ``name`` if it was removed since it was opened, or moved."""
        directory = self._shards.get(name)
        if directory is not None and not directory.is_in_place():
            self._shards.pop(name, None)

    def make_shard(self, name: str) -> Directory:
        """Return the directory ``name``, and make what is missing of it, durably."""
        for _ in range(_TRIES):
            try:
                return self._make_shard(name)
            except OSError as error:  # the upper one was empty, and removed before the leaf was made
                if not is_gone(error):
                    raise
                failed = error
                self.forget(name.rpartition("/")[0])
        raise failed

    def _make_shard(self, name: str) -> Directory:
        if not name:
            return self.directory
        directory, now = self._shards.get(name), time.monotonic()
        if directory is None or not directory.is_settled or not self._is_fresh(directory, now):
            upper, _, leaf = name.rpartition("/")
            parent = self._make_shard(upper)
            directory = self._durability.make_directory(parent, leaf, self._mode, self._group)
            directory.looked = now
            self._keep(name, directory)
        return directory

    def _is_fresh(self, directory: Directory, now: float) -> bool:
        """Tell whether a directory is where it was, as far as that is known."""
        if now < directory.looked + _FRESH:
            return True
        directory.looked = now
        return directory.is_in_place()

    def sync_above(self, name: str) -> None:
        """Make it durable that the directory ``name`` is not there."""
        directory = self.directory
        with suppress(FileNotFoundError):
            for upper in name.split("/")[:-1]:
                directory = open_directory(directory, upper)
        self._durability.sync_directory(directory)

    def prune(self, name: str) -> None:
        """Remove the directory ``name`` if it is empty, and so those above it.

        The kernel removes none that is not. Who is about to store something there finds it removed and
        makes it anew. It need not be durable: an empty directory that comes back does no harm.
        """
        with suppress(OSError):  # not empty, or gone already
            while name:
                upper, _, leaf = name.rpartition("/")
                parent = self._open_shard(upper)
                os.rmdir(leaf, dir_fd=parent.descriptor)
                self.forget(name)
                name = upper

    def _open_shard(self, name: str) -> Directory:
        directory = self.directory
        for part in name.split("/") if name else ():
            directory = open_directory(directory, part)
        return directory

    def _keep(self, name: str, directory: Directory) -> None:
        if len(self._shards) >= self._bound:  # all at once: it is rare, and needs no lock
            self._shards = {}
        self._shards[name] = directory


def open_root(path: str) -> Directory:
    """Open the directory ``path``, which may be a symbolic link, for an administrator named it."""
    return Directory(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
