"""From seconds to ratios, and from ratios to verdicts. Pure functions."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Bound", "Sample", "Spread", "best", "number", "ratios", "spread"]


@dataclass(frozen=True)
class Sample:
    """What one operation took in one round: the mean over a batch."""

    wall: float  #: seconds
    cpu: float  #: seconds of all threads of the process, in the kernel too


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, with the least and the greatest of them.

    The numbers are a sample; the median of all that might have been measured lies, with a certainty of 95 %,
    from ``from_`` to ``to``.
    """

    median: float
    low: float
    high: float
    from_: float
    to: float

    def __str__(self) -> str:
        if self.low == self.high:
            return number(self.median)
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True)
class Bound:
    """What a figure has to be: at least a value, or at most."""

    value: float
    at_most: bool = False

    def is_met(self, figure: float) -> bool:
        """Tell whether ``figure`` is what it has to be."""
        return figure <= self.value if self.at_most else figure >= self.value

    def verdict(self, figure: Spread) -> str:
        """Return the verdict in words, and whether the rounds were enough for it."""
        certain = self.is_met(figure.from_) == self.is_met(figure.to)
        return ("met" if self.is_met(figure.median) else "not met") + ("" if certain else ", uncertain")

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:g}"


def number(value: float) -> str:
    """Return a ratio with as many digits as it is worth."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of ``values``.

    :raises ValueError: there are none.
    """
    if not values:
        raise ValueError("no values")
    inner = sorted(values)
    cut = _cut(len(inner))
    return Spread(statistics.median(inner), inner[0], inner[-1], inner[cut], inner[-1 - cut])


def _cut(count: int) -> int:
    """Return how many of ``count`` sorted numbers can be left out at each end.

    Each number is as likely above the true median as below it, whatever their distribution, so how many are
    below is binomial; this is the sign test's confidence interval (David and Nagaraja, Order Statistics, 7.1).
    """
    below = 0.0
    for cut in range(count):
        below += math.comb(count, cut) / 2**count
        if 2 * below > 0.05:
            return max(cut - 1, 0)
    return 0


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Return the spread of the quotients, round by round: not the quotient of two medians.

    A machine that is slower for a while is so for both numbers of a round.

    :raises ValueError: the two are not of one length.
    """
    return spread([a / b for a, b in zip(over, under, strict=True)])


def best(seconds: Mapping[str, Sequence[float]]) -> str:
    """Return the name with the least median; not the least of each round, which would be the luckiest."""
    return min(seconds, key=lambda name: statistics.median(seconds[name]))
