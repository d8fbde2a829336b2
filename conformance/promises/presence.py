"""available, delete, get_size and statistics."""

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

from conformance.harness import Harness
from conformance.processes import Parent
from conformance.promises.storing import SIZES
from conformance.requirements import Capability, requires
from conformance.streams import generated, random_bytes

__all__ = ["Deleting", "Presence", "Size", "Statistics"]

_SECONDS_TO_ACCOUNT = 10.0


class Presence(Harness):
    """available"""

    def test_what_is_whole_is_available(self) -> None:
        """return True only for data that is whole and durable"""
        module_data = self.put(b"data")
        self.assertIs(self.module.available(self.context, module_data), True)

    def test_what_is_absent_is_not_available(self) -> None:
        """and False only for data that is known to be absent."""
        module_data = self.new()
        self.assertIs(self.module.available(self.context, module_data), False, "never assigned")
        self.put(b"data", module_data)
        self.module.delete(self.context, module_data)
        self.assertIs(self.module.available(self.context, module_data), False, "deleted")

    def test_a_storage_out_of_reach_is_not_an_absent_object(self) -> None:
        """When it cannot tell (the storage is unreachable, what lies there is no object) it raises."""
        module_data = self.put(b"data")
        if not self.files() or self.places() != [self.directory]:
            self.skipTest("the storage is not in a directory of the kit's own, which it could move away")
        away = f"{self.directory}.away"
        os.rename(self.directory, away)
        try:
            answer: object = self.module.available(self.context, module_data)
        except OSError:
            answer = "raised"
        finally:
            os.rename(away, self.directory)
        self.assertIsNot(answer, False, "the directory is away: False for an object that is kept")

    def test_asking_changes_nothing(self) -> None:
        """*Repeatable:* yes; it changes nothing."""
        here, absent = self.put(b"data"), self.new()
        before = self.files()
        for _ in range(3):
            self.assert_holds(here, b"data")
            self.assert_absent(absent)
            self.module.statistics(self.context)
        self.assert_nothing_new(before)


class Deleting(Harness):
    """delete"""

    def test_no_data_is_left(self) -> None:
        """leave no data of the object, whole or partial"""
        module_data = self.put(random_bytes(70_000))
        self.module.delete(self.context, module_data)
        self.assert_absent(module_data)

    def test_no_file_is_left(self) -> None:
        """leave no data of the object, whole or partial, and return its space"""
        before = self.files()
        module_data = self.put(random_bytes(70_000))
        self.put(random_bytes(90_000), module_data)
        self.module.delete(self.context, module_data)
        self.assert_nothing_new(before)

    def test_other_objects_stay(self) -> None:
        """Destroy the data of an object."""
        objects = {self.put(data): data for data in (b"one", b"two", b"three")}
        gone = next(iter(objects))
        self.module.delete(self.context, gone)
        self.assert_absent(gone)
        for module_data in list(objects)[1:]:
            self.assert_holds(module_data, objects[module_data])

    def test_deleting_what_is_absent_is_no_error(self) -> None:
        """Deleting what is absent is no error."""
        module_data = self.put(b"data")
        for _ in range(3):
            self.module.delete(self.context, module_data)
        self.assert_absent(module_data)

    def test_deleting_needs_no_space(self) -> None:
        """it must not need space for that."""
        module_data = self.put(b"data")

        def work(parent: Parent) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # no file may grow
            self.module.delete(self.context, module_data)
            self.assert_absent(module_data)

        with self.fork(work) as child:
            child.answer()


