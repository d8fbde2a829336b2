"""Saboteurs of stands_on and upkeep."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.saboteurs.registry import killed_by
from modules import Context

__all__: list[str] = []


@killed_by("test_every_module_that_it_gets_is_named")
class AsksForMoreThanItNames(MemoryStorage):
    """Looks for a spare module that nobody was told of."""

    def get_size(self, context: Context, module_data: str) -> int:
        with suppress(LookupError):
            context["func"]["getModule"]("spare")
        return super().get_size(context, module_data)


@killed_by("test_names_come_in_a_list")
class NamesOneWithoutAList(MemoryStorage):
    """Returns the name itself, of which a host makes a list of letters."""

    def stands_on(self, context: Context) -> Sequence[str]:
        return "local"


@killed_by("test_upkeep_changes_no_object")
class DeletesWhatIsNotNamed(MemoryStorage):
    """Takes everything that the host does not name for garbage."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        wanted = set(kept)
        for name in [name for name in self.objects if name not in wanted]:
            del self.objects[name]
        return {}


@killed_by("test_upkeep_changes_no_object")
class PacksWhatItKeeps(MemoryStorage):
    """Takes zeros at the end of objects for what a disk adds, and cuts them off."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        for name in kept:
            self.objects[name] = self.objects[name].rstrip(b"\0")
        return {}


@killed_by("test_what_is_stored_during_upkeep_stays")
class SweepsWhatCameMeanwhile(MemoryStorage):
    """Notes what there is, spares all of it and what it is told of, and deletes the rest."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        spared = {*self.objects} | {*kept}
        for name in [name for name in self.objects if name not in spared]:
            del self.objects[name]
        return {}


@killed_by("test_upkeep_leaves_uploads_alone")
class SweepsUnfinishedFiles(DirectoryStorage):
    """Takes each file that has no object's name for what a dead writer left."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        for name in os.listdir(self.directory):
            if "." in name:
                os.unlink(os.path.join(self.directory, name))
        return {}


@killed_by("test_upkeep_goes_on_after_an_object_that_is_gone")
class StopsAtTheFirstThatIsGone(MemoryStorage):
    """Looks at what is kept, until something is not."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        return {"bytes": sum(len(self.find(name)) for name in kept)}


@killed_by("test_upkeep_goes_on_after_an_object_that_is_gone")
class GivesUpInSilence(MemoryStorage):
    """Looks at what is kept, and says that all is well when something is not."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        with suppress(FileNotFoundError):
            for name in kept:
                self.find(name)
        return {"wrong": 0}


@killed_by("test_upkeep_is_told_in_json")
class TellsASet(MemoryStorage):
    """Returns what it looked at, in a form that no host can show."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        return {"looked at": {*kept}}


@killed_by("test_upkeep_by_two_processes_at_once")
class IsAloneOrFails(DirectoryStorage):
    """Makes a file while it is at work, and fails where it finds one."""

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        path = os.path.join(self.directory, "upkeep")
        with open(path, "x"):
            count = len(list(kept))
        os.unlink(path)
        return {"count": count}
