"""Objects that are spread over several modules."""

import errno
import io
import tempfile
import unittest
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import Context, StorageModule
from stacked.base import StackedModule
from stacked.members import Choice, summed
from stacked.spread import SpreadStorage
from tests.sources import Breaking
from tests.stacked.moody import Moody
from tests.stacked.stack import context_of, file_storage
from tests.stacked.test_record import JSON

NAMES = ("one", "two", "three")
DATA = b"data" * 1000


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def make_module(self) -> StorageModule:
        stores = [file_storage(Path(self.directory, name)) for name in NAMES]
        return SpreadStorage([StackedModule(stores[0]), *stores[1:]])


class OneTakesNewTest(Promises, unittest.TestCase):
    """So that an object and its copy are in one member."""

    effort = QUICK._replace(rounds=60, races=10)

    def make_module(self) -> StorageModule:
        self.stores = {name: file_storage(Path(self.directory, name)) for name in NAMES}
        return SpreadStorage({"one": "draining", "two": "", "three": "read-only"})

    def get_module(self, name: str) -> StorageModule:
        return self.stores[name]


class SpreadTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.stores = {name: Moody(file_storage(self.directory / name)) for name in NAMES}
        self.context = context_of({**self.stores})
        self.free = dict.fromkeys(NAMES, 1000)
        self.spread = SpreadStorage(list(NAMES))
        for name, store in self.stores.items():
            patch = mock.patch.object(store, "statistics", lambda context, name=name: self.told(name))
            patch.start()
            self.addCleanup(patch.stop)

    def told(self, name: str) -> Any:
        self.stores[name]._require()
        return {"capacity": {"total": 2000, "free": self.free[name], "used": 100}, "objects": 5}

    def drawn(self, spread: SpreadStorage, count: int = 300) -> Counter[str]:
        return Counter(spread._opened(spread.new_data(self.context))[0] for _ in range(count))

    def put(self, spread: SpreadStorage, module_data: str = "") -> str:
        module_data = module_data or spread.new_data(self.context)
        spread.assign(self.context, module_data, io.BytesIO(DATA))
        return module_data

    def get(self, spread: SpreadStorage, module_data: str) -> bytes:
        with closing(spread.get_read_stream(self.context, module_data)) as stream:
            return stream.read()

    def test_what_is_free_weighs(self) -> None:
        self.free = {"one": 900, "two": 100, "three": 0}
        found = self.drawn(self.spread, 1000)
        self.assertEqual(found["three"], 0)
        self.assertTrue(820 < found["one"] < 970, found)

    def test_what_tells_nothing_weighs_as_the_others_do(self) -> None:
        self.free = {"one": -1, "two": 500, "three": 500}
        self.assertGreater(min(self.drawn(self.spread)[name] for name in NAMES), 50)
        self.free = dict.fromkeys(NAMES, -1)
        self.assertGreater(min(self.drawn(SpreadStorage(list(NAMES)))[name] for name in NAMES), 50)

    def test_what_is_free_is_asked_every_few_seconds_and_not_each_time(self) -> None:
        with mock.patch.object(self.spread, "_told", wraps=self.spread._told) as told:
            self.drawn(self.spread, 20)
        self.assertEqual(told.call_count, 1)

    def test_a_member_that_is_draining_or_read_only_takes_nothing_new(self) -> None:
        old = [self.put(self.spread) for _ in range(30)]
        for state in ("draining", "read-only"):
            changed = SpreadStorage({"one": state, "two": state, "three": "", "four": state})
            self.assertEqual(set(self.drawn(changed)), {"three"})
            for module_data in old:
                self.assertEqual(self.get(changed, module_data), DATA)
        read_only = SpreadStorage(dict.fromkeys(NAMES, "read-only"))
        with self.assertRaises(OSError) as raised:
            read_only.new_data(self.context)
        self.assertEqual(raised.exception.errno, errno.EROFS)
        with self.assertRaises(OSError) as raised:
            self.put(read_only, old[0])
        self.assertEqual(raised.exception.errno, errno.EROFS)
        draining = SpreadStorage(dict.fromkeys(NAMES, "draining"))
        self.put(draining, self.spread.new_data(self.context))  # it was promised to it before
        for module_data in old:
            read_only.delete(self.context, module_data)
            self.assertFalse(self.spread.available(self.context, module_data))

    def test_members_may_be_added_and_have_another_order(self) -> None:
        old = [self.put(SpreadStorage(["one", "two"])) for _ in range(10)]
        changed = SpreadStorage(["three", "two", "one"])
        self.assertTrue(all(self.get(changed, module_data) == DATA for module_data in old))

    def test_a_member_that_is_none_any_more_is_named(self) -> None:
        old = self.put(SpreadStorage(["one"]))
        less = SpreadStorage(["two", "three"])
        for ask in (less.get_size, less.available, less.get_read_stream, less.delete):
            with self.assertRaisesRegex(ValueError, "^module_data: it is in 'one', which is none of the stores"):
                ask(self.context, old)
        told = less.upkeep(self.context, [old])
        self.assertEqual((told["wrong"], len(told["reasons"])), (1, 1))

    def test_a_member_that_is_full_is_passed_over_for_some_time(self) -> None:
        module_data = self.spread.new_data(self.context)
        full, _ = self.spread._opened(module_data)
        error = OSError(errno.ENOSPC, "full")
        with mock.patch.object(self.stores[full], "assign", side_effect=error), self.assertRaises(OSError) as raised:
            self.put(self.spread, module_data)
        self.assertIs(raised.exception, error)
        self.assertEqual(self.spread.statistics(self.context)["avoided"], [full])
        self.assertEqual(self.drawn(self.spread)[full], 0)
        with mock.patch("stacked.members.time.monotonic", return_value=1e12):
            self.assertGreater(self.drawn(self.spread)[full], 0)

    def test_where_all_are_passed_over_one_is_tried_all_the_same(self) -> None:
        for name in NAMES:
            self.spread._choice.avoid(name)
        self.put(self.spread)

    def test_an_error_of_the_source_is_none_of_the_member(self) -> None:
        error = ConnectionResetError("the user is gone")
        with self.assertRaises(ConnectionResetError) as raised:
            self.spread.assign(self.context, self.spread.new_data(self.context), Breaking(DATA, error))
        self.assertIs(raised.exception, error)
        self.assertEqual(self.spread.statistics(self.context)["avoided"], [])

    def test_a_member_that_is_away_is_passed_over(self) -> None:
        self.stores["two"].mood = "away"
        self.assertEqual(self.drawn(self.spread)["two"], 0)
        for store in self.stores.values():
            store.mood = "away"
        self.assertRaises(ConnectionError, self.spread.new_data, self.context)
        with mock.patch.object(self.stores["one"], "new_data", side_effect=KeyError("odd")):
            self.assertRaises(OSError, SpreadStorage(["one"]).new_data, self.context)

    def test_a_copy_is_made_within_a_member_alone(self) -> None:
        one = SpreadStorage(["one"])
        source, copy = self.put(one), one.new_data(self.context)
        with mock.patch.object(self.stores["one"], "copy_data", return_value=True) as copied:
            self.assertTrue(self.spread.copy_data(self.context, copy, source))
        self.assertEqual(copied.call_args.args[1:], (one._opened(copy)[1], one._opened(source)[1]))
        elsewhere = SpreadStorage(["two"]).new_data(self.context)
        self.assertFalse(self.spread.copy_data(self.context, elsewhere, source))
        self.assertRaises(FileNotFoundError, self.spread.copy_data, self.context, elsewhere, copy)
        full = mock.patch.object(self.stores["one"], "copy_data", side_effect=OSError(errno.ENOSPC, "full"))
        with full, self.assertRaises(OSError):
            self.spread.copy_data(self.context, copy, source)
        self.assertEqual(self.spread.statistics(self.context)["avoided"], ["one"])

    def test_statistics_are_summed_and_tell_what_binds(self) -> None:
        self.free = {"one": 500, "two": 300, "three": 1000}
        found = SpreadStorage({"one": "", "two": "", "three": "draining"}).statistics(self.context)
        self.assertEqual(found["capacity"], {"total": 6000, "free": 800, "used": 300})
        self.assertEqual((found["largest_object"], found["binds"]), (500, "two"))
        self.assertEqual(found["states"], {"one": "", "two": "", "three": "draining"})
        self.assertEqual(found["below"]["three"]["objects"], 5)
        self.stores["two"].mood = "away"
        found = self.spread.statistics(self.context)
        self.assertEqual(found["capacity"], {"total": -1, "free": 1500, "used": -1})
        self.assertEqual(found["below"]["two"], {"error": "it is away"})
        unknown = {"one": {"total": -1, "free": -1, "used": -1}}
        self.assertEqual(summed({**unknown}, {"one": ""})["capacity"], unknown["one"])
        self.assertEqual(summed({**unknown}, {"one": ""})["largest_object"], -1)
        self.assertEqual(summed({"one": None}, {"one": ""})["binds"], None)

    def test_upkeep_gives_each_member_its_own_and_counts(self) -> None:
        kept = [self.put(self.spread) for _ in range(20)]
        seen: dict[str, list[str]] = {name: [] for name in NAMES}

        def upkeep(name: str, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
            if name == "three":
                raise ConnectionError("it is away")
            seen[name].extend(kept)
            return {"wrong": 2}

        for name, store in self.stores.items():
            patch = mock.patch.object(store, "upkeep", lambda context, kept, name=name: upkeep(name, context, kept))
            patch.start()
            self.addCleanup(patch.stop)
        told = self.spread.upkeep(self.context, iter([*kept, "nonsense"]))
        expected: dict[str, list[str]] = {name: [] for name in NAMES}
        for module_data in kept:
            name, inner = self.spread._opened(module_data)
            expected[name].append(inner)
        self.assertEqual(told["objects"], {name: len(inners) for name, inners in expected.items()})
        self.assertEqual(seen, {**expected, "three": []})
        self.assertEqual(told["wrong"], 1 + 2 + 2 + 1)

    def test_what_cannot_work_is_refused_at_the_door(self) -> None:
        wrong: Any
        for wrong in (
            None,
            [],
            {},
            "one",
            5,
            ["one", "one"],
            [""],
            [5],
            {"": ""},
            {"one": "new"},
            {"one": 1},
            {"one": None},
            {"one": []},
        ):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "^stores: "):
                SpreadStorage(wrong)
        with self.assertRaisesRegex(ValueError, "^more: "):
            SpreadStorage(["one"], more=1)

    def test_a_circle_is_refused(self) -> None:
        context = context_of({"one": self.spread, "two": self.stores["two"], "three": self.stores["three"]})
        self.assertEqual(list(self.spread.stands_on(self.context)), list(NAMES))
        with self.assertRaisesRegex(OSError, "stands on itself"):
            self.spread.stands_on(context)

    @given(st.text(max_size=100) | JSON.map(lambda value: f'{{"layer": "spread", "store": {value!r}, "inner": "x"}}'))
    def test_any_text_is_refused(self, text: str) -> None:
        with self.assertRaisesRegex(ValueError, "^module_data: "):
            SpreadStorage(["one"])._opened(text)


class ChoiceTest(unittest.TestCase):
    @given(st.dictionaries(st.sampled_from("abcd"), st.integers(-1, 10**15)), st.sets(st.sampled_from("abcd")))
    def test_each_member_is_tried_once_and_the_well_before_the_others(
        self, free: dict[str, int], avoided: set[str]
    ) -> None:
        choice = Choice(list("abcd"))
        for name in avoided:
            choice.avoid(name)
        order = choice.order(lambda: free)
        self.assertEqual(sorted(order), list("abcd"))
        self.assertEqual(set(order[4 - len(avoided) :]), avoided)
        well = [name for name in order if name not in avoided]
        weights = [bool(free.get(name, 0)) for name in well]
        self.assertEqual(weights, sorted(weights, reverse=True))
