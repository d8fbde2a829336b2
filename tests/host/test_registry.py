"""Vendor modules: configured, shown and removed."""

from typing import Any
from unittest import mock

from host import registry
from host.errors import Conflict, Invalid, NotFound
from tests.host.cloud import CloudTest
from tests.host.threads import at_once
from tests.host.vendor import Memory


class RegistryTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.registry = self.cloud.registry
        self.prepared: list[Any] = []
        prepare = mock.patch.object(
            registry, "prepare", lambda cls, arguments: self.prepared.append(arguments.get("first"))
        )
        self.enterContext(prepare)

    def locate(self, **locations: Any) -> None:
        given: Any = {name: {"first": first} for name, first in locations.items()}
        self.registry.configure("new", "tests.host.vendor.Memory", "", given)

    def test_what_is_new_is_prepared_and_nothing_else(self) -> None:
        self.locate(a="1")
        self.locate(a="1")
        self.locate(a="1", b="2")
        self.locate(a="1", b="3")
        self.assertEqual(self.prepared, ["1", "2", "3"])

    def test_a_storage_that_keeps_data_is_not_prepared_again(self) -> None:
        self.locate(a="1")
        self.cloud.accounts.put("alice", policy="new")
        self.store()
        self.locate(a="2")
        self.locate(a="2", b="new")
        self.assertEqual(self.prepared, ["1", "new"])

    def test_a_storage_keeps_its_place_whether_it_has_a_name_or_not(self) -> None:
        self.configure("new", "tests.host.vendor.Memory", {"first": "1"})
        self.locate(b="1", a="2")
        self.assertEqual(self.prepared, ["1", "2"])
        self.configure("new", "tests.host.vendor.Memory", {"first": "2"})
        self.assertEqual(self.prepared, ["1", "2"])

    def test_what_is_refused_changes_nothing(self) -> None:
        self.locate(a="1")
        before = self.registry.describe("new")
        for dotted, arguments in (
            ("tests.host.vendor.Refusing", {"address": "192.0.2.1", "password": "hunter2"}),
            ("tests.host.vendor.Memory", {"colour": 1}),
            ("no.such.Module", {}),
        ):
            given: Any = {"a": arguments}
            with self.assertRaises(Invalid) as caught:
                self.registry.configure("new", dotted, "", given)
            self.assertNotIn("hunter2", str(caught.exception))
        self.assertEqual(self.registry.describe("new"), before)

    def test_the_instance_that_was_tried_is_the_one_that_is_used(self) -> None:
        before = Memory.instances
        self.locate(a="1", b="2")
        for location in "ab":
            self.cloud.loader.instance("new", location)
        self.assertEqual(Memory.instances - before, 2)

    def test_names_and_classes(self) -> None:
        self.locate(a="1")
        self.configure("again", "tests.host.vendor.Memory", {"first": ""})
        self.assertEqual(self.registry.names(), ["again", "default", "new"])
        self.assertEqual(sorted(self.registry.classes()), ["fsstore.FileStorage", "tests.host.vendor.Memory"])

    def test_one_is_removed_if_nothing_needs_it(self) -> None:
        self.locate(a="1")
        self.cloud.accounts.put("bob", password="p", policy="new")
        with self.assertRaises(Conflict):
            self.registry.remove("new")
        self.cloud.accounts.remove("bob")
        self.registry.remove("new")
        for call in (self.registry.remove, self.registry.describe):
            with self.assertRaises(NotFound):
                call("new")

    def test_one_that_is_being_stored_to_is_not_removed(self) -> None:
        self.locate(a="1")
        self.cloud.accounts.put("alice", policy="new")
        self.cloud.vault._reservations.take("new")
        self.cloud.accounts.put("alice", policy="default")
        with self.assertRaises(Conflict):
            self.registry.remove("new")
        self.bury()
        self.registry.remove("new")

    def test_administrators_at_the_same_time(self) -> None:
        for turn in range(3):
            outcomes = at_once(*[lambda turn=turn: self.add(f"new{turn}")] * 4)
            self.assertLessEqual({type(outcome) for outcome in outcomes}, {type(None), Conflict}, outcomes)
            self.assertIn(None, outcomes)

    def add(self, name: str) -> None:
        self.open().registry.configure(name, "tests.host.vendor.Memory", "", {"": {"first": ""}})

    def test_statistics_that_fail_are_told_without_secrets(self) -> None:
        given: Any = {"a": {"first": "1", "api_key": "hunter2"}}
        self.registry.configure("new", "tests.host.vendor.Memory", "", given)
        error = OSError("no login with hunter2")
        with mock.patch.object(Memory, "statistics", side_effect=error):
            told = self.registry.describe("new")["statistics"]
        self.assertEqual(told, {"a": {"error": "OSError: no login with ***"}})
