"""A module at several locations."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any
from unittest import mock

from sqlalchemy import select, update

from host.catalogue.schema import copies
from host.cloud import Cloud
from modules import Context, Source
from tests.host.cloud import CloudTest, where
from tests.host.vendor import Memory

__all__ = ["Place", "PlacesTest"]


class Place(Memory):
    """Keeps what all instances of one ``name`` keep. It may fail, by the method's name, and counts its calls."""

    kept: Mapping[str, dict[str, bytes]] = {}
    errors: Mapping[tuple[str, str], BaseException] = {}
    calls: list[tuple[str, str]] = []  # noqa: RUF012
    made_by_all = 0

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.objects = self.kept[name]

    def _call(self, method: str) -> None:
        Place.calls.append((method, self.name))
        error = self.errors.get((method, self.name))
        if error is not None:
            raise error

    def new_data(self, context: Context) -> str:
        Place.made_by_all += 1
        return f"{Place.made_by_all}"

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self._call("assign")
        super().assign(context, module_data, stream)

    def available(self, context: Context, module_data: str) -> bool:
        self._call("available")
        return super().available(context, module_data)

    def get_size(self, context: Context, module_data: str) -> int:
        self._call("get_size")
        if module_data not in self.objects:
            raise FileNotFoundError(module_data)
        return super().get_size(context, module_data)

    def delete(self, context: Context, module_data: str) -> None:
        self._call("delete")
        super().delete(context, module_data)


class PlacesTest(CloudTest):
    """The module ``new`` has the locations a, b and c; a is the local one."""

    def setUp(self) -> None:
        super().setUp()
        self.kept: dict[str, dict[str, bytes]] = {"a": {}, "b": {}, "c": {}}
        self.errors: dict[tuple[str, str], BaseException] = {}
        for name, value in (("kept", self.kept), ("errors", self.errors), ("calls", [])):
            self.enterContext(mock.patch.object(Place, name, value))
        self.enterContext(mock.patch("host.loader.FRESH", 0))
        self.locate("a", "b", "c")
        self.cloud.accounts.put("alice", policy="new")

    def locate(self, *names: str) -> None:
        """Configure the locations."""
        locations: dict[str, Any] = {name: {"name": name} for name in names}
        self.cloud.registry.configure("new", "tests.host.test_replication.Place", "", locations)

    def there(self) -> dict[str, list[bytes]]:
        """Return what each place keeps."""
        return {name: sorted(kept.values()) for name, kept in self.kept.items()}

    def work(self, cloud: Cloud | None = None) -> tuple[int, int]:
        return (cloud or self.cloud).upkeep.replication.work()

    def queue(self) -> list[tuple[str, int, str | None]]:
        """Return the locations that something waits for, with the tries and who is at it."""
        query = select(copies.c.location, copies.c.attempts, copies.c.process).order_by(
            copies.c.data, copies.c.location
        )
        with self.cloud.catalogue.reading() as connection:
            return [(row.location, row.attempts, row.process) for row in connection.execute(query)]

    def later(self) -> None:
        """Let the pauses be over."""
        with self.cloud.catalogue.writing() as connection:
            connection.execute(update(copies).values(due=0))

    def read(self, path: str = "/cdmi/o") -> bytes:
        node = self.cloud.names.find(self.account(), where(path))
        assert node is not None
        with closing(self.cloud.vault.open(node.data)) as window:
            return window.read()
