"""Saboteurs of available, delete and get_size."""

import os
from typing import Any

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.saboteurs.registry import killed_by
from modules import Context

__all__: list[str] = []


@killed_by("test_what_is_whole_is_available")
class AnswersWithASize(MemoryStorage):
    """Answers with something that is true, rather than True; an empty object is not."""

    def available(self, context: Context, module_data: str) -> bool:
        return len(self.objects.get(self.check(module_data), b""))  # type: ignore[return-value]


@killed_by("test_what_is_absent_is_not_available")
class AlwaysAvailable(MemoryStorage):
    """Says that everything is here, so that no copy is ever made."""

    def available(self, context: Context, module_data: str) -> bool:
        return bool(self.check(module_data))


@killed_by("test_a_storage_out_of_reach_is_not_an_absent_object")
class TakesUnreachableForAbsent(DirectoryStorage):
    """Says of everything that it is absent when the disk is not mounted (minio, xbvr, ownCloud)."""

    def available(self, context: Context, module_data: str) -> bool:
        return os.path.exists(self.path(module_data))


@killed_by("test_asking_changes_nothing")
class NotesWhoAsked(DirectoryStorage):
    """Writes the time of the last access, so that reading needs space."""

    def get_size(self, context: Context, module_data: str) -> int:
        size = super().get_size(context, module_data)
        with open(os.path.join(self.directory, "accessed"), "wb"):
            return size


@killed_by("test_no_data_is_left")
class DeletesNothing(MemoryStorage):
    """Leaves deleting to a garbage collection that never comes."""

    def delete(self, context: Context, module_data: str) -> None:
        self.check(module_data)


@killed_by("test_no_file_is_left")
class MovesToTheTrash(DirectoryStorage):
    """Keeps what was deleted, and its space."""

    def delete(self, context: Context, module_data: str) -> None:
        path = self.path(module_data)
        if os.path.exists(path):
            os.rename(path, f"{path}.deleted")


@killed_by("test_other_objects_stay")
class DeletesByPrefix(MemoryStorage):
    """Deletes whatever has a name that begins alike, with a prefix that came out empty."""

    def delete(self, context: Context, module_data: str) -> None:
        prefix = self.check(module_data)[:0]
        self.objects = {name: data for name, data in self.objects.items() if not name.startswith(prefix)}


@killed_by("test_deleting_what_is_absent_is_no_error")
class FailsToDeleteTwice(DirectoryStorage):
    """Raises when the object is gone already (glance_store, fsspec, obstore, mailbox)."""

    def delete(self, context: Context, module_data: str) -> None:
        os.unlink(self.path(module_data))


@killed_by("test_deleting_needs_no_space")
class WritesATombstone(DirectoryStorage):
    """Writes before it deletes, and so cannot delete when the disk is full (minio)."""

    def delete(self, context: Context, module_data: str) -> None:
        with open(f"{self.path(module_data)}.tombstone", "wb") as file:
            file.write(b"deleted")
        super().delete(context, module_data)


@killed_by("test_the_size_is_what_a_read_gives")
class RoundsTheSize(MemoryStorage):
    """Tells the space that an object takes, in whole blocks."""

    def get_size(self, context: Context, module_data: str) -> int:
        return -(-super().get_size(context, module_data) // 512) * 512


@killed_by("test_the_size_is_of_the_data_as_it_now_is")
class CachesSizes(MemoryStorage):
    """Keeps the size that it told first."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.sizes: dict[str, int] = {}

    def get_size(self, context: Context, module_data: str) -> int:
        size = super().get_size(context, module_data)
        return self.sizes.setdefault(module_data, size)


@killed_by("test_the_size_is_told_without_reading")
class ReadsToCount(DirectoryStorage):
    """Reads an object to its end to learn its size."""

    def get_size(self, context: Context, module_data: str) -> int:
        with open(self.path(module_data), "rb") as file:
            return sum(len(block) for block in iter(lambda: file.read(65536), b""))


@killed_by("test_what_is_absent_has_no_size")
class TakesAbsentForEmpty(MemoryStorage):
    """Says 0 where there is nothing."""

    def get_size(self, context: Context, module_data: str) -> int:
        return len(self.objects.get(self.check(module_data), b""))
