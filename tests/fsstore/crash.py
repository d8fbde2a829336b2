"""What a power cut may leave: a model of a file system that loses whatever was not synced.

The usual model (fsync(2); Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, section 2):

- After ``fsync`` a file's data, size and attributes are durable, after ``fdatasync`` its data and size.
  Data that is not synced is missing, whole or torn; each attribute is the old or the new one.
- A change of a directory's entries is durable after ``fsync`` of that directory. Until then it is
  missing or present, whatever became of other changes, of the same directory too.
- A rename within one directory is one change. One between two is two, and until the directory it
  leaves is synced, the old entry never goes before the new one comes.
- A directory that has no entry is missing, with all that lies in it, synced or not.

Real file systems do less harm: ext4, for one, keeps the order of changes of directories. A disk that
lies about what it has written does more, and nothing helps against that.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from typing import TypeAlias

from tests.fsstore.disk import Inode, State, Tree, Value

__all__ = [
    "Changed",
    "Crash",
    "Crashes",
    "Disk",
    "Entries",
    "Event",
    "Made",
    "Operation",
    "Resized",
    "Synced",
    "SyncedAll",
    "Touched",
    "Written",
    "unseen",
]


@dataclass(frozen=True)
class Made:
    """A new file or directory, without an entry so far; what it is when it is made is durable."""

    inode: int
    what: Inode


@dataclass(frozen=True)
class Written:
    """``data`` was written at ``offset``, in bytes."""

    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Resized:
    """A file was cut or filled up with zeros to ``size`` bytes."""

    inode: int
    size: int


@dataclass(frozen=True)
class Changed:
    """The attribute ``name`` got ``value``, or with None was removed.

    Of times only those are attributes that were set, not those that a write leaves.
    """

    inode: int
    name: str
    value: Value | None


@dataclass(frozen=True)
class Touched:
    """Something was changed that a state does not show: the owner."""

    inode: int
    call: str


@dataclass(frozen=True)
class Entries:
    """In ``directory`` each name of ``edits`` came to mean an inode, or nothing.

    :param gone: of a rename between directories: where the name was, and the name.
    """

    directory: int
    edits: tuple[tuple[str, int | None], ...]
    gone: tuple[int, str] | None = None


@dataclass(frozen=True)
class Synced:
    """``fsync`` of a file or a directory, or ``fdatasync``: that is without ``attributes``."""

    inode: int
    attributes: bool = True


@dataclass(frozen=True)
class SyncedAll:
    """``sync``."""


@dataclass(frozen=True)
class Event:
    """The test's own: from here on another outcome is expected."""

    what: object


Operation: TypeAlias = Made | Written | Resized | Changed | Touched | Entries | Synced | SyncedAll | Event


class _File:
    """An inode's history since it was synced: the first of each list is durable, the last is in memory."""

    def __init__(self, inode: Inode) -> None:
        self.data: list[bytes | None] = [inode.data]
        self.attributes: dict[str, list[Value | None]] = {name: [value] for name, value in inode.attributes}

    @property
    def content(self) -> bytes:
        content = self.data[-1]
        if content is None:
            raise IsADirectoryError("data of a directory")
        return content

    def sync(self, attributes: bool = True) -> None:
        del self.data[:-1]
        for values in self.attributes.values() if attributes else ():
            del values[:-1]

    def now(self) -> Inode:
        return self._inode(self.data[-1], tuple(values[-1] for values in self.attributes.values()))

    def outcomes(self) -> list[Inode]:
        """Return what may be found after a power cut: first all lost, at last all there."""
        attributes = product(*(dict.fromkeys(values) for values in self.attributes.values()))
        found = [self._inode(data, values) for values, data in product(attributes, self._contents())]
        last = self.now()
        return [*(inode for inode in dict.fromkeys(found) if inode != last), last]

    def _contents(self) -> list[bytes | None]:
        old, new = self.data[0], self.data[-1]
        if old is None or new is None or len(self.data) == 1:
            return [new]
        half = len(new) // 2
        filled = old[: len(new)].ljust(len(new), b"\0")
        torn = [new[:half], bytes(len(new)), new[:half] + old[half:], filled[:half] + new[half:]]
        between = self.data[-4:-1]  # a few will do: each was the last one at an earlier point
        return [old, *between, *torn, new]

    def _inode(self, data: bytes | None, values: Sequence[Value | None]) -> Inode:
        pairs = zip(self.attributes, values, strict=True)
        return Inode(data, tuple(sorted((name, value) for name, value in pairs if value is not None)))


