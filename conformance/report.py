"""Running the kit, and telling what came out: to a person, and in JSON and JUnit's XML."""

import json
import signal
import sys
import threading
import time
import unittest
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from types import FrameType
from typing import Any
from xml.etree import ElementTree

from conformance.harness import sentence

__all__ = ["Outcome", "Verdict", "check", "summary", "table", "to_json", "to_junit"]

_NOT_CLAIMED = "not claimed: "


class Outcome(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_CLAIMED = "not claimed"  #: the module says that it lacks what the promise needs
    NOT_TRIED = "not tried"  #: it could not be tried here


@dataclass(frozen=True)
class Verdict:
    """What became of one promise."""

    section: str  #: what it is about
    test: str  #: name of the test
    sentence: str  #: the contract's words
    outcome: Outcome
    detail: str = ""  #: what happened, or why not, in one line
    seconds: float = 0.0


class _Result(unittest.TestResult):
    """Of one test: the first thing that went wrong, or why it was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = ""
        self.skip = ""

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802 (the names are unittest's)
        self.broken = self.broken or _one_line(err[1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self.addError(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        if err is not None:
            where = ", ".join(f"{name}={value!r}" for name, value in subtest.params.items())  # type: ignore[attr-defined]
            self.broken = self.broken or _clean(f"{where}: {_one_line(err[1])}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        self.skip = reason


def check(
    case: type[unittest.TestCase], repeat: int = 1, progress: Callable[[int, int, str], None] | None = None
) -> list[Verdict]:
    """Run all tests of ``case``, ``repeat`` times, and return a verdict for each.

    KeyboardInterrupt comes through once everything that the interrupted test made is deleted.

    :param progress: is called before each test with how many are done, how many there are, and its name.
    """
    names = [name for name in _in_order(case) if name.startswith("test")]
    verdicts: dict[str, Verdict] = {}
    with _interrupts() as interrupts:
        for turn in range(repeat):
            for number, name in enumerate(names):
                if progress is not None:
                    progress(turn * len(names) + number, repeat * len(names), name)
                verdict = _run(case, name)
                if interrupts:
                    raise KeyboardInterrupt
                if name not in verdicts or verdict.outcome is Outcome.BROKEN:
                    verdicts[name] = verdict
    return list(verdicts.values())


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Give a list in which interrupts are noted: what is raised in a finalizer, Python tells and drops."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # where signals do not come
        yield noted
        return
    before = signal.signal(signal.SIGINT, note)
    tell = sys.unraisablehook

    def tell_others(dropped: "sys.UnraisableHookArgs") -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            tell(dropped)

    sys.unraisablehook = tell_others
    try:
        yield noted
    finally:
        sys.unraisablehook = tell
        signal.signal(signal.SIGINT, before)


def table(verdicts: Sequence[Verdict]) -> str:
    """Return all verdicts for a person to read."""
    lines = []
    for section, group in groupby(verdicts, lambda verdict: verdict.section):
        lines.append(section)
        for verdict in group:
            promise = verdict.test.removeprefix("test_").replace("_", " ")
            lines.append(f"  {verdict.outcome:12} {promise}")
            if verdict.outcome is Outcome.BROKEN:
                lines.append(f"  {'':12}   what happened: {verdict.detail}")
                lines.append(f"  {'':12}   the contract:  {verdict.sentence}")
            elif verdict.detail:
                lines.append(f"  {'':12}   {verdict.detail}")
    return "\n".join([*lines, "", summary(verdicts)])


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many promises came out how, in one line."""
    counts = _counts(verdicts)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return f"{len(verdicts)} promises: {told}; {sum(verdict.seconds for verdict in verdicts):.1f} s"


def to_json(module: str, verdicts: Sequence[Verdict]) -> str:
    """Return a JSON object: ``module``, ``counts`` by outcome, and ``promises``, a list of verdicts."""
    value = {"module": module, "counts": _counts(verdicts), "promises": [asdict(verdict) for verdict in verdicts]}
    return json.dumps(value, indent=2) + "\n"


def to_junit(module: str, verdicts: Sequence[Verdict]) -> str:
    """Return JUnit's XML, as Jenkins and others read it: a ``testsuite`` with a ``testcase`` for each verdict."""
    counts = _counts(verdicts)
    skipped = counts[Outcome.NOT_CLAIMED] + counts[Outcome.NOT_TRIED]
    numbers = {"tests": len(verdicts), "failures": counts[Outcome.BROKEN], "errors": 0, "skipped": skipped}
    suite = ElementTree.Element(
        "testsuite",
        {"name": module} | {name: str(number) for name, number in numbers.items()} | _time(verdicts),
    )
    for verdict in verdicts:
        names = {"classname": f"{module}.{verdict.section}", "name": verdict.test}
        case = ElementTree.SubElement(suite, "testcase", names | _time([verdict]))
        if verdict.outcome is Outcome.BROKEN:
            failure = ElementTree.SubElement(case, "failure", {"message": verdict.detail})
            failure.text = f"The contract: {verdict.sentence}"
        elif verdict.outcome is not Outcome.KEPT:
            ElementTree.SubElement(case, "skipped", {"message": f"{verdict.outcome}: {verdict.detail}"})
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, "unicode", xml_declaration=True) + "\n"


def _in_order(case: type[unittest.TestCase]) -> list[str]:
    """Return the names of what ``case`` inherits, in the order in which it is written."""
    ancestors = [vars(ancestor) for ancestor in case.__mro__]
    return list(dict.fromkeys(name for namespace in ancestors for name in namespace))


def _run(case: type[unittest.TestCase], name: str) -> Verdict:
    test, result = case(name), _Result()
    start = time.perf_counter()
    try:
        test.run(result)
    except KeyboardInterrupt:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one is not to interrupt the clean-up
        try:
            test.doCleanups()
        finally:
            signal.signal(signal.SIGINT, before)
        raise
    seconds = round(time.perf_counter() - start, 3)
    outcome, detail = Outcome.KEPT, ""
    if result.broken:
        outcome, detail = Outcome.BROKEN, result.broken
    elif result.skip.startswith(_NOT_CLAIMED):
        outcome, detail = Outcome.NOT_CLAIMED, result.skip.removeprefix(_NOT_CLAIMED)
    elif result.skip:
        outcome, detail = Outcome.NOT_TRIED, result.skip
    owner = next(ancestor for ancestor in case.__mro__ if name in vars(ancestor))
    return Verdict((owner.__doc__ or "").strip(), name, sentence(getattr(test, name)), outcome, detail, seconds)


def _counts(verdicts: Sequence[Verdict]) -> dict[Outcome, int]:
    return {outcome: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in Outcome}


def _time(verdicts: Sequence[Verdict]) -> dict[str, str]:
    return {"time": f"{sum(verdict.seconds for verdict in verdicts):.3f}"}


def _one_line(error: BaseException) -> str:
    text = str(error).strip()
    if not isinstance(error, AssertionError) or not text:
        text = f"{type(error).__name__}: {text}"
    return _clean(text)


def _clean(text: str) -> str:
    """Return ``text`` in one line, and without what XML cannot hold."""
    line = " ".join(text.split())
    line = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    return line if len(line) <= 300 else f"{line[:297]}..."
