"""Sources of every temper, for :meth:`modules.StorageModule.assign`.

All of them keep the contract of :class:`modules.Source`; none makes life easier than it promises.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["Pieces", "SourceDied", "Watched", "dying", "generated", "one_byte_at_a_time", "random_bytes", "short_reads"]

_BLOCK = 64 * 1024  # bytes of generated data made at once


class SourceDied(Exception):
    """What :func:`dying` raises: an error that no module knows, so that none can treat it specially."""


class Pieces:
    """A source with nothing but ``read``, which gives one piece a call, or less if less is asked for.

    ``pieces`` may be a generator: what it does between two pieces happens in the middle of an
    ``assign``, and what it raises, ``read`` raises, then and at every later call.
    """

    __slots__ = ("_error", "_pieces", "_rest", "whole_reads")

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""
        self._error: BaseException | None = None
        self.whole_reads = 0  #: how often everything was asked for at once

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; ``b""`` is the end."""
        if self._error is not None:
            raise self._error
        if size is None or size < 0:
            self.whole_reads += 1
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return b""
            except BaseException as error:
                self._error = error
                raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Watched:
    """A source that notes what is done to it beside ``read``, and whatever is done once it is over."""

    def __init__(self, data: bytes) -> None:
        self._source = Pieces([data])
        self._over = False
        self._touched: list[str] = []

    def over(self) -> list[str]:
        """From now on note every touch. Return the list of them, which still grows."""
        self._over = True
        return self._touched

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__
        expected = name == "over" or name.startswith("_") or (name == "read" and not own(self, "_over"))
        if not expected:
            own(self, "_touched").append(name)
        return own(self, name)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; ``b""`` is the end."""
        return self._source.read(size)

    def close(self) -> None:
        """Do nothing: that it was called has been noted."""

    def __enter__(self) -> "Watched":
        self._touched.append("__enter__")
        return self

    def __exit__(self, *error: object) -> None:
        self._touched.append("__exit__")


def short_reads(data: bytes, seed: int = 0) -> Pieces:
    """Return a source that gives ``data`` in pieces of 1 to 5000 bytes."""
    return Pieces(_cut(data, random.Random(seed)))  # noqa: S311 (no secret)


def one_byte_at_a_time(data: bytes) -> Pieces:
    """Return a source that gives one byte a call."""
    return Pieces(data[i : i + 1] for i in range(len(data)))


def dying(data: bytes, error: BaseException | None = None) -> Pieces:
    """Return a source that gives ``data`` and then raises ``error``, by default :class:`SourceDied`."""
    return Pieces(_then_raise(data, error or SourceDied("the source died, as it was meant to")))


def generated(size: int, seed: int = 0) -> Pieces:
    """Return a source of ``size`` bytes that do not compress, made as they are read."""
    return Pieces(_blocks(size, seed))


def random_bytes(size: int, seed: int = 0) -> bytes:
    """Return ``size`` bytes, the same ones for the same ``seed``.

    They begin with what breaks a store that takes data for text, as far as ``size`` allows.
    """
    head = b"\r\n\x00\n\r\x1a\xff\xfe\r\n"
    return (head + random.Random(f"{seed}/{size}").randbytes(size))[:size]  # noqa: S311 (no secret)


def _cut(data: bytes, chance: random.Random) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + chance.randint(1, 5000)
        yield data[start:end]
        start = end


def _then_raise(data: bytes, error: BaseException) -> Iterator[bytes]:
    yield data
    raise error


def _blocks(size: int, seed: int) -> Iterator[bytes]:
    for index, start in enumerate(range(0, size, _BLOCK)):
        yield random.Random(f"{seed}/{index}").randbytes(min(_BLOCK, size - start))  # noqa: S311 (no secret)
