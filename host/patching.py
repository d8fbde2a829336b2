"""A part of an object is written: the whole is stored anew, put together from the old data and the new."""

from collections.abc import Callable
from typing import Protocol

from host.catalogue.node import Node
from host.errors import Invalid
from host.streams import Source, Spliced
from host.vault import Vault

__all__ = ["patched"]


class Bytes(Protocol):
    """Where the new bytes come from."""

    def read(self, size: int, /) -> bytes: ...


def patched(vault: Vault, old: Node | None, part: tuple[int, int], source: Bytes) -> tuple[Spliced, int]:
    """Return the data of an object with a part of it replaced, and its length in bytes.

    What lies between the old end and the part is zeros.

    :param old: None if there is no object yet.
    :param part: the first and the last byte.
    :param source: gives the bytes of the part, and no more.
    """
    first, last = part
    size = 0 if old is None else old.size
    parts: list[Callable[[], Source] | int] = [max(0, first - size), lambda: _Exactly(source, last - first + 1)]
    if old is not None and first:
        parts.insert(0, lambda: vault.open(old.data, 0, min(first, size)))
    if old is not None and last + 1 < size:
        parts.append(lambda: vault.open(old.data, last + 1, size - last - 1))
    return Spliced(parts), max(size, last + 1)


class _Exactly:
    """A source that has to give ``length`` bytes."""

    def __init__(self, source: Bytes, length: int) -> None:
        self._source = source
        self._length = length
        self._left = length

    def read(self, size: int, /) -> bytes:
        data = self._source.read(max(1, min(size, self._left)))
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise Invalid(f"the body does not have the {self._length} bytes of the range")
        return data

    def close(self) -> None:
        """Do nothing: the source is the request's."""
