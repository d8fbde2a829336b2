"""new_data."""

import contextlib
import sqlite3
import time

from conformance.harness import Harness
from conformance.requirements import Capability, requires
from modules import MODULE_DATA_LIMIT

__all__ = ["Identity"]


class Identity(Harness):
    """new_data"""

    def test_module_data_is_unique_among_threads(self) -> None:
        """return a value unlike any that it, in any process, has returned"""
        made: list[str] = []
        self.run_threads(*[lambda: made.extend(self._make(250)) for _ in range(4)])
        self.assertEqual(len(set(made)), 1000)

    @requires(Capability.PROCESSES)
    def test_module_data_is_unique_among_instances(self) -> None:
        """return a value unlike any that it, in any process, has returned"""
        modules = [self.module, self.make_module(), self.make_module()]
        made = [str(module.new_data(self.context)) for module in modules for _ in range(100)]
        self.assertEqual(len(set(made)), 300)

    def test_module_data_is_unique_after_a_fork(self) -> None:
        """return a value unlike any that it, in any process, has returned"""
        with self.fork(lambda parent: self._make(100)) as child:
            made = self._make(100) + child.answer()
        self.assertEqual(len(set(made)), 200)

    def test_module_data_is_short(self) -> None:
        """has at most :data:`MODULE_DATA_LIMIT` bytes of UTF-8 and no NUL character"""
        module_data = self.new()
        self.assertLessEqual(len(module_data.encode("utf-8")), MODULE_DATA_LIMIT)
        self.assertNotIn("\0", module_data)

    def test_the_str_of_module_data_is_enough(self) -> None:
        """it keeps ``str()`` of the result and hands that to the other methods"""
        with contextlib.closing(sqlite3.connect(":memory:")) as database:
            database.execute("create table objects (module_data text)")
            database.execute("insert into objects values (?)", [self.new()])
            (module_data,) = database.execute("select module_data from objects").fetchone()
        self.put(b"data", module_data)
        self.assert_holds(module_data, b"data")

    def test_module_data_is_made_quickly(self) -> None:
        """be quick."""
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            self.new()
            seconds.append(time.perf_counter() - start)
        self.assertLess(min(seconds), 0.1, "seconds, of the quickest of five")

    def test_a_reserved_identity_has_no_data(self) -> None:
        """Reserve an identity for an object whose data is still to come."""
        self.assert_absent(self.new())

    def test_a_reserved_identity_can_be_deleted(self) -> None:
        """calls :meth:`delete` with it some day, also when :meth:`assign` was never called."""
        module_data = self.new()
        self.module.delete(self.context, module_data)
        self.assert_absent(module_data)

    def _make(self, count: int) -> list[str]:
        return [str(self.module.new_data(self.context)) for _ in range(count)]
