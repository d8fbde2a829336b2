"""The report, for people and programs."""

import json
import os
import signal
import sys
import unittest
from typing import ClassVar
from unittest import mock
from xml.etree import ElementTree

from conformance.report import Outcome, check, table, to_json, to_junit


def make_case() -> type[unittest.TestCase]:
    """Return tests of every outcome. At the top of this file they would be run."""

    class Case(unittest.TestCase):
        """a section"""

        turns: ClassVar[int] = 0

        def test_kept(self) -> None:
            """it is kept."""

        def test_broken(self) -> None:
            """it is broken."""
            with self.subTest(size=5):
                self.fail("two\nlines and \x00")

        def test_raising(self) -> None:
            """it raises."""
            raise OSError(28, "full")

        def test_not_claimed(self) -> None:
            """it is not claimed."""
            self.skipTest("not claimed: durability: keeps all in memory")

        def test_not_tried(self) -> None:
            """it is not tried."""
            self.skipTest("no such system")

        def test_broken_the_second_time(self) -> None:
            """it is broken sometimes."""
            type(self).turns += 1
            self.assertNotEqual(self.turns, 2)

    return Case


class ReportTest(unittest.TestCase):
    def setUp(self) -> None:
        self.progress: list[tuple[int, int, str]] = []
        self.verdicts = {v.test: v for v in check(make_case(), 2, lambda *step: self.progress.append(step))}

    def test_outcomes(self) -> None:
        outcomes = {name: (verdict.outcome, verdict.detail) for name, verdict in self.verdicts.items()}
        self.assertEqual(outcomes["test_kept"], (Outcome.KEPT, ""))
        self.assertEqual(outcomes["test_broken"], (Outcome.BROKEN, "size=5: two lines and \ufffd"))
        self.assertEqual(outcomes["test_raising"], (Outcome.BROKEN, "OSError: [Errno 28] full"))
        self.assertEqual(outcomes["test_not_claimed"], (Outcome.NOT_CLAIMED, "durability: keeps all in memory"))
        self.assertEqual(outcomes["test_not_tried"], (Outcome.NOT_TRIED, "no such system"))
        self.assertEqual(outcomes["test_broken_the_second_time"][0], Outcome.BROKEN)

    def test_progress_is_told(self) -> None:
        self.assertEqual(self.progress[0], (0, 12, "test_kept"))
        self.assertEqual([done for done, _, _ in self.progress], list(range(12)))

    def test_the_table_quotes_the_contract_where_it_is_broken(self) -> None:
        text = table(list(self.verdicts.values()))
        self.assertIn("a section\n  kept         kept\n", text)
        self.assertIn("what happened: OSError: [Errno 28] full\n", text)
        self.assertIn("the contract:  it raises.\n", text)
        self.assertIn("6 promises: 1 kept, 3 broken, 1 not claimed, 1 not tried; ", text)

    def test_json(self) -> None:
        value = json.loads(to_json("a.B", list(self.verdicts.values())))
        self.assertEqual(value["module"], "a.B")
        self.assertEqual(value["counts"], {"kept": 1, "broken": 3, "not claimed": 1, "not tried": 1})
        self.assertEqual(value["promises"][1]["sentence"], "it is broken.")

    def test_junit(self) -> None:
        suite = ElementTree.fromstring(to_junit("a.B", list(self.verdicts.values())))
        self.assertEqual(
            {name: suite.get(name) for name in ("tests", "failures", "skipped")},
            {
                "tests": "6",
                "failures": "3",
                "skipped": "2",
            },
        )
        failure = suite.find("testcase[@name='test_raising']/failure")
        assert failure is not None
        self.assertEqual(failure.get("message"), "OSError: [Errno 28] full")

    def test_an_interrupt_that_python_drops_ends_the_kit_after_that_test(self) -> None:
        class Finalized:
            def __del__(self) -> None:
                os.kill(os.getpid(), signal.SIGINT)

        ran = []

        class Case(unittest.TestCase):
            def test_one(self) -> None:
                Finalized()
                ran.append(1)

            def test_two(self) -> None:
                ran.append(2)

        told: list[object] = []
        with mock.patch.object(sys, "unraisablehook", told.append), self.assertRaises(KeyboardInterrupt):
            check(Case)
        self.assertEqual((ran, told), ([1], []))

    def test_an_interrupt_cleans_up_and_goes_on(self) -> None:
        cleaned: list[str] = []

        class Interrupted(unittest.TestCase):
            def test_it(self) -> None:
                self.addCleanup(cleaned.append, "cleaned")
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            check(Interrupted)
        self.assertEqual(cleaned, ["cleaned"])
