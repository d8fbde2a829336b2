"""What a run found."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.figures import Bound, Sample, Spread, best, ratios
from bench.lines import Line
from bench.memory import Peak
from bench.scale import Cost

__all__ = ["Place", "Result"]


@dataclass(frozen=True)
class Result:
    """One line, on one file system."""

    line: Line
    samples: dict[str, list[Sample]]  #: by contender, for each round

    def fastest(self) -> str:
        """Return the name of the baseline that is the one to equal."""
        return best({name: self._wall(name) for name in self._baselines()})

    def thriftiest(self) -> str:
        """Return the name of the baseline with the least CPU time."""
        return best({name: self._cpu(name) for name in self._baselines()})

    def speed(self, name: str) -> Spread:
        """Return a contender's rate, of that of the fastest baseline."""
        return ratios(self._wall(self.fastest()), self._wall(name))

    def cpu(self, name: str) -> Spread:
        """Return a contender's CPU time, of that of the thriftiest baseline."""
        return ratios(self._cpu(name), self._cpu(self.thriftiest()))

    def rate(self, name: str) -> float:
        """Return a contender's operations a second: the median."""
        return 1 / statistics.median(self._wall(name))

    def microseconds(self, name: str) -> float:
        """Return a contender's CPU time for one operation: the median."""
        return 1e6 * statistics.median(self._cpu(name))

    def _baselines(self) -> list[str]:
        return [name for name in self.line.baselines if name in self.samples]

    def _wall(self, name: str) -> list[float]:
        return [sample.wall for sample in self.samples[name]]

    def _cpu(self, name: str) -> list[float]:
        return [sample.cpu for sample in self.samples[name]]


@dataclass
class Place:
    """All that was found on one file system."""

    file_system: str
    results: list[Result] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    is_flip_noticed: bool = False  #: whether a get as it is measured tells an object of which a bit was flipped
    unavailable: dict[str, str] = field(default_factory=dict)  #: contenders that could not be had, and why

    def required(self, result: Result) -> Mapping[str, Bound]:
        """Return what is required of the rate, by contender: nothing where it is of the CPU time."""
        return {} if self.is_of_cpu(result) else result.line.required

    def is_of_cpu(self, result: Result) -> bool:
        """Tell whether it is the CPU time of which something is required here: in memory."""
        return result.line.cpu is not None and self.file_system == "tmpfs"

    def chosen(self, lines: Sequence[Line]) -> list[Result]:
        """Return the results of some lines."""
        names = {line.name for line in lines}
        return [result for result in self.results if result.line.name in names]
