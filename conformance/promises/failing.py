"""assign, when it goes wrong: nothing is seen before its time, and nothing stays."""

import errno
import resource
from collections.abc import Iterator

from conformance.harness import Harness
from conformance.processes import Parent
from conformance.requirements import Capability
from conformance.streams import Pieces, SourceDied, dying, random_bytes

__all__ = ["Failing"]


class Failing(Harness):
    """assign: what is not"""

    def test_nothing_is_visible_before_it_is_whole(self) -> None:
        """make the data visible only once it is whole"""
        module_data = self.new()
        other = self.make_module() if self.claims(Capability.PROCESSES) else self.module
        data = random_bytes(200_000)

        def pieces() -> Iterator[bytes]:
            for piece in (data[:100_000], data[100_000:]):
                yield piece
                self.assert_absent(module_data)
                self.assert_absent(module_data, other)

        self.put_from(Pieces(pieces()), module_data)
        self.assert_holds(module_data, data)

    def test_the_old_is_visible_until_the_new_is_whole(self) -> None:
        """a reader sees one or the other"""
        old, new = random_bytes(50_000), random_bytes(80_000, seed=1)
        module_data = self.put(old)

        def pieces() -> Iterator[bytes]:
            yield new
            self.assert_holds(module_data, old)

        self.put_from(Pieces(pieces()), module_data)
        self.assert_holds(module_data, new)

    def test_what_the_source_raises_goes_out_unchanged(self) -> None:
        """What ``stream`` raises goes out unchanged."""
        for error in (SourceDied("private"), ConnectionResetError(errno.ECONNRESET, "reset"), ValueError("bad")):
            with self.subTest(error=error):
                with self.assertRaises(type(error)) as caught:
                    self.put_from(dying(b"some", error), self.new())
                self.assertIs(caught.exception, error)

    def test_a_source_that_dies_leaves_no_data(self) -> None:
        """raise if it is not, and then leave nothing new behind: no data, no temporary file."""
        for size in (0, 1, 200_000):
            with self.subTest(size=size):
                module_data = self.new()
                with self.assertRaises(SourceDied):
                    self.put_from(dying(random_bytes(size)), module_data)
                self.assert_absent(module_data)

    def test_a_source_that_dies_leaves_no_file(self) -> None:
        """raise if it is not, and then leave nothing new behind: no data, no temporary file."""
        before = self.files()
        for error in (SourceDied("an error"), KeyboardInterrupt("the process is told to stop")):
            with self.assertRaises(type(error)):
                self.put_from(dying(random_bytes(200_000), error), self.new())
        self.assert_nothing_new(before)

    def test_a_failed_assign_leaves_the_old(self) -> None:
        """an ``assign`` that fails leaves the old as it was."""
        old = random_bytes(100_000)
        module_data = self.put(old)
        with self.assertRaises(SourceDied):
            self.put_from(dying(random_bytes(50_000, seed=1)), module_data)
        self.assert_holds(module_data, old)

    def test_assign_works_after_a_failed_one(self) -> None:
        """*Repeatable:* yes. The new data takes the place of the old in one step"""
        module_data = self.new()
        for _ in range(2):
            with self.assertRaises(SourceDied):
                self.put_from(dying(b"a first attempt, longer than the second"), module_data)
        self.put(b"whole", module_data)
        self.assert_holds(module_data, b"whole")

    def test_what_cannot_be_written_is_an_error(self) -> None:
        """the data could not be kept; ``errno`` tells why.

        A process that may write no file longer than 64 KiB is to store 256. A module that writes no
        files stores them.
        """
        module_data, before = self.new(), self.files()
        data = random_bytes(256 * 1024)

        def work(parent: Parent) -> str:
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
            try:
                self.put(data, module_data)
            except OSError as error:
                self.assert_absent(module_data)
                return "refused" if error.errno is not None else "refused without errno"
            self.assert_holds(module_data, data)
            return "kept"

        with self.fork(work) as child:
            answer = child.answer()
        self.assertIn(answer, ("refused", "kept"))
        if answer == "refused":
            self.assert_nothing_new(before)
