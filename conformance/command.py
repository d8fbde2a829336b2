"""The kit as a command: ``vsm check`` and ``python -m conformance``."""

import argparse
import importlib
import json
import os
import sys
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance.report import Outcome, check, table, to_json, to_junit
from conformance.requirements import FULL, MEANINGS, QUICK, Capability
from conformance.suite import Promises
from modules import StorageModule

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


class CannotRunError(Exception):
    """The module cannot be tried; the text says why in one line."""


class _Made(NamedTuple):
    """How an instance is made."""

    dotted: str
    cls: type[StorageModule]
    arguments: Mapping[str, Any]

    def __call__(self) -> StorageModule:
        return self.cls(**self.arguments)

    def directories(self) -> list[str]:
        """Return the arguments that name a directory."""
        return [value for value in self.arguments.values() if isinstance(value, str) and os.path.isdir(value)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("module", metavar="pkg.mod.Class", help="the storage module")
    parser.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="an argument of its constructor")
    parser.add_argument("--egg", type=Path, metavar="FILE", help="import it from this egg")
    parser.add_argument(
        "--with",
        dest="others",
        action="append",
        default=[],
        metavar="NAME=pkg.mod.Class:NAME=VALUE,...",
        help="a module that it gets by getModule(NAME)",
    )
    parser.add_argument(
        "--lacks", action="append", default=[], metavar="WHAT=WHY", help="what it does not claim, and the reason"
    )
    parser.add_argument("--quick", action="store_true", help="smaller objects and fewer rounds")
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
    if options.egg is not None:
        if not options.egg.is_file():
            raise CannotRunError(f"--egg: there is no file {options.egg}")
        sys.path.insert(0, str(options.egg.resolve()))
    for path in (options.json, options.junit):
        if path is not None:
            _write(path, "")  # rather now than after everything
    others = dict(_other(text) for text in options.others)
    made = _Made(options.module, load(options.module), _pairs(options.arguments, _value))
    Promises.undeleted.clear()
    case = _adopter(made, others, _lacks(options.lacks), quick=options.quick)
    for each in (made, *others.values()):
        _try(each)
    verdicts = check(case, options.repeat, _bar if sys.stderr.isatty() else None)
    print(table(verdicts))
    for path, text in ((options.json, to_json), (options.junit, to_junit)):
        if path is not None:
            _write(path, text(options.module, verdicts))
    if len(_KIT) == 1:
        print("The model was not tried: hypothesis is missing: pip install 'storage-modules[conformance]'")
    for module_data, reason in Promises.undeleted.items():
        print(f"not deleted: {module_data[:100]!r}: {reason}", file=sys.stderr)
    return 1 if any(verdict.outcome is Outcome.BROKEN for verdict in verdicts) else 0


def load(dotted: str) -> type[StorageModule]:
    """Import the class ``dotted``.

    :raises CannotRunError: there is none, or it is no storage module.
    """
    package, _, name = dotted.rpartition(".")
    if not package:
        raise CannotRunError(f"{dotted}: not the dotted name of a class")
    try:
        found = getattr(importlib.import_module(package), name)
    except Exception as error:  # importing runs a vendor's code, which may raise anything
        raise CannotRunError(f"{dotted}: does not import: {_reason(error)}") from error
    if not (isinstance(found, type) and issubclass(found, StorageModule)):
        raise CannotRunError(f"{dotted}: not a subclass of modules.StorageModule")
    if missing := ", ".join(sorted(getattr(found, "__abstractmethods__", ()))):
        raise CannotRunError(f"{dotted}: lacks {missing}")
    return found


def _adopter(
    made: _Made, others: Mapping[str, _Made], lacks: Mapping[str, str], *, quick: bool
) -> type[unittest.TestCase]:
    instances: dict[str, StorageModule] = {}

    def get_module(self: object, name: str) -> StorageModule:
        if name not in others:
            raise LookupError(f"no module is configured as {name!r}: see --with")
        if name not in instances:
            instances[name] = others[name]()
        return instances[name]

    def places(self: object) -> Sequence[str]:
        return [directory for each in (made, *others.values()) for directory in each.directories()]

    own = {
        "make_module": lambda self: made(),
        "get_module": get_module,
        "places": places,
        "lacks": lacks,
        "effort": QUICK if quick else FULL,
    }
    return type("Checked", (*_KIT, unittest.TestCase), own)


def _try(made: _Made) -> None:
    """Make an instance, to see that there is anything to check.

    :raises CannotRunError: the module refuses its arguments.
    """
    try:
        made()
    except Exception as error:  # a vendor's constructor may raise anything
        raise CannotRunError(f"{made.dotted}: refuses its arguments: {_reason(error)}") from error


def _other(text: str) -> tuple[str, _Made]:
    name, _, rest = text.partition("=")
    dotted, _, arguments = rest.partition(":")
    if not name or not dotted:
        raise CannotRunError(f"--with {text}: not NAME=pkg.mod.Class:NAME=VALUE,...")
    pairs = [pair for pair in arguments.split(",") if pair]
    return name, _Made(dotted, load(dotted), _pairs(pairs, _value))


def _lacks(texts: Sequence[str]) -> dict[str, str]:
    lacks: dict[str, str] = _pairs(texts, str)
    for name, reason in lacks.items():
        if name not in set(Capability):
            raise CannotRunError(f"--lacks {name}: not one of {', '.join(Capability)}")
        if not reason:
            raise CannotRunError(f"--lacks {name}: say why: --lacks '{name}=keeps everything in memory'")
    return lacks


def _pairs(texts: Sequence[str], read: Callable[[str], Any]) -> dict[str, Any]:
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise CannotRunError(f"{text}: not NAME=VALUE")
    return {text.partition("=")[0]: read(text.partition("=")[2]) for text in texts}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _bar(done: int, total: int, name: str) -> None:
    """Draw how far it is on standard error."""
    width = 30
    full = width * done // total
    text = f"[{'#' * full}{' ' * (width - full)}] {done}/{total} {name.removeprefix('test_').replace('_', ' ')}"
    end = "\r" if done + 1 < total else "\r\033[K"
    print(f"\r\033[K{text[:100]}", end=end, file=sys.stderr, flush=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CannotRunError(f"{path}: cannot be written: {error.strerror}") from error


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
