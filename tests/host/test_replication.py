"""Copies on their way to other locations, and what is read while they are."""

import io
import time
from typing import Any
from unittest import mock

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from host.body import Body
from host.catalogue.schema import copies
from host.errors import Failed
from host.vault import Facts
from modules import Context, Source
from tests.host.cloud import where
from tests.host.places import Place, PlacesTest


class ReplicationTest(PlacesTest):
    def test_a_write_goes_to_the_local_one_and_a_queue_carries_it_to_the_others(self) -> None:
        self.store(content=b"data")
        self.assertEqual(self.there(), {"a": [b"data"], "b": [], "c": []})
        self.assertEqual(self.queue(), [("b", 0, None), ("c", 0, None)])
        self.assertEqual(self.work(), (2, 0))
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})
        self.assertEqual((self.queue(), self.work()), ([], (0, 0)))

    def test_a_server_elsewhere_writes_to_its_own(self) -> None:
        (self.directory / "cloud.toml").write_text('location = "c"')
        other = self.open()
        body = self.body(b"data")
        other.vault.store(self.target(), body, self.facts)
        self.assertEqual(self.there(), {"a": [], "b": [], "c": [b"data"]})
        self.assertEqual(self.work(), (2, 0))
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})

    def body(self, content: bytes) -> Any:
        return Body(io.BytesIO(content), len(content))

    def facts(self) -> Facts:
        return Facts()

    def test_it_is_asked_first_and_brought_only_if_it_is_not_there(self) -> None:
        self.store(content=b"data")
        (module_data,) = self.kept["a"]
        self.kept["b"][module_data] = b"data"  # as if the storage had brought it itself
        Place.calls.clear()
        self.assertEqual(self.work(), (2, 0))
        self.assertNotIn(("assign", "b"), Place.calls)
        self.assertLess(Place.calls.index(("available", "c")), Place.calls.index(("assign", "c")))

    def test_one_that_cannot_tell_is_not_brought_to(self) -> None:
        self.store(content=b"data")
        self.errors["available", "b"] = OSError("cannot tell")
        Place.calls.clear()
        with self.assertLogs("host.replication", "WARNING"):
            self.assertEqual(self.work(), (1, 1))
        self.assertNotIn(("assign", "b"), Place.calls)

    def test_one_that_fails_for_a_while_is_tried_again_with_growing_pauses(self) -> None:
        self.store(content=b"data")
        self.errors["assign", "b"] = ConnectionError("secret host")
        pauses = []
        for attempt in range(1, 4):
            with self.assertLogs("host.replication", "WARNING"):
                self.work()
            self.assertEqual(self.queue(), [("b", attempt, None)])
            with self.cloud.catalogue.reading() as connection:
                row = connection.execute(select(copies)).one()
            pauses.append(round(row.due - time.time()))
            self.assertNotIn("secret", row.error)
            self.assertEqual(self.work(), (0, 0), "it is not due")
            self.later()
        self.assertTrue(all(2 ** (n + 1) - 2 <= pause <= 2 ** (n + 1) for n, pause in enumerate(pauses)), pauses)
        del self.errors["assign", "b"]
        self.assertEqual(self.work(), (1, 0))
        self.assertEqual(self.there()["b"], [b"data"])

    def test_no_pause_is_longer_than_an_hour(self) -> None:
        self.store(content=b"data")
        self.errors["assign", "b"] = ConnectionError()
        with self.cloud.catalogue.writing() as connection:
            connection.execute(update(copies).values(attempts=10_000))
        with self.assertLogs("host.replication", "WARNING"):
            self.work()
        with self.cloud.catalogue.reading() as connection:
            due = connection.scalar(select(copies.c.due))
        assert due is not None
        self.assertLessEqual(due - time.time(), 3600)

    def test_the_end_does_not_wait_for_all_that_is_due(self) -> None:
        for name in "opq":
            self.store(f"/cdmi/{name}")
        assign = Place.assign

        def stop(place: Place, context: Context, module_data: str, stream: Source) -> None:
            assign(place, context, module_data, stream)
            self.cloud.upkeep.stop()

        with mock.patch.object(Place, "assign", stop):
            self.assertEqual(self.work(), (1, 0))
        self.assertEqual({process for _, _, process in self.queue()}, {None})
        self.assertEqual(self.work(self.open()), (5, 0))

    def test_it_is_resumed_after_a_restart(self) -> None:
        self.store(content=b"data")
        self.cloud.close()
        self.assertEqual(self.work(self.open()), (2, 0))
        self.assertEqual(self.there()["c"], [b"data"])

    def test_the_source_is_any_location_that_has_it(self) -> None:
        self.store(content=b"data")
        self.errors["assign", "c"] = ConnectionError()
        with self.assertLogs("host.replication", "WARNING"):
            self.work()
        self.errors.clear()
        self.errors["get_size", "a"] = OSError("the disk is gone")
        self.later()
        self.assertEqual(self.work(), (1, 0))
        self.assertEqual(self.there()["c"], [b"data"])

    def test_without_any_source_it_is_tried_again(self) -> None:
        self.store(content=b"data")
        self.errors["get_size", "a"] = OSError("the disk is gone")
        with self.assertLogs("host.replication", "WARNING"):
            self.assertEqual(self.work(), (0, 2))
        self.errors.clear()
        self.later()
        self.assertEqual(self.work(), (2, 0))

    def test_what_nobody_wants_any_more_is_not_brought(self) -> None:
        self.store(content=b"old")
        self.store(content=b"newer")
        Place.calls.clear()
        self.work()
        self.assertEqual(self.there(), {"a": [b"newer", b"old"], "b": [b"newer"], "c": [b"newer"]})
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.there(), {"a": [b"newer"], "b": [b"newer"], "c": [b"newer"]})

    def test_it_is_deleted_at_all_locations_or_again_later(self) -> None:
        self.store(content=b"data")
        self.work()
        self.cloud.names.remove(self.account(), where("/cdmi/o"))
        self.errors["delete", "b"] = ConnectionError()
        with self.assertLogs("host.upkeep", "ERROR"):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (0, 1))
        self.errors.clear()
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))
        self.assertEqual(self.there(), {"a": [], "b": [], "c": []})
        self.assert_sound()

    def test_what_waits_is_told(self) -> None:
        self.store(content=b"data")
        self.store("/cdmi/p", content=b"of p")
        self.errors["assign", "b"] = ConnectionError()
        with self.assertLogs("host.replication", "WARNING"):
            self.work()
        (told,) = self.cloud.upkeep.replication.status()
        since = told.pop("since")
        self.assertLessEqual(abs(time.time() - since), 60)
        expected = {"module": "new", "location": "b", "waiting": 2, "bytes": 8, "attempts": 1}
        self.assertEqual(told, {**expected, "error": "the storage cannot do that now: try again"})


