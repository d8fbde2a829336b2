"""The measurement of directory layouts runs, and leaves its directory as it was."""

import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench import layout
from bench.trees import LAYOUTS, Layout, Tree, identity


def run(*arguments: str) -> tuple[list[str], list[str]]:
    """Run the command, and return the first cells of its table and what it left in its directory."""
    with tempfile.TemporaryDirectory() as directory, io.StringIO() as text, contextlib.redirect_stdout(text):
        with mock.patch.object(layout, "_DROP", Path(directory, "missing")):  # the machine's caches stay
            layout.main([directory, *arguments])
        return [line.split("|")[1].strip() for line in text.getvalue().splitlines()], os.listdir(directory)


class LayoutBenchTest(unittest.TestCase):
    def test_a_row_for_each_layout_and_nothing_left(self) -> None:
        self.assertEqual(run("--objects", "60"), (["", "---", *(each.name for each in LAYOUTS)], []))

    def test_threads(self) -> None:
        with mock.patch.object(layout, "_DURABLE", 8):
            cells, left = run("--threads", "2", "--rounds", "1")
        self.assertEqual((len(cells), left), (6, []))


class PlaceTest(unittest.TestCase):
    def test_a_leaf_is_full_before_the_next(self) -> None:
        places = [Layout("", leaf=4).place(number, "name") for number in range(4 * 1024 + 1)]
        self.assertEqual(
            [places[n][0] for n in (0, 3, 4, -1)], [("0000", n) for n in ("000", "000", "001")] + [("0001", "000")]
        )

    def test_leaves_abreast(self) -> None:
        leaves = [Layout("", leaf=2, abreast=3).place(number, "")[0][1] for number in range(12)]
        self.assertEqual(leaves, ["000", "001", "002"] * 2 + ["003", "004", "005"] * 2)

    def test_a_hash_tells_the_shard(self) -> None:
        name = identity(1, "abcd")
        self.assertEqual(Layout("", levels=2).place(5, name), (("ab", "cd"), name))
        self.assertEqual(Layout("", levels=2).directory(0xABCD), ("ab", "cd"))

    def test_what_the_tree_does(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            tree = Tree(Layout("", levels=1), directory + "/root", b"data")
            self.addCleanup(tree.close)
            place = (("ab",), "abcd")
            tree.put(place, durable=True)
            tree.get(place)
            tree.stat(place)
            self.assertEqual(tree.walk(status=True)[:2], (1, 2))
            tree.delete(place)
            self.assertEqual(os.listdir(directory + "/root/ab"), [])
