"""Garbage, and what dead processes leave."""

import threading
import time
from unittest import mock

from sqlalchemy import insert, select, update

from host import upkeep
from host.database import garbage, pending, processes, reading, writing
from tests.host.cloud import CloudTest


class UpkeepTest(CloudTest):
    def test_garbage_is_kept_for_the_grace_time(self) -> None:
        self.put("/cdmi/o", b"old")
        self.put("/cdmi/o", b"newer")
        self.assertEqual(self.cloud.upkeep.reap(), (0, 0))
        self.assertEqual(self.stored(), [b"newer", b"old"])
        with writing(self.cloud.engine) as connection:
            connection.execute(update(garbage).values(since=int(time.time()) - upkeep.GRACE))
        self.assertEqual(self.cloud.upkeep.reap(), (1, 0))
        self.assertEqual(self.stored(), [b"newer"])

    def pend(self, process: str, age: int) -> None:
        module = self.cloud.loader.instance("default")
        row = {"module": "default", "module_data": module.new_data({}), "process": process}
        with writing(self.cloud.engine) as connection:
            connection.execute(insert(pending).values(since=int(time.time()) - age, **row))

    def left(self) -> int:
        with reading(self.cloud.engine) as connection:
            return len(connection.execute(select(pending)).all())

    def test_what_a_silent_process_was_storing_is_deleted(self) -> None:
        self.pend("dead", age=1000)
        self.assertEqual(self.cloud.upkeep.reap(), (1, 0))
        self.assertEqual(self.left(), 0)

    def test_what_a_living_process_is_storing_is_left_alone(self) -> None:
        other = self.open()
        other.upkeep.beat()
        other.upkeep.beat()
        self.pend(other.vault.process, age=1000)
        self.pend("begun just now, by a process that has yet to give its first sign", age=1)
        self.assertEqual(self.cloud.upkeep.reap(), (0, 0))
        self.assertEqual(self.left(), 2)

    def test_dead_processes_are_forgotten(self) -> None:
        with writing(self.cloud.engine) as connection:
            connection.execute(insert(processes).values(id="dead", seen=int(time.time()) - 1000))
        self.cloud.upkeep.beat()
        self.cloud.upkeep.reap()
        with reading(self.cloud.engine) as connection:
            self.assertEqual(list(connection.scalars(select(processes.c.id))), [self.cloud.vault.process])

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
            mock.patch.object(self.cloud.upkeep, "reap", reap),
            mock.patch.object(self.cloud.upkeep, "beat", beat),
        ):
            self.cloud.upkeep.start()
            self.assertTrue(beaten.wait(timeout=30))
            ended.set()
            self.cloud.upkeep.stop()

    def test_one_failure_does_not_stop_the_rest(self) -> None:
        self.configure("bad", "tests.host.vendor.Memory", {})
        for name, policy in (("a", "bad"), ("b", "default")):
            self.cloud.accounts.put("alice", policy=policy)
            self.put(f"/cdmi/{name}")
            self.call("DELETE", f"/cdmi/{name}")
        with mock.patch("tests.host.vendor.Memory.delete", side_effect=SystemError), self.assertLogs("host.upkeep"):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 1))
        self.assertEqual(self.stored(), [])
        self.assertEqual(self.cloud.upkeep.reap(grace=0), (1, 0))