@dataclass(eq=False)
class _Change:
    """A change of a directory that is not synced."""

    directory: int
    edits: tuple[tuple[str, int | None], ...]
    after: "_Change | None" = None  # the change that comes no later than this one


@dataclass
class _Choice:
    """One of the things that a power cut decides: which outcome one inode, or one change, has."""

    inode: int
    change: _Change | None
    outcomes: Sequence[Inode | bool]  # first all lost, at last all there


class Disk:
    """A file system with a memory that a power cut wipes; it begins as ``start``, all of it durable."""

    def __init__(self, start: Tree) -> None:
        self._root = start.root
        self._files = {number: _File(inode) for number, inode in start.inodes.items()}
        self._entries = {number: dict(entries) for number, entries in start.entries.items()}
        self._changes: list[_Change] = []

    def apply(self, operation: Operation) -> None:
        """Do what ``operation`` says."""
        match operation:
            case Made(number, what):
                self._files[number] = _File(what)
                if what.data is None:
                    self._entries[number] = {}
            case Written(number, offset, data):
                old = self._files[number].content
                self._files[number].data.append(old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :])
            case Resized(number, size):
                self._files[number].data.append(self._files[number].content[:size].ljust(size, b"\0"))
            case Changed(number, name, value):
                self._files[number].attributes.setdefault(name, [None]).append(value)
            case Entries(directory, edits, gone):
                self._changes.append(_Change(directory, edits))
                if gone is not None:
                    self._changes.append(_Change(gone[0], ((gone[1], None),), after=self._changes[-1]))
            case Synced(number, attributes):
                self._sync(number, attributes)
            case SyncedAll():
                for number in self._files:
                    self._sync(number)
            case Touched() | Event():
                pass

    def _sync(self, number: int, attributes: bool = True) -> None:
        self._files[number].sync(attributes)
        if not attributes:
            return
        for change in self._changes:
            if change.directory == number:
                _enter(self._entries[number], change)
        self._changes = [change for change in self._changes if change.directory != number]

    def now(self) -> State:
        """Return what a program sees that runs on."""
        return self._state([(choice, choice.outcomes[-1]) for choice in self._choices()])

    def states(self, limit: int, deviations: int = 3) -> tuple[Iterator[State], bool]:
        """Return the states that a power cut may leave, and whether those are all of them.

        If there are more than ``limit`` combinations, they are those in which at most ``deviations``
        things are other than all lost or all there, or fewer things where that is too much, too.
        Some may come twice.
        """
        choices = self._choices()
        vectors, is_all = _vectors([choice.outcomes for choice in choices], limit, deviations)
        decided = (list(zip(choices, vector, strict=True)) for vector in vectors)
        return (self._state(each) for each in decided if _can_be(each)), is_all

    def _choices(self) -> list[_Choice]:
        named = {number for entries in self._entries.values() for number in entries.values()}
        named.update(number for change in self._changes for _, number in change.edits if number is not None)
        files = [_Choice(number, None, self._files[number].outcomes()) for number in sorted(named | {self._root})]
        changes = [_Choice(change.directory, change, (False, True)) for change in self._changes]
        return files + changes

    def _state(self, decided: Sequence[tuple[_Choice, Inode | bool]]) -> State:
        tree = Tree(self._root, {}, {number: dict(entries) for number, entries in self._entries.items()})
        for choice, outcome in decided:
            if isinstance(outcome, Inode):
                tree.inodes[choice.inode] = outcome
            elif outcome and choice.change is not None:
                _enter(tree.entries[choice.inode], choice.change)
        return tree.state()


