"""Garbage, and what dead processes leave."""

import threading
import time
from typing import Any
from unittest import mock

from sqlalchemy import func, insert, select, update

from host import upkeep
from host.catalogue.schema import GARBAGE, PENDING, copies, data, detached, failures, processes
from modules import Context
from tests.files import CONTEXT
from tests.host.cloud import CloudTest, where
from tests.host.threads import wait_until
from tests.host.vendor import Failing, Memory


class UpkeepTest(CloudTest):
    def test_garbage_is_kept_for_the_grace_time(self) -> None:
        self.put("/cdmi/o", b"old")
        self.put("/cdmi/o", b"newer")
        self.assertEqual(self.cloud.upkeep.reap(), (0, 0))
        self.assertEqual(self.stored(), [b"newer", b"old"])
        with self.cloud.catalogue.writing() as connection:
            old = update(data).where(data.c.state == GARBAGE)
            connection.execute(old.values(since=int(time.time()) - self.cloud.settings.grace))
        self.assertEqual(self.cloud.upkeep.reap(), (1, 0))
        self.assertEqual(self.stored(), [b"newer"])

    def test_a_read_that_is_open_comes_to_its_end_in_the_grace_time(self) -> None:
        self.put("/cdmi/o", b"old")
        node = self.cloud.names.find(self.account(), where("/cdmi/o"))
        assert node is not None
        self.put("/cdmi/o", b"newer")
        self.cloud.upkeep.reap()
        window = self.cloud.vault.open(node.data)
        self.assertEqual(window.read(), b"old")
        window.close()

    def test_more_garbage_than_is_read_at_a_time_is_deleted(self) -> None:
        for number in range(7):
            self.put("/cdmi/o", str(number).encode())
        with mock.patch.object(upkeep, "_BATCH", 2):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (6, 0))
        self.assert_sound()

    def pend(self, process: str, age: int) -> None:
        module = self.cloud.loader.instance("default")
        row = {"module": "default", "module_data": module.new_data(CONTEXT), "size": 0, "state": PENDING}
        with self.cloud.catalogue.writing() as connection:
            connection.execute(insert(data).values(since=int(time.time()) - age, process=process, **row))

    def left(self) -> int:
        return self.states().get(PENDING, 0)

    def test_what_a_silent_process_was_storing_is_deleted(self) -> None:
        self.pend("dead", age=1000)
        self.assertEqual(self.cloud.upkeep.reap(), (1, 0))
        self.assertEqual(self.left(), 0)

    def test_what_a_living_process_is_storing_is_left_alone(self) -> None:
        other = self.open()
        other.upkeep.beat()
        other.upkeep.beat()
        self.pend(other.vault.process, age=1000)
        self.pend("begun just now", age=1)
        self.assertEqual(self.cloud.upkeep.reap(), (0, 0))
        self.assertEqual(self.left(), 2)

    def test_dead_processes_are_forgotten(self) -> None:
        with self.cloud.catalogue.writing() as connection:
            connection.execute(insert(processes).values(id="dead", seen=int(time.time()) - 1000))
        self.cloud.upkeep.beat()
        self.cloud.upkeep.reap()
        with self.cloud.catalogue.reading() as connection:
            self.assertEqual(list(connection.scalars(select(processes.c.id))), [self.cloud.vault.process])

    def test_who_comes_back_first_when_the_catalogue_was_away_takes_nobody_for_dead(self) -> None:
        other = self.open()
        with mock.patch("time.monotonic", return_value=1000.0) as clock:
            for cloud in (self.cloud, other):
                cloud.upkeep.beat()
            self.pend(other.vault.process, age=1000)
            with self.cloud.catalogue.writing() as connection:
                connection.execute(update(processes).values(seen=int(time.time()) - 1000))
            for clock.return_value in (2000.0, 2050.0, 2100.0):
                self.assertEqual(self.cloud.upkeep.reap(), (0, 0))
                self.cloud.upkeep.beat()
            clock.return_value = 2150.0
            self.assertEqual(self.cloud.upkeep.reap(), (1, 0))

    def test_a_storage_that_is_away_is_told_once_and_not_for_each_piece_of_garbage(self) -> None:
        self.configure("bad", "tests.host.vendor.Failing")
        self.cloud.accounts.put("alice", policy="bad")
        for name in "abcde":
            self.put(f"/cdmi/{name}")
        self.call("PUT", "/cdmi/c/")
        for name in "abcde":
            self.call("DELETE", f"/cdmi/{name}")
        with (
            mock.patch.object(Failing, "errors", {"delete": OSError("away")}),
            self.assertLogs("host.upkeep", "ERROR") as log,
        ):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (0, 5))
        self.assertEqual(len(log.output), 1)
        self.assertIn("OSError: away", log.output[0])
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (5, 0))

    def test_a_configuration_that_changes_counts_for_the_next_garbage(self) -> None:
        self.configure("new", "tests.host.vendor.Memory", {"first": "old"})
        self.cloud.accounts.put("alice", policy="new")
        for name in "abc":
            self.put(f"/cdmi/{name}")
            self.call("DELETE", f"/cdmi/{name}")
        deleted: list[Any] = []

        def delete(module: Memory, context: Context, module_data: str) -> None:
            deleted.append(module.arguments[0])
            if len(deleted) == 1:
                self.configure("new", "tests.host.vendor.Memory", {"first": "new"})

        with mock.patch.object(upkeep, "_BATCH", 1), mock.patch.object(Memory, "delete", delete):
            self.cloud.upkeep.reap(grace=0)
        self.assertEqual(deleted[:3], ["old", "new", "new"])

    def test_the_end_does_not_wait_for_all_garbage(self) -> None:
        for number in range(6):
            self.put("/cdmi/o", str(number).encode())
        instance = self.cloud.loader.instance("default")
        delete = instance.delete

        def stop(*arguments: Any) -> None:
            delete(*arguments)
            self.cloud.upkeep.stop()

        with mock.patch.object(instance, "delete", stop):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))

    def test_a_module_that_does_not_load_is_tried_once_a_round(self) -> None:
        for name in "abc":
            self.put(f"/cdmi/{name}", name.encode())
        self.call("PUT", "/cdmi/c/")
        for name in "abc":
            self.call("DELETE", f"/cdmi/{name}")
        self.cloud.loader._instances.clear()
        self.objects.rename(self.directory / "away")
        with self.assertLogs("host.upkeep", "ERROR") as log:
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (0, 3))
        self.assertEqual(len(log.output), 1)
        (self.directory / "away").rename(self.objects)
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (3, 0))

    def test_signs_of_life_go_on_while_a_deletion_takes_long(self) -> None:
        deleting, beaten, ended = threading.Event(), threading.Event(), threading.Event()

        def reap() -> None:
            deleting.set()
            ended.wait(timeout=30)

        def beat() -> None:
            if deleting.is_set():
                beaten.set()

        with (
            mock.patch.object(upkeep, "_BEAT", 0.01),
            mock.patch.object(self.cloud.upkeep, "_reap_beside", reap),
            mock.patch.object(self.cloud.upkeep, "beat", beat),
        ):
            self.cloud.upkeep.start()
            self.assertTrue(beaten.wait(timeout=30))
            ended.set()
            self.cloud.upkeep.stop()

    def test_a_module_that_hangs_holds_up_its_own_garbage_alone(self) -> None:
        self.configure("bad", "tests.host.vendor.Memory")
        for name, policy in (("a", "bad"), ("b", "default")):
            self.cloud.accounts.put("alice", policy=policy)
            self.put(f"/cdmi/{name}")
            self.call("DELETE", f"/cdmi/{name}")
        hung, go = threading.Event(), threading.Event()

        def hang(*_: Any) -> None:
            hung.set()
            go.wait(60)

        with (
            mock.patch.object(upkeep, "_BEAT", 0.01),
            mock.patch.object(self.cloud.upkeep, "_grace", -1),
            mock.patch("tests.host.vendor.Memory.delete", hang),
        ):
            self.cloud.upkeep.start()
            self.assertTrue(hung.wait(60))
            wait_until(lambda: self.cloud.upkeep.status()["garbage"] == 1)
            self.assertEqual(self.stored(), [])
            go.set()
            wait_until(lambda: not self.cloud.upkeep.status()["garbage"])
            self.cloud.upkeep.stop()

    def test_one_failure_does_not_stop_the_rest(self) -> None:
        self.configure("bad", "tests.host.vendor.Memory")
        for name, policy in (("a", "bad"), ("b", "default")):
            self.cloud.accounts.put("alice", policy=policy)
            self.put(f"/cdmi/{name}")
            self.call("DELETE", f"/cdmi/{name}")
        with mock.patch("tests.host.vendor.Memory.delete", side_effect=SystemError), self.assertLogs("host.upkeep"):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 1))
        self.assertEqual(self.stored(), [])
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))

    def test_what_a_dead_process_had_taken_is_free_again_and_what_a_living_one_has_is_not(self) -> None:
        self.cloud.upkeep.beat()
        self.put("/cdmi/o")
        long_ago = int(time.time()) - 1000
        with self.cloud.catalogue.writing() as connection:
            identity = connection.scalar(select(data.c.id))
            row = {"data": identity, "module": "m", "due": 0, "attempts": 0}
            for process in ("dead", self.cloud.vault.process, None):
                connection.execute(insert(copies).values(**row, location=f"of {process}", process=process))
        self.cloud.names.make_container(self.account(), where("/cdmi/c/"), {})
        self.cloud.names.make_container(self.account(), where("/cdmi/d/"), {})
        with mock.patch("host.names._AT_ONCE", 0):
            for name in "cd":
                self.cloud.names.remove(self.account(), where(f"/cdmi/{name}/"))
        with self.cloud.catalogue.writing() as connection:
            first, second = connection.scalars(select(detached.c.node))
            for node, process in ((first, "dead"), (second, self.cloud.vault.process)):
                mine = update(detached).where(detached.c.node == node)
                connection.execute(mine.values(process=process, since=long_ago))
        self.cloud.upkeep.reap()
        with self.cloud.catalogue.reading() as connection:
            taken = connection.scalars(select(copies.c.process).where(copies.c.process.is_not(None))).all()
            self.assertEqual(taken, [self.cloud.vault.process])
            self.assertEqual(connection.scalars(select(detached.c.node)).all(), [second])

    def test_a_process_gives_signs_of_life_for_as_long_as_it_is_at_something(self) -> None:
        beaten = threading.Semaphore(0)
        beat = self.cloud.upkeep.beat

        def count() -> None:
            beat()
            beaten.release()

        with mock.patch.object(upkeep, "_BEAT", 0.01), mock.patch.object(self.cloud.upkeep, "beat", count):
            with self.cloud.upkeep.living():
                for _ in range(3):
                    self.assertTrue(beaten.acquire(timeout=30))
                self.pend(self.cloud.vault.process, age=1000)
                self.assertEqual(self.open().upkeep.reap(), (0, 0))
            self.assertFalse(any(thread.is_alive() for thread in self.cloud.upkeep._threads))

    def test_garbage_that_is_being_brought_somewhere_is_left_until_it_has_come(self) -> None:
        self.cloud.upkeep.beat()
        self.put("/cdmi/o")
        with self.cloud.catalogue.writing() as connection:
            row = {
                "data": connection.scalar(select(data.c.id)),
                "location": "far",
                "module": "m",
                "due": 0,
                "attempts": 0,
            }
            connection.execute(insert(copies).values(**row, process=self.cloud.vault.process))
        self.call("DELETE", "/cdmi/o")
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (0, 0))
        self.assertEqual(self.stored(), [b"data"])
        with self.cloud.catalogue.writing() as connection:
            connection.execute(update(copies).values(process=None))
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))
        with self.cloud.catalogue.reading() as connection:
            self.assertEqual(connection.scalar(select(func.count()).select_from(copies)), 0)

    def test_wrong_passwords_of_long_ago_are_forgotten(self) -> None:
        now = int(time.time())
        with self.cloud.catalogue.writing() as connection:
            for name, until in (("old", now - 4000), ("new", now - 3000)):
                connection.execute(insert(failures).values(name=name, address="", count=1, until=until))
        self.cloud.upkeep.reap()
        with self.cloud.catalogue.reading() as connection:
            self.assertEqual(connection.scalars(select(failures.c.name)).all(), ["new"])

    def test_what_waits_is_told(self) -> None:
        nothing = {"garbage": 0, "pending": 0, "removed_containers": 0, "copies": []}
        self.assertEqual(self.cloud.upkeep.status(), nothing)
        with mock.patch("host.reservations._MOST", 1):
            self.put("/cdmi/o")
            self.put("/cdmi/o")
        self.pend("somebody", age=0)
        self.call("PUT", "/cdmi/c/")
        with mock.patch("host.names._AT_ONCE", 0):
            self.call("DELETE", "/cdmi/c/")
        self.assertEqual(self.cloud.upkeep.status(), {**nothing, "garbage": 1, "pending": 1, "removed_containers": 1})

    def test_a_round_that_fails_is_tried_again_and_the_end_is_heard(self) -> None:
        rounds, done = iter([OSError("away"), (0, 0)]), threading.Event()

        def reap() -> None:
            outcome = next(rounds, None)
            if isinstance(outcome, Exception):
                raise outcome
            done.set()

        with (
            mock.patch.object(upkeep, "_BEAT", 0.01),
            mock.patch.object(self.cloud.upkeep, "_reap_beside", reap),
            self.assertLogs("host.upkeep", "ERROR") as log,
        ):
            self.cloud.upkeep.start()
            self.assertTrue(done.wait(timeout=30))
            self.cloud.upkeep.stop()
        self.assertIn("upkeep failed", log.output[0])
        self.assertFalse(any(thread.is_alive() for thread in self.cloud.upkeep._threads))
