"""Leaks: nothing grows while a module is used for months."""

import gc
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from conformance.harness import Harness
from conformance.requirements import Capability, requires
from conformance.streams import SourceDied, dying, generated

__all__ = ["Leaks"]

_WARM_UP = 10  # rounds, in which a module may set up what it then keeps
_BYTES_A_ROUND = 60  # what a round may leave in memory: less than any entry in a dictionary
_BYTES = 20_000  # what all rounds may: a module may get to know a bounded number of things


class Leaks(Harness):
    """leaks"""

    def test_descriptors_are_closed(self) -> None:
        """What a call opens it closes, also when it fails."""
        self._assert_no_growth(lambda: _entries("/proc/self/fd"), "descriptors")

    def test_threads_end(self) -> None:
        """What a call opens it closes, also when it fails."""
        self._assert_no_growth(lambda: _entries("/proc/self/task"), "threads")

    def test_files_go(self) -> None:
        """What a call opens it closes, also when it fails."""
        self._assert_no_growth(lambda: len(self.files()), "files")

    def test_memory_is_given_back(self) -> None:
        """Many threads of a process use the one instance at the same time, for months."""
        with _untraced_threads():
            self._rounds(_WARM_UP)
            tracemalloc.start()
            try:
                self._rounds(_WARM_UP)
                before = _memory()
                self._rounds(self.effort.rounds)
                grown = _memory() - before
            finally:
                tracemalloc.stop()
        limit = _BYTES + _BYTES_A_ROUND * self.effort.rounds
        self.assertLess(grown, limit, f"bytes of memory, after {self.effort.rounds} rounds")

    @requires(Capability.LARGE_OBJECTS)
    def test_memory_does_not_grow_with_the_object(self) -> None:
        """No method holds an object whole in memory."""
        size = self.effort.large
        module_data = self.new()
        tracemalloc.start()
        try:
            self.put_from(generated(size), module_data)
            stored = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            stream = self.module.get_read_stream(self.context, module_data)
            while stream.read(65536):
                pass
            stream.close()
            read = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            self.module.copy_data(self.context, self.new(), module_data)
            copied = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(stored, size * 3 // 4, f"bytes of memory to store {size}")
        self.assertLess(read, size * 3 // 4, f"bytes of memory to read {size}")
        self.assertLess(copied, size * 3 // 4, f"bytes of memory to copy {size}")

    def _assert_no_growth(self, count: Callable[[], int], what: str) -> None:
        if not os.path.isdir("/proc/self/task"):
            self.skipTest("this system does not tell what a process has open")
        self._rounds(_WARM_UP)
        gc.collect()  # or what earlier tests left may go meanwhile, and hide what comes
        before = count()
        rounds = max(_WARM_UP, self.effort.rounds // 5)
        self._rounds(rounds)
        self.assertLess(count() - before, rounds // 2, f"{what} more, after {rounds} rounds")

    def _rounds(self, rounds: int) -> None:
        """Do everything that the contract knows, and everything that fails, ``rounds`` times."""
        context, module = self.context, self.module
        for _ in range(rounds):
            module_data = self.new()
            for method in (module.get_size, module.get_read_stream):
                with suppress(FileNotFoundError):
                    method(context, module_data)
            with suppress(SourceDied):
                module.assign(context, module_data, dying(b"data"))
            self.put(b"data", module_data)
            module.available(context, module_data)
            module.get_size(context, module_data)
            stream = module.get_read_stream(context, module_data)
            stream.read(2)
            stream.close()
            module.statistics(context)
            if self.has_copies():
                self._copy(module_data)
            module.delete(context, module_data)
            self.forget(module_data)
            for call in (module.available, module.delete, module.get_read_stream):
                with suppress(Exception):  # what it raises is for other tests
                    call(context, "not JSON")

    def _copy(self, source: str) -> None:
        copy = self.new()
        with suppress(FileNotFoundError):
            self.module.copy_data(self.context, source, copy)
        self.module.copy_data(self.context, copy, source)
        self.module.delete(self.context, copy)
        self.forget(copy)


@contextmanager
def _untraced_threads() -> Iterator[None]:
    """Let no new thread be traced: coverage keeps 14 KB of each for ever, which are not the module's."""
    before: Any = threading.gettrace()
    nobody: Any = None
    threading.settrace(nobody)
    try:
        yield
    finally:
        threading.settrace(before)


def _entries(directory: str) -> int:
    return len(os.listdir(directory))


def _memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
