"""Every state that a power cut may leave: nothing acknowledged is lost, nothing is unreadable."""

import errno
import os
import shutil
import tempfile
import unittest
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import count
from pathlib import Path
from unittest import mock

from fsstore.durable import LEVELS
from modules import StorageModule
from tests.files import CONTEXT
from tests.fsstore.crash import Crash, Crashes, Disk
from tests.fsstore.disk import Tree, materialise, snapshot, timeless, without
from tests.fsstore.roots import COUNTERS, clean_up, look, open_storage, strangers
from tests.fsstore.sabotage import SABOTEURS, Sabotage, clones, no_extended_attributes, no_nameless_files
from tests.fsstore.scenarios import COPIES, SCENARIOS, Asked, Pieces, Recording, Scenario, content, record

NEW = content("new")
#: Combinations at a point beyond which not all are tried: hardly ever under ``full``, which syncs what it does.
LIMITS = {"full": 4096, "data": 256, "none": 16}


class Fault(Exception):
    """The storage does not keep its word in a state."""


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Whatever is raised meanwhile is a fault: a state that a crash left is no excuse for an error."""
    try:
        yield
    except Exception as error:
        raise Fault(f"{what}: {error!r}") from error


def brief(data: bytes | None) -> str:
    return "absent" if data is None else f"{len(data)} bytes ({data[:4].hex()}...)"


def require_use(module: StorageModule, module_data: str) -> None:
    """Replace an object, or make it, and delete it."""
    module.assign(CONTEXT, module_data, Pieces(NEW))
    if look(module, module_data) != NEW:
        raise Fault("is not what was assigned")
    module.delete(CONTEXT, module_data)
    if look(module, module_data) is not None:
        raise Fault("is there after it was deleted")


def look_after_crash(module: StorageModule, module_data: str, level: str) -> bytes | None:
    """Return the object; where nothing is synced it may be torn, and then is told to be, as good as absent."""
    try:
        return look(module, module_data)
    except OSError as error:
        if level != "none" or error.errno != errno.EIO:
            raise
        return None


def require_objects(module: StorageModule, recording: Recording, crash: Crash) -> None:
    """See that every object is what it may be."""
    for name, possible in recording.expected(crash.events).items():
        with doing(f"look at {name}"):
            data = look_after_crash(module, recording.objects[name], recording.level)
        if data not in possible and recording.level != "none":
            raise Fault(f"{name} is {brief(data)}; expected: {' or '.join(sorted(map(brief, possible)))}")


def require_recovery(root: Path, recording: Recording, crash: Crash) -> None:
    """Open a storage on what a crash left, and see that it is as it should be and can be used."""
    with doing("open"):
        module = open_storage(root, recording.level)
    require_objects(module, recording, crash)
    with doing("clean up"):
        clean_up(root)
    require_objects(module, recording, crash)
    if names := strangers(root, recording.objects.values()):
        raise Fault(f"left over: {names}")
    for name, module_data in [*recording.objects.items(), ("a new object", module.new_data(CONTEXT))]:
        with doing(f"use {name}"):
            require_use(module, module_data)
    with doing("statistics"):
        module.statistics(CONTEXT)["capacity"]


@dataclass
class Verdict:
    """What came of the states of one recording."""

    states: int = 0
    points: int = 0
    points_cut_short: int = 0
    faults: list[str] = field(default_factory=list)


def unsynced() -> AbstractContextManager[object]:
    """Spare the disk: what is tried out after a crash need not survive another one."""
    stack = ExitStack()
    for name in ("fsync", "fdatasync"):
        stack.enter_context(mock.patch.object(os, name, lambda descriptor: None))
    return stack


def damage(path: Path, real: bytes, kind: int) -> None:
    """Leave of a file that is never synced what a crash may: it all, nothing, a part, or anything."""
    found = [real, None, b"", real[: len(real) // 2], bytes(len(real)), content("anything", 100)][kind % 6]
    path.unlink(missing_ok=True)
    if found is not None:
        path.write_bytes(found)


def judge(recording: Recording, counters: bytes | None = None, most: int = 3) -> Verdict:
    """Try every state that a crash may leave, until ``most`` faults are found."""
    verdict = Verdict()
    crashes = Crashes(recording.start, recording.log, LIMITS[recording.level])
    with tempfile.TemporaryDirectory() as directory, unsynced():
        root = Path(directory, "root")
        for crash in crashes:
            verdict.states += 1
            root.mkdir()
            materialise(crash.state, root)
            if counters is not None:
                damage(root / COUNTERS, counters, verdict.states)
            try:
                require_recovery(root, recording, crash)
            except Fault as fault:
                verdict.faults.append(f"{fault}\n{described(recording, crash)}")
                if len(verdict.faults) == most:
                    break
            shutil.rmtree(root)
    verdict.points, verdict.points_cut_short = crashes.points, crashes.points_cut_short
    return verdict


def described(recording: Recording, crash: Crash) -> str:
    """Return what led to a state, and what is in it, for a person to read."""
    log = [f"  {told(operation)}" for operation in recording.log[: crash.point]]
    state = [f"  {path} {told(inode)}" for path, _, inode in crash.state]
    title = f"{recording.scenario.name}, durability {recording.level}, a power cut after:"
    return "\n".join([title, *log, "leaves:", *state])


def told(value: object) -> str:
    """Return the text of a value, data in brief."""
    if isinstance(value, bytes):
        return brief(value)
    if is_dataclass(value):
        return f"{type(value).__name__}({', '.join(told(getattr(value, each.name)) for each in fields(value))})"
    return repr(value)


class _Judge(unittest.TestCase):
    """Records scenarios and tries the states that crashes leave of them."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.roots = (Path(directory.name, str(number)) for number in count())

    def judged(self, scenario: Scenario, level: str = "full", *sabotage: Sabotage, most: int = 3) -> Verdict:
        root = next(self.roots)
        recording = record(scenario, root, level, *sabotage)
        self.require_all_was_seen(recording, root)
        counters = root / COUNTERS
        return judge(recording, counters.read_bytes() if counters.exists() else None, most)

    def require_all_was_seen(self, recording: Recording, root: Path) -> None:
        """Fail if the log does not lead to what is there: then the storage did what is not recorded."""
        disk = Disk(recording.start)
        for operation in recording.log:
            disk.apply(operation)
        own = {COUNTERS}  # may be written in ways that are not recorded, since nothing depends on it
        seen, there = (timeless(without(state, own)) for state in (disk.now(), snapshot(root)[0].state()))
        self.assertEqual(seen, there, recording.scenario.name)


