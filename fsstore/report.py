"""What a survey found: counts, histograms, and what looks wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

__all__ = ["CORRUPT", "FOREIGN", "LEFTOVER", "LISTED", "UNREADABLE", "YOUNG", "Finding", "Report", "floor"]

CORRUPT, UNREADABLE, LEFTOVER, FOREIGN = "corrupt", "unreadable", "leftover", "foreign"
#: What may become a leftover, and is not old enough.
YOUNG = "young"
#: How many of the things that look wrong are listed one by one.
LISTED = 1000


class Finding(NamedTuple):
    """Something that looks wrong."""

    kind: str  # one of the above
    path: str  # below the root
    reason: str
    inode: int = 0
    changed: int = 0  # nanoseconds since 1970: the ctime that it had


@dataclass
class Report:
    """What a survey found; what it mended is counted in it as it was found."""

    objects: int = 0
    bytes: int = 0
    read: int = 0  # bytes of objects that were read through
    unverified: int = 0  # objects without a checksum, or with one that is not known here
    directories: int = 0  # in which objects may lie
    empty: int = 0  # of them
    young: int = 0  # files that may be under way: leftovers once they are older
    corrupt: int = 0  # objects that are not what was stored
    unreadable: int = 0  # objects that the device does not give back
    leftover: int = 0
    foreign: int = 0
    mended: int = 0
    pruned: int = 0  # directories that were removed since they were empty
    quarantined: int = 0  # objects in quarantine at the end
    is_complete: bool = False
    #: How many objects are of at least so many bytes, and less than twice as many.
    sizes: dict[int, int] = field(default_factory=dict)
    #: How many directories have at least so many files, and less than twice as many.
    files: dict[int, int] = field(default_factory=dict)
    #: The first :data:`LISTED` things that look wrong.
    found: list[Finding] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many things look wrong."""
        return self.corrupt + self.unreadable + self.leftover + self.foreign

    @property
    def share(self) -> float:
        """Which part of all things looks wrong."""
        return self.wrong / (self.objects + self.leftover + self.foreign or 1)

    @property
    def is_well(self) -> bool:
        """Whether nothing needs an administrator: leftovers that were removed do not."""
        return not self.corrupt and self.wrong == self.mended

    def count(self, size: int, *, is_verified: bool, read: int) -> None:
        """Count an object of ``size`` bytes."""
        self.objects += 1
        self.bytes += size
        self.read += read
        self.unverified += not is_verified
        self.sizes[floor(size)] = self.sizes.get(floor(size), 0) + 1

    def count_directory(self, files: int) -> None:
        """Count a directory in which that many objects lie."""
        self.directories += 1
        self.files[floor(files)] = self.files.get(floor(files), 0) + 1

    def note(self, finding: Finding) -> None:
        """Count something that looks wrong."""
        setattr(self, finding.kind, getattr(self, finding.kind) + 1)
        if len(self.found) < LISTED:
            self.found.append(finding)

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        made = asdict(self)
        for name in ("sizes", "files"):
            made[name] = {str(key): value for key, value in sorted(made[name].items())}
        made["found"] = [finding._asdict() for finding in self.found]
        return made

    @classmethod
    def from_json(cls, made: Mapping[str, Any]) -> "Report":
        """Return what :meth:`to_json` was made of.

        :raises ValueError: or KeyError or TypeError: it was not.
        """
        given = {one.name: made[one.name] for one in fields(cls)}
        for name in ("sizes", "files"):
            given[name] = {int(key): int(value) for key, value in made[name].items()}
        given["found"] = [Finding(**finding) for finding in made["found"]]
        if any(type(given[name]) is not int for name, kept in vars(cls()).items() if type(kept) is int):
            raise ValueError("a count is no number")
        return cls(**given)


def floor(number: int) -> int:
    """Return the greatest power of two that is not greater than ``number``; 0 for 0."""
    return 1 << number.bit_length() - 1 if number else 0
