"""The contract."""

import inspect
import unittest
from typing import Any

import modules
from modules import StorageModule

METHODS = ["assign", "available", "delete", "get_read_stream", "get_size", "new_data", "statistics"]


def subclass(*methods: str) -> type[StorageModule]:
    """Return a class that has those methods."""
    return type("Vendor", (StorageModule,), {name: lambda self, *_: None for name in methods})


class StorageModuleTest(unittest.TestCase):
    def test_a_class_without_one_of_the_seven_methods_cannot_be_made(self) -> None:
        for missing in METHODS:
            cls = subclass(*(name for name in METHODS if name != missing))
            with self.subTest(missing), self.assertRaisesRegex(TypeError, missing):
                cls()

    def test_the_error_names_all_that_is_missing(self) -> None:
        with self.assertRaises(TypeError) as caught:
            subclass()()
        for name in METHODS:
            self.assertIn(name, str(caught.exception))

    def test_a_class_with_the_seven_methods_can_be_made(self) -> None:
        self.assertIsInstance(subclass(*METHODS)(), StorageModule)

    def test_a_class_that_leaves_out_the_eighth_copies_nothing(self) -> None:
        self.assertIs(subclass(*METHODS)().copy_data({"func": {}}, "one", "another"), False)

    def test_an_old_module_runs_that_hands_its_arguments_up(self) -> None:
        class Old(subclass(*METHODS)):  # type: ignore[misc]
            def __init__(self, **kwargs: Any) -> None:
                StorageModule.__init__(self, **kwargs)
                self.address = kwargs["address"]

        self.assertEqual(Old(address="192.0.2.1").address, "192.0.2.1")

    def test_every_method_says_when_it_is_called_and_what_it_must_do(self) -> None:
        for name in [*METHODS, "copy_data"]:
            text = inspect.getdoc(getattr(StorageModule, name)) or ""
            for part in ("*Called when*", "*The module must*", "*Repeatable:*", ":raises"):
                with self.subTest(method=name, part=part):
                    self.assertIn(part, text)

    def test_the_head_documents_context_and_capacity(self) -> None:
        for word in ("getModule", "capacity", "total", "free", "used", "-1"):
            self.assertIn(word, modules.__doc__ or "")

    def test_all_that_is_named_exists(self) -> None:
        for name in modules.__all__:
            self.assertTrue(hasattr(modules, name), name)