class CrashStatesTest(_Judge):
    def require_no_fault(self, level: str, scenarios: Sequence[Scenario] = SCENARIOS) -> None:
        for scenario in scenarios:
            with self.subTest(scenario.name, level=level):
                verdict = self.judged(scenario, level)
                self.assertEqual(verdict.faults, [], "\n".join(verdict.faults))
                self.assertGreaterEqual(verdict.states, 2 if level == "none" else scenario.least)

    def test_nothing_that_was_acknowledged_is_lost(self) -> None:
        self.require_no_fault("full")

    def test_nothing_is_lost_where_there_are_no_nameless_files(self) -> None:
        with no_nameless_files():
            self.require_no_fault("full")

    def test_nothing_is_lost_where_there_are_no_extended_attributes(self) -> None:
        with no_extended_attributes():
            self.require_no_fault("full")

    def test_nothing_is_lost_where_files_can_be_cloned(self) -> None:
        for level in LEVELS:
            with clones():
                self.require_no_fault(level, COPIES)

    def test_weaker_levels_leave_nothing_that_is_unreadable(self) -> None:
        for level in LEVELS[1:]:
            self.require_no_fault(level)


class ExpectationTest(unittest.TestCase):
    def test_what_may_be_left_depends_on_what_was_acknowledged(self) -> None:
        old, new = b"old", b"new"
        events = [Asked("A", new, False), Asked("A", new, True), Asked("A", None, False), Asked("A", None, True)]
        cases: dict[str, list[set[bytes | None]]] = {
            "full": [{old}, {old, new}, {new}, {new, None}, {None}],
            "data": [{old}, *[{old, new, None}] * 4],
        }
        for level, expected in cases.items():
            recording = Recording(SCENARIOS[0], level, Tree(0, {}, {}), [], {"A": ""}, {"A": old})
            found = [recording.expected(events[:many])["A"] for many in range(5)]
            self.assertEqual(found, expected, level)


class SabotageTest(_Judge):
    """The test of the test."""

    def test_every_sabotage_is_caught(self) -> None:
        for file_system in (nullcontext, no_nameless_files):
            for sabotage in SABOTEURS:
                with self.subTest(sabotage.__name__, file_system=file_system.__name__), file_system():
                    verdicts = (self.judged(scenario, "full", sabotage, most=1) for scenario in SCENARIOS)
                    self.assertTrue(any(verdict.faults for verdict in verdicts))
