"""``vsm new``: write the project of a new storage module.

The template is the project in ``examples/newstore``: what is written is that, with other names.
"""

import argparse
import os
import re
import sys
import tempfile
from importlib import resources
from keyword import iskeyword
from pathlib import Path

from vsm.errors import CommandError

__all__ = ["FILES", "add_arguments", "class_name", "run"]

#: What is written. A list, so that what a build left in the template is not.
FILES = (
    ".gitignore",
    "README.md",
    "setup.cfg",
    "setup.py",
    "newstore/__init__.py",
    "newstore/newstore.py",
    "tests/__init__.py",
    "tests/test_newstore.py",
)

#: The kit's and the host's own packages, what a build and the tests need, and what setup.py passes over.
_TAKEN = {"bench", "build", "conformance", "coverage", "dist", "docs", "examples", "fsstore", "host", "hypothesis"}
_TAKEN |= {"modules", "nose", "objstore", "setup", "setuptools", "simple", "stacked", "test", "tests", "vsm"}

_NEXT = """\
{name}/ is written; the module is {name}/{name}/{name}.py. Next, in {name}/:
  nosetests                    does it keep the contract?
  python setup.py bdist_egg    its egg, in dist/
  mkdir -p /tmp/try && vsm check {name}.{name}.{cls} directory=/tmp/try
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", help="of the module, its package and its directory")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    name = options.name
    if refusal := _refusal(name):
        print(f"vsm new: {name}: {refusal}", file=sys.stderr)
        return 2
    names = {"NewStorage": class_name(name), "newstore": name}
    try:
        _write(_project(names), Path(name))
    except OSError as error:
        raise CommandError(f"{name}: cannot be written: {error.strerror}") from error
    print(_NEXT.format(name=name, cls=names["NewStorage"]), end="")
    return 0


def class_name(name: str) -> str:
    """Return the name of the class for a module ``name``: ``NewStorage`` for ``newstore``."""
    stem = name.removesuffix("store").strip("_") or name
    return "".join(word[:1].upper() + word[1:] for word in stem.split("_")) + "Storage"


def _refusal(name: str) -> str:
    """Return why ``name`` cannot be had, or nothing."""
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) or iskeyword(name):
        return "no name for a package: letters of ASCII, digits and _, the first a letter, and no keyword"
    if name in sys.stdlib_module_names:
        return "Python has a module of that name, which this one would hide"
    if name in _TAKEN:
        return "the kit needs that name"
    if os.path.lexists(name):
        return "exists already"
    return ""


def _project(names: dict[str, str]) -> dict[str, str]:
    """Return the texts of a project by their paths: the template's, with other names."""
    template = resources.files("vsm") / "template"
    return {_renamed(path, names): _renamed((template / path).read_text("utf-8"), names) for path in FILES}


def _renamed(text: str, names: dict[str, str]) -> str:
    return re.sub("|".join(names), lambda match: names[match[0]], text)


def _write(texts: dict[str, str], target: Path) -> None:
    """Write a project, whole or not at all: it gets its name when it is complete."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target}-") as scratch:
        project = Path(scratch, target)
        for path, text in texts.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text, "utf-8")
        project.rename(target)
