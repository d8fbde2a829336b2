"""From seconds to ratios, verdicts and tables."""

import unittest

from bench.figures import Bound, Sample, Spread, best, ratios, spread
from bench.lines import AS_IT_COMES, LINES, LINKED, RENAMED, Line
from bench.results import Place, Result
from bench.tables import cell, table, tables

LINE = next(line for line in LINES if line.name == "put-4k")


def samples(*seconds: float) -> list[Sample]:
    """Return samples whose CPU time is a tenth of what they took."""
    return [Sample(wall, wall / 10) for wall in seconds]


class FiguresTest(unittest.TestCase):
    def test_a_ratio_is_the_median_of_those_of_the_rounds(self) -> None:
        self.assertEqual(ratios([1.0, 30.0, 8.0], [2.0, 10.0, 10.0]), Spread(0.8, 0.5, 3.0, 0.5, 3.0))

    def test_rounds_that_do_not_match_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            ratios([1.0, 2.0], [1.0])
        with self.assertRaises(ValueError):
            spread([])

    def test_the_best_has_the_least_median_not_the_luckiest_round(self) -> None:
        self.assertEqual(best({"steady": [2.0, 2.0, 2.0], "lucky": [1.0, 3.0, 3.0]}), "steady")

    def test_the_median_is_where_the_sign_test_says(self) -> None:
        # Tables of the sign test: of 20 numbers the 6th and the 15th, of 5 none is enough.
        self.assertEqual(spread(list(range(1, 21))), Spread(10.5, 1, 20, 6, 15))
        self.assertEqual(spread([1, 2, 3, 4, 5]), Spread(3, 1, 5, 1, 5))

    def test_a_bound_is_met_on_the_right_side(self) -> None:
        self.assertEqual([Bound(0.9).is_met(figure) for figure in (0.89, 0.9, 2)], [False, True, True])
        at_most = Bound(1.5, at_most=True)
        self.assertEqual([at_most.is_met(figure) for figure in (0.1, 1.5, 1.51)], [True, True, False])
        self.assertEqual((str(Bound(0.9)), str(at_most)), ("≥ 0.9", "≤ 1.5"))

    def test_a_verdict_tells_whether_it_is_certain(self) -> None:
        self.assertEqual(Bound(0.9).verdict(Spread(1, 0.1, 3, 0.95, 1.2)), "met")
        self.assertEqual(Bound(0.9).verdict(Spread(1, 0.1, 3, 0.8, 1.2)), "met, uncertain")
        self.assertEqual(Bound(0.9, at_most=True).verdict(Spread(1, 0.1, 3, 0.95, 1.2)), "not met")

    def test_a_cell_tells_the_spread_and_the_verdict(self) -> None:
        figure = Spread(0.8, 0.5, 12.0, 0.7, 0.85)
        self.assertEqual(cell(figure, Bound(0.9)), "**0.80 (0.50 to 12.0)** not met")
        self.assertEqual(cell(figure, None), "0.80 (0.50 to 12.0)")


class ResultTest(unittest.TestCase):
    def setUp(self) -> None:
        self.result = Result(LINE, {RENAMED: samples(2, 2, 4), LINKED: samples(1, 1, 2), AS_IT_COMES: samples(2, 1, 1)})

    def test_the_rate_is_compared_with_the_better_way_by_hand(self) -> None:
        self.assertEqual(self.result.fastest(), LINKED)
        self.assertEqual(self.result.speed(AS_IT_COMES), Spread(1.0, 0.5, 2.0, 0.5, 2.0))

    def test_the_cpu_time_is_a_cost_and_so_the_other_way_up(self) -> None:
        self.assertEqual(self.result.cpu(AS_IT_COMES), Spread(1.0, 0.5, 2.0, 0.5, 2.0))
        self.assertAlmostEqual(self.result.microseconds(AS_IT_COMES), 1e5)

    def test_in_memory_the_cpu_time_is_required_instead_of_the_rate(self) -> None:
        for file_system, required in (("ext4", LINE.required), ("tmpfs", {})):
            self.assertEqual(Place(file_system).required(self.result), required)


class TablesTest(unittest.TestCase):
    def test_a_table_without_rows_is_nothing(self) -> None:
        self.assertEqual(table(["a", "b"], []), "")
        self.assertEqual(table(["a", "b"], [["1", "2"]]), "| a | b |\n|---|---|\n| 1 | 2 |")

    def test_a_line_is_told_with_its_verdict(self) -> None:
        result = Result(LINE, {RENAMED: samples(2, 2), LINKED: samples(1, 1), AS_IT_COMES: samples(2, 2)})
        told = tables(Place("ext4", [result]))
        self.assertIn("| put 4 KiB | 1/s O_TMPFILE | ≥ 0.9 | **0.50** not met |  |  |", told)
        self.assertNotIn("Memory", told)
        self.assertIn("**1.", tables(Place("tmpfs", [Result(LINE, {LINKED: samples(1), AS_IT_COMES: samples(1)})])))


class LinesTest(unittest.TestCase):
    def test_names_are_unique_and_every_line_has_work(self) -> None:
        self.assertEqual(len({line.name for line in LINES}), len(LINES))
        for line in LINES:
            with self.subTest(line.name):
                self.assertGreaterEqual(line.batch, line.threads)
                self.assertLessEqual(set(line.required), set(line.contenders))
                self.assertIsInstance(line, Line)