class TakenTest(PlacesTest):
    """Which process is at what."""

    def test_two_processes_are_never_at_the_same(self) -> None:
        self.store(content=b"data")
        other = self.open()
        seen: list[tuple[int, int]] = []

        def meanwhile(place: Place, *_: Any) -> bool:
            if place.name == "b":
                seen.append(self.work(other))  # it finds c alone
            return False

        with mock.patch.object(Place, "available", meanwhile):
            self.assertEqual(self.work(), (1, 0))
        self.assertEqual(seen, [(1, 0)])
        self.assertEqual(Place.calls.count(("assign", "c")), 1)
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})

    def test_what_a_dead_process_had_taken_is_brought_by_others(self) -> None:
        self.store(content=b"data")
        dead = self.open()
        for location in "bc":
            self.assertTrue(dead.upkeep.replication._take(1, location))
        self.assertEqual(self.work(), (0, 0))
        self.cloud.upkeep.reap()
        self.assertEqual(self.work(), (2, 0))
        self.assertEqual(self.there()["b"], [b"data"])

    def test_a_catalogue_that_is_away_in_the_middle_leaves_nothing_taken(self) -> None:
        self.store(content=b"data")
        writing, away = self.cloud.catalogue.writing, OperationalError("BEGIN", {}, Exception("away"))
        for before in range(1, 4):
            steps = iter(range(100))

            def leaving(before: int = before, steps: Any = steps) -> Any:
                if next(steps) >= before:
                    raise away
                return writing()

            with mock.patch.object(self.cloud.catalogue, "writing", leaving), self.assertRaises(OperationalError):
                self.work()
        self.work()
        self.assertEqual(self.queue(), [])
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})

    def test_a_process_that_was_taken_for_dead_leaves_no_copy_of_what_is_gone(self) -> None:
        self.store(content=b"data")
        slow = self.open()
        assign = Place.assign

        def late(place: Place, context: Context, module_data: str, stream: Source) -> None:
            with mock.patch.object(Place, "assign", assign):
                self.cloud.names.remove(self.account(), where("/cdmi/o"))
                self.bury()
                self.assertEqual(self.there(), {"a": [], "b": [], "c": []})
                assign(place, context, module_data, stream)

        with mock.patch.object(Place, "assign", late):
            self.work(slow)
        self.assertEqual(self.there(), {"a": [], "b": [b"data"], "c": []})
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.there(), {"a": [], "b": [], "c": []})
        self.assert_sound()

    def test_a_process_that_was_taken_for_dead_harms_nothing_that_is_kept(self) -> None:
        self.store(content=b"data")
        slow = self.open()
        assign = Place.assign

        def late(place: Place, context: Context, module_data: str, stream: Source) -> None:
            with mock.patch.object(Place, "assign", assign):
                self.bury()
                self.work()
                assign(place, context, module_data, stream)

        with mock.patch.object(Place, "assign", late):
            self.work(slow)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})
        self.assertEqual(self.states(), {"kept": 1})


