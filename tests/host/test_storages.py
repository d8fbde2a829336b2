"""The upkeep of storages: what modules are told, and what is told of them."""

import contextlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any
from unittest import mock

from host import storages
from host.errors import HostError
from host.storages import Outcome, look_after
from modules import Context
from tests.host.cloud import CloudTest, where
from tests.host.places import Place, PlacesTest
from tests.host.vendor import Memory
from vsm.__main__ import main


class Careful(Memory):
    """Notes what it is told, and returns or raises what it is told to."""

    told: Mapping[str, Any] | BaseException = {}  # noqa: RUF012
    seen: list[list[str]] = []  # noqa: RUF012

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        self.seen.append(list(kept))
        if isinstance(self.told, BaseException):
            raise self.told
        return self.told


class StoragesTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.seen: list[list[str]] = []
        self.enterContext(mock.patch.object(Careful, "seen", self.seen))
        self.configure("careful", f"{__name__}.Careful", {"api_key": "hunter2"})
        self.cloud.accounts.put("alice", policy="careful")

    def tell(self, told: Any) -> None:
        self.enterContext(mock.patch.object(Careful, "told", told))

    def look_after(self) -> list[Outcome]:
        return list(look_after(self.cloud.catalogue, self.cloud.loader))

    def vsm(self, *options: str) -> tuple[int, str]:
        """Run vsm upkeep, and return its exit status and what it said."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = main(["upkeep", "--data", str(self.directory), *options])
        return status, said.getvalue()

    def test_a_module_gets_what_it_keeps_and_nothing_else(self) -> None:
        for number in range(5):
            self.store(f"/cdmi/o{number}")
        self.store("/cdmi/o1", b"newer")
        self.cloud.names.remove(self.account(), where("/cdmi/o2"))
        self.cloud.accounts.put("alice", policy="default")
        self.store("/cdmi/o3")
        named = []
        for path in ("o0", "o1", "o4"):
            node = self.cloud.names.find(self.account(), where(f"/cdmi/{path}"))
            assert node is not None
            named.append(node.data.module_data)
        for page in (1, 2, 3, 1000):
            with mock.patch.object(storages, "_PAGE", page):
                self.look_after()
            self.assertEqual(sorted(self.seen.pop()), sorted(named))

    def test_each_module_is_asked_also_when_one_fails(self) -> None:
        self.configure("other", f"{__name__}.Careful")
        self.configure("plain", "stacked.StackedModule", {"store": "other"})
        for error in (OSError("no login with hunter2"), SystemExit("hunter2"), HostError("not now")):
            self.tell(error)
            outcomes = self.look_after()
            failed = ["careful", "other", "plain"]
            self.assertEqual([each.module for each in outcomes if not each.is_well], failed)
            self.assertEqual([each.module for each in outcomes], sorted([*failed, "default"]))
            self.assertNotIn("hunter", str(outcomes))

    def test_what_cannot_be_told_is_a_failure(self) -> None:
        for told in ({"a": {1}}, [1], None, object()):
            self.tell(told)
            self.assertRegex(self.look_after()[0].error, "^TypeError: ")

    def test_a_module_that_does_not_load_is_a_failure(self) -> None:
        self.configure("refusing", "tests.host.vendor.Memory")
        with mock.patch.object(Memory, "__init__", side_effect=OSError("not mounted")):
            outcomes = list(look_after(self.cloud.catalogue, self.open().loader))
        self.assertIn("not mounted", {each.module: each.error for each in outcomes}["refusing"])

    def test_the_command_tells_it_in_a_line_each(self) -> None:
        self.tell({"looked_at": 3, "wrong": 0})
        status, said = self.vsm("--modules")
        self.assertEqual(said, '0 deleted, 0 failed\ncareful: {"looked_at": 3, "wrong": 0}\ndefault: {}\n')
        self.assertEqual(status, 0)
        self.assertEqual(self.vsm(), (0, "0 deleted, 0 failed\n"))

    def test_what_is_wrong_or_fails_is_in_the_exit_status(self) -> None:
        self.tell({"wrong": 2})
        self.assertEqual(self.vsm("--modules")[0], 1)
        self.tell(OSError("disk\nerror"))
        status, said = self.vsm("--modules")
        self.assertEqual(status, 1)
        self.assertIn("\ncareful: failed: OSError: disk error\ndefault: {}\n", said)

    def test_the_command_tells_it_in_json(self) -> None:
        self.tell({"wrong": 1})
        status, said = self.vsm("--modules", "--json")
        self.assertEqual(status, 1)
        self.assertEqual(
            json.loads(said)["modules"],
            [
                {"module": "careful", "location": "", "error": None, "told": {"wrong": 1}},
                {"module": "default", "location": "", "error": None, "told": {}},
            ],
        )
        self.assertNotIn("modules", json.loads(self.vsm("--json")[1]))


class LocationsUpkeepTest(PlacesTest):
    def test_each_location_gets_what_has_come_to_it(self) -> None:
        self.store()
        self.errors["assign", "c"] = ConnectionError()
        with self.assertLogs("host.replication", "WARNING"):
            self.work()
        self.store("/cdmi/p")
        seen: dict[str, int] = {}

        def upkeep(place: Place, context: Context, kept: Iterable[str]) -> dict[str, Any]:
            seen[place.name] = len(list(kept))
            return {}

        with mock.patch.object(Place, "upkeep", upkeep):
            outcomes = list(look_after(self.cloud.catalogue, self.cloud.loader))
        self.assertEqual(seen, {"a": 2, "b": 1, "c": 0})
        self.assertEqual([each.location for each in outcomes if each.module == "new"], ["a", "b", "c"])
