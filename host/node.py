"""A name in the catalogue, and what is known of it."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Node"]


@dataclass(frozen=True)
class Node:
    """A container or an object. Times are whole seconds since 1970, ``size`` is bytes."""

    id: str
    parent: str | None
    name: str
    container: bool
    owner: str
    metadata: dict[str, Any]
    ctime: int
    mtime: int
    mimetype: str
    encoding: str
    module: str
    module_data: str
    size: int