class ReadingTest(PlacesTest):
    def test_the_local_one_is_read(self) -> None:
        self.store(content=b"data")
        self.work()
        Place.calls.clear()
        self.assertEqual(self.read(), b"data")
        self.assertEqual({name for _, name in Place.calls}, {"a"})

    def test_another_one_is_read_where_the_local_one_fails(self) -> None:
        self.store(content=b"data")
        self.work()
        self.errors["get_size", "a"] = OSError("the disk is gone")
        self.errors["get_size", "b"] = TimeoutError()
        with self.assertLogs("host.vault", "WARNING") as log:
            self.assertEqual(self.read(), b"data")
        self.assertEqual(len(log.output), 2)

    def test_one_that_has_less_or_breaks_off_at_once_has_failed(self) -> None:
        self.store(content=b"data")
        self.work()
        (module_data,) = self.kept["a"]
        self.kept["a"][module_data] = b"dat"
        with self.assertLogs("host.vault", "WARNING"):
            self.assertEqual(self.read(), b"data")
        self.kept["a"][module_data] = b"data"
        with (
            mock.patch.object(Place, "get_read_stream", autospec=True) as opened,
            self.assertLogs("host.vault", "WARNING"),
        ):
            opened.side_effect = lambda place, context, module_data: io.BytesIO(
                b"data"[: 2 if place.name == "a" else 4]
            )
            self.assertEqual(self.read(), b"data")

    def test_where_all_fail_the_local_ones_error_is_told(self) -> None:
        self.store(content=b"data")
        self.errors["get_size", "a"] = OSError("the disk is gone")
        with self.assertLogs("host.vault", "WARNING"), self.assertRaises(Failed) as caught:
            self.read()
        self.assertIs(caught.exception.__cause__, self.errors["get_size", "a"])

    def test_a_copy_on_the_server_reads_where_it_can(self) -> None:
        self.store(content=b"data")
        self.work()
        node = self.cloud.names.find(self.account(), where("/cdmi/o"))
        assert node is not None
        self.kept["a"].clear()
        with self.assertLogs("host.vault", "WARNING"):
            self.cloud.vault.copy(self.target("/cdmi/p"), node, Facts())
        self.assertEqual(self.read("/cdmi/p"), b"data")