class Size(Harness):
    """get_size"""

    def test_the_size_is_what_a_read_gives(self) -> None:
        """as many bytes as :meth:`get_read_stream` gives."""
        for size in SIZES:
            module_data = self.put(random_bytes(size))
            self.assertEqual(self.module.get_size(self.context, module_data), size)
            self.assertEqual(len(self.get(module_data)), size)

    def test_the_size_is_of_the_data_as_it_now_is(self) -> None:
        """answer for the data as it now is"""
        module_data = self.put(b"four")
        self.assertEqual(self.module.get_size(self.context, module_data), 4)
        for data in (b"longer than that", b"1"):
            self.put(data, module_data)
            self.assertEqual(self.module.get_size(self.context, module_data), len(data))

    def test_the_size_is_told_without_reading(self) -> None:
        """and without reading it."""
        if not os.path.exists("/proc/self/io"):
            self.skipTest("this system does not count what a process reads")
        size = 1024 * 1024
        module_data = self.put(random_bytes(size))
        before = _bytes_read()
        self.assertEqual(self.module.get_size(self.context, module_data), size)
        self.assertLess(_bytes_read() - before, size // 2, "bytes read")

    def test_what_is_absent_has_no_size(self) -> None:
        """there is no data."""
        module_data = self.new()
        with self.assertRaises(FileNotFoundError):
            self.module.get_size(self.context, module_data)
        self.put(b"data", module_data)
        self.module.delete(self.context, module_data)
        with self.assertRaises(FileNotFoundError):
            self.module.get_size(self.context, module_data)


class Statistics(Harness):
    """statistics"""

    def test_statistics_are_ready_for_json(self) -> None:
        """return what ``json.dumps`` takes, with the value ``capacity``"""
        told = json.loads(json.dumps(self.module.statistics(self.context), allow_nan=False))
        self.assertIsInstance(told, dict)
        self.assertIn("capacity", told)

    def test_capacity_is_in_whole_bytes(self) -> None:
        """each a whole number of bytes, or -1 where it cannot be known."""
        capacity = self._capacity()
        for name in ("total", "free", "used"):
            self.assertIs(type(capacity[name]), int, name)
            self.assertGreaterEqual(capacity[name], -1, name)

    def test_free_and_used_are_no_more_than_the_total(self) -> None:
        """``free + used`` may be less than ``total``: some storage keeps a reserve."""
        capacity = self._capacity()
        if -1 not in capacity.values():
            self.assertLessEqual(capacity["free"] + capacity["used"], capacity["total"], capacity)
        if capacity["total"] != -1:
            self.assertLessEqual(max(capacity["free"], capacity["used"]), capacity["total"], capacity)

    @requires(Capability.ACCOUNTING)
    def test_used_follows_what_is_stored_and_deleted(self) -> None:
        """``used`` (what is taken, by whomsoever)"""
        if self._capacity()["used"] == -1:
            return  # it is honest: it cannot be known
        size = min(self.effort.large, 16 * 1024 * 1024)
        rose = fell = False
        for _ in range(3):  # others may use the storage at the same time, and hide what we do
            before = self._capacity()["used"]
            module_data = self.new()
            self.put_from(generated(size), module_data)
            rose = rose or self._used_passes(before + size // 2, up=True)
            top = self._capacity()["used"]
            self.module.delete(self.context, module_data)
            fell = fell or self._used_passes(top - size // 2, up=False)
            if rose and fell:
                return
        self.fail("used did not " + ("fall when data was deleted" if rose else "rise when data was stored"))

    def test_statistics_take_no_longer_with_more_objects(self) -> None:
        """in a time that does not grow with the number of objects."""
        self._count_calls()
        few = self._count_calls()
        for _ in range(100):
            self.put(b"")
        self.assertLess(self._count_calls(), few + 100, "calls made by statistics, with a hundred objects more")

    def _capacity(self) -> Mapping[str, Any]:
        capacity: Mapping[str, Any] = self.module.statistics(self.context)["capacity"]
        self.assertLessEqual({"total", "free", "used"}, capacity.keys())
        return capacity

    def _used_passes(self, limit: int, up: bool) -> bool:
        """Wait until ``used`` is at ``limit``, for figures may lag."""
        end = time.monotonic() + min(_SECONDS_TO_ACCOUNT, self.patience)
        while True:
            used = self._capacity()["used"]
            if (used >= limit) if up else (used <= limit):
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)

    def _count_calls(self) -> int:
        calls = 0

        def count(*event: object) -> None:
            nonlocal calls
            calls += 1

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            self.module.statistics(self.context)
        finally:
            sys.setprofile(before)
        return calls


def _bytes_read() -> int:
    with open("/proc/self/io") as file:
        return int(file.readline().split()[1])
