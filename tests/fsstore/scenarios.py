"""What a FileStorage is asked while it is recorded, and what it may answer after a power cut."""

import os
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.files import CONTEXT
from tests.fsstore.crash import Operation, unseen
from tests.fsstore.disk import Tree
from tests.fsstore.recorder import Recorder
from tests.fsstore.roots import COUNTERS, beside, make_root, open_storage
from tests.fsstore.sabotage import Sabotage

__all__ = ["SCENARIOS", "Asked", "Recording", "Scenario", "Script", "content", "record"]


class Broken(Exception):
    """What a source raises that breaks off."""


class Pieces:
    """A source of short reads, which calls ``meanwhile`` once when half of it was read."""

    def __init__(self, data: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
        size = max(1, len(data) // 3)
        self._pieces = [data[place : place + size] for place in range(0, len(data), size)]
        self._half = len(self._pieces) // 2
        self._meanwhile = meanwhile

    def read(self, size: int = -1, /) -> bytes:
        if len(self._pieces) == self._half:
            self._meanwhile()
            self._half = -1
        return self._pieces.pop(0) if self._pieces else b""


def content(version: str, size: int = 2000) -> bytes:
    """Return bytes that no other version has, and no part of another one."""
    return random.Random(version).randbytes(size)


@dataclass(frozen=True)
class Asked:
    """An event: the storage was asked to make an object be ``data``, None for absent, or has done it."""

    name: str
    data: bytes | None
    is_done: bool


class Script:
    """One process that uses the storage, and notes what it asks and what was acknowledged.

    The objects A and B lie in one directory, C by chance somewhere else.
    """

    def __init__(self, root: Path, level: str, objects: dict[str, str], note: Callable[[Asked], None]) -> None:
        self._arguments = root, level, objects, note
        self._module = open_storage(root, level)
        self._objects = objects
        self._note = note

    def another(self) -> "Script":
        """Return another process."""
        return Script(*self._arguments)

    def assign(self, name: str, data: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._note(Asked(name, data, is_done=False))
        self._module.assign(CONTEXT, self._objects[name], Pieces(data, meanwhile))
        self._note(Asked(name, data, is_done=True))

    def break_off(self, name: str) -> None:
        """Assign from a source that raises: nothing may come of that."""

        def raise_() -> None:
            raise Broken

        with suppress(Broken):
            self._module.assign(CONTEXT, self._objects[name], Pieces(content("broken"), raise_))

    def delete(self, name: str) -> None:
        self._note(Asked(name, None, is_done=False))
        self._module.delete(CONTEXT, self._objects[name])
        self._note(Asked(name, None, is_done=True))


@dataclass(frozen=True)
class Scenario:
    """Something to ask of a storage.

    :param name: what it is, in words.
    :param play: asks it.
    :param least: how many states there must be at least: fewer, and the test does not test.
    :param before: the objects that are there, long since durable.
    """

    name: str
    play: Callable[[Script], None]
    least: int
    before: str = ""


def _first(script: Script) -> None:
    script.assign("A", content("A1"))


def _second(script: Script) -> None:
    script.assign("A", content("A1"))
    script.assign("B", content("B1"))


def _large(script: Script) -> None:
    script.assign("A", content("A1", 5 * 1024 * 1024 // 2))


def _empty(script: Script) -> None:
    script.assign("A", b"")
    script.assign("A", content("A2"))
    script.assign("A", b"")


def _replace(script: Script) -> None:
    script.assign("A", content("A2", 3000))


def _twice(script: Script) -> None:
    script.assign("A", content("A2", 3000))
    script.assign("A", content("A3"))


def _delete(script: Script) -> None:
    script.delete("A")


def _delete_what_came(script: Script) -> None:
    script.assign("A", content("A1"))
    script.delete("A")


def _delete_twice(script: Script) -> None:
    script.delete("A")
    script.another().delete("A")


def _refill(script: Script) -> None:
    script.assign("A", content("A1"))
    script.delete("A")
    script.assign("B", content("B1"))


def _refill_what_another_emptied(script: Script) -> None:
    script.assign("A", content("A1"))
    script.another().delete("A")
    script.assign("B", content("B1"))


def _break_off(script: Script) -> None:
    script.break_off("A")
    script.assign("A", content("A1"))


def _besides(work: Callable[[], None]) -> threading.Thread:
    """Do ``work`` in a thread and wait for it, but not for ever: it may have to wait for us."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(1)
    return thread


def _deleted_meanwhile(script: Script) -> None:
    """The last object of a directory goes while another one comes there."""
    threads: list[threading.Thread] = []
    other = script.another()
    script.assign("B", content("B1"), lambda: threads.append(_besides(lambda: other.delete("A"))))
    for thread in threads:
        thread.join()


def _made_by_another(count: int) -> Callable[[Script], None]:
    """A process uses a directory that another one has just made, the ``count``-th, and not yet synced."""

    def play(script: Script) -> None:
        other = script.another()
        threads: list[threading.Thread] = []
        made = 0
        mkdir = os.mkdir

        def mkdir_and_meanwhile(*args: Any, **kwargs: Any) -> None:
            nonlocal made
            mkdir(*args, **kwargs)
            made += 1
            if made == count:
                threads.append(_besides(lambda: other.assign("B", content("B1"))))

        with mock.patch.object(os, "mkdir", mkdir_and_meanwhile):
            script.assign("A", content("A1"))
            for thread in threads:
                thread.join()

    return play


def _at_once(script: Script) -> None:
    """Three processes work in the order in which the system lets them."""
    works = [
        lambda: script.assign("A", content("A2")),
        lambda: script.another().assign("B", content("B1")),
        lambda: script.another().delete("C"),
    ]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


#: The place for clean-up is here, too: a scenario that calls roots.clean_up in a root with leftovers.
SCENARIOS = [
    Scenario("the first object of a root", _first, 4),
    Scenario("a second object in the same directory", _second, 6),
    Scenario("a large object", _large, 4),
    Scenario("an empty object, and replaced", _empty, 6),
    Scenario("an object is replaced", _replace, 4, "AB"),
    Scenario("an object is replaced twice", _twice, 8, "A"),
    Scenario("an object is deleted", _delete, 3, "ABC"),
    Scenario("the last object of a directory is deleted", _delete, 3, "A"),
    Scenario("an object is deleted that has just come", _delete_what_came, 6),
    Scenario("an object is deleted twice, by two processes", _delete_twice, 4, "A"),
    Scenario("a directory is emptied and filled again", _refill, 8),
    Scenario("a directory is filled that another process emptied", _refill_what_another_emptied, 8),
    Scenario("the last object is deleted while another one comes", _deleted_meanwhile, 5, "A"),
    Scenario("a source breaks off", _break_off, 4),
    Scenario("a source breaks off that was to replace an object", _break_off, 4, "A"),
    Scenario("another process uses a directory just made", _made_by_another(1), 6),
    Scenario("another process uses a second directory just made", _made_by_another(2), 4),
    Scenario("three processes at once", _at_once, 8, "AC"),
]


@dataclass(frozen=True)
class Recording:
    """What a scenario did.

    :param objects: module_data by name.
    :param before: what was there, by name.
    """

    scenario: Scenario
    level: str
    start: Tree
    log: Sequence[Operation]
    objects: dict[str, str]
    before: dict[str, bytes]

    def expected(self, events: Sequence[object]) -> dict[str, set[bytes | None]]:
        """Return what each object may be, as far as the events have come.

        Without a sync of directories nothing that was ever asked for is certain.
        """
        expected: dict[str, set[bytes | None]] = {name: {self.before.get(name)} for name in self.objects}
        for event in events:
            assert isinstance(event, Asked)
            if event.is_done and self.level == "full":
                expected[event.name] = {event.data}
            else:
                expected[event.name] |= {event.data} if self.level == "full" else {event.data, None}
        return expected


def record(scenario: Scenario, root: Path, level: str = "full", *sabotage: Sabotage) -> Recording:
    """Make a root, play ``scenario`` there and return what was recorded."""
    make_root(root)
    module = open_storage(root, level)
    first = module.new_data(CONTEXT)
    objects = {"A": first, "B": beside(first), "C": module.new_data(CONTEXT)}
    before = {name: content(f"{name}0") for name in scenario.before}
    for name, data in before.items():
        module.assign(CONTEXT, objects[name], Pieces(data))
    with Recorder(root) as recorder, ExitStack() as stack:
        for each in sabotage:
            stack.enter_context(each())
        scenario.play(Script(root, level, objects, recorder.event))
    log = unseen(recorder.start, recorder.log, COUNTERS)
    return Recording(scenario, level, recorder.start, log, objects, before)
