"""The work by OpenStack Swift's DiskFile, which keeps objects for Swift's object server.

It is used as that server uses it: an object's directory is made for it, MD5 is taken while it is written
and read, and the last step runs in a thread of eventlet's pool. What was read stays in the page cache
only up to 5 MiB, so an object of 64 MiB is read from the disk.
"""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.peers import load
from bench.sources import BLOCK, source

__all__ = ["Swift"]


class Swift:
    """Swift's DiskFile, with 256 partitions of one device."""

    def __init__(self, directory: Path) -> None:
        load("swift.common.utils").HASH_PATH_PREFIX = b"bench"  # else it wants a file of the whole machine
        self._timestamp = load("swift.common.utils").Timestamp
        self._policy = load("swift.common.storage_policy").POLICIES.legacy
        (directory / "device").mkdir()
        configuration = {"devices": str(directory), "mount_check": "false"}
        manager = load("swift.obj.diskfile").DiskFileManager
        self._manager = manager(configuration, logging.getLogger("bench.swift"))
        self._made = 0

    def names(self, count: int) -> list[str]:
        numbers = range(self._made, self._made + count)
        self._made += count
        return [f"{number:032x}" for number in numbers]

    def _file(self, name: str) -> Any:
        partition = int(name, 16) * 37 % 256
        return self._manager.get_diskfile("device", str(partition), "account", "bench", name, policy=self._policy)

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            data = source(size)
            with self._file(name).create(size=size) as writer:
                while block := data.read(BLOCK):
                    writer.write(block)
                length, etag = writer.chunks_finished()
                timestamp = self._timestamp.now()
                writer.put({"X-Timestamp": timestamp.internal, "ETag": etag, "Content-Length": str(length)})
                writer.commit(timestamp)

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            file = self._file(name)
            with file.open():
                for _ in file.reader(keep_cache=True):
                    pass

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._file(name).read_metadata()

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:  # its own delete leaves a tombstone, for other machines to see
            shutil.rmtree(self._file(name)._datadir)
