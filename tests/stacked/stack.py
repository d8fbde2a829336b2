"""Stacks for tests: modules by name, as a host has them, and a context with which they find each other."""

import tempfile
import unittest
from pathlib import Path

from fsstore import FileStorage
from modules import Context, StorageModule

__all__ = ["StackCase", "context_of", "file_storage"]


def context_of(modules: dict[str, StorageModule]) -> Context:
    """Return the context that a host offers which has ``modules``; those that are added later count, too."""

    def get_module(name: str) -> StorageModule:
        if name not in modules:
            raise LookupError(f"no storage module is configured as {name!r}")
        return modules[name]

    return {"func": {"getModule": get_module}}


def file_storage(directory: str | Path) -> FileStorage:
    """Return a file store in ``directory``, which is made."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    FileStorage.prepare(str(directory))
    return FileStorage(str(directory))


class StackCase(unittest.TestCase):
    """A directory, and in it a file store that is configured as ``local``."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.modules: dict[str, StorageModule] = {"local": file_storage(self.directory / "local")}
        self.context = context_of(self.modules)

    def objects(self, name: str = "local") -> list[Path]:
        """Return the files of the objects of a file store in the directory ``name``."""
        shards = (self.directory / name).glob("[0-9a-f]*/[0-9a-f]*/*")
        return sorted(path for path in shards if path.is_file())
