"""From seconds to ratios, and from ratios to verdicts. Pure functions."""

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
    """The median of some numbers, with the least and the greatest of them."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True)
class Bound:
    """What a figure has to be: at least a value, or at most."""

    value: float
    at_most: bool = False

    def is_met(self, figure: float) -> bool:
        """Tell whether ``figure`` is what it has to be."""
        return figure <= self.value if self.at_most else figure >= self.value

    def verdict(self, figure: float) -> str:
        """Return the verdict in words."""
        return "met" if self.is_met(figure) else "not met"

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
    return Spread(statistics.median(values), min(values), max(values))


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Return the spread of the quotients, round by round: not the quotient of two medians.

    A machine that is slower for a while is so for both numbers of a round.

    :raises ValueError: the two are not of one length.
    """
    return spread([a / b for a, b in zip(over, under, strict=True)])


def best(seconds: Mapping[str, Sequence[float]]) -> str:
    """Return the name with the least median; not the least of each round, which would be the luckiest."""
    return min(seconds, key=lambda name: statistics.median(seconds[name]))
