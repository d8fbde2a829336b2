"""Locations that come and go."""

import io
from typing import Any
from unittest import mock

from host.body import Body
from host.errors import Conflict, TryAgain
from host.vault import Facts, Stored
from tests.files import objects_in
from tests.host.cloud import CloudTest, where
from tests.host.places import PlacesTest
from tests.host.threads import at_once


class LocationsTest(PlacesTest):
    def test_what_is_kept_is_brought_to_a_new_one(self) -> None:
        self.locate("a")
        self.store(content=b"data")
        self.store("/cdmi/p", b"gone")
        self.cloud.names.remove(self.account(), where("/cdmi/p"))
        self.locate("a", "b")
        self.assertEqual(self.queue(), [("b", 0, None)])
        self.work()
        self.assertEqual(self.there()["b"], [b"data"])

    def test_the_first_named_one_is_what_was_there_without_a_name(self) -> None:
        self.configure("one", "tests.host.test_replication.Place", {"name": "a"})
        self.cloud.accounts.put("alice", policy="one")
        self.store(content=b"data")
        locations: dict[str, Any] = {"first": {"name": "a"}, "second": {"name": "b"}}
        self.cloud.registry.configure("one", "tests.host.test_replication.Place", "", locations)
        self.assertEqual(self.queue(), [("second", 0, None)])
        self.work()
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": []})
        self.configure("one", "tests.host.test_replication.Place", {"name": "b"})
        self.assertEqual((self.queue(), self.read()), ([], b"data"))

    def test_one_is_removed_once_all_has_come_to_the_others(self) -> None:
        self.store(content=b"data")
        with self.assertRaisesRegex(Conflict, "not everything"):
            self.locate("b", "c")
        self.errors["assign", "c"] = ConnectionError()
        with self.assertLogs("host.replication", "WARNING"):
            self.work()
        with self.assertRaisesRegex(Conflict, "not everything"):
            self.locate("b", "c")
        self.locate("a", "b")  # what waited for c is forgotten
        self.assertEqual(self.queue(), [])
        self.locate("b")
        self.assertEqual(self.read(), b"data")
        self.assertEqual(self.cloud.loader.locations("new"), ["b"])

    def test_what_nobody_wants_any_more_keeps_no_location(self) -> None:
        self.store(content=b"data")
        self.cloud.names.remove(self.account(), where("/cdmi/o"))
        self.assertEqual(len(self.queue()), 2)
        self.locate("b", "c")
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))

    def test_a_refused_change_changes_nothing(self) -> None:
        self.store(content=b"data")
        before = self.cloud.registry.describe("new")
        with self.assertRaises(Conflict):
            self.locate("b", "c")
        self.assertEqual(self.cloud.registry.describe("new"), before)
        self.store("/cdmi/p", b"of p")
        self.assertEqual(len(self.queue()), 4)

    def test_an_upload_that_began_before_one_was_added_comes_there_too(self) -> None:
        self.locate("a")
        self.store()
        stored = self.while_storing(lambda: self.locate("a", "b"))
        self.assertTrue(stored.is_new)
        self.assertEqual(len(self.queue()), 2)
        self.work()
        self.assertEqual(self.there()["b"], [b"data", b"data"])

    def test_an_upload_that_began_before_its_location_was_removed_is_to_be_sent_again(self) -> None:
        with self.assertRaisesRegex(TryAgain, "send it again"):
            self.while_storing(lambda: self.locate("b", "c"))
        self.assertIsNone(self.cloud.names.find(self.account(), where("/cdmi/p")))

    def test_uploads_while_one_is_added_come_there_all(self) -> None:
        self.locate("a")

        def upload(number: int) -> None:
            for turn in range(5):
                self.store(f"/cdmi/o{number}.{turn}", b"data")

        outcomes = at_once(*[lambda n=n: upload(n) for n in range(6)], lambda: self.locate("a", "b"))
        self.assertEqual(outcomes, [None] * 7)
        self.work()
        self.assertEqual((len(self.kept["a"]), self.kept["b"]), (30, self.kept["a"]))

    def while_storing(self, work: Any) -> Stored:
        class Meanwhile(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() == 0:
                    work()
                return super().read(size)

        return self.cloud.vault.store(self.target("/cdmi/p"), Body(Meanwhile(b"data"), 4), Facts)

    def test_each_locations_statistics_are_shown_and_no_secret(self) -> None:
        locations: dict[str, Any] = {"x": {"api_key": "hunter2"}, "y": ["one", 2, "hunter3"]}
        self.cloud.registry.configure("shown", "tests.host.vendor.Memory", "", locations)
        shown = self.cloud.registry.describe("shown")
        self.assertEqual(shown["locations"]["y"], {"first": "one", "second": 2, "api_key": "***"})
        self.assertEqual(shown["statistics"].keys(), {"x", "y"})
        self.assertNotIn("hunter", str(shown))


class DirectoriesTest(CloudTest):
    """Real storages: two locations on one directory transfer no byte, two of their own converge."""

    def locate(self, second: str) -> None:
        (self.directory / second).mkdir(exist_ok=True)
        locations: dict[str, Any] = {"a": {"root": str(self.objects)}, "b": {"root": str(self.directory / second)}}
        self.cloud.registry.configure("default", "fsstore.FileStorage", "", locations)

    def test_two_on_one_directory_transfer_no_byte(self) -> None:
        self.locate("objects")
        self.store(content=b"data")
        path = objects_in(self.objects)[0]
        before = path.stat()
        with mock.patch("host.guarded.GuardedModule.open", side_effect=AssertionError):
            self.assertEqual(self.cloud.upkeep.replication.work(), (1, 0))
        self.assertEqual(path.stat(), before)
        self.assertEqual(self.stored(), [b"data"])
        self.cloud.names.remove(self.account(), where("/cdmi/o"))
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))
        self.assertEqual(self.stored(), [])

    def test_two_of_their_own_converge(self) -> None:
        self.locate("second")
        for number in range(5):
            self.store(f"/cdmi/o{number}", b"x" * number)
        self.store("/cdmi/o1", b"newer")
        self.cloud.names.remove(self.account(), where("/cdmi/o2"))
        self.cloud.upkeep.replication.work()
        self.cloud.upkeep.reap(grace=0)
        both = [[path.read_bytes() for path in objects_in(self.directory / name)] for name in ("objects", "second")]
        self.assertEqual(sorted(both[0]), sorted(both[1]))
        self.assertEqual(len(both[0]), 4)
        self.assert_sound()
