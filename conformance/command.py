"""The kit as a command: ``vsm check`` and ``python -m conformance``."""

import argparse
import sys
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance import target
from conformance.report import Outcome, check, table, to_json, to_junit
from conformance.requirements import FULL, MEANINGS, QUICK, Capability
from conformance.suite import Promises
from conformance.target import CannotRunError, Target, bar, pairs

try:
    from conformance.model import Model
except ModuleNotFoundError as missing:
    if missing.name != "hypothesis":
        raise
    _KIT: tuple[type, ...] = (Promises,)
else:
    _KIT = (Promises, Model)

__all__ = ["add_arguments", "run"]

_CAPABILITIES = "\n".join(f"  {capability:17}{meaning}" for capability, meaning in MEANINGS.items())
_EPILOG = f"""\
The storage is used: every object that the kit makes it deletes again. Nobody else should write to it
meanwhile. An argument that names a directory says where leftovers are looked for. A VALUE is JSON, or
else a string.

what a module may lack, with --lacks:
{_CAPABILITIES}

exit status: 0 all promises kept, 1 one is broken, 2 the module could not be tried, 130 interrupted

  vsm check fsstore.FileStorage root=/srv/try
  vsm check newstore.newstore.NewStorage --egg dist/newstore-1.0-py3.11.egg directory=/srv/try
  vsm check vendor.Wrapper inner=local --with local=fsstore.FileStorage:root=/srv/try
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    target.add_arguments(parser)
    parser.epilog = _EPILOG
    parser.add_argument(
        "--lacks", action="append", default=[], metavar="WHAT=WHY", help="what it does not claim, and the reason"
    )
    parser.add_argument("--repeat", type=_positive, default=1, metavar="N", help="do everything N times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON, too")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the report as JUnit's XML, too")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        return _run(options)
    except CannotRunError as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncheck: interrupted; what was stored is deleted", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    for path in (options.json, options.junit):
        if path is not None:
            _write(path, "")  # rather now than after everything
    tried = Target(options)
    Promises.undeleted.clear()
    case = _adopter(tried, _lacks(options.lacks), quick=options.quick)
    verdicts = check(case, options.repeat, bar if sys.stderr.isatty() else None)
    print(table(verdicts))
    for path, text in ((options.json, to_json), (options.junit, to_junit)):
        if path is not None:
            _write(path, text(options.module, verdicts))
    if len(_KIT) == 1:
        print("The model was not tried: hypothesis is missing: in the kit's directory: pip install '.[conformance]'")
    for module_data, reason in Promises.undeleted.items():
        print(f"not deleted: {module_data[:100]!r}: {reason}", file=sys.stderr)
    return 1 if any(verdict.outcome is Outcome.BROKEN for verdict in verdicts) else 0


def _adopter(tried: Target, lacks: Mapping[str, str], *, quick: bool) -> type[unittest.TestCase]:
    own = {
        "make_module": lambda self: tried.make(),
        "get_module": lambda self, name: tried.get_module(name),
        "places": lambda self: tried.directories(),
        "lacks": lacks,
        "effort": QUICK if quick else FULL,
    }
    return type("Checked", (*_KIT, unittest.TestCase), own)


def _lacks(texts: Sequence[str]) -> dict[str, str]:
    lacks: dict[str, str] = pairs(texts, str)
    for name, reason in lacks.items():
        if name not in set(Capability):
            raise CannotRunError(f"--lacks {name}: not one of {', '.join(Capability)}")
        if not reason:
            raise CannotRunError(f"--lacks {name}: say why: --lacks '{name}=keeps everything in memory'")
    return lacks


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be written: {error.strerror}") from error
