"""``python -m fsstore survey``: a survey with a terminal, a state file and an exit status."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from fsstore.report import Report
from fsstore.scrub import Pace
from fsstore.show import bar, summary
from fsstore.survey import Options, Survey, TooMuchWrong

__all__ = ["INTERRUPTED", "survey"]

WELL, WRONG, STOPPED, INTERRUPTED = 0, 1, 3, 130

_SHOWN = 0.2  # seconds between two looks of the bar
_SAVED = 60.0  # seconds after which the state is written, in case of a kill


def survey(root: str, options: Namespace) -> int:
    """Survey the root, say what was found, and return the exit status.

    :raises OSError: it cannot be done.
    :raises ValueError: the state is that of another survey.
    """
    chosen = Options(options.mend, not options.no_scrub, options.grace, options.share / 100)
    state = _load(options.state)
    ask = (lambda report: True) if options.yes else _ask
    made = Survey(root, chosen, state=state, ask=ask, pace=Pace(options.rate * 1e6))
    reason = ""
    try:
        status = _run(made, options.state)
    except TooMuchWrong as stopped:
        status, reason = STOPPED, f"stopped: {stopped}: is the memory or the disk at fault? --yes goes on"
    except OSError:
        _save(options.state, made.state())
        raise
    if not made.report.is_complete:
        _save(options.state, made.state())
    if status == INTERRUPTED:
        reason = "stopped by a signal: the same command goes on" if options.state else "ended by a signal"
    if options.json:
        print(json.dumps({"root": root, **made.report.to_json()}))
    else:
        print(summary(root, made.report))
    if reason:
        print(f"python -m fsstore survey: {reason}", file=sys.stderr)
    if options.state and made.report.is_complete:
        with suppress(FileNotFoundError):
            options.state.unlink()
    return status


def _run(made: Survey, path: Path | None) -> int:
    """Take the steps of a survey until it ends or a signal comes."""
    is_stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopped
        is_stopped = True
        signal.signal(number, before[number])  # a second one does not wait for the end of the step

    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    show = _bar(made) if sys.stderr.isatty() else None
    due = time.monotonic() + _SAVED
    try:
        for _ in made:
            if is_stopped:
                return INTERRUPTED
            if show:
                show()
            if path and time.monotonic() >= due:
                _save(path, made.state())
                due = time.monotonic() + _SAVED
        return WELL if made.report.is_well else WRONG
    finally:
        for number in numbers:
            signal.signal(number, before[number])
        if show:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _bar(made: Survey) -> Callable[[], None]:
    start = due = time.monotonic()
    already = made.report.read

    def show() -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + _SHOWN
            rate = (made.report.read - already) / max(now - start, _SHOWN)
            line = bar(made.done, made.report, made.wrong, rate)
            print(f"\r{line[: shutil.get_terminal_size().columns - 1]}\033[K", end="", file=sys.stderr, flush=True)

    return show


def _ask(report: Report) -> bool:
    """Ask whether to go on, where there is somebody to ask."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print(f"\r\033[K{report.wrong:,} things look wrong, {report.share:.0%} of all up to now:", file=sys.stderr)
        print(
            f"{report.corrupt:,} corrupt, {report.leftover:,} left over, {report.foreign:,} foreign.", file=sys.stderr
        )
        print("Bad memory, a bad cable or a wrong directory look like that. Go on? [y/N] ", end="", file=sys.stderr)
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False
    finally:
        signal.signal(signal.SIGINT, before)


def _load(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        _save(path, None)  # rather now than after everything
        return None
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict):
        raise ValueError(f"{path}: not the state of a survey: name another file, or remove it")
    return state


def _save(path: Path | None, state: dict[str, Any] | None) -> None:
    """Write the state in one step; for None only see whether that will be possible."""
    if path is None:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            if state is not None:
                json.dump(state, file)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(file.name)
