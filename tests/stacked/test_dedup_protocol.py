"""The protocol of the deduplicating module: what is done at the same time, step by step, in any order, and killed."""

import io
import logging
import os
import tempfile
import unittest
from collections.abc import Callable, Collection, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, Phase, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, func, select

from modules import Source
from stacked.dedup import DedupStorage, index
from stacked.dedup.collecting import Collector
from stacked.dedup.index import Found, Index
from stacked.dedup.rows import Pack
from stacked.dedup.tables import metadata
from stacked.dedup.waste import Unfinished
from stacked.store import Inner
from tests.sources import Breaking
from tests.stacked.dedup_steps import Memory, Operation, steps

_OBJECTS = 3
_DATA = st.text("abcd", max_size=6).map(str.encode)


def letters(key: bytes, source: Source) -> Iterator[list[memoryview]]:
    """Cut data into chunks of a byte each, and look two of them up at a time."""
    data = b"".join(iter(lambda: source.read(2), b""))
    for at in range(0, len(data), 2):
        yield [memoryview(data)[place : place + 1] for place in range(at, min(at + 2, len(data)))]


class Machine(RuleBasedStateMachine):
    """What may be read of each object, beside what is read."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        index = str(Path(self._directory.name) / "index")
        DedupStorage.prepare(index=index)
        self.below = Memory()
        self.module = DedupStorage(self.below, index)
        self.objects = [self.module.new_data({}) for _ in range(_OBJECTS)]
        self.possible: list[set[bytes | None]] = [{None} for _ in self.objects]
        self.under_way: list[tuple[Operation, int]] = []
        self.copies: dict[Operation, tuple[int, int]] = {}  # and from which object to which
        self.killed: list[Operation] = []
        self.count = 0

    def begin(self, work: Callable[[], object], target: int = -1) -> Operation:
        self.count += 1
        operation = Operation(f"process {self.count}", work)
        self.under_way.append((operation, target))
        return operation

    def expect(self, target: int, data: bytes | None) -> None:
        """Note what an object may be from now on, and with it what is copied from it."""
        if data not in self.possible[target]:
            self.possible[target].add(data)
            for source, copy in self.copies.values():
                if source == target:
                    self.expect(copy, data)

    @precondition(lambda self: len(self.under_way) < 4)
    @rule(target_=st.integers(0, _OBJECTS - 1), data=_DATA)
    def assign(self, target_: int, data: bytes) -> None:
        self.expect(target_, data)
        self.begin(lambda: self.module.assign({}, self.objects[target_], io.BytesIO(data)), target_)

    @precondition(lambda self: len(self.under_way) < 4)
    @rule(target_=st.integers(0, _OBJECTS - 1), data=_DATA)
    def assign_what_breaks_off(self, target_: int, data: bytes) -> None:
        source = Breaking(data, ConnectionError("gone"))
        self.begin(lambda: self.module.assign({}, self.objects[target_], source), target_)

    @precondition(lambda self: len(self.under_way) < 4)
    @rule(target_=st.integers(0, _OBJECTS - 1))
    def delete(self, target_: int) -> None:
        self.expect(target_, None)
        self.begin(lambda: self.module.delete({}, self.objects[target_]), target_)

    @precondition(lambda self: len(self.under_way) < 4)
    @rule(target_=st.integers(0, _OBJECTS - 1), source=st.integers(0, _OBJECTS - 1))
    def copy(self, target_: int, source: int) -> None:
        if target_ != source:
            for data in set(self.possible[source]):
                self.expect(target_, data)
            work = self.begin(lambda: self.module.copy_data({}, self.objects[target_], self.objects[source]), target_)
            self.copies[work] = (source, target_)

    @precondition(lambda self: len(self.under_way) < 4)
    @rule()
    def upkeep(self) -> None:
        self.begin(lambda: self.module.upkeep({}, list(self.objects)))

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 3), count=st.integers(1, 12))
    def go_on(self, which: int, count: int) -> None:
        operation, target = self.under_way[which % len(self.under_way)]
        for _ in range(count):
            operation.step()
            if operation.is_done:
                self.under_way.remove((operation, target))
                self.copies.pop(operation, None)
                allowed = (FileNotFoundError, ConnectionError)
                assert operation.error is None or isinstance(operation.error, allowed), repr(operation.error)
                return

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 3))
    def kill(self, which: int) -> None:
        operation, _ = self.under_way.pop(which % len(self.under_way))
        operation.is_killed = True
        self.copies.pop(operation, None)
        self.killed.append(operation)

    @invariant()
    def whatever_is_there_is_whole(self) -> None:
        for number, possible in enumerate(self.possible):
            found = self.read(number)
            assert found in possible, (found, possible)
            if not any(target == number for _, target in self.under_way):
                self.possible[number] = {found}

    def read(self, number: int) -> bytes | None:
        try:
            with self.module.get_read_stream({}, self.objects[number]) as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def teardown(self) -> None:
        try:
            for operation, _ in self.under_way:
                operation.is_killed = True
                self.killed.append(operation)
            before = [self.read(number) for number in range(_OBJECTS)]
            # One whose deletion was killed half-way is none that a host keeps.
            kept = [text for text, data in zip(self.objects, before, strict=True) if data is not None]
            told = self.module.upkeep({}, kept)
            assert told["wrong"] == 0, told
            assert [self.read(number) for number in range(_OBJECTS)] == before
            for module_data in self.objects:
                self.module.delete({}, module_data)
            self.module.upkeep({}, [])
            assert self.below.objects == {}, "something is left"
            assert set(self.module._index.totals().values()) == {0}, self.module._index.totals()
            assert self.module._index._database.read(_rows) == 0
        finally:
            for operation in self.killed:
                operation.bury()
            self._directory.cleanup()


def _rows(connection: Connection) -> int:
    """Return how many rows there are that tell of something."""
    tables = [metadata.tables[name] for name in ("objects", "packs", "uses", "chunks")]
    return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def run(examples: int, count: int = 40) -> None:
    """Try so many histories."""
    with (
        steps(),
        mock.patch("stacked.dedup.upload.blocks", letters),
        mock.patch("stacked.dedup.upload._PACK", 2),
        mock.patch("stacked.dedup.upload.LEAF_CHUNKS", 3),
        mock.patch("stacked.dedup.collecting.REPLACED", 0),
        mock.patch("stacked.dedup.upkeep.REPLACED", 0),
        mock.patch("stacked.dedup.collecting._PAUSE", 0),
    ):
        stateful.run_state_machine_as_test(  # as a name of its own nose would take it for a test
            Machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=count,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


def look_only(self: Index, upload: int, hashes: Collection[bytes], referred: object) -> dict[bytes, Found]:
    """Find chunks, and take no reference to them."""
    return self._database.read(lambda connection: index._find(connection, index._LOOK, hashes))


def give_up(self: Collector, below: Inner, upload: Unfinished) -> None:
    """Take what was killed for what never became visible."""
    self._waste.give_up(upload.id)


def forget_first(self: Collector, below: Inner, packs: list[Pack]) -> int:
    """Forget packs before they are deleted."""
    self._waste.forget(packs)
    for pack in packs:
        below.delete(pack.inner)
    return len(packs)


SABOTEURS: list[tuple[Any, str, object]] = [
    (Index, "look_up", look_only),
    (Collector, "_finish", give_up),
    (Collector, "_delete", forget_first),
    (Unfinished, "is_abandoned", lambda self: True),
]


class ProtocolTest(unittest.TestCase):
    def test_nothing_that_is_visible_ever_misses_a_chunk_and_nothing_is_left(self) -> None:
        run(60)

    def test_each_step_that_is_left_out_is_found_out(self) -> None:
        logging.disable(logging.WARNING)
        self.addCleanup(logging.disable, logging.NOTSET)
        for owner, name, broken in SABOTEURS:
            with (
                self.subTest(f"{owner.__name__}.{name}"),
                mock.patch.object(owner, name, broken),
                redirect_stderr(io.StringIO()),
                self.assertRaises((AssertionError, OSError)),
            ):
                run(600)
