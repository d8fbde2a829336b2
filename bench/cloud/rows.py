"""What is measured, and what is required of it."""

from dataclasses import dataclass
from typing import Literal

from bench.figures import Bound

__all__ = ["ROWS", "Row"]

_FASTER = Bound(10)  # times the requests a second of Swift
_AS_QUICK = Bound(1.2, at_most=True)


@dataclass(frozen=True)
class Row:
    """One row of the table: one work, of ours and of another."""

    name: str  #: for the command line
    work: str  #: for the reader
    against: str  #: the other one, or the other case
    required: Bound  #: of ours, as a ratio to the other
    unit: str  #: of the figures
    kind: Literal["large", "small", "list", "memory"]  #: how it is measured
    method: str = "GET"
    connections: int = 1


def _large(method: str, connections: int, against: str, value: float) -> Row:
    abreast = "" if connections == 1 else f", {connections} connections"
    name = f"{method.lower()}-64m" + ("" if connections == 1 else f"-{connections}")
    return Row(name, f"{method} 64 MiB{abreast}", against, Bound(value), "MB/s", "large", method, connections)


def _small(method: str, connections: int) -> Row:
    name = f"{method.lower()}-4k-{connections}"
    work = f"{method} 4 KiB, {connections} connections"
    return Row(name, work, "Swift all-in-one", _FASTER, "requests/s", "small", method, connections)


ROWS = (
    _large("GET", 1, "nginx with sendfile", 0.8),
    _large("GET", 4, "nginx with sendfile", 0.8),
    _large("PUT", 1, "nginx WebDAV, and fsync", 0.6),
    _large("PUT", 4, "nginx WebDAV, and fsync", 0.6),
    *(_small(method, connections) for method in ("GET", "PUT") for connections in (8, 64)),
    Row("list", "list the first 1000 of many", "the first 1000 of 1000", _AS_QUICK, "ms", "list"),
    Row("list-middle", "list 1000 in the middle of many", "the first 1000 of 1000", _AS_QUICK, "ms", "list"),
    Row("memory", "largest worker after many of 64 MiB", "after 10", Bound(1.05, at_most=True), "MiB", "memory"),
)
