"""Processes: several instances on one storage, forks, and crashes."""

from collections.abc import Callable, Iterator

from conformance.harness import Harness
from conformance.processes import Parent, die
from conformance.requirements import Capability, requires
from conformance.streams import Pieces, random_bytes

__all__ = ["Crashes", "Processes"]


class Processes(Harness):
    """processes"""

    @requires(Capability.PROCESSES)
    def test_what_one_instance_does_another_sees(self) -> None:
        """Several processes, each with an instance of its own, work on the same storage at the same time."""
        other = self.make_module()
        module_data = self.new()
        self.assert_absent(module_data, other)
        for data in (b"first", b"a second, longer one"):
            self.put(data, module_data)
            self.assert_holds(module_data, data, other)
        self.put(b"by the other", module_data, other)
        self.assert_holds(module_data, b"by the other")
        other.delete(self.context, module_data)
        self.assert_absent(module_data)

    @requires(Capability.PROCESSES)
    def test_what_one_process_does_another_sees(self) -> None:
        """Several processes, each with an instance of its own, work on the same storage at the same time."""
        mine, theirs = self.put(b"mine"), self.new()

        def work(parent: Parent) -> None:
            module = self.make_module()
            self.assert_holds(mine, b"mine", module)
            self.put(b"theirs", theirs, module)
            parent.tell("stored")
            parent.wait()
            self.assert_absent(mine, module)

        with self.fork(work) as child:
            self.assertEqual(child.answer(), "stored")
            self.assert_holds(theirs, b"theirs")
            self.module.delete(self.context, mine)
            child.go_on()
            child.answer()

    def test_an_instance_is_used_after_a_fork(self) -> None:
        """An instance may be made before a ``fork`` and used after it."""
        data = random_bytes(100_000)
        module_data, another = self.new(), self.new()

        def work(parent: Parent) -> None:
            self.put(data, module_data)
            self.assert_holds(module_data, data)
            self.module.statistics(self.context)
            self.module.delete(self.context, module_data)

        with self.fork(work) as child:
            child.answer()
        self.put(data, another)  # and the parent goes on with it
        self.assert_holds(another, data)

    def test_an_instance_is_used_before_and_after_a_fork(self) -> None:
        """An instance may be made before a ``fork`` and used after it."""
        stream = self.module.get_read_stream(self.context, self.put(b"used before"))
        stream.close()
        module_data = self.new()

        def work(parent: Parent) -> None:
            self.put(b"used after", module_data)
            self.assert_holds(module_data, b"used after")

        with self.fork(work) as child:
            child.answer()

    @requires(Capability.PROCESSES)
    def test_of_assigns_by_two_processes_one_wins(self) -> None:
        """of several at once for one object one wins, whole."""
        module_data = self.new()
        theirs, mine = b"T" * 200_000, b"M" * 300_000

        def work(parent: Parent) -> None:
            def pieces() -> Iterator[bytes]:
                yield theirs[:100_000]
                parent.tell("in the middle")
                parent.wait()
                yield theirs[100_000:]

            self.put_from(Pieces(pieces()), module_data)

        with self.fork(work) as child:
            child.answer()
            self.put(mine, module_data)
            self.assert_holds(module_data, mine)
            child.go_on()
            child.answer()
        self.assert_holds(module_data, theirs)


class Crashes(Harness):
    """crashes"""

    @requires(Capability.DURABILITY, Capability.PROCESSES)
    def test_what_was_stored_survives_a_crash(self) -> None:
        """on return the data survives a crash and a power cut"""
        objects = {self.new(): random_bytes(size) for size in (0, 1, 5000, 300_000)}
        self._crash_after(lambda: [self.put(data, module_data) for module_data, data in objects.items()])
        for module_data, data in objects.items():
            self.assert_holds(module_data, data, self.make_module())

    @requires(Capability.DURABILITY, Capability.PROCESSES)
    def test_what_was_deleted_stays_deleted_after_a_crash(self) -> None:
        """on return the deletion survives a crash and a power cut."""
        module_data = self.put(b"data")
        self._crash_after(lambda: self.module.delete(self.context, module_data))
        self.assert_absent(module_data, self.make_module())

    @requires(Capability.PROCESSES)
    def test_a_killed_writer_leaves_the_object_absent(self) -> None:
        """make the data visible only once it is whole"""
        module_data = self.new()
        self._kill_while_assigning(module_data)
        self.assert_absent(module_data, self.make_module())

    @requires(Capability.PROCESSES)
    def test_a_killed_writer_leaves_the_old(self) -> None:
        """a reader sees one or the other"""
        old = random_bytes(150_000, seed=1)
        module_data = self.put(old)
        self._kill_while_assigning(module_data)
        self.assert_holds(module_data, old, self.make_module())

    @requires(Capability.PROCESSES)
    def test_nothing_is_left_of_a_killed_writer(self) -> None:
        """leave no data of the object, whole or partial"""
        before = self.files()
        module_data = self.new()
        self._kill_while_assigning(module_data)
        self.make_module().delete(self.context, module_data)
        self.tidy()
        self.assert_nothing_new(before)

    @requires(Capability.PROCESSES)
    def test_assign_works_after_a_killed_writer(self) -> None:
        """of several at once for one object one wins, whole."""
        module_data = self.new()
        self._kill_while_assigning(module_data)
        self.put(b"whole", module_data)
        self.assert_holds(module_data, b"whole")

    def _crash_after(self, work: Callable[[], object]) -> None:
        def crash(parent: Parent) -> None:
            work()
            parent.tell("done")
            die()

        with self.fork(crash) as child:
            self.assertEqual(child.answer(), "done")
            child.wait_for_death()

    def _kill_while_assigning(self, module_data: str) -> None:
        def work(parent: Parent) -> None:
            def pieces() -> Iterator[bytes]:
                yield from (random_bytes(100_000, seed) for seed in range(3))
                parent.tell("in the middle")
                parent.wait()

            self.put_from(Pieces(pieces()), module_data)

        with self.fork(work) as child:
            self.assertEqual(child.answer(), "in the middle")
            child.kill()
