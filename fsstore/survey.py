"""The survey: everything below a root is looked at, beside the servers that use it.

It is an iterator of small steps: who does not ask for the next one has paused it. What it needs to go
on later, also in another process, is :meth:`Survey.state`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from fsstore import leftover, quarantine
from fsstore.durable import Durability, NotAFile
from fsstore.leftover import path_of
from fsstore.mend import Mender
from fsstore.report import CORRUPT, FOREIGN, LEFTOVER, UNREADABLE, YOUNG, Finding, Report
from fsstore.root import Root
from fsstore.scrub import Pace, scrub
from fsstore.walk import Kind, Place, kind_of, walk

__all__ = ["Options", "Survey", "TooMuchWrong"]

_FEW = 10  # things that look wrong and never stop it
_FRESH = 1.0  # seconds for which it is believed that the root is where it was
_SECOND = 10**9  # nanoseconds


class Options(NamedTuple):
    """What a survey is to do."""

    mend: bool = False  # else nothing is changed
    scrub: bool = True  # whether objects are read through; else names, sizes and times are looked at alone
    grace: float = 86400.0  # seconds after which what nobody uses is left over
    share: float = 0.1  # which part may look wrong


class TooMuchWrong(Exception):
    """So much looks wrong that the reason may be another one, such as bad memory. Nothing more was mended."""


class Survey:
    """One survey of the root ``root``. Iterate over it, and then read ``report``.

    :param root: the absolute path.
    :param state: what :meth:`state` returned, to go on from there.
    :param ask: whether to go on, although too much looks wrong; it is asked once. None: no.
    :param pace: how fast objects are read; None: as fast as it goes.
    :raises OSError: no storage is there, or one of a newer format.
    :raises ValueError: ``state`` is none of this storage, or one with other options.
    """

    def __init__(
        self,
        root: str,
        options: Options = Options(),  # noqa: B008 (a tuple)
        *,
        state: Mapping[str, Any] | None = None,
        ask: Callable[[Report], bool] | None = None,
        pace: Pace | None = None,
    ) -> None:
        durability = Durability("full")
        self._root = Root(root, durability)
        self._mender = Mender(self._root, durability)
        self._options = options
        self._ask = ask
        self._pace = pace or Pace(0)
        self._limit = time.time_ns() - int(options.grace * _SECOND)
        self.done = 0.0  # the part that was looked at, more or less
        self.report = Report()
        self._after = ""  # the path of the last directory that is done with
        self._path = self._name = ""  # the directory that comes next, and the last name in it that is done with
        self._found: list[Finding] = []  # in that directory, and not yet in the report
        self._wrong: list[Finding] = []  # in that directory, in the report and still to be mended
        self._agreed = False
        if state is not None:
            self._take(state)

    def __iter__(self) -> Iterator[None]:
        for place in walk(self._root.directory, self._after):
            if place.path != self._path:
                self._path, self._name = place.path, ""
            yield from self._look(place)
            self._judge(place)
            while self._wrong:
                self.report.mended += self._mender.mend(self._wrong[0])
                del self._wrong[0]
                yield
            self._close(place)
        self.done = 1.0
        if self._options.mend:
            yield from self._mender.recount()
        self.report.quarantined = len(quarantine.entries(self._root))
        self.report.is_complete = True

    @property
    def wrong(self) -> int:
        """How many things look wrong up to now."""
        return self.report.wrong + len(self._found)

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on later; ``json.dumps`` takes it."""
        return {
            **self._names(),
            "after": self._after,
            "path": self._path,
            "name": self._name,
            "found": [list(finding) for finding in self._found],
            "wrong": [list(finding) for finding in self._wrong],
            "agreed": self._agreed,
            "report": self.report.to_json(),
        }

    def _names(self) -> dict[str, Any]:
        """Return what a state must say to be one of this survey."""
        mend, scrubs, grace, _ = self._options
        identity = self._root.marker.identity
        return {"survey": 1, "identity": identity, "mend": mend, "scrub": scrubs, "grace": grace}

    def _take(self, state: Mapping[str, Any]) -> None:
        for name, value in self._names().items():
            if state.get(name) != value:
                raise ValueError(f"the state is of another survey: its {name} is {state.get(name)!r}, not {value!r}")
        try:
            self._after, self._path, self._name = (str(state[name]) for name in ("after", "path", "name"))
            self._found, self._wrong = ([Finding(*one) for one in state[name]] for name in ("found", "wrong"))
            self._agreed = state["agreed"] is True
            self.report = Report.from_json(state["report"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not the state of a survey: {error!r}") from None

    def _look(self, place: Place) -> Iterator[None]:
        for number, name in enumerate(place.names):
            if name > self._name:
                self._root.require(_FRESH)
                self.done = place.done + place.part * number / len(place.names)
                kind = kind_of(place, name)
                if kind is Kind.OBJECT:
                    yield from self._object(place, name)
                elif kind is not Kind.OURS:
                    self._other(place, name, kind)
                self._name = name
                yield

    def _object(self, place: Place, name: str) -> Iterator[None]:
        try:
            seen = yield from scrub(place.directory, name, self._pace if self._options.scrub else None)
        except NotAFile:
            self._found.append(Finding(FOREIGN, path_of(place, name), "not a plain file"))
            return
        if seen is None:
            return
        self.report.count(seen.size, is_verified=seen.is_verified, read=seen.read)
        if seen.reason:
            kind = CORRUPT if seen.is_readable else UNREADABLE
            self._found.append(Finding(kind, path_of(place, name), seen.reason, seen.inode, seen.changed))

    def _other(self, place: Place, name: str, kind: Kind) -> None:
        finding = leftover.look(place, name, kind, self._limit)
        if finding is None:
            return
        if finding.kind == YOUNG:
            self.report.young += 1
        else:
            self._found.append(finding)

    def _judge(self, place: Place) -> None:
        """Report what was found in a directory, and see whether that is too much before any of it is mended."""
        for finding in self._found:
            if finding.kind == LEFTOVER:  # it may have been on its way out
                name = finding.path.rpartition("/")[2]
                if leftover.look(place, name, kind_of(place, name), self._limit) != finding:
                    continue
            self.report.note(finding)
            if self._options.mend and finding.kind in (CORRUPT, LEFTOVER):
                self._wrong.append(finding)
        self._found = []
        if self._agreed or self.report.wrong < _FEW or self.report.share <= self._options.share:
            return
        if self._ask is None or not self._ask(self.report):
            raise TooMuchWrong(f"{self.report.wrong} things look wrong, {self.report.share:.0%} of all up to now")
        self._agreed = True

    def _close(self, place: Place) -> None:
        objects = sum(kind_of(place, name) is Kind.OBJECT for name in place.names)
        if place.is_shard:
            self.report.count_directory(objects)
        if place.path not in (".", quarantine.NAME):
            self.report.empty += not place.names
            if self._options.mend and not objects:
                self.report.pruned += self._mender.prune(place, self._limit)
        self._after, self._path, self._name = place.path, "", ""
