"""FileStorage: the seven methods, and nothing else."""

import os
import weakref
from contextlib import ExitStack, suppress
from io import FileIO
from typing import Any

from fsstore import durable, layout, record
from modules import Context, Source, StorageModule

__all__ = ["FileStorage"]


class FileStorage(StorageModule):
    """Objects as plain files under a sharded tree in one directory.

    Several processes, and several machines on a file system that they share, may use one root.

    :param root: the absolute path of the directory; it must exist.
    :raises ValueError: ``root`` is missing or relative, or there are arguments beside it.
    :raises OSError: ``root`` is no directory in which files can be made.
    """

    def __init__(self, root: str | None = None, **unknown: Any) -> None:
        if unknown or not isinstance(root, str) or not os.path.isabs(root) or "\0" in root:
            wrong = ", ".join(unknown) or "root"
            raise ValueError(f"{wrong}: FileStorage takes one argument, root, the absolute path of a directory")
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._root)
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"root: {root} is not writable")
        self._settled: set[str] = set()  # shards whose own entry in the root this process has synced

    def new_data(self, context: Context) -> str:
        return record.encode(layout.new_path())

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        shard, name = record.decode(module_data)
        self._settle(shard)
        with ExitStack() as stack:
            try:
                directory = stack.enter_context(durable.open_directory(self._root, shard))
            except FileNotFoundError:  # it was empty, and somebody removed it
                self._settled.discard(shard)
                self._settle(shard)
                directory = stack.enter_context(durable.open_directory(self._root, shard))
            durable.publish(directory, name, stream)

    def available(self, context: Context, module_data: str) -> bool:
        try:
            self.get_size(context, module_data)
        except FileNotFoundError:
            if os.fstat(self._root).st_nlink == 0:  # the root is gone, and whether the object is cannot be told
                raise
            return False
        return True

    def get_read_stream(self, context: Context, module_data: str) -> FileIO:
        shard, name = record.decode(module_data)
        with durable.open_directory(self._root, shard) as directory:
            return FileIO(durable.open_object(directory, name), "rb")

    def delete(self, context: Context, module_data: str) -> None:
        shard, name = record.decode(module_data)
        with (
            suppress(FileNotFoundError),  # nothing was ever kept in that shard
            durable.open_directory(self._root, shard) as directory,
        ):
            durable.remove(directory, name)

    def get_size(self, context: Context, module_data: str) -> int:
        shard, name = record.decode(module_data)
        with durable.open_directory(self._root, shard) as directory:
            return durable.stat_object(directory, name).st_size

    def statistics(self, context: Context) -> dict[str, Any]:
        status = os.fstatvfs(self._root)
        return {
            "capacity": {
                "total": status.f_blocks * status.f_frsize,
                "free": status.f_bavail * status.f_frsize,
                "used": (status.f_blocks - status.f_bfree) * status.f_frsize,
            }
        }

    def _settle(self, shard: str) -> None:
        """Make the directory ``shard`` if it is missing, and make sure that it survives a crash.

        The first time that a process meets a shard it syncs the root, also when the directory is
        there: who made it, another process or thread, may not have come to that yet.
        """
        if shard in self._settled:
            return
        durable.make_directory(self._root, shard)
        self._settled.add(shard)
