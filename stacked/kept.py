"""What an upkeep is given, for a module that stands on several: each of those gets what is its own, in one pass."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from modules import StorageModule
from stacked.store import Inner

__all__ = ["Spool", "has_upkeep"]


def has_upkeep(inner: Inner) -> bool:
    """Tell whether a module does anything when it is asked for upkeep."""
    return type(inner.module).upkeep is not StorageModule.upkeep


class Spool:
    """Lines of text in a temporary file, which may be read as often as is needed.

    What ``kept`` gives can be read once, and may be more than memory holds.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 (closed at the exit)

    def through(self, texts: Iterable[str]) -> Iterator[str]:
        """Return ``texts``, and keep each on the way. None of them holds the end of a line: JSON has none."""
        for text in texts:
            self._file.write(f"{text}\n")
            yield text

    def read(self, change: Callable[[str], str | None]) -> Iterator[str]:
        """Return what ``change`` makes of each text that was kept; nothing where it returns None."""
        self._file.seek(0)
        for line in self._file:
            text = change(line[:-1])
            if text is not None:
                yield text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: Any) -> None:
        self._file.close()
