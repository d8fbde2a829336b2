"""A mirror whose stores fail: nothing is lost, nothing half is called whole, what is missing is known and healed."""

import errno
import io
import os
import signal
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any
from unittest import mock

from conformance.processes import Child, Parent
from modules import Context
from stacked.mirror import MirroredStorage
from stacked.mirror.crew import Feed, GivenUpError
from stacked.mirror.label import SIZE, Label
from stacked.mirror.quorum import binding
from tests.sources import Breaking
from tests.stacked.mirrors import DATA, NAMES, OLD, MirrorCase


class AllTest(MirrorCase):
    def test_a_copy_is_the_data_and_a_label(self) -> None:
        module_data = self.put(self.both)
        for name in ("one", "two"):
            (file,) = self.files(name)
            self.assertEqual(file.read_bytes()[:-SIZE], DATA)
        self.assert_holds(self.both, module_data, DATA, ("one", "two"))

    def test_where_one_store_fails_nothing_is_kept_anywhere(self) -> None:
        for mood in ("away", "late", "unsure", "lazy", "short"):
            for name in ("one", "two"):
                with self.subTest(mood=mood, name=name):
                    self.mood()
                    module_data = self.both.new_data(self.context)
                    self.mood(**{name: mood})
                    with self.assertRaises(OSError):
                        self.put(self.both, DATA, module_data)
                    self.mood()
                    self.assertEqual(self.count(), [0, 0, 0])
                    self.assertFalse(self.both.available(self.context, module_data))
                    self.put(self.both, DATA, module_data)
                    self.assert_holds(self.both, module_data, DATA, ("one", "two"))
                    self.both.delete(self.context, module_data)

    def test_where_one_store_fails_the_old_is_as_it_was(self) -> None:
        for mood in ("away", "late", "unsure", "lazy", "short"):
            for name in ("one", "two"):
                with self.subTest(mood=mood, name=name):
                    self.mood()
                    module_data = self.put(self.both, OLD)
                    self.mood(**{name: mood})
                    with self.assertRaises(OSError):
                        self.put(self.both, DATA, module_data)
                    self.mood()
                    self.heal(self.both, [module_data])
                    # The last store had the new in the place of the old when it failed: no store had the old then.
                    is_lost = name == "two" and mood in ("unsure", "short")
                    self.assert_holds(self.both, module_data, DATA if is_lost else OLD, ("one", "two"))

    def test_a_store_that_takes_an_error_for_the_end_keeps_nothing(self) -> None:
        self.mood(two="deaf")
        module_data = self.both.new_data(self.context)
        error = ConnectionResetError("the user is gone")
        with self.assertRaises(ConnectionResetError) as raised:
            self.both.assign(self.context, module_data, Breaking(DATA * 100, error))
        self.assertIs(raised.exception, error)
        self.assertEqual(self.count(), [0, 0, 0])
        for mirror in (self.both, self.quorum):
            self.mood()
            module_data = self.put(mirror, OLD)
            self.mood(two="deaf")
            with self.assertRaises(ConnectionResetError):
                mirror.assign(self.context, module_data, Breaking(DATA * 100, error))
            self.assert_holds(mirror, module_data, OLD, ("one", "two"))

    def test_where_the_old_cannot_be_brought_back_it_stays_where_it_is(self) -> None:
        module_data = self.put(self.both, OLD)
        self.mood(two="late")
        assign = self.stores["one"].assign
        with (
            mock.patch.object(self.stores["one"], "assign", side_effect=lambda *given: self.once(assign, *given)),
            self.assertRaises(TimeoutError),
        ):
            self.put(self.both, DATA, module_data)
        self.mood()
        self.assertEqual(self.count(), [0, 1, 0])
        self.assertEqual(self.get(self.both, module_data), OLD)
        with self.assertRaisesRegex(OSError, "1 copies.*2 are needed"):
            self.both.available(self.context, module_data)
        self.assertEqual(self.heal(self.both, [module_data])["brought"], 1)
        self.assert_holds(self.both, module_data, OLD, ("one", "two"))

    def test_where_no_store_tells_that_it_has_the_old_the_new_stays(self) -> None:
        module_data = self.put(self.both, OLD)
        self.mood(two="late")
        stream = self.stream_of_two(module_data)
        with (
            mock.patch.object(self.stores["two"], "get_read_stream", side_effect=[stream, OSError(errno.EIO, "")]),
            self.assertRaises(TimeoutError),
        ):
            self.put(self.both, DATA, module_data)
        self.mood()
        self.assertEqual(self.heal(self.both, [module_data])["diverged"], 1)
        self.assert_holds(self.both, module_data, DATA, ("one", "two"))

    def once(self, assign: Any, *given: Any) -> None:
        """Assign, and never again."""
        self.stores["one"].assign.side_effect = ConnectionError("never again")  # type: ignore[attr-defined]
        assign(*given)

    def stream_of_two(self, module_data: str) -> Any:
        inner = self.both._copies(module_data, self.context).inners["two"]
        return self.stores["two"].get_read_stream(self.context, inner)

    def test_a_deletion_that_fails_somewhere_is_an_error(self) -> None:
        module_data = self.put(self.both)
        self.mood(one="stays")
        with self.assertRaises(PermissionError):
            self.both.delete(self.context, module_data)
        self.mood()
        self.both.delete(self.context, module_data)
        self.assertEqual(self.count(), [0, 0, 0])

    def test_a_store_that_is_away_makes_no_object_absent(self) -> None:
        module_data = self.put(self.both)
        self.mood(one="away", two="misses")
        for ask in (self.both.available, self.both.get_size, self.both.get_read_stream):
            with self.assertRaises(ConnectionError):
                ask(self.context, module_data)

    def test_a_vendors_error_is_one_of_the_contract(self) -> None:
        module_data = self.put(self.both)
        for store in self.stores.values():
            mock.patch.object(store, "get_read_stream", side_effect=KeyError("odd")).start()
        self.addCleanup(mock.patch.stopall)
        with self.assertRaisesRegex(OSError, "one: KeyError: 'odd'") as raised:
            self.both.get_size(self.context, module_data)
        self.assertEqual(raised.exception.errno, errno.EIO)


