"""The kit on stacks of several layers, put together by names as an administrator does."""

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import MODULE_DATA_LIMIT, StorageModule
from stacked import CompressedStorage, DedupStorage, EncryptedStorage, MirroredStorage, SpreadStorage
from stacked.keyfile import add
from tests.stacked.stack import StackCase, file_storage


class Stack(Promises, Model):
    """What the stacks here share: names for modules, of which the last is the one on the top."""

    effort = QUICK._replace(
        large=32 * 1024 * 1024
    )  # what four layers hold together is less than this, and does not grow

    def make_module(self) -> StorageModule:
        self._below = self.configured()
        return self._below.popitem()[1]

    def configured(self) -> dict[str, StorageModule]:
        """Return the modules of the stack by their names, from the bottom to the top."""
        raise NotImplementedError

    def get_module(self, name: str) -> StorageModule:
        return self._below[name]

    def files_in(self, name: str) -> StorageModule:
        """Return a file store in a directory of that name."""
        return file_storage(Path(self.directory, name))

    def encrypted(self, store: str) -> StorageModule:
        """Return encryption on a module."""
        keyring = os.path.join(self.directory, "keyring")
        if not os.path.exists(keyring):
            add(keyring)
        return EncryptedStorage(store, keyring)


class DedupOnCompressionOnEncryptionTest(Stack, unittest.TestCase):
    def setUp(self) -> None:
        beside = tempfile.TemporaryDirectory()  # a file of SQLite has others beside it while it is open
        self.addCleanup(beside.cleanup)
        self._index = os.path.join(beside.name, "index")
        super().setUp()

    def tidy(self) -> None:
        self.module.upkeep(self.context, [])

    def configured(self) -> dict[str, StorageModule]:
        DedupStorage.prepare("compressed", self._index)
        return {
            "files": self.files_in("files"),
            "encrypted": self.encrypted("files"),
            "compressed": CompressedStorage("encrypted", 1),
            "dedup": DedupStorage("compressed", self._index),
        }


class MirrorOfTwoEncryptedTest(Stack, unittest.TestCase):
    def configured(self) -> dict[str, StorageModule]:
        return {
            "here": self.files_in("here"),
            "there": self.files_in("there"),
            "encrypted here": self.encrypted("here"),
            "encrypted there": self.encrypted("there"),
            "mirror": MirroredStorage(["encrypted here", "encrypted there"]),
        }


class SpreadOfThreeTest(Stack, unittest.TestCase):
    def configured(self) -> dict[str, StorageModule]:
        names = ["one", "two", "three"]
        return {**{name: self.files_in(name) for name in names}, "spread": SpreadStorage(names)}


class OrderTest(StackCase):
    """What makes sense on what, and what does not."""

    def setUp(self) -> None:
        super().setUp()
        self.keyring = str(self.directory / "keyring")
        self.index = str(self.directory / "index")
        add(self.keyring)
        self.modules.update(
            encrypted=EncryptedStorage("local", self.keyring),
            compressed=CompressedStorage("local"),
            deduplicated=DedupStorage("local", self.index),
            packed=CompressedStorage("encrypted"),
            sealed=EncryptedStorage("compressed", self.keyring),
            mirrored=MirroredStorage(["deduplicated", "compressed"]),
        )

    def test_what_defeats_the_layer_below_is_refused_with_the_reason(self) -> None:
        for name, module in {
            "encryption on compression": EncryptedStorage("compressed", self.keyring),
            "encryption on dedup": EncryptedStorage("deduplicated", self.keyring),
            "compression on dedup": CompressedStorage("deduplicated"),
            "encryption on dedup ": EncryptedStorage("mirrored", self.keyring),
        }.items():
            with self.subTest(name), self.assertRaisesRegex(ValueError, f"^store: {name.strip()}: .*: put "):
                module.stands_on(self.context)

    def test_the_other_way_round_is_right(self) -> None:
        for module in (DedupStorage("packed", self.index), CompressedStorage("encrypted"), self.modules["mirrored"]):
            module.stands_on(self.context)

    def test_module_data_of_four_layers_is_within_its_limit(self) -> None:
        self.modules["top"] = MirroredStorage([DedupStorage("packed", self.index), DedupStorage("packed", self.index)])
        DedupStorage.prepare("packed", self.index)
        text = self.modules["top"].new_data(self.context)
        self.assertLess(len(text), MODULE_DATA_LIMIT)
        self.assertIsInstance(json.loads(text), dict)

    def test_statistics_show_each_layer(self) -> None:
        DedupStorage.prepare("packed", self.index)
        found: Any = DedupStorage("packed", self.index).statistics(self.context)
        layers = []
        while "layer" in found:
            layers.append(found["layer"])
            (found,) = found["below"].values()
        self.assertEqual(layers, ["dedup", "compression", "encryption"])
