"""A model: a dictionary, which a module must agree with whatever is done in whatever order.

It needs hypothesis (``pip install '.[conformance]'``), which shrinks a history in
which they disagree to the shortest that still does.
"""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conformance.harness import Harness
from conformance.requirements import FULL, Capability
from conformance.streams import SourceDied, dying, short_reads
from modules import ReadStream

__all__ = ["Model"]

_DATA = st.one_of(
    st.binary(max_size=40),
    st.integers(0, 20_000).map(lambda size: bytes(number % 251 for number in range(size))),
)
_STEPS = 40


class _Machine(RuleBasedStateMachine):
    """The methods, beside a dictionary from ``module_data`` to data."""

    objects: Bundle[str] = Bundle("objects")
    streams: Bundle[tuple[ReadStream, bytes]] = Bundle("streams")

    case: Harness

    def __init__(self) -> None:
        super().__init__()
        self.module, self.context = self.case.module, self.case.context
        self.data: dict[str, bytes] = {}
        self.known: set[str] = set()
        self.open: list[ReadStream] = []

    # Few objects, so that much happens to each.
    @rule(target=objects)
    @precondition(lambda self: len(self.known) < 3)
    def new_data(self) -> str:
        return self.make()

    def make(self) -> str:
        """Return the ``module_data`` of a new object."""
        module_data = self.case.new(self.module)
        self.case.assertNotIn(module_data, self.known)
        self.known.add(module_data)
        return module_data

    @rule(module_data=objects, data=_DATA, seed=st.integers(0, 9))
    def assign(self, module_data: str, data: bytes, seed: int) -> None:
        self.case.put_from(short_reads(data, seed), module_data, self.module)
        self.data[module_data] = data

    @rule(module_data=objects, data=_DATA)
    def assign_from_a_source_that_dies(self, module_data: str, data: bytes) -> None:
        with self.case.assertRaises(SourceDied):
            self.case.put_from(dying(data), module_data, self.module)
        self.look(module_data)

    @rule(target=objects, source=objects)
    @precondition(lambda self: len(self.known) < 3 and self.case.has_copies())
    def copy(self, source: str) -> str:
        module_data = self.make()
        if source in self.data:
            if self.module.copy_data(self.case.context, module_data, source):
                self.data[module_data] = self.data[source]
        else:
            with suppress(FileNotFoundError):
                self.case.assertIs(self.module.copy_data(self.case.context, module_data, source), False)
        self.look(module_data)
        return module_data

    @rule(module_data=objects)
    def look_at(self, module_data: str) -> None:
        self.look(module_data)

    def look(self, module_data: str) -> None:
        """Compare an object with the dictionary's."""
        if module_data in self.data:
            self.case.assert_holds(module_data, self.data[module_data], self.module)
        else:
            self.case.assert_absent(module_data, self.module)

    @rule(module_data=objects)
    def delete(self, module_data: str) -> None:
        self.module.delete(self.context, module_data)
        self.data.pop(module_data, None)
        self.look(module_data)

    @rule(target=streams, module_data=objects)
    def open_stream(self, module_data: str) -> Any:
        if module_data not in self.data:
            return multiple()
        stream = self.module.get_read_stream(self.context, module_data)
        self.open.append(stream)
        return stream, self.data[module_data]

    @rule(opened=streams, offset=st.integers(0, 20_000), size=st.integers(0, 5000))
    def read_a_range(self, opened: tuple[ReadStream, bytes], offset: int, size: int) -> None:
        stream, data = opened
        if not self.case.claims(Capability.READING_DELETED) and data not in self.data.values():
            return
        self.case.assertEqual(stream.seek(offset), offset)
        got = b""
        while len(got) < size and (more := stream.read(size - len(got))):
            got += more
        self.case.assert_same(got, data[offset : offset + size])

    @rule(opened=consumes(streams))
    def close(self, opened: tuple[ReadStream, bytes]) -> None:
        opened[0].close()

    @rule()
    def open_the_storage_again(self) -> None:
        if self.case.claims(Capability.PROCESSES):
            self.module = self.case.make_module()

    def teardown(self) -> None:
        for stream in self.open:
            stream.close()


class Model(Harness):
    """the model"""

    def test_a_module_agrees_with_a_dictionary(self) -> None:
        """Base class of every storage module: extend it and write the seven methods."""
        # A short history is worth its time to whoever mends the module, and not to whoever is in a hurry.
        phases = list(Phase) if self.effort is FULL else [Phase.generate]
        run_state_machine_as_test(
            type("_MachineOfThisTest", (_Machine,), {"case": self}),
            settings=settings(
                max_examples=self.effort.examples,
                stateful_step_count=_STEPS,
                phases=phases,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
