"""copy_data, for those who have it."""

import resource
import threading
from contextlib import suppress
from functools import partial

from conformance.harness import Harness
from conformance.processes import Parent, die
from conformance.promises.storing import SIZES
from conformance.requirements import Capability, requires
from conformance.streams import generated, random_bytes

__all__ = ["Copying"]


class Copying(Harness):
    """copy_data"""

    def test_a_copy_is_what_its_source_was(self) -> None:
        """have kept the whole data that ``source`` had at one moment during the call"""
        self.require_copies()
        for size in SIZES:
            with self.subTest(size=size):
                data = random_bytes(size)
                source = self.put(data)
                self.assert_holds(self.copy(source), data)
                self.assert_holds(source, data)

    @requires(Capability.LARGE_OBJECTS)
    def test_a_large_object_is_copied(self) -> None:
        """have kept the whole data that ``source`` had at one moment during the call"""
        size, source = self.effort.large + 1, self.new()
        self.put_from(generated(size), source)
        copy = self.copy(source)
        self.assertEqual(self.module.get_size(self.context, copy), size)
        self.assert_gives(copy, generated(size))

    def test_a_copy_and_its_source_are_independent(self) -> None:
        """keep it whatever becomes of ``source`` later, and ``source`` whatever becomes of it"""
        data, newer = random_bytes(70_000), random_bytes(60_000, seed=1)
        source = self.put(data)
        copy, another = self.copy(source), self.copy(source)
        self.put(newer, source)
        self.assert_holds(copy, data)
        self.put(b"other", copy)
        self.assert_holds(source, newer)
        self.module.delete(self.context, copy)
        self.assert_holds(source, newer)
        self.module.delete(self.context, source)
        self.assert_holds(another, data)

    def test_what_is_not_copied_leaves_nothing(self) -> None:
        """leave nothing new behind, no data and no temporary file, where it returns False or raises."""
        self.require_copies()
        source, absent, copy = self.put(random_bytes(70_000)), self.new(), self.new()
        before = self.files()
        with suppress(FileNotFoundError):
            self.module.copy_data(self.context, copy, absent)
        self.assert_nothing_new(before)
        self.assert_absent(copy)
        answer: object = self.module.copy_data(self.context, copy, source)
        self.assertIn(repr(answer), ("True", "False"), "what copy_data returned")
        if answer is False:
            self.assert_nothing_new(before)
            self.assert_absent(copy)
            self.put(b"by a stream", copy)
            self.assert_holds(copy, b"by a stream")

    def test_what_is_absent_is_not_copied(self) -> None:
        """``source`` has no data.

        Or it returns False, as it may for whatever reason: the stream that the host then asks for tells.
        """
        source = self.put(b"data")
        self.copy(source)
        self.module.delete(self.context, source)
        for absent in (source, self.new()):
            copy = self.new()
            with suppress(FileNotFoundError):
                answer: object = self.module.copy_data(self.context, copy, absent)
                self.assertIs(answer, False, "what copy_data returned")
            self.assert_absent(copy)

    def test_a_copy_made_again_takes_the_place_of_the_first(self) -> None:
        """*Repeatable:* yes. A copy that is made again takes the place of the first in one step."""
        source = self.put(b"longer than the other")
        copy = self.copy(source)
        self.put(b"newer", source)
        self.copy(source, copy)
        self.assert_holds(copy, b"newer")
        self.copy(source, copy)
        self.assert_holds(copy, b"newer")

    def test_the_source_may_change_while_it_is_copied(self) -> None:
        """*Concurrency:* ``source`` may be read, assigned and deleted meanwhile."""
        versions = [b"A" * 30_000, b"B" * 50_000]
        source, done = self.put(versions[0]), threading.Event()
        self.copy(source)

        def write() -> None:
            while not done.is_set():
                for data in reversed(versions):
                    self.put(data, source)

        def copy() -> None:
            try:
                for _ in range(max(10, self.effort.races // 10)):
                    self.assertTrue(self.get(self.copy(source)) in versions, "a mixture of both")
            finally:
                done.set()

        self.run_threads(write, copy)

    def test_the_source_may_be_deleted_while_it_is_copied(self) -> None:
        """*Concurrency:* ``source`` may be read, assigned and deleted meanwhile."""
        data = random_bytes(60_000)
        self.copy(self.put(data))

        def copy_it(source: str, copy: str) -> None:
            with suppress(FileNotFoundError):  # the one other answer
                if self.module.copy_data(self.context, copy, source):
                    self.assert_holds(copy, data)
                    return
            self.assert_absent(copy)

        for _ in range(max(5, self.effort.races // 20)):
            source = self.put(data)
            self.run_threads(partial(copy_it, source, self.new()), partial(self.module.delete, self.context, source))

    @requires(Capability.DURABILITY, Capability.PROCESSES)
    def test_a_copy_survives_a_crash(self) -> None:
        """*Durability:* on return of True the copy survives a crash and a power cut, and :meth:`available` is True."""
        data = random_bytes(300_000)
        source = self.put(b"older")
        copy = self.copy(source)  # where that was done it can be done again
        self.put(data, source)

        def crash(parent: Parent) -> None:
            parent.tell(self.module.copy_data(self.context, copy, source))
            die()

        with self.fork(crash) as child:
            self.assertIs(child.answer(), True)
            child.wait_for_death()
        self.assert_holds(copy, data, self.make_module())

    def test_a_copy_that_cannot_be_written_is_an_error(self) -> None:
        """the data could not be kept, or ``source`` cannot be read; ``errno`` tells why.

        As for assign, a process that may write no file longer than 64 KiB is to copy 256.
        """
        data = random_bytes(256 * 1024)
        source, copy = self.put(data), self.new()
        self.copy(source)
        before = self.files()

        def work(parent: Parent) -> str:
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
            try:
                if self.module.copy_data(self.context, copy, source):
                    self.assert_holds(copy, data)
                    return "kept"
            except OSError as error:
                self.assert_absent(copy)
                return "refused" if error.errno is not None else "refused without errno"
            self.assert_absent(copy)
            return "not copied"

        with self.fork(work) as child:
            answer = child.answer()
        self.assertIn(answer, ("refused", "kept", "not copied"))
        if answer != "kept":
            self.assert_nothing_new(before)
