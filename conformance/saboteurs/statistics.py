"""Saboteurs of statistics."""

import os
from typing import Any

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.saboteurs.registry import killed_by
from modules import Context, Source

__all__: list[str] = []


@killed_by("test_statistics_are_ready_for_json")
class TellsASet(MemoryStorage):
    """Adds a value that is no JSON."""

    def statistics(self, context: Context) -> dict[str, Any]:
        return {**super().statistics(context), "servers": {"one", "two"}}


@killed_by("test_capacity_is_in_whole_bytes")
class TellsStrings(MemoryStorage):
    """Tells its capacity to people, not to programs."""

    def statistics(self, context: Context) -> dict[str, Any]:
        return {"capacity": {"total": "10 GB", "free": "4 GB", "used": "6 GB"}}


@killed_by("test_capacity_is_in_whole_bytes")
class TellsNone(MemoryStorage):
    """Says None, not -1, of what it does not know."""

    def statistics(self, context: Context) -> dict[str, Any]:
        return {"capacity": {"total": None, "free": None, "used": 0}}


@killed_by("test_free_and_used_are_no_more_than_the_total")
class MixesUpFreeAndTotal(DirectoryStorage):
    """Has two of the figures in each other's place."""

    def statistics(self, context: Context) -> dict[str, Any]:
        capacity = super().statistics(context)["capacity"]
        return {"capacity": {**capacity, "free": capacity["total"], "total": capacity["free"]}}


@killed_by("test_used_follows_what_is_stored_and_deleted")
class ForgetsToSubtract(MemoryStorage):
    """Keeps a count of its own, which deletes do not lower."""

    used = 0

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.used += len(self.objects[module_data])

    def statistics(self, context: Context) -> dict[str, Any]:
        return {"capacity": {"total": -1, "free": -1, "used": self.used}}


@killed_by("test_statistics_take_no_longer_with_more_objects")
class WalksForItsStatistics(DirectoryStorage):
    """Looks at every file to add up their sizes (storj)."""

    def statistics(self, context: Context) -> dict[str, Any]:
        used = 0
        for entry in os.scandir(self.directory):
            used += entry.stat().st_size
        return {**super().statistics(context), "objects": used}