def _enter(entries: dict[str, int], change: _Change) -> None:
    for name, number in change.edits:
        entries.pop(name, None)
        if number is not None:
            entries[name] = number


def _can_be(decided: Sequence[tuple[_Choice, Inode | bool]]) -> bool:
    """Tell whether no old entry of a rename went before the new one came."""
    missing = {id(choice.change) for choice, outcome in decided if outcome is False}
    return not any(
        outcome is True and choice.change is not None and id(choice.change.after) in missing
        for choice, outcome in decided
    )


def _vectors(
    outcomes: Sequence[Sequence[Inode | bool]], limit: int, deviations: int
) -> tuple[Iterator[tuple[Inode | bool, ...]], bool]:
    """Return combinations of outcomes, and whether those are all."""
    if math.prod(map(len, outcomes)) <= limit:
        return product(*outcomes), True
    while deviations > 1 and _count([len(each) for each in outcomes], deviations) > limit:
        deviations -= 1
    bases = (tuple(each[0] for each in outcomes), tuple(each[-1] for each in outcomes))
    return chain.from_iterable(_near(base, outcomes, deviations) for base in bases), False


def _near(
    base: tuple[Inode | bool, ...], outcomes: Sequence[Sequence[Inode | bool]], deviations: int
) -> Iterator[tuple[Inode | bool, ...]]:
    """Return the combinations that differ from ``base`` in at most so many places."""
    for many in range(deviations + 1):
        for places in combinations(range(len(base)), many):
            others = ([each for each in outcomes[place] if each is not base[place]] for place in places)
            for values in product(*others):
                changed = dict(zip(places, values, strict=True))
                yield tuple(changed.get(place, value) for place, value in enumerate(base))


def _count(sizes: Sequence[int], deviations: int) -> int:
    """Return how many combinations there are near two bases: twice an elementary symmetric sum."""
    sums = [1] + [0] * deviations
    for size in sizes:
        for many in range(deviations, 0, -1):
            sums[many] += sums[many - 1] * (size - 1)
    return 2 * sum(sums)


@dataclass(frozen=True)
class Crash:
    """A state that a power cut may leave after the first ``point`` operations, and the events until then."""

    point: int
    events: tuple[object, ...]
    state: State


@dataclass
class Crashes:
    """Every state that a power cut may leave, at every point of ``log``; each once between two events."""

    start: Tree
    log: Sequence[Operation]
    limit: int = 4096
    points: int = 0
    points_cut_short: int = field(default=0)  #: where not all combinations were built, see Disk.states

    def __iter__(self) -> Iterator[Crash]:
        disk = Disk(self.start)
        events: tuple[object, ...] = ()
        seen: set[State] = set()
        self.points = self.points_cut_short = 0
        for point in range(len(self.log) + 1):
            if point:
                operation = self.log[point - 1]
                disk.apply(operation)
                if isinstance(operation, Event):
                    events, seen = (*events, operation.what), set()
            states, is_all = disk.states(self.limit)
            self.points += 1
            self.points_cut_short += not is_all
            for state in states:
                if state not in seen:
                    seen.add(state)
                    yield Crash(point, events, state)


def unseen(start: Tree, log: Sequence[Operation], name: str) -> list[Operation]:
    """Return ``log`` less what was done to every file that the root has, or had, under ``name``.

    For a file of which anything may be left at any time: with it the states would be multiplied.
    """
    entries = [operation for operation in log if isinstance(operation, Entries)]
    named = [edit for operation in entries if operation.directory == start.root for edit in operation.edits]
    hidden = {number for entry, number in [*named, *start.entries[start.root].items()] if entry == name} - {None}

    def is_seen(operation: Operation) -> bool:
        match operation:
            case SyncedAll() | Event():
                return True
            case Entries(directory, edits):
                is_it = any((entry, directory) == (name, start.root) for entry, _ in edits)
                return not is_it and hidden.isdisjoint(number for _, number in edits)
            case _:
                return operation.inode not in hidden

    return [operation for operation in log if is_seen(operation)]
