"""Identities and paths."""

import unittest

from fsstore.layout import FILES, LAYOUT, LEAVES, is_identity, is_leaf, is_upper, new_path, shard_of, split_path

DIGITS = "0123456789abcdef0123456789abcdef"


class LayoutTest(unittest.TestCase):
    def test_a_new_path_splits_into_shard_and_name(self) -> None:
        for slot in (0, 1, FILES, FILES * LEAVES, 100_000_000, 10**15):
            path = new_path(slot)
            shard, name = split_path(LAYOUT, path)
            self.assertEqual(path, f"{shard}/{name}")
            self.assertEqual(shard, shard_of(slot))

    def test_directories_are_filled_one_after_the_other(self) -> None:
        shards = [shard_of(slot) for slot in range(3 * FILES)]
        self.assertEqual(sorted(set(shards)), ["0000/000", "0000/001", "0000/002"])
        self.assertEqual(shards, sorted(shards))
        self.assertEqual(shard_of(FILES * LEAVES), "0001/000")

    def test_a_hundred_million_objects_need_a_hundred_upper_directories(self) -> None:
        self.assertEqual(shard_of(100_000_000 - 1), "005f/178")

    def test_what_the_first_layout_stored_is_found(self) -> None:
        self.assertEqual(split_path(1, f"01/{DIGITS}"), ("01", DIGITS))

    def test_any_other_path_is_refused(self) -> None:
        second: tuple[str, ...] = (
            f"0000/400/{DIGITS}",
            f"000/000/{DIGITS}",
            f"0000/00/{DIGITS}",
            f"0000/000/{DIGITS}0",
            DIGITS,
            "",
        )
        second += (
            f"../000/{DIGITS}",
            f"0000/000/{DIGITS}\n",
            f"0000//{DIGITS}",
            f"0000/000/{DIGITS.upper()}",
            f"01/{DIGITS}",
        )
        first = (f"ab/{DIGITS}", f"0000/000/{DIGITS}", f"01/{DIGITS}\n", f"01//{DIGITS}", f"../{DIGITS}")
        for number, paths in ((2, second), (1, first), (0, first), (3, second)):
            for path in paths:
                with self.subTest(path, layout=number), self.assertRaises(ValueError):
                    split_path(number, path)

    def test_names_that_are_ours_are_known(self) -> None:
        self.assertTrue(is_identity(DIGITS) and is_leaf("3ff") and is_upper("00") and is_upper("0000"))
        for name in ("", "3FF", "400", "0000000", "quarantine", ".new", DIGITS + "0"):
            with self.subTest(name):
                self.assertFalse(is_identity(name) or is_leaf(name) or is_upper(name))
