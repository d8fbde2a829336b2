"""What vsm bench measures."""

import io
import os
import signal
import tempfile
import threading
import time
import unittest

from conformance.measure import OPERATIONS, Load, Row, measure
from conformance.saboteurs.correct import DirectoryStorage
from modules import Context, Source

CONTEXT: Context = {"func": {}}
LOAD = Load({4096: 6, 100_000: 2}, threads=(1, 3), rounds=2, lookups=10)


class Counting(DirectoryStorage):
    """Notes how many objects there are, and how much of them was read and by whom."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory=directory)
        self.sizes: list[int] = []
        self.threads: set[int] = set()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.sizes.append(self.get_size(context, module_data))
        self.threads.add(threading.get_ident())


class MeasureTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def assert_nothing_left(self) -> None:
        self.assertEqual([names for _, _, names in os.walk(self.directory) if names], [])

    def test_the_ratio_is_the_median_of_those_of_the_rounds(self) -> None:
        row = Row("put", 4096, 1, module=[1.0, 30.0, 8.0], by_hand=[2.0, 10.0, 10.0])
        self.assertEqual(row.ratio, 0.8)

    def test_every_operation_is_measured_for_every_size_and_number_of_threads(self) -> None:
        rows = measure(DirectoryStorage(directory=self.directory), CONTEXT, self.directory, LOAD)
        self.assertEqual(
            [(row.size, row.threads, row.operation) for row in rows],
            [(size, threads, name) for size in LOAD.objects for threads in LOAD.threads for name in OPERATIONS],
        )
        for row in rows:
            self.assertEqual((len(row.module), len(row.by_hand)), (2, 2))
            self.assertGreater(min(row.module + row.by_hand), 0)
        self.assert_nothing_left()

    def test_objects_have_their_size_and_there_is_one_for_each_thread(self) -> None:
        module = Counting(self.directory)
        measure(module, CONTEXT, self.directory, Load({100_000: 2}, threads=(3,), rounds=1))
        self.assertEqual(module.sizes, [100_000] * 3)

    def test_a_module_that_waits_has_the_ratio_that_it_deserves(self) -> None:
        class Waiting(DirectoryStorage):
            def get_size(self, context: Context, module_data: str) -> int:
                time.sleep(0.005)
                return super().get_size(context, module_data)

        rows = measure(Waiting(directory=self.directory), CONTEXT, self.directory, LOAD)
        for row in rows:
            if row.operation == "size":
                self.assertLess(max(row.module), 200 * row.threads)
                self.assertLess(row.ratio, 0.5)

    def test_an_error_of_the_module_goes_out_and_nothing_is_left(self) -> None:
        class Failing(DirectoryStorage):
            def get_read_stream(self, context: Context, module_data: str) -> io.BufferedReader:
                raise ConnectionError("no line")

        for threads in (1, 3):
            with self.subTest(threads), self.assertRaisesRegex(ConnectionError, "no line"):
                load = Load({4096: 6}, threads=(threads,), rounds=1)
                measure(Failing(directory=self.directory), CONTEXT, self.directory, load)
            self.assert_nothing_left()

    def test_an_interrupt_stops_all_threads_and_nothing_is_left(self) -> None:
        class Slow(DirectoryStorage):
            def assign(self, context: Context, module_data: str, stream: Source) -> None:
                threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
                time.sleep(0.2)
                super().assign(context, module_data, stream)

        before = signal.signal(signal.SIGINT, _once)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        alive = threading.active_count()
        with self.assertRaises(KeyboardInterrupt):
            measure(Slow(directory=self.directory), CONTEXT, self.directory, Load({4096: 30}, threads=(3,)))
        self.assert_nothing_left()
        self.assertEqual(threading.active_count(), alive)

    def test_progress_is_told(self) -> None:
        told: list[tuple[int, int, str]] = []
        module = DirectoryStorage(directory=self.directory)
        measure(module, CONTEXT, self.directory, Load({4096: 1}, rounds=2), lambda *step: told.append(step))
        self.assertEqual([step[:2] for step in told], [(0, 4), (1, 4), (2, 4), (3, 4)])
        self.assertEqual(told[-1][2], "4096 bytes, 8 threads")


def _once(number: int, frame: object) -> None:
    """Be interrupted, and then no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
