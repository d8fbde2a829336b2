"""What is measured, and what is required of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.figures import Bound

__all__ = ["AS_IT_COMES", "BESIDE", "BY_HAND", "CHECKSUMS", "LEVELS", "LINES", "PEERS", "UNCHECKED", "VERIFIED", "Line"]

# The contenders, by the names that they have in the tables.
AS_IT_COMES = "FileStorage"
UNCHECKED = "checksum none"
CRC32 = "checksum crc32"
XXH3 = "checksum xxh3"
FULL, DATA, NONE = "durability full", "durability data", "durability none"
RENAMED = "rename"
LINKED = "O_TMPFILE"
READ = "by hand"
VERIFIED = "by hand with CRC-32"


class Peer(NamedTuple):
    """What is known of a peer, from tracing its system calls and from breaking off its uploads."""

    package: str
    durable: str  #: whether what it has acknowledged survives a power cut
    atomic: str  #: whether a name only ever shows a whole object


PEERS = {
    "obstore LocalStore": Peer("obstore", "no", "yes"),
    "fsspec local": Peer("fsspec", "no", "no"),
    "minimalkv": Peer("minimalkv", "no", "no"),
    "Django FileSystemStorage": Peer("Django", "no", "no"),
    "Swift DiskFile": Peer("swift", "yes", "yes"),
}

_TREES = 9
_KIB, _MIB = 1024, 1024 * 1024
_PUT_BASE, _READ_BASE = (RENAMED, LINKED), (READ,)
_OURS = (AS_IT_COMES, UNCHECKED)
_GET = (*_OURS, VERIFIED)


@dataclass(frozen=True)
class Line:
    """One line of a table: one operation on objects of one size."""

    name: str  #: for the command line
    work: str  #: for the reader
    operation: str  #: the method of the contenders
    size: int  #: bytes
    batch: int  #: operations in a round
    baselines: tuple[str, ...]  #: whom to compare with: the best of these
    contenders: tuple[str, ...]  #: who is compared
    required: Mapping[str, Bound] = field(default_factory=dict)  #: of the rate, by contender
    objects: int = 0  #: that are there to work on; 0 where each operation needs a new one
    are_fresh: bool = (
        False  #: whether they are made anew in each round: where one lies in memory matters when it is large
    )
    threads: int = 1
    rounds: int = 25
    trees: int = 1  #: directories that a contender has, and uses in turn: what a put costs depends on where these lie
    cpu: Bound | None = None  #: of the CPU time in memory, where there is nothing to wait for; then not of the rate


def _ours(value: float) -> dict[str, Bound]:
    return {AS_IT_COMES: Bound(value), UNCHECKED: Bound(value)}


def _put(
    name: str,
    work: str,
    size: int,
    batch: int,
    value: float,
    threads: int = 1,
    rounds: int = 25,
    cpu: Bound | None = None,
) -> Line:
    return Line(name, work, "put", size, batch, _PUT_BASE, _OURS, _ours(value), 0, False, threads, rounds, _TREES, cpu)


#: Against the same system calls by hand. Syncs take now this and now that: many short rounds.
BY_HAND = (
    _put("put-4k", "put 4 KiB", 4 * _KIB, 20, 0.9, rounds=72, cpu=Bound(1.5, at_most=True)),
    _put("put-64k", "put 64 KiB", 64 * _KIB, 20, 0.9, rounds=72),
    _put("put-1m", "put 1 MiB", _MIB, 8, 0.9, rounds=45),
    _put("put-4k-8", "put 4 KiB, 8 threads", 4 * _KIB, 200, 0.95, threads=8),
    _put("put-4k-32", "put 4 KiB, 32 threads", 4 * _KIB, 320, 0.95, threads=32),
    _put("put-64m", "put 64 MiB", 64 * _MIB, 1, 1.3),
    Line("get-4k", "get 4 KiB", "get", 4 * _KIB, 1000, _READ_BASE, _GET, _ours(0.6), objects=1000),
    Line("range", "range of 64 KiB of 1 MiB", "range", _MIB, 200, _READ_BASE, _OURS, _ours(0.6), objects=100),
    Line("get-64m", "get 64 MiB", "get", 64 * _MIB, 2, _READ_BASE, _GET, _ours(0.95), objects=1, are_fresh=True),
    Line("available", "available", "available", 4 * _KIB, 1000, _READ_BASE, _OURS, _ours(0.5), objects=1000),
    Line("get-size", "get_size", "get_size", 4 * _KIB, 1000, _READ_BASE, _OURS, _ours(0.5), objects=1000),
)

#: FileStorage with checksum against without.
CHECKSUMS = (
    Line(
        "checksum",
        "put 64 MiB",
        "put",
        64 * _MIB,
        1,
        (UNCHECKED,),
        (CRC32, XXH3),
        {CRC32: Bound(0.65), XXH3: Bound(0.85)},
        rounds=27,
        trees=_TREES,
    ),
)

#: What each level of durability costs.
LEVELS = tuple(
    Line(f"levels-{name}", work, operation, size, batch, (FULL,), (DATA, NONE), rounds=45, trees=_TREES)
    for name, work, operation, size, batch in (
        ("put-4k", "put 4 KiB", "put", 4 * _KIB, 20),
        ("put-1m", "put 1 MiB", "put", _MIB, 8),
        ("delete", "delete", "delete", 4 * _KIB, 20),
    )
)

_BESIDE = (AS_IT_COMES, *PEERS)

#: Beside its peers. These lines are measured last and apart, so that what peers leave to the kernel disturbs no other.
BESIDE = (
    Line("peers-put-4k", "put 4 KiB", "put", 4 * _KIB, 20, _PUT_BASE, _BESIDE, rounds=27, trees=_TREES),
    Line("peers-put-64m", "put 64 MiB", "put", 64 * _MIB, 1, _PUT_BASE, _BESIDE, rounds=18, trees=_TREES),
    Line("peers-get-4k", "get 4 KiB", "get", 4 * _KIB, 1000, _READ_BASE, _BESIDE, objects=1000, rounds=15),
    Line("peers-get-64m", "get 64 MiB", "get", 64 * _MIB, 1, _READ_BASE, _BESIDE, objects=1, are_fresh=True, rounds=15),
    Line("peers-exists", "exists", "available", 4 * _KIB, 1000, _READ_BASE, _BESIDE, objects=1000, rounds=15),
)

LINES = BY_HAND + CHECKSUMS + LEVELS + BESIDE