class ReadingTest(MirrorCase):
    def test_the_next_store_is_read_where_one_fails(self) -> None:
        module_data = self.put(self.both)
        for mood in ("away", "misses", "breaks", "ends"):
            with self.subTest(mood):
                self.mood(one=mood)
                for size in (7, 1000, 100_000):
                    self.assertEqual(self.get(self.both, module_data, size), DATA)

    def test_a_stream_goes_on_at_the_same_place(self) -> None:
        module_data = self.put(self.both)
        with closing(self.both.get_read_stream(self.context, module_data)) as stream:
            got = stream.read(500)
            self.mood(one="away")
            got += stream.read(500)
            stream.seek(3000)
            got += stream.read(10)
            self.mood(two="away")
            self.assertRaises(ConnectionError, stream.read, 10)
        self.assertEqual(got, DATA[:1000] + DATA[3000:3010])

    def test_a_stream_never_mixes_two_versions(self) -> None:
        module_data = self.put(self.both, OLD)
        with closing(self.both.get_read_stream(self.context, module_data)) as stream:
            stream.read(100)
            self.put(self.both, b"new" * 4000, module_data)
            self.mood(one="away")
            with self.assertRaises(ConnectionError):
                stream.read(100)

    def test_a_corrupt_copy_is_not_read_to_its_end(self) -> None:
        module_data = self.put(self.both)
        self.mood(one="flips")
        self.assertEqual(self.get(self.both, module_data, len(DATA)), DATA)  # the other one is read
        with closing(self.both.get_read_stream(self.context, module_data)) as stream:
            stream.read(5000)
            with self.assertRaisesRegex(OSError, "corrupt"):
                while stream.read(5000):
                    pass

    def test_what_is_cut_short_or_of_another_object_is_no_copy(self) -> None:
        module_data, other = self.put(self.both), self.put(self.both, OLD)
        first, second = (self.both._copies(text, self.context) for text in (module_data, other))
        with closing(self.stores["one"].get_read_stream(self.context, second.inners["one"])) as stream:
            foreign = stream.read()
        for content in (b"", b"x", DATA, DATA[:-1] + bytes(SIZE), foreign):
            with self.subTest(content[-10:]):
                self.stores["one"].assign(self.context, first.inners["one"], io.BytesIO(content))
                self.assertEqual(self.get(self.both, module_data), DATA)
                self.assertEqual(self.both.get_size(self.context, module_data), len(DATA))
                with self.assertRaises(OSError):
                    self.both.available(self.context, module_data)
                self.assertEqual(self.heal(self.both, [module_data])["brought"], 1)
                self.assertTrue(self.both.available(self.context, module_data))


