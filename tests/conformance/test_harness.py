"""Declaring what a module lacks, and children that fail."""

import gc
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any, ClassVar
from unittest import mock

from conformance.harness import Harness
from conformance.processes import Child, ChildError, Parent, die
from conformance.promises.hostile import Hostile
from conformance.promises.leaks import Leaks
from conformance.report import check
from conformance.requirements import QUICK, Capability, requires
from conformance.saboteurs.correct import MemoryStorage
from modules import Context, Source, StorageModule


class _Adopter(Harness):
    def make_module(self) -> StorageModule:
        return MemoryStorage()

    @requires(Capability.DURABILITY)
    def test_durability(self) -> None:
        """a sentence that
        goes on

        and a comment
        """


def run(**attributes: object) -> tuple[unittest.TestCase, unittest.TestResult]:
    case = type("Case", (_Adopter, unittest.TestCase), attributes)("test_durability")
    result = unittest.TestResult()
    case.run(result)
    return case, result


class LacksTest(unittest.TestCase):
    def test_what_is_claimed_is_tried(self) -> None:
        _, result = run()
        self.assertEqual((result.testsRun, result.skipped, result.wasSuccessful()), (1, [], True))

    def test_what_is_lacking_is_skipped_with_the_reason(self) -> None:
        _, result = run(lacks={"durability": "keeps all in memory"})
        self.assertEqual([reason for _, reason in result.skipped], ["not claimed: durability: keeps all in memory"])

    def test_an_unknown_capability_is_refused(self) -> None:
        _, result = run(lacks={"speed": "slow"})
        self.assertIn("lacks: speed: not one of durability", result.errors[0][1])

    def test_a_description_is_the_whole_sentence(self) -> None:
        case, _ = run()
        self.assertEqual(case.shortDescription(), "a sentence that goes on")


class CleaningUpTest(unittest.TestCase):
    def clean_up_after(self, *errors: BaseException | None) -> None:
        """Clean up after a test with one object, where each ``delete`` raises the next of ``errors``."""
        left = iter(errors)
        deleted: list[str] = []

        class Failing(MemoryStorage):
            def delete(self, context: Context, module_data: str) -> None:
                if error := next(left, None):
                    raise error
                deleted.append(module_data)

        class Case(_Adopter, unittest.TestCase):
            lacks = MemoryStorage.LACKS
            undeleted: ClassVar[dict[str, str]] = {}

            def make_module(self) -> StorageModule:
                return Failing()

            def test_durability(self) -> None:
                self.put(b"data")

        self.deleted, self.undeleted = deleted, Case.undeleted
        check(Case)

    def test_objects_are_deleted(self) -> None:
        self.clean_up_after()
        self.assertEqual((len(self.deleted), self.undeleted), (1, {}))

    def test_what_cannot_be_deleted_is_told(self) -> None:
        self.clean_up_after(OSError("read-only"))
        self.assertEqual(list(self.undeleted.values()), ["OSError: read-only"])

    def test_an_interrupted_clean_up_is_finished(self) -> None:
        with self.assertRaises(KeyboardInterrupt):
            self.clean_up_after(KeyboardInterrupt())
        self.assertEqual((len(self.deleted), self.undeleted), (1, {}))


class DeepTest(unittest.TestCase):
    def test_nothing_is_collected_at_the_limit_of_recursion(self) -> None:
        seen: list[bool] = []

        class Seeing(MemoryStorage):
            def available(self, context: Context, module_data: str) -> bool:
                seen.append(gc.isenabled())
                return super().available(context, module_data)

        class Case(Hostile, unittest.TestCase):
            lacks = MemoryStorage.LACKS

            def make_module(self) -> StorageModule:
                return Seeing()

        Case("test_available_refuses_what_it_never_made").run(unittest.TestResult())
        self.assertIn(False, seen)
        del seen[-1]  # of the look at the genuine object, in the end
        self.assertEqual((seen.count(True), gc.isenabled()), (0, True))


