"""Programs that the tests run, and what else they need: is it there?"""

import os
import re
import shutil
import socket
import unittest
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["filled", "find", "free_port", "needs"]

_Tests = TypeVar("_Tests", bound=Callable[..., object])

#: Debian keeps servers where the path of an ordinary user does not lead.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def find(program: str) -> str | None:
    """Return the path of a program, or None where it is not installed."""
    return shutil.which(program, path=_PATH)


def needs(*programs: str, more: Mapping[str, bool] | None = None) -> Callable[[_Tests], _Tests]:
    """Return a decorator that skips tests where a program is missing.

    With REQUIRE_SERVERS=1 in the environment it does not: then they run, and fail. nose calls setUpClass of a class
    that is skipped, too: start the program in setUp.

    :param programs: what has to be installed.
    :param more: other things that have to be there, by name, and whether they are.
    """
    there = {program: find(program) is not None for program in programs} | dict(more or {})
    missing = ", ".join(name for name in there if not there[name])
    required = os.environ.get("REQUIRE_SERVERS") == "1"
    return unittest.skipIf(bool(missing) and not required, f"not installed: {missing}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return an example's text with other values in it; each of those that are replaced has to be there."""
    for old in values:
        if old not in text:
            raise AssertionError(f"{old} is not in {text}")
    longest_first = sorted(values, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: values[found[0]], text)
