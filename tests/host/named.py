"""Names in alice's tree."""

import io
from contextlib import closing
from typing import Any

from sqlalchemy import select

from host.body import Body
from host.catalogue.node import Node
from host.catalogue.schema import detached
from host.vault import Facts
from host.wire.path import Path
from tests.host.cloud import CloudTest, where

__all__ = ["NamesTest"]


class NamesTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.names = self.cloud.names
        self.alice = self.account()

    def container(self, path: str, *objects: str) -> Node:
        """Make a container with objects, whose data is their names."""
        made = self.names.make_container(self.alice, where(path), {})
        for name in objects:
            self.store(f"{path}{name}", name.encode())
        return made

    def listed(self, path: str = "/cdmi/") -> list[str]:
        return [name for page in self.names.pages(self.found(path)) for name in page]

    def found(self, path: str) -> Node:
        node = self.names.find(self.alice, where(path))
        assert node is not None, path
        return node

    def content(self, path: str) -> bytes:
        with closing(self.cloud.vault.open(self.found(path).data)) as window:
            return window.read()

    def move(self, source: str, to: str, facts: Facts | None = None, **more: Any) -> bool:
        return self.names.move(self.alice, where(source), where(to), facts or Facts(), **more)

    def copy(self, source: str, to: str) -> Node:
        return self.names.copy_container(self.alice, self.found(source), where(to), None)

    def by_id(self, identity: str, *names: str) -> Path:
        return Path(names, slash=False, id=identity)

    def body(self) -> Body:
        return Body(io.BytesIO(b"data"), 4)

    def hidden(self) -> list[Any]:
        """Return the containers that no name leads to."""
        with self.cloud.catalogue.reading() as connection:
            return list(connection.execute(select(detached)))

    def count(self, path: str = "/cdmi/") -> int:
        return self.names.count(self.found(path))
