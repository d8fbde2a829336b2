"""Saboteurs of copy_data."""

import os
import time
from contextlib import suppress
from typing import Any

from conformance.saboteurs.correct import BLOCK, DirectoryStorage, MemoryStorage, MemoryStream
from conformance.saboteurs.registry import killed_by
from modules import Context

__all__: list[str] = []

_PIECE = 4 * 1024 * 1024


@killed_by("test_a_copy_is_what_its_source_was")
class CopiesOnePiece(DirectoryStorage):
    """Takes what one call of the kernel copied for all."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(self.path(source), "rb") as original:
            self.assign(context, module_data, MemoryStream(original.read(BLOCK)))
        return True


@killed_by("test_a_copy_is_what_its_source_was")
class MovesInsteadOfCopying(MemoryStorage):
    """Gives the data another name, which costs even less."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        super().copy_data(context, module_data, source)
        del self.objects[source]
        return True


@killed_by("test_a_large_object_is_copied")
class LosesTheLastPiece(DirectoryStorage):
    """Copies large objects in pieces, and forgets the last, incomplete one."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        super().copy_data(context, module_data, source)
        size = self.get_size(context, source)
        if size > _PIECE:
            os.truncate(self.path(module_data), size - size % _PIECE)
        return True


@killed_by("test_a_copy_and_its_source_are_independent")
class RefersToItsSource(MemoryStorage):
    """Notes of what it is a copy, and looks there."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.sources: dict[str, str] = {}

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        super().copy_data(context, module_data, source)
        self.sources[module_data] = source
        return True

    def find(self, module_data: str) -> bytes:
        return super().find(self.sources.get(module_data, module_data))


@killed_by("test_a_copy_and_its_source_are_independent")
class LinksAndWritesInPlace(DirectoryStorage):
    """Makes a second link to the one file, and writes new data into it."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        temporary = self.temporary(self.path(module_data))
        os.link(self.path(source), temporary)
        super().publish(temporary, self.path(module_data))
        return True

    def publish(self, temporary: str, path: str) -> None:
        if not os.path.exists(path):
            return super().publish(temporary, path)
        with open(temporary, "rb") as new, open(path, "wb") as file:
            self.copy(new, file)
        os.unlink(temporary)


@killed_by("test_what_is_not_copied_leaves_nothing")
class LeavesWhatItGaveUp(DirectoryStorage):
    """Finds out in the middle that it cannot, and leaves the half that it has."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(self.path(source), "rb") as original, open(self.temporary(self.path(module_data)), "wb") as file:
            file.write(original.read(BLOCK))
        return False


@killed_by("test_what_is_not_copied_leaves_nothing")
class MakesRoomBeforeItLooks(DirectoryStorage):
    """Makes its file, and finds then that there is nothing to copy."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        temporary = self.temporary(self.path(module_data))
        with open(temporary, "wb"), open(self.path(source), "rb") as original:
            self.assign(context, module_data, original)
        os.unlink(temporary)
        return True


@killed_by("test_what_is_not_copied_leaves_nothing")
class AnswersNothing(MemoryStorage):
    """Copies, and forgets to say so."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        super().copy_data(context, module_data, source)
        return None  # type: ignore[return-value]


@killed_by("test_what_is_absent_is_not_copied")
class CopiesNothingAsEmpty(MemoryStorage):
    """Makes an empty object of one that is not there."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        self.objects[self.check(module_data)] = self.objects.get(self.check(source), b"")
        return True


@killed_by("test_a_copy_made_again_takes_the_place_of_the_first")
class KeepsTheFirstCopy(MemoryStorage):
    """Takes a copy that is there for the one that it is asked for."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        return module_data in self.objects or super().copy_data(context, module_data, source)


@killed_by("test_the_source_may_change_while_it_is_copied")
class OpensItsSourceTwice(DirectoryStorage):
    """Copies in pieces, and opens its source by its name for each."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(self.path(source), "rb") as original:
            data = original.read(20_000)
        time.sleep(0.005)  # where the other thread comes in
        with open(self.path(source), "rb") as original:
            original.seek(len(data))
            data += original.read()
        self.assign(context, module_data, MemoryStream(data))
        return True


@killed_by("test_the_source_may_be_deleted_while_it_is_copied")
class TakesAVanishedSourceForItsEnd(DirectoryStorage):
    """Makes the copy of what it has when its source is gone."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(self.path(source), "rb") as original:
            data = original.read(20_000)
        time.sleep(0.05)  # where the other thread comes in
        with suppress(FileNotFoundError), open(self.path(source), "rb") as original:
            original.seek(len(data))
            data += original.read()
        self.assign(context, module_data, MemoryStream(data))
        return True


@killed_by("test_a_copy_survives_a_crash")
class CopiesBehind(DirectoryStorage):
    """Returns while the copy is in its own memory alone, and makes it when it is used."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        self.pending: dict[str, str] = {}

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        self.get_size(context, source)
        self.pending[self.check(module_data)] = source
        return True

    def path(self, module_data: str) -> str:
        source = self.pending.pop(module_data, None)
        if source is not None:
            super().copy_data({}, module_data, source)
        return super().path(module_data)


@killed_by("test_a_copy_that_cannot_be_written_is_an_error")
class SwallowsErrorsOfCopies(DirectoryStorage):
    """Keeps of a copy what fitted on the disk."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        path = self.path(module_data)
        with open(self.path(source), "rb") as original, suppress(OSError), open(path, "wb", buffering=0) as file:
            self.copy(original, file)
        return True


@killed_by("test_copy_data_refuses_what_it_never_made", "test_nothing_outside_the_storage_is_touched")
class CopiesFromAnywhere(DirectoryStorage):
    """Takes the source as a path, for only what it made comes back."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(os.path.join(self.directory, source), "rb") as original:
            self.assign(context, module_data, original)
        return True
