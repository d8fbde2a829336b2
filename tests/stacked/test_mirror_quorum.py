"""A mirror for which it is enough that some stores have an object: what is missing in others is known, and healed."""

import errno
import io
import os
from typing import Any
from unittest import mock

from stacked.mirror import MirroredStorage
from tests.stacked.mirrors import DATA, NAMES, OLD, MirrorCase


class QuorumTest(MirrorCase):
    def amiss(self) -> dict[str, Any]:
        found = self.quorum.statistics(self.context)["amiss"]
        return {name: {what: told["objects"] for what, told in kinds.items()} for name, kinds in found.items()}

    def test_what_one_store_lacks_is_known_and_healed(self) -> None:
        for mood in ("away", "late", "unsure", "lazy", "short"):
            for name in NAMES:
                with self.subTest(mood=mood, name=name):
                    self.mood()
                    module_data = self.quorum.new_data(self.context)
                    self.mood(**{name: mood})
                    self.put(self.quorum, DATA, module_data)
                    self.assertTrue(self.quorum.available(self.context, module_data))
                    self.mood()
                    self.assertEqual(self.amiss(), {name: {"lacking": 1}})
                    self.heal(self.quorum)
                    self.assertEqual(self.amiss(), {})
                    self.assert_holds(self.quorum, module_data, DATA)

    def test_with_less_than_a_quorum_nothing_is_kept(self) -> None:
        for mood in ("away", "late", "unsure", "lazy", "short"):
            for well in NAMES:
                with self.subTest(mood=mood, well=well):
                    self.mood()
                    module_data = self.quorum.new_data(self.context)
                    old = self.put(self.quorum, OLD)
                    self.mood(**{name: mood for name in NAMES if name != well})
                    for text in (module_data, old):
                        with self.assertRaises(OSError):
                            self.put(self.quorum, DATA, text)
                    self.mood()
                    self.heal(self.quorum)
                    self.assertFalse(self.quorum.available(self.context, module_data))
                    is_lost = mood in ("unsure", "short") and well != "three"  # the third still has the old, else none
                    self.assert_holds(self.quorum, old, DATA if is_lost else OLD)
                    self.assertEqual(self.amiss(), {})
                    self.quorum.delete(self.context, old)
                    self.assertEqual(self.count(), [0, 0, 0])

    def test_where_no_store_has_the_old_any_more_what_is_whole_of_the_new_stays(self) -> None:
        self.mood(one="away")
        module_data = self.put(self.quorum, OLD)
        self.mood(two="short", three="short")
        self.assertRaises(OSError, self.put, self.quorum, DATA, module_data)
        self.mood()
        self.assertEqual(self.amiss(), {"two": {"lacking": 1}, "three": {"lacking": 1}})
        self.heal(self.quorum)
        self.assert_holds(self.quorum, module_data, DATA)

    def test_a_store_that_missed_a_change_is_not_read_before_it_is_healed(self) -> None:
        module_data = self.put(self.quorum, OLD)
        self.mood(one="away")
        self.put(self.quorum, DATA, module_data)
        self.mood()
        again = MirroredStorage(list(NAMES), 2, self.journal)
        self.assertEqual((self.get(again, module_data), again.get_size(self.context, module_data)), (DATA, len(DATA)))
        self.mood(two="away", three="away")
        for ask in (again.get_size, again.get_read_stream, again.available):
            with self.assertRaises(ConnectionError):
                ask(self.context, module_data)
        self.mood()
        self.heal(again)
        self.assert_holds(self.quorum, module_data, DATA)

    def test_a_deletion_that_one_store_missed_is_remembered(self) -> None:
        for mood in ("away", "stays"):
            module_data = self.put(self.quorum)
            self.mood(two=mood)
            self.quorum.delete(self.context, module_data)
            self.mood()
            self.assertFalse(self.quorum.available(self.context, module_data))
            self.assertRaises(FileNotFoundError, self.quorum.get_size, self.context, module_data)
            self.assertEqual((self.amiss(), self.count()), ({"two": {"gone": 1}}, [0, 1, 0]))
            self.assertEqual(self.heal(self.quorum)["deleted"], 1)
            self.assertEqual((self.amiss(), self.count()), ({}, [0, 0, 0]))

    def test_a_deletion_that_most_stores_missed_is_an_error(self) -> None:
        module_data = self.put(self.quorum)
        self.mood(two="stays", three="stays")
        self.assertRaises(PermissionError, self.quorum.delete, self.context, module_data)
        self.mood()
        self.quorum.delete(self.context, module_data)
        self.assertEqual((self.amiss(), self.count()), ({}, [0, 0, 0]))

    def test_a_store_that_is_away_when_an_object_begins_gets_it_later(self) -> None:
        self.mood(two="away")
        module_data = self.put(self.quorum)
        self.assertEqual(self.amiss(), {"two": {"lacking": 1}})
        self.mood()
        self.heal(self.quorum)
        self.assert_holds(self.quorum, module_data, DATA)
        self.put(self.quorum, OLD, module_data)
        self.assert_holds(self.quorum, module_data, OLD)
        self.quorum.delete(self.context, module_data)
        self.assertEqual((self.amiss(), self.count()), ({}, [0, 0, 0]))

    def test_a_store_that_is_new_gets_all_that_is_kept(self) -> None:
        MirroredStorage.prepare(["one", "two"], "all", self.journal)
        both = MirroredStorage(["one", "two"], "all", self.journal)
        kept = [self.put(both, text) for text in (DATA, OLD)]
        self.assertEqual(self.heal(self.quorum, kept)["brought"], 2)
        self.assert_holds(self.quorum, kept[0], DATA)
        self.assertEqual(self.heal(self.quorum, kept)["brought"], 0)

    def test_a_store_that_was_emptied_is_filled_again(self) -> None:
        kept = [self.put(self.quorum, bytes([number]) * 1000) for number in range(5)]
        for file in self.files("one"):
            file.unlink()
        self.assertEqual(self.heal(self.quorum, kept)["brought"], 5)
        self.assertEqual(self.count(), [5, 5, 5])

    def test_what_is_nowhere_is_told(self) -> None:
        kept = [self.put(self.quorum), self.put(self.quorum, OLD)]
        for name in NAMES:
            self.files(name)[0].unlink() if len(self.files(name)) else None
        self.quorum.delete(self.context, kept[0])
        told = self.quorum.upkeep(self.context, [kept[0], "nonsense"])
        self.assertEqual(told["wrong"], 2)
        self.assertRegex(told["reasons"][0], "none of its stores")

    def test_two_versions_become_the_newer_one(self) -> None:
        module_data = self.put(self.quorum, OLD)
        found = self.quorum._copies(module_data, self.context)
        newer = found.label("one")._replace(turn=2, version=bytes(16), size=3, crc=0x352441C2)
        self.stores["one"].assign(self.context, found.inners["one"], io.BytesIO(b"abc" + newer.encode()))
        self.assertEqual(self.get(self.quorum, module_data), b"abc")
        told = self.heal(self.quorum, [module_data])
        self.assertEqual((told["diverged"], told["brought"]), (1, 2))
        self.assert_holds(self.quorum, module_data, b"abc")

    def test_a_corrupt_copy_is_not_brought_anywhere(self) -> None:
        self.mood(three="away")
        module_data = self.put(self.quorum)
        found = self.quorum._copies(module_data, self.context)
        flipped = found.label("one")
        content = bytes([1]) + DATA[1:] + flipped.encode()
        self.stores["one"].assign(self.context, found.inners["one"], io.BytesIO(content))
        self.mood()
        self.assertEqual(self.heal(self.quorum)["brought"], 2)
        self.assert_holds(self.quorum, module_data, DATA)

    def test_a_copy_that_does_not_come_is_told_and_comes_later(self) -> None:
        self.mood(three="away")
        module_data = self.put(self.quorum)
        told = self.quorum.upkeep(self.context, [])
        self.assertEqual((told["wrong"], self.amiss()), (1, {"three": {"lacking": 1}}))
        self.assertIn(module_data, told["reasons"][0])
        self.mood()
        self.heal(self.quorum)
        self.assertEqual(self.amiss(), {})

    def test_nothing_is_stored_that_cannot_be_noted(self) -> None:
        module_data = self.quorum.new_data(self.context)
        self.mood(three="away")
        error = OSError(errno.ENOSPC, "full")
        with mock.patch("stacked.mirror.journal.Journal.note", side_effect=error), self.assertRaises(OSError) as raised:
            self.put(self.quorum, DATA, module_data)
        self.assertIs(raised.exception, error)
        self.assertEqual(self.count(), [0, 0, 0])

    def test_a_journal_that_is_away_makes_nothing_absent(self) -> None:
        module_data, absent = self.put(self.quorum), self.quorum.new_data(self.context)
        again = MirroredStorage(list(NAMES), 2, self.journal)
        self.quorum._journal.close_idle()  # type: ignore[union-attr]
        os.rename(self.journal, f"{self.journal}.away")
        for ask in (again.get_size, again.available, again.get_read_stream):
            with self.assertRaisesRegex(OSError, "journal"):
                ask(self.context, module_data)
        with self.assertRaisesRegex(OSError, "journal"):
            self.put(again, DATA, absent)
        self.assertFalse(again.available(self.context, absent))
        again.delete(self.context, module_data)
        self.assertEqual(self.count(), [0, 0, 0])
        with self.assertRaisesRegex(FileNotFoundError, "journal"):
            MirroredStorage(list(NAMES), 2, self.journal)
