"""The servers of a run: started when a row first wants them, stopped when the run ends."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from bench.cloud.listing import Pages
from bench.cloud.nginx import Nginx
from bench.cloud.ours import Ours
from bench.cloud.swift import Swift, interpreter

__all__ = ["Ground", "Size", "say"]

_KIB, _MIB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 25  #: of large transfers, and of lists
    large: int = 64 * _MIB  #: bytes
    small: int = 4 * _KIB  #: bytes
    runs: int = 6  #: of wrk, each side
    seconds: int = 8  #: of each of them
    kept: int = 1000  #: small objects to read
    objects: int = 1_000_000  #: names in the large container
    transfers: int = 1000  #: for memory


class _Server(Protocol):
    def stop(self) -> None: ...


_Some = TypeVar("_Some", bound=_Server)


class _Once(Generic[_Some]):
    """A server that is started when it is first asked for, if it can be."""

    def __init__(self, directory: Path, make: Callable[[Path], _Some], stack: ExitStack) -> None:
        self._directory = directory
        self._make = make
        self._stack = stack
        self._server: _Some | None = None
        self._error: Exception | None = None

    def __call__(self) -> _Some:
        """Return it.

        :raises Unavailable: it cannot be had here.
        :raises ServerError: it does not start.
        """
        if self._error is not None:
            raise self._error  # it would not start for another row either
        if self._server is None:
            self._directory.mkdir()
            try:
                self._server = self._make(self._directory)
            except Exception as error:
                self._error = error
                raise
            self._stack.callback(self._server.stop)
        return self._server


class Ground:
    """Where a run works. Close it in the end: that stops the servers.

    :param directory: an empty one; whoever made it removes it.
    :param cache: where Swift's environment is, or is made.
    :param python: an interpreter that has swift, if it is to be another one.
    """

    def __init__(self, directory: Path, size: Size, cache: Path, python: Path | None = None) -> None:
        self.directory = directory
        self.size = size
        self.filled: set[int] = set()  #: ports of servers that have the small objects to read
        self._stack = ExitStack()
        self.close = self._stack.close
        self.ours = _Once(directory / "ours", lambda place: Ours(place / "cloud"), self._stack)
        self.nginx = _Once(directory / "nginx", Nginx, self._stack)
        self.swift = _Once(directory / "swift", lambda place: _swift(place, python, cache), self._stack)
        self.pages = _Once(directory / "pages", lambda place: Pages(place / "cloud", size.objects), self._stack)


def _swift(directory: Path, python: Path | None, cache: Path) -> Swift:
    say("Swift: looked for, and installed if it is not there")
    return Swift(directory, interpreter(python, cache))


def say(what: str) -> None:
    """Tell who waits what is being done."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
