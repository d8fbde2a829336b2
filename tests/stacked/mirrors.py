"""Mirrors of moody stores, for tests."""

import io
import tempfile
import unittest
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from modules import StorageModule
from stacked.mirror import MirroredStorage
from tests.stacked.moody import Moody
from tests.stacked.stack import context_of, file_storage

__all__ = ["DATA", "NAMES", "OLD", "MirrorCase"]

DATA = bytes(range(256)) * 40
OLD = b"old" * 4000
NAMES = ("one", "two", "three")


class MirrorCase(unittest.TestCase):
    """Three moody stores, a mirror of the first two, and one of a quorum."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.stores = {name: Moody(file_storage(self.directory / name)) for name in NAMES}
        self.modules: dict[str, StorageModule] = {**self.stores}
        self.context = context_of(self.modules)
        self.journal = str(self.directory / "journal")
        MirroredStorage.prepare(list(NAMES), 2, self.journal)
        self.both = MirroredStorage(["one", "two"], patience=5)
        self.quorum = MirroredStorage(list(NAMES), 2, self.journal, patience=5)

    def mood(self, **moods: str) -> None:
        """Set the moods of stores; the others work."""
        for name, store in self.stores.items():
            store.mood = moods.get(name, "")

    def put(self, mirror: MirroredStorage, data: bytes = DATA, module_data: str = "") -> str:
        module_data = module_data or mirror.new_data(self.context)
        mirror.assign(self.context, module_data, io.BytesIO(data))
        return module_data

    def get(self, mirror: MirroredStorage, module_data: str, size: int = 1000) -> bytes:
        with closing(mirror.get_read_stream(self.context, module_data)) as stream:
            return b"".join(iter(lambda: stream.read(size), b""))

    def count(self) -> list[int]:
        """Return how many objects are in each store."""
        return [len(self.files(name)) for name in NAMES]

    def files(self, name: str) -> list[Path]:
        return sorted(path for path in (self.directory / name).glob("[0-9a-f]*/[0-9a-f]*/*") if path.is_file())

    def heal(self, mirror: MirroredStorage, kept: Iterable[str] = ()) -> Mapping[str, Any]:
        told = mirror.upkeep(self.context, kept)
        self.assertEqual(told["wrong"], 0, told)
        return told

    def assert_holds(self, mirror: MirroredStorage, module_data: str, data: bytes, only: Iterable[str] = NAMES) -> None:
        """Fail unless each of the stores ``only``, alone, gives ``data``."""
        for name in only:
            self.mood(**{other: "away" for other in NAMES if other != name})
            self.assertEqual(self.get(mirror, module_data), data, name)
            self.assertEqual(mirror.get_size(self.context, module_data), len(data), name)
        self.mood()
        self.assertTrue(mirror.available(self.context, module_data))
