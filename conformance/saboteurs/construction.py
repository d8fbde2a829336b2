"""Saboteurs of the constructor and of the context."""

import os
import threading
import weakref
from typing import Any

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.saboteurs.registry import killed_by
from modules import Context

__all__: list[str] = []


@killed_by("test_unknown_arguments_are_refused")
class IgnoresUnknownArguments(DirectoryStorage):
    """Takes a mistyped argument for none, and works with a default."""

    def __init__(self, directory: str = "/tmp", **unknown: Any) -> None:  # noqa: S108
        super().__init__(directory)


@killed_by("test_stored_data_is_left_as_it_is")
class SweepsAtStart(DirectoryStorage):
    """Clears temporary files when it starts, and takes everything for one."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        for name in os.listdir(self.directory):
            self.give_up(os.path.join(self.directory, name))


@killed_by("test_no_thread_is_started")
class StartsAThread(MemoryStorage):
    """Has a thread for housekeeping, which a server that forks its workers loses (gcsfs, s3fs)."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        end = threading.Event()
        threading.Thread(target=end.wait, daemon=True).start()
        weakref.finalize(self, end.set)


@killed_by("test_unknown_entries_are_ignored")
class RefusesAnUnknownContext(MemoryStorage):
    """Works with the host that its author had, and with none that offers more."""

    def new_data(self, context: Context) -> str:
        if context["func"].keys() != {"getModule"}:
            raise ValueError("context: what is this?")
        return super().new_data(context)


@killed_by("test_nothing_of_the_context_is_kept")
class KeepsTheContext(MemoryStorage):
    """Keeps the context of its first call, and all that hangs on it."""

    context: Context | None = None

    def new_data(self, context: Context) -> str:
        self.context = self.context or context
        return super().new_data(context)
