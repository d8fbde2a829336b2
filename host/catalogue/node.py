"""A name in the catalogue, and what is known of it."""

import json
from typing import Any, NamedTuple

__all__ = ["Data", "Node"]


class Data(NamedTuple):
    """What a module keeps: the row's ``id``, the module's name, the ``module_data``, and its size in bytes."""

    id: int
    module: str
    module_data: str
    size: int


class Node(NamedTuple):
    """A container or an object, as the columns of :mod:`host.catalogue.tree` have it.

    Times are whole seconds since 1970, ``owner`` is the id of an account.
    """

    id: str
    parent: str | None
    name: str
    container: bool
    owner: int
    metadata_text: str
    ctime: int
    mtime: int
    etag: str
    mimetype: str | None
    encoding: str | None
    data_id: int | None
    module: str | None
    module_data: str | None
    bytes: int | None

    @property
    def metadata(self) -> dict[str, Any]:
        """What the user says of it."""
        value: dict[str, Any] = json.loads(self.metadata_text)
        return value

    @property
    def data(self) -> Data:
        """The data of an object; a container has none."""
        return Data(self.data_id or 0, self.module or "", self.module_data or "", self.size)

    @property
    def size(self) -> int:
        """Bytes of an object's data; 0 of a container."""
        return self.bytes or 0