class HangingTest(MirrorCase):
    def setUp(self) -> None:
        super().setUp()
        self.before = threading.active_count()
        self.quorum = MirroredStorage(list(NAMES), 2, self.journal, patience=0.3)
        self.both = MirroredStorage(["one", "two"], patience=0.3)
        self.addCleanup(self.let_go)

    def let_go(self) -> None:
        for store in self.stores.values():
            store.go_on.set()
        for thread in threading.enumerate():
            if thread.name.startswith("mirror "):
                thread.join(30)

    def test_a_store_that_hangs_is_left_out_and_healed_later(self) -> None:
        for mood in ("hangs", "slow"):
            with self.subTest(mood):
                self.mood(two=mood)
                for store in self.stores.values():
                    store.go_on.clear()
                module_data = self.put(self.quorum, DATA * 1000)
                self.assertEqual(self.quorum.statistics(self.context)["hanging"], ["two"])
                again = self.put(self.quorum, OLD)  # at once, without it
                self.assertEqual(self.get(self.quorum, again), OLD)
                self.let_go()
                self.mood()
                self.assertEqual(threading.active_count(), self.before)
                self.heal(self.quorum)
                self.assertEqual(self.get(self.quorum, module_data, 100_000), DATA * 1000)
                self.assertTrue(all(found == {} for found in [self.quorum.statistics(self.context)["amiss"]]))

    def test_what_a_store_publishes_too_late_is_removed(self) -> None:
        self.mood(two="slow")
        with self.assertRaises(TimeoutError):
            self.put(self.both)
        self.let_go()
        self.assertEqual(self.count(), [0, 0, 0])

    def test_what_comes_too_late_does_not_bring_back_what_was_deleted_or_replaced(self) -> None:
        elsewhere = MirroredStorage(list(NAMES), 2, self.journal)  # which does not know that a store hangs
        for act in ("delete", "replace"):
            with self.subTest(act):
                self.stores["two"].go_on.clear()
                self.mood(two="slow")
                module_data = self.put(self.quorum)
                self.mood()
                if act == "delete":
                    elsewhere.delete(self.context, module_data)
                else:
                    self.put(elsewhere, OLD, module_data)
                self.let_go()
                self.assertEqual(self.count(), [0, 0, 0] if act == "delete" else [1, 1, 1])
        self.assertEqual(elsewhere.statistics(self.context)["amiss"], {})
        self.assert_holds(elsewhere, module_data, OLD)
        self.assertRegex(self.quorum.statistics(self.context)["last_errors"]["two"], "^TimeoutError: two ")

    def test_one_that_hangs_holds_a_few_blocks(self) -> None:
        feed = Feed(None)
        given = 0
        while feed.put(b"x" * 1000, 0.01):
            given += 1
        self.assertLess(given, 10)
        feed.give_up()
        self.assertRaises(GivenUpError, feed.read, 1)


class CrashTest(MirrorCase):
    def test_a_process_that_is_killed_while_it_publishes_leaves_old_or_new(self) -> None:
        kept = [self.quorum.new_data(self.context), self.put(self.quorum, OLD)]
        for module_data, survivor in ((kept[0], None), (kept[1], OLD)):
            for store in NAMES:
                with self.subTest(store=store, survivor=survivor), Child(self.work(module_data, store), 30) as child:
                    self.assertEqual(child.answer(), "published")
                    child.wait_for_death()
                told = self.quorum.upkeep(self.context, [module_data])
                if told["wrong"]:  # none had published
                    self.assertEqual((survivor, self.quorum.available(self.context, module_data)), (None, False))
                    continue
                found = self.get(self.quorum, module_data)
                self.assertIn(found, (survivor, DATA))
                self.assert_holds(self.quorum, module_data, found)

    def work(self, module_data: str, last: str) -> Any:
        """Return what stores an object, and is killed when the store ``last`` has published it."""

        def killed(parent: Parent) -> None:
            store = self.stores[last]
            assign = store.assign

            def assign_and_die(context: Context, module_data: str, stream: Any) -> None:
                assign(context, module_data, stream)
                parent.tell("published")
                os.kill(os.getpid(), signal.SIGKILL)

            with mock.patch.object(store, "assign", assign_and_die):
                self.put(self.quorum, DATA, module_data)

        return killed

    def test_a_fork_does_not_carry_the_journal_along(self) -> None:
        self.mood(two="away")
        first = self.put(self.quorum)

        def work(parent: Parent) -> int:
            self.put(self.quorum)
            return len(self.quorum.statistics(self.context)["amiss"])

        with Child(work, 30) as child:
            second = self.put(self.quorum)
            self.assertEqual(child.answer(), 1)
        self.assertEqual(self.quorum.statistics(self.context)["amiss"]["two"]["lacking"]["objects"], 3)
        self.mood()
        self.heal(self.quorum, [first, second])


