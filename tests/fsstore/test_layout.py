"""Identities and paths."""

import unittest

from fsstore.layout import new_path, split_path


class LayoutTest(unittest.TestCase):
    def test_a_new_path_splits_into_shard_and_name(self) -> None:
        path = new_path()
        shard, name = split_path(path)
        self.assertEqual(path, f"{shard}/{name}")
        self.assertEqual(name[:2], shard)

    def test_new_paths_spread_over_all_shards(self) -> None:
        shards = {split_path(new_path())[0] for _ in range(10_000)}
        self.assertEqual(len(shards), 256)

    def test_any_other_path_is_refused(self) -> None:
        digits = "0" * 30
        for path in ("", f"ab/cd{digits}", f"AB/AB{digits}", f"ab/ab{digits}0", f"ab/ab{digits}\n", f"ab//ab{digits}"):
            with self.subTest(path), self.assertRaises(ValueError):
                split_path(path)
