"""What a FileStorage is asked while it is recorded, and what it may answer after a power cut."""

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.files import CONTEXT
from tests.fsstore.crash import Operation, unseen
from tests.fsstore.disk import Tree
from tests.fsstore.recorder import Recorder
from tests.fsstore.roots import COUNTERS, beside, elsewhere, make_root, open_storage
from tests.fsstore.sabotage import Sabotage

__all__ = ["COPIES", "SCENARIOS", "Asked", "Recording", "Scenario", "Script", "content", "record"]


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

    The objects A and B lie in one directory, C lies where new ones do.
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

    def copy(self, name: str, source: str, data: bytes) -> None:
        """Make an object of another one, which is ``data``."""
        self._note(Asked(name, data, is_done=False))
        if not self._module.copy_data(CONTEXT, self._objects[name], self._objects[source]):
            raise AssertionError("it was not copied")
        self._note(Asked(name, data, is_done=True))

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


def _copy(script: Script) -> None:
    script.copy("B", "A", content("A0"))


def _copy_elsewhere(script: Script) -> None:
    script.copy("C", "A", content("A0"))


def _copy_a_large_one(script: Script) -> None:
    script.assign("A", content("A1", 5 * 1024 * 1024 // 2))
    script.copy("C", "A", content("A1", 5 * 1024 * 1024 // 2))


def _copy_and_delete(script: Script) -> None:
    script.copy("C", "A", content("A0"))
    script.delete("A")


def _copy_again(script: Script) -> None:
    script.copy("B", "A", content("A0"))
    script.assign("A", content("A2", 3000))
    script.copy("B", "A", content("A2", 3000))


class _Others:
    """Threads that are other processes: what they raise is raised when the ``with`` statement ends."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor()
        self._works: list[Future[None]] = []

    def start(self, work: Callable[[], None], patience: float = 0) -> None:
        """Start ``work``, and wait for it, but not for ever: it may have to wait for us."""
        self._works.append(self._pool.submit(work))
        wait(self._works[-1:], patience)

    def __enter__(self) -> "_Others":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()
        for work in self._works:
            work.result()


def _deleted_meanwhile(script: Script) -> None:
    """The last object of a directory goes while another one comes there."""
    other = script.another()
    with _Others() as others:
        script.assign("B", content("B1"), lambda: others.start(lambda: other.delete("A"), 1))


def _after(
    call: str, count: int, work: Callable[[Script], None], meanwhile: Callable[[Script], None]
) -> Callable[[Script], None]:
    """While one process does ``work``, another does ``meanwhile`` after the ``count``-th ``call`` of os.

    So it meets what is done and not yet synced.
    """

    def play(script: Script) -> None:
        other = script.another()
        real = getattr(os, call)
        calls = 0

        def call_and_meanwhile(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            result = real(*args, **kwargs)
            calls += 1
            if calls == count:
                others.start(lambda: meanwhile(other), 1)
            return result

        with mock.patch.object(os, call, call_and_meanwhile), _Others() as others:
            work(script)

    return play


def _fill(script: Script) -> None:
    script.assign("B", content("B1"))


def _at_once(script: Script) -> None:
    """Three processes work in the order in which the system lets them."""
    with _Others() as others:
        others.start(lambda: script.assign("A", content("A2")))
        others.start(lambda: script.another().assign("B", content("B1")))
        others.start(lambda: script.another().delete("C"))


COPIES = [
    Scenario("an object is copied beside its original", _copy, 4, "A"),
    Scenario("an object is copied into a new directory", _copy_elsewhere, 4, "A"),
    Scenario("a large object is copied", _copy_a_large_one, 4),
    Scenario("an object is copied and its original deleted", _copy_and_delete, 6, "A"),
    Scenario("an object is copied again after its original was replaced", _copy_again, 8, "A"),
    Scenario("another process deletes the original of a copy", _after("fchmod", 1, _copy_elsewhere, _delete), 6, "A"),
]

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
    Scenario("another process uses a directory just made", _after("mkdir", 1, _first, _fill), 4),
    Scenario("another process uses a second directory just made", _after("mkdir", 2, _first, _fill), 4),
    Scenario("another process deletes what is just deleted", _after("unlink", 1, _delete, _delete), 3, "AB"),
    Scenario("another process deletes the last object just deleted", _after("unlink", 1, _delete, _delete), 3, "A"),
    Scenario("another process fills a directory just emptied", _after("unlink", 1, _delete, _fill), 3, "A"),
    Scenario("another process fills a directory just removed", _after("rmdir", 1, _delete, _fill), 3, "A"),
    Scenario("three processes at once", _at_once, 8, "AC"),
    *COPIES,
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
    first = elsewhere(module.new_data(CONTEXT))
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