class ArgumentsTest(MirrorCase):
    def test_what_cannot_work_is_refused_at_the_door(self) -> None:
        names = ["one", "two", "three"]
        for wrong, message in (
            ({}, "stores"),
            ({"stores": "one"}, "stores"),
            ({"stores": ["one"]}, "stores"),
            ({"stores": ["one", "one"]}, "stores"),
            ({"stores": ["one", 5]}, "stores"),
            ({"stores": ["one", ""]}, "stores"),
            ({"stores": names, "writes": 1, "journal": self.journal}, "writes"),
            ({"stores": names, "writes": 4, "journal": self.journal}, "writes"),
            ({"stores": names, "writes": True, "journal": self.journal}, "writes"),
            ({"stores": names, "writes": "most", "journal": self.journal}, "writes"),
            ({"stores": [*names, "four"], "writes": 2, "journal": self.journal}, "writes"),
            ({"stores": names, "writes": 2}, "journal"),
            ({"stores": names, "journal": "relative"}, "journal"),
            ({"stores": names, "journal": 5}, "journal"),
            ({"stores": names, "patience": 0}, "patience"),
            ({"stores": names, "patience": True}, "patience"),
            ({"stores": names, "patience": "1"}, "patience"),
            ({"stores": names, "more": 1}, "more"),
        ):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, f"^{message}: "):
                MirroredStorage(**wrong)

    def test_prepare_makes_a_journal_once_and_takes_nothing_else_for_one(self) -> None:
        self.mood(two="away")
        self.put(self.quorum)
        MirroredStorage.prepare(list(NAMES), 2, self.journal)
        self.assertIn("two", self.quorum.statistics(self.context)["amiss"])
        other = self.directory / "other"
        other.write_bytes(b"no database" * 1000)
        with self.assertRaisesRegex(OSError, "journal"):
            MirroredStorage.prepare(list(NAMES), 2, str(other))
        with self.assertRaises(ValueError):
            MirroredStorage.prepare(list(NAMES), 2)
        self.assertEqual(other.read_bytes(), b"no database" * 1000)

    def test_an_object_of_stores_that_are_none_of_the_mirror_is_refused(self) -> None:
        module_data = self.put(self.both)
        with self.assertRaisesRegex(ValueError, "none of its stores.*one, two"):
            MirroredStorage(["three", "four"]).get_size(self.context, module_data)
        self.assertEqual(self.get(MirroredStorage(["three", "two"]), module_data), DATA)

    def test_statistics_tell_what_binds(self) -> None:
        self.mood(three="away")
        found = self.quorum.statistics(self.context)
        self.assertEqual(found["layer"], "mirror")
        self.assertEqual(found["below"]["three"], {"error": "it is away"})
        self.assertEqual(found["capacity"]["total"], found["below"]["one"]["capacity"]["total"])
        capacities = [{"total": free, "free": free, "used": 0} for free in (5, 9, 7, -1)]
        self.assertEqual([binding(capacities[:3], writes)["free"] for writes in (2, 3)], [7, 5])
        self.assertEqual([binding(capacities, writes)["free"] for writes in (3, 4)], [7, 5])
        self.assertEqual(binding(capacities[:1], 2)["free"], -1)
        self.assertEqual(binding(capacities[3:], 1)["free"], -1)

    def test_upkeep_reaches_each_store_with_its_own(self) -> None:
        kept = [self.put(self.quorum) for _ in range(3)]
        seen: dict[str, list[str]] = {name: [] for name in NAMES}

        def upkeep(name: str, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
            seen[name].extend(kept)
            return {"wrong": 1}

        for name, store in self.stores.items():
            patch = mock.patch.object(store, "upkeep", lambda context, kept, name=name: upkeep(name, context, kept))
            patch.start()
            self.addCleanup(patch.stop)
        self.assertEqual(self.quorum.upkeep(self.context, iter(kept))["wrong"], 3)
        inners = [self.quorum._copies(text, self.context).inners for text in kept]
        self.assertEqual(seen, {name: [inner[name] for inner in inners] for name in NAMES})

    def test_the_label_is_what_the_document_says(self) -> None:
        label = Label(1, b"v" * 16, 3, 0x352441C2, b"o" * 16)
        self.assertEqual(len(label.encode()), 60 + 4)
        self.assertEqual(Label.decode(label.encode()), label)
