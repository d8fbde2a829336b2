"""A mirror beside a dictionary, while its stores fail and come back; and what it reads as if it came from an enemy."""

import io
import json
import tempfile
import unittest
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule

from fsstore import FileStorage
from stacked.mirror import MirroredStorage, copies
from stacked.mirror.label import SIZE, DamagedError, Label
from tests.sources import Breaking
from tests.stacked.moody import Moody
from tests.stacked.stack import context_of

NAMES = ("one", "two", "three")
MOODS = ("away", "late", "lazy", "short", "unsure")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)


class Machine(RuleBasedStateMachine):
    """Three stores of which one at most fails at a time, a mirror with a quorum of two, and a dictionary.

    Which one fails changes, also before the one before it was healed. So one store has what it should, and is well.
    """

    objects: Bundle[str] = Bundle("objects")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        root = Path(self.place.name)
        for name in NAMES:
            (root / name).mkdir()
            FileStorage.prepare(str(root / name))
        self.stores = {name: Moody(FileStorage(str(root / name), durability="none")) for name in NAMES}
        self.context = context_of({**self.stores})
        self.arguments = (list(NAMES), 2, str(root / "journal"))
        MirroredStorage.prepare(*self.arguments)
        self.mirror = MirroredStorage(*self.arguments)
        self.data: dict[str, bytes] = {}
        self.gone: set[str] = set()

    @rule(target=objects)
    def new_data(self) -> str:
        module_data = self.mirror.new_data(self.context)
        self.gone.add(module_data)
        return module_data

    @rule(name=st.sampled_from(NAMES), mood=st.sampled_from(MOODS))
    def fail(self, name: str, mood: str) -> None:
        for other, store in self.stores.items():
            store.mood = mood if other == name else ""

    @rule()
    def recover(self) -> None:
        for store in self.stores.values():
            store.mood = ""

    @rule(module_data=objects, data=st.binary(max_size=50))
    def assign(self, module_data: str, data: bytes) -> None:
        self.mirror.assign(self.context, module_data, io.BytesIO(data))
        self.data[module_data] = data
        self.gone.discard(module_data)
        assert self.mirror.get_size(self.context, module_data) == len(data)

    @rule(module_data=objects, data=st.binary(max_size=50))
    def assign_from_a_source_that_dies(self, module_data: str, data: bytes) -> None:
        error = KeyError("dies")
        try:
            self.mirror.assign(self.context, module_data, Breaking(data, error))
        except KeyError as raised:
            assert raised is error

    @rule(module_data=objects, data=st.binary(max_size=50), well=st.sampled_from(NAMES), mood=st.sampled_from(MOODS))
    def assign_to_one_store_alone(self, module_data: str, data: bytes, well: str, mood: str) -> None:
        before = {name: store.mood for name, store in self.stores.items()}
        for name, store in self.stores.items():
            store.mood = "" if name == well else mood
        try:
            self.mirror.assign(self.context, module_data, io.BytesIO(data))
            raise AssertionError("one copy is no quorum")
        except OSError:
            pass
        for name, store in self.stores.items():
            store.mood = before[name]
        if mood in ("unsure", "short") and module_data in self.data:
            # Two stores had replaced the old when they failed; then what is whole may be the new.
            self.recover()
            self.mirror.upkeep(self.context, [])
            self.data[module_data] = self.read(module_data)

    @rule(module_data=objects)
    def delete(self, module_data: str) -> None:
        self.mirror.delete(self.context, module_data)
        self.data.pop(module_data, None)
        self.gone.add(module_data)

    @rule(module_data=objects)
    def look(self, module_data: str) -> None:
        if module_data in self.data:
            assert self.read(module_data) == self.data[module_data]
            assert self.mirror.get_size(self.context, module_data) == len(self.data[module_data])
            return
        try:
            self.read(module_data)
            raise AssertionError("it was deleted, or never stored")
        except OSError as error:  # a store that is away may have it
            is_away = any(store.mood == "away" for store in self.stores.values())
            assert isinstance(error, FileNotFoundError) or is_away, error

    @rule()
    def use_another_instance(self) -> None:
        self.mirror = MirroredStorage(*self.arguments)

    @rule()
    def heal_what_can_be(self) -> None:
        self.mirror.upkeep(self.context, iter([*self.data]))

    @rule(name=st.sampled_from(NAMES))
    @precondition(lambda self: self.data)
    def empty_a_store(self, name: str) -> None:
        """Lose all that one store has, when the others have all, and bring it back."""
        self.heal()
        for module_data in self.data:
            found = copies.Copies(module_data, self.mirror._stores, self.mirror, self.context)
            self.mirror._complete(found)
            found.delete(name)
        self.heal()

    @rule()
    def heal(self) -> None:
        self.recover()
        told = self.mirror.upkeep(self.context, iter([*self.data]))
        assert told["wrong"] == 0, told
        assert self.mirror.statistics(self.context)["amiss"] == {}
        for module_data in self.data:
            assert self.mirror.available(self.context, module_data)
        for module_data in self.gone:
            assert not self.mirror.available(self.context, module_data)
        for name, store in self.stores.items():
            assert store.statistics(self.context)["below"]["FileStorage"]["objects"] == len(self.data), name

    def read(self, module_data: str) -> bytes:
        with closing(self.mirror.get_read_stream(self.context, module_data)) as stream:
            return b"".join(iter(lambda: stream.read(20), b""))

    def teardown(self) -> None:
        self.heal()
        for module_data, data in self.data.items():
            assert self.read(module_data) == data
        self.place.cleanup()


class ModelTest(unittest.TestCase):
    def test_nothing_is_lost_while_a_quorum_is_well(self) -> None:
        stateful.run_state_machine_as_test(  # as a name of its own nose would take it for a test
            Machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


class HostileTest(unittest.TestCase):
    genuine = copies.encode({"one": '{"a": 1}', "two": "text"})

    @given(st.text(max_size=100) | JSON.map(json.dumps))
    def test_any_text_is_refused(self, text: str) -> None:
        with self.assertRaisesRegex(ValueError, "^module_data: "):
            copies.decode(text)

    @given(st.integers(0, len(genuine) - 1), st.characters(max_codepoint=1000))
    def test_a_changed_one_is_refused(self, place: int, character: str) -> None:
        text = self.genuine[:place] + character + self.genuine[place + 1 :]
        if text != self.genuine:
            self.assertRaises(ValueError, copies.decode, text)

    @given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=50) | JSON.map(json.dumps), max_size=4))
    def test_what_is_written_is_read(self, inners: dict[str, str]) -> None:
        self.assertEqual(copies.decode(copies.encode(inners))[1], inners)

    @given(st.binary(max_size=100) | st.binary(min_size=SIZE, max_size=SIZE))
    def test_any_bytes_are_no_label(self, data: bytes) -> None:
        self.assertRaises(DamagedError, Label.decode, data)

    @given(st.data())
    def test_a_changed_label_is_none(self, draw: Any) -> None:
        label = Label(draw.draw(st.integers(0, 2**64 - 1)), b"v" * 16, draw.draw(st.integers(0, 2**60)), 7, b"o" * 16)
        data = bytearray(label.encode())
        self.assertEqual(Label.decode(bytes(data)), label)
        data[draw.draw(st.integers(0, SIZE - 1))] ^= 1 << draw.draw(st.integers(0, 7))
        self.assertRaises(DamagedError, Label.decode, bytes(data))
