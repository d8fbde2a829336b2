"""docs/contract.md, made from the docstrings of ``modules``: ``python -m tests.contract_page`` writes it anew."""

import inspect
import re
import sys

import modules
from modules import ReadStream, Source, StorageModule
from tests.test_rooms import ROOT

__all__ = ["PAGE", "page"]

PAGE = ROOT / "docs/contract.md"
_METHODS = ("new_data", "assign", "available", "get_read_stream", "delete", "get_size", "statistics")
_OPTIONAL = (StorageModule.copy_data, StorageModule.stands_on, StorageModule.upkeep)


def page() -> str:
    """Return the text of the page."""
    parts = ["# The contract\n", "Made from the docstrings of `modules`, which are what holds.\n"]
    parts.append(_markdown(inspect.getdoc(modules) or ""))
    parts.append("## The constructor\n")
    parts.append(_member(StorageModule.__init__, "StorageModule(**kwargs)"))
    parts.append("## Before the first\n")
    parts.append(_member(StorageModule.prepare.__func__, "StorageModule.prepare(**kwargs)"))  # type: ignore[attr-defined]
    parts.append("## The seven methods\n")
    for name in _METHODS:
        parts.append(_member(getattr(StorageModule, name)))
    parts.append("## What may be left out\n")
    parts += [_member(method) for method in _OPTIONAL]
    for cls in (Source, ReadStream):
        parts.append(f"## {cls.__name__}\n")
        parts.append(_markdown(inspect.getdoc(cls) or ""))
        for name, method in vars(cls).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                parts.append(_member(method))
    return "\n".join(parts)


def _member(function: object, title: str = "") -> str:
    title = title or _signature(function)
    return f"### `{title}`\n\n{_markdown(inspect.getdoc(function) or '')}"


def _signature(function: object) -> str:
    assert inspect.isfunction(function)
    names = [str(p).partition(":")[0] for p in inspect.signature(function).parameters.values() if p.name != "self"]
    defaults = {"size": "size=-1", "whence": "whence=0"}
    return f"{function.__name__}({', '.join(defaults.get(name, name) for name in names)})"


def _markdown(text: str) -> str:
    """Turn the docstrings' few means of reStructuredText into Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    # A line with an indented text below it is a term and what is said of it.
    text = re.sub(r"^(\S.*)\n((?: {4}.*\n|\n)+)", _definition, text + "\n", flags=re.MULTILINE)
    text = re.sub(r"^=+ +=+\n(.*?)\n=+ +=+$", _table, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"::\n\n((?: {4}.*\n)+)", _code, text)
    text = re.sub(r"^:param (\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^:returns: ", "- returns ", text, flags=re.MULTILINE)
    text = re.sub(r"^:raises (\w+): ", r"- raises `\1`: ", text, flags=re.MULTILINE)
    return text.strip("\n") + "\n"


def _code(match: re.Match[str]) -> str:
    return f":\n\n```python\n{inspect.cleandoc(match[1])}\n```\n"


def _table(match: re.Match[str]) -> str:
    rows = [re.split(r" {2,}", row.strip(), maxsplit=1) for row in match[1].splitlines()]
    lines = ["| error | means |", "|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _definition(match: re.Match[str]) -> str:
    if not match[2].strip() or match[1].endswith("::"):
        return match[0]
    return f"## {match[1]}\n\n{inspect.cleandoc(match[2])}\n\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}", file=sys.stderr)
