"""The module that a command of the kit works on, as the command line names it."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modules import StorageModule

__all__ = ["CannotRunError", "Maker", "Target", "add_arguments", "bar", "pairs"]


class CannotRunError(Exception):
    """The module cannot be tried; the text says why in one line."""


class Maker(NamedTuple):
    """How an instance is made."""

    dotted: str
    cls: type[StorageModule]
    arguments: Mapping[str, Any]

    def __call__(self) -> StorageModule:
        return self.cls(**self.arguments)

    def directories(self) -> list[str]:
        """Return the arguments that name a directory."""
        return [value for value in self.arguments.values() if isinstance(value, str) and os.path.isdir(value)]


class Target:
    """A module and those that it stands on. All instances of one stand on one storage.

    :raises CannotRunError: a class does not import, or refuses its arguments.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        sys.path.insert(0, os.getcwd())  # as "python -m" has it: a vendor works beside the package
        if options.egg is not None:
            if not options.egg.is_file():
                raise CannotRunError(f"--egg: there is no file {options.egg}")
            sys.path.insert(0, str(options.egg.resolve()))
        self._others = dict(_other(text) for text in options.others)
        self._instances: dict[str, StorageModule] = {}
        self.make = Maker(options.module, _load(options.module), pairs(options.arguments, _value))
        for each in (self.make, *self._others.values()):
            _try(each)

    def get_module(self, name: str) -> StorageModule:
        """Return the module that was given as ``name``: what a host offers by ``getModule``."""
        if name not in self._others:
            raise LookupError(f"no module is configured as {name!r}: see --with")
        if name not in self._instances:
            self._instances[name] = self._others[name]()
        return self._instances[name]

    def directories(self) -> list[str]:
        """Return the arguments that name a directory, the module's own first."""
        return [directory for each in (self.make, *self._others.values()) for directory in each.directories()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name the module."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
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
    parser.add_argument("--quick", action="store_true", help="smaller objects and fewer rounds")


def bar(done: int, total: int, name: str) -> None:
    """Draw how far it is on standard error."""
    width = 30
    full = width * done // total
    text = f"[{'#' * full}{' ' * (width - full)}] {done}/{total} {name.removeprefix('test_').replace('_', ' ')}"
    end = "\r" if done + 1 < total else "\r\033[K"
    print(f"\r\033[K{text[:100]}", end=end, file=sys.stderr, flush=True)


def pairs(texts: Sequence[str], read: Callable[[str], Any]) -> dict[str, Any]:
    """Return texts of the form NAME=VALUE as a dictionary.

    :raises CannotRunError: one is none.
    """
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise CannotRunError(f"{text}: not NAME=VALUE")
    return {text.partition("=")[0]: read(text.partition("=")[2]) for text in texts}


def _load(dotted: str) -> type[StorageModule]:
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


def _try(made: Maker) -> None:
    """Configure the module as an administrator does, to see that there is anything to check.

    :raises CannotRunError: the module refuses its arguments.
    """
    try:
        made.cls.prepare(**made.arguments)
        made()
    except Exception as error:  # a vendor's constructor may raise anything
        raise CannotRunError(f"{made.dotted}: refuses its arguments: {_reason(error)}") from error


def _other(text: str) -> tuple[str, Maker]:
    name, _, rest = text.partition("=")
    dotted, _, arguments = rest.partition(":")
    if not name or not dotted:
        raise CannotRunError(f"--with {text}: not NAME=pkg.mod.Class:NAME=VALUE,...")
    given = [pair for pair in arguments.split(",") if pair]
    return name, Maker(dotted, _load(dotted), pairs(given, _value))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