class UntracedTest(unittest.TestCase):
    def test_no_new_thread_is_traced_where_memory_is_looked_at(self) -> None:
        seen: set[object] = set()

        class InThreads(MemoryStorage):
            def assign(self, context: Context, module_data: str, stream: Source) -> None:
                thread = threading.Thread(target=lambda: seen.add(sys.gettrace()))
                thread.start()
                thread.join()
                super().assign(context, module_data, stream)

        class Tried(Leaks, unittest.TestCase):
            effort = QUICK._replace(rounds=5)
            lacks = MemoryStorage.LACKS

            def make_module(self) -> StorageModule:
                return InThreads()

        def trace(frame: object, event: str, argument: object) -> None:
            """Do nothing, once for each call."""

        before: Any = threading.gettrace()
        self.addCleanup(threading.settrace, before)
        threading.settrace(trace)
        result = unittest.TestResult()
        Tried("test_memory_is_given_back").run(result)
        self.assertEqual((result.testsRun, result.failures, result.errors), (1, [], []))
        self.assertEqual((seen, threading.gettrace()), ({None}, trace))


class InterruptedTest(unittest.TestCase):
    def interrupt_after(self, where: object, name: str, test: Callable[[_Adopter], object]) -> list[Any]:
        """Run ``test`` and interrupt it after each call of ``where.name``; return what the calls returned."""
        returned, real = [], getattr(where, name)

        def call(*arguments: Any) -> Any:
            returned.append(real(*arguments))
            if returned[-1] != 0:  # which os.fork returns to the child
                os.kill(os.getpid(), signal.SIGINT)
            return returned[-1]

        case = type("Case", (_Adopter, unittest.TestCase), {"test_durability": test})
        with mock.patch.object(where, name, call), self.assertRaises(KeyboardInterrupt):
            check(case)
        return returned

    def test_no_directory_is_left(self) -> None:
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(tempfile, "tempdir", scratch):
            made = self.interrupt_after(os, "mkdir", lambda case: None)
            self.assertEqual((made, os.listdir(scratch)), ([None], []))

    def test_no_child_is_left(self) -> None:
        (pid,) = self.interrupt_after(os, "fork", lambda case: case.fork(Parent.wait).answer())
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_threads_end_before_the_clean_up(self) -> None:
        ended: list[str] = []

        def store() -> None:
            time.sleep(0.1)
            ended.append("stored")

        def test(case: _Adopter) -> None:
            case.addCleanup(ended.append, "deleted")
            case.run_threads(store, store)

        self.interrupt_after(threading.Thread, "start", test)
        self.assertEqual(ended, ["stored", "stored", "deleted"])


class ChildTest(unittest.TestCase):
    def test_a_child_answers(self) -> None:
        def work(parent: Parent) -> str:
            parent.tell("one")
            parent.wait()
            return "two"

        with Child(work, patience=10) as child:
            self.assertEqual(child.answer(), "one")
            child.go_on()
            self.assertEqual(child.answer(), "two")

    def test_a_child_that_raises_fails_the_test(self) -> None:
        with Child(lambda parent: 1 // 0, patience=10) as child, self.assertRaisesRegex(ChildError, "ZeroDivision"):
            child.answer()

    def test_a_child_that_dies_fails_the_test(self) -> None:
        with Child(lambda parent: die(), patience=10) as child, self.assertRaisesRegex(ChildError, "died"):
            child.answer()

    def test_a_child_that_hangs_fails_the_test(self) -> None:
        with Child(lambda parent: time.sleep(60), patience=0.1) as child, self.assertRaisesRegex(ChildError, "hangs"):
            child.answer()


class ThreadsTest(_Adopter, unittest.TestCase):
    def test_the_error_of_a_thread_comes_out(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            self.run_threads(lambda: None, lambda: 1 // 0)

    def test_what_differs_is_told_without_the_data(self) -> None:
        with self.assertRaisesRegex(AssertionError, "3 bytes instead of 4, different from byte 2 on"):
            self.assert_same(b"abX", b"abcd")
