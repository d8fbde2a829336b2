"""Packs: many chunks in one object of the module below, which is written in a thread while more are cut."""

import threading
from collections.abc import Iterator
from queue import Queue

from stacked.dedup.index import Stored
from stacked.dedup.rows import Pack
from stacked.store import Inner
from stacked.streams import BlockSource

__all__ = ["PackWriter"]

_BLOCK = 512 * 1024  # bytes that are handed over at a time


class Abandoned(Exception):
    """What the module below gets instead of the end of a pack that is not wanted any more."""


class PackWriter:
    """A pack that is being written.

    The thread begins once there is a block for it; a pack smaller than that is written by who ends it.

    :param below: where it is written.
    """

    def __init__(self, below: Inner, pack: Pack) -> None:
        self.pack = pack
        self.size = 0  #: bytes
        self.stored: list[Stored] = []
        self._below = below
        self._waiting: list[bytes | memoryview] = []
        self._waits = 0  # bytes
        self._queue: Queue[bytes | None] = Queue(1)
        self._thread: threading.Thread | None = None
        self._is_ended = False  # nothing more will be handed over
        self._is_empty = False  # the thread has seen the end
        self._is_abandoned = False
        self._error: BaseException | None = None

    def add(self, data: bytes | memoryview) -> int:
        """Write ``data``, and return where in the pack it is. It has to stay as it is until :meth:`keep` is called."""
        place = self.size
        self.size += len(data)
        self._waiting.append(data)
        self._waits += len(data)
        if self._waits >= _BLOCK:
            self._hand_over()
        return place

    def keep(self) -> None:
        """Copy what is still to be handed over."""
        self._waiting = [b"".join(self._waiting)] if self._waiting else []

    def end(self) -> None:
        """Let the thread come to the end of the pack."""
        self.keep()
        if self._thread is not None and self._waiting:
            self._hand_over()
        self._close()

    def finish(self) -> None:
        """Wait until the pack is durable, after :meth:`end`.

        :raises BaseException: it could not be written.
        """
        if self._thread is None:
            self._write(iter([b"".join(self._waiting)]))
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """See that nothing is written any more. What was stays until it is deleted."""
        self._is_abandoned = True
        self._close()
        if self._thread is not None:
            self._thread.join()

    def _close(self) -> None:
        if self._thread is not None and not self._is_ended:
            self._is_ended = True
            self._queue.put(None)

    def _hand_over(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dedup-pack", daemon=True)
            self._thread.start()
        if self._error is not None:
            raise self._error
        self._queue.put(b"".join(self._waiting))
        self._waiting.clear()
        self._waits = 0

    def _run(self) -> None:
        blocks = self._blocks()
        self._write(blocks)
        while not self._is_empty:  # it went wrong: who hands over must not wait for ever
            self._is_empty = self._queue.get() is None

    def _blocks(self) -> Iterator[bytes]:
        while (block := self._queue.get()) is not None:
            yield block
        self._is_empty = True
        if self._is_abandoned:
            raise Abandoned

    def _write(self, blocks: Iterator[bytes]) -> None:
        source = BlockSource(blocks)
        try:
            self._below.assign(self.pack.inner, source)
            source.require_end()
        except BaseException as error:  # raised by finish
            self._error = error
