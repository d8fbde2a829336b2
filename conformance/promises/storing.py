"""assign, by one caller: what goes in is kept, whole."""

from conformance.harness import Harness
from conformance.requirements import Capability, requires
from conformance.streams import Pieces, Watched, generated, one_byte_at_a_time, random_bytes, short_reads

__all__ = ["Storing"]

_BLOCKS = (4096, 65536, 1024 * 1024)  # bytes that stores commonly read or write at once
SIZES = (0, 1, *(block + more for block in _BLOCKS for more in (-1, 0, 1)))


class Storing(Harness):
    """assign: what is kept"""

    def test_objects_of_every_size_are_kept(self) -> None:
        """Keep what ``stream`` gives as the data of an object."""
        for size in SIZES:
            with self.subTest(size=size):
                data = random_bytes(size)
                self.assert_holds(self.put(data), data)

    def test_an_empty_object_is_an_object(self) -> None:
        """Tell whether the whole data of an object is kept here."""
        self.assert_holds(self.put(b""), b"")

    @requires(Capability.LARGE_OBJECTS)
    def test_a_large_object_is_kept(self) -> None:
        """Keep what ``stream`` gives as the data of an object."""
        size = self.effort.large + 1
        module_data = self.new()
        self.put_from(generated(size), module_data)
        self.assertEqual(self.module.get_size(self.context, module_data), size)
        self.assert_gives(module_data, generated(size))

    def test_short_reads_are_not_the_end(self) -> None:
        """read with a size until ``b""``"""
        data = random_bytes(150_000)
        module_data = self.new()
        self.put_from(short_reads(data), module_data)
        self.assert_holds(module_data, data)

    def test_one_byte_at_a_time_is_not_the_end(self) -> None:
        """It may return fewer bytes than asked for, and cannot seek."""
        data = random_bytes(3000)
        module_data = self.new()
        self.put_from(one_byte_at_a_time(data), module_data)
        self.assert_holds(module_data, data)

    def test_the_source_is_read_with_a_size(self) -> None:
        """read with a size until ``b""``"""
        source = Pieces([b"data"])
        self.put_from(source, self.new())
        self.assertEqual(source.whole_reads, 0, "reads that ask for everything at once")

    def test_the_source_is_not_closed(self) -> None:
        """The stream is not closed, and not touched after the return."""
        source = Watched(b"data")
        self.put_from(source, self.new())
        closed = [touch for touch in source.over() if touch in ("close", "__enter__", "__exit__")]
        self.assertEqual(closed, [])

    def test_the_source_is_not_touched_after_the_return(self) -> None:
        """The stream is not closed, and not touched after the return."""
        source = Watched(b"data")
        module_data = self.new()
        self.put_from(source, module_data)
        touched = source.over()
        before = len(touched)
        self.assert_holds(module_data, b"data")
        self.module.statistics(self.context)
        self.module.delete(self.context, module_data)
        self.assertEqual(touched[before:], [])

    def test_the_data_is_available_on_return(self) -> None:
        """and :meth:`available` is True."""
        for size in (1, 100_000):
            module_data = self.put(random_bytes(size))
            self.assertIs(self.module.available(self.context, module_data), True)

    def test_new_data_takes_the_place_of_the_old(self) -> None:
        """The new data takes the place of the old in one step"""
        module_data = self.put(random_bytes(70_000))
        for data in (random_bytes(90_000, seed=1), b"shorter", b""):
            self.put(data, module_data)
            self.assert_holds(module_data, data)

    def test_other_objects_stay_as_they_are(self) -> None:
        """Keep what ``stream`` gives as the data of an object."""
        objects = {self.put(text): text for text in (b"one", b"two", b"three")}
        first = next(iter(objects))
        self.put(b"another", first)
        for module_data, data in (objects | {first: b"another"}).items():
            self.assert_holds(module_data, data)
