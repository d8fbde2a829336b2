"""Threads: many callers, one instance."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle

from conformance.harness import Harness
from conformance.streams import Pieces, random_bytes, short_reads

__all__ = ["Together"]


class Together(Harness):
    """threads"""

    def test_threads_on_objects_of_their_own(self) -> None:
        """Many threads of a process use the one instance at the same time, for months."""

        def work(number: int) -> None:
            for turn in range(max(5, self.effort.races // 10)):
                data = random_bytes(3000 + 100 * number + turn, seed=number)
                module_data = self.new()
                self.put_from(short_reads(data), module_data)
                self.assert_holds(module_data, data)
                self.module.delete(self.context, module_data)
                self.assert_absent(module_data)

        self.run_threads(*[partial(work, number) for number in range(8)])

    def test_a_slow_upload_holds_up_nobody(self) -> None:
        """Many threads of a process use the one instance at the same time, for months."""
        other = self.put(b"another object")
        seen: list[object] = []

        def look() -> None:
            try:
                seen.append(self._read_and_write(other))
            except Exception as error:  # compared below
                seen.append(error)

        def pieces() -> Iterator[bytes]:
            yield b"slow"
            # From a thread of its own: what waits for this upload would wait for ever.
            reader = threading.Thread(target=look, daemon=True)
            reader.start()
            reader.join(self.patience)

        self.put_from(Pieces(pieces()), self.new())
        self.assertEqual(seen, [b"another object"], "what another thread read while an upload was under way")

    def test_streams_are_read_by_threads_at_once(self) -> None:
        """let several streams of an object be open at the same time, each with a place of its own."""
        data = random_bytes(40_000)
        module_data = self.put(data)

        def work(number: int) -> None:
            stream = self.module.get_read_stream(self.context, module_data)
            try:
                for turn in range(self.effort.races):
                    place = (number * 5000 + turn * 37) % 39_000
                    stream.seek(place)
                    piece = stream.read(100)
                    self.assertEqual(piece, data[place : place + len(piece)])
            finally:
                stream.close()

        self.run_threads(*[partial(work, number) for number in range(8)])

    def test_of_several_assigns_at_once_one_wins(self) -> None:
        """of several at once for one object one wins, whole."""
        module_data = self.new()
        texts = [bytes([letter]) * 100_000 for letter in b"ABC"]
        turn = threading.Barrier(len(texts))

        def pieces(text: bytes) -> Iterator[bytes]:
            for _ in range(4):
                with suppress(threading.BrokenBarrierError):  # a module may let one in after the other
                    turn.wait(0.5)
                yield text

        def upload(text: bytes) -> None:
            self.put_from(Pieces(pieces(text)), module_data)

        self.run_threads(*[partial(upload, text) for text in texts])
        got = self.get(module_data)
        self.assertIn(got[:1] * 400_000, [text * 4 for text in texts])
        self.assert_holds(module_data, got[:1] * 400_000)

    def test_readers_see_the_old_or_the_new(self) -> None:
        """The new data takes the place of the old in one step; a reader sees one or the other"""
        versions = [b"A" * 30_000, b"B" * 50_000]
        module_data = self.put(versions[0])
        done = threading.Event()

        def write() -> None:
            try:
                for _, data in zip(range(self.effort.races), cycle(reversed(versions)), strict=False):
                    self.put(data, module_data)
            finally:
                done.set()

        def read() -> None:
            while not done.is_set():
                self.assertIs(self.module.available(self.context, module_data), True, "available")
                self.assertIn(self.module.get_size(self.context, module_data), (30_000, 50_000))
                got = self.get(module_data)
                self.assertIn(got[:1] + bytes([len(got) // 10_000]), (b"A\x03", b"B\x05"))
                self.assertEqual(got, got[:1] * len(got), "a mixture of both")

        self.run_threads(write, read, read)

    def test_a_delete_while_others_read_is_clean(self) -> None:
        """there is no data."""
        data = random_bytes(60_000)

        def read(module_data: str) -> None:
            with suppress(FileNotFoundError):  # the one answer that it may come to
                while True:
                    self.assert_same(self.get(module_data), data)

        for _ in range(max(5, self.effort.races // 20)):
            module_data = self.put(data)
            self.run_threads(partial(read, module_data), partial(self.module.delete, self.context, module_data))

    def _read_and_write(self, module_data: str) -> bytes:
        data = self.get(module_data)
        self.module.get_size(self.context, module_data)
        self.module.delete(self.context, self.put(b"meanwhile"))
        return data
