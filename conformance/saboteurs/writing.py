"""Saboteurs of assign."""

import os
import time
from contextlib import suppress
from typing import Any, BinaryIO

from conformance.saboteurs.correct import BLOCK, DirectoryStorage, MemoryStorage
from conformance.saboteurs.registry import killed_by
from modules import Context, Source

__all__: list[str] = []

_MEBIBYTE = 1024 * 1024


class _Changes(MemoryStorage):
    def change(self, data: bytes) -> bytes:
        """Return what is kept instead of ``data``."""
        raise NotImplementedError

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.objects[module_data] = self.change(self.objects[module_data])


@killed_by("test_objects_of_every_size_are_kept")
class TruncatesAtOneMebibyte(_Changes):
    """Keeps the first of its blocks, and no more."""

    def change(self, data: bytes) -> bytes:
        return data[:_MEBIBYTE]


@killed_by("test_objects_of_every_size_are_kept")
class FlipsAByte(_Changes):
    """Spoils one byte where two blocks meet."""

    def change(self, data: bytes) -> bytes:
        return data if len(data) <= BLOCK else data[:BLOCK] + bytes([data[BLOCK] ^ 1]) + data[BLOCK + 1 :]


@killed_by("test_objects_of_every_size_are_kept")
class WritesText(_Changes):
    """Opens its file in text mode, which changes the ends of lines."""

    def change(self, data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\n")


@killed_by("test_an_empty_object_is_an_object")
class TakesEmptyForAbsent(MemoryStorage):
    """Asks `if data`."""

    def available(self, context: Context, module_data: str) -> bool:
        return bool(self.objects.get(self.check(module_data)))


@killed_by("test_a_large_object_is_kept")
class LosesTheLastPart(DirectoryStorage):
    """Uploads in parts, and forgets the last, incomplete one."""

    def publish(self, temporary: str, path: str) -> None:
        size = os.path.getsize(temporary)
        if size > 4 * _MEBIBYTE:
            os.truncate(temporary, size - size % _MEBIBYTE)
        super().publish(temporary, path)


@killed_by("test_short_reads_are_not_the_end")
class TakesAShortReadForTheEnd(DirectoryStorage):
    """Stops at the first read that gives less than asked for (minimalkv, simplekv, boto3)."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        size = BLOCK
        while size == BLOCK:
            size = file.write(stream.read(BLOCK))


@killed_by("test_one_byte_at_a_time_is_not_the_end")
class GivesUpAfterManyReads(DirectoryStorage):
    """Guards against an endless source by a count of reads."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        for _ in range(2000):
            file.write(stream.read(BLOCK))


@killed_by("test_the_source_is_read_with_a_size")
class ReadsAllAtOnce(DirectoryStorage):
    """Asks for everything at once, and so holds it (borgstore, wal-e)."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        file.write(stream.read())


@killed_by("test_the_source_is_not_closed")
class ClosesTheSource(DirectoryStorage):
    """Closes what it was only lent (boto3's upload_fileobj)."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        super().copy(stream, file)
        if hasattr(stream, "close"):
            stream.close()


@killed_by("test_the_source_is_not_touched_after_the_return")
class ReadsOnAfterwards(MemoryStorage):
    """Looks at the source once more when the object is used."""

    last: Source | None = None

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.last = stream

    def get_size(self, context: Context, module_data: str) -> int:
        if self.last is not None:
            self.last.read(1)
        return super().get_size(context, module_data)


@killed_by("test_the_data_is_available_on_return")
class AppearsLater(MemoryStorage):
    """Is consistent in the end, as object stores were for years."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.times: dict[str, float] = {}

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.times[module_data] = time.monotonic()

    def available(self, context: Context, module_data: str) -> bool:
        return super().available(context, module_data) and time.monotonic() > self.times[module_data] + 0.05


@killed_by("test_new_data_takes_the_place_of_the_old")
class KeepsTheFirst(DirectoryStorage):
    """Takes an object that is there for one that it has (Duplicate, in glance_store)."""

    def publish(self, temporary: str, path: str) -> None:
        with suppress(FileExistsError):
            os.link(temporary, path)
        os.unlink(temporary)


@killed_by("test_new_data_takes_the_place_of_the_old")
class LeavesTheTail(_Changes):
    """Writes over the old data, and leaves what was longer."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.old = self.objects.get(module_data, b"")
        super().assign(context, module_data, stream)

    def change(self, data: bytes) -> bytes:
        return data + self.old[len(data) :]


@killed_by("test_other_objects_stay_as_they_are")
class KeepsOnlyTheLast(MemoryStorage):
    """Writes every object to the same place."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.objects = {module_data: self.objects[module_data]}


@killed_by("test_nothing_is_visible_before_it_is_whole", "test_a_killed_writer_leaves_the_object_absent")
class WritesInPlace(DirectoryStorage):
    """Writes under the final name (fsspec, Django, opendal, minimalkv)."""

    def temporary(self, path: str) -> str:
        return path

    def publish(self, temporary: str, path: str) -> None:
        self.sync()


@killed_by("test_the_old_is_visible_until_the_new_is_whole")
class DeletesBeforeItWrites(DirectoryStorage):
    """Deletes the old data, and then writes the new (filedepot)."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.delete(context, module_data)
        super().assign(context, module_data, stream)


@killed_by("test_what_the_source_raises_goes_out_unchanged")
class WrapsErrors(MemoryStorage):
    """Makes every error one of its own, so that the host blames the storage for the client."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.check(module_data)
        try:
            super().assign(context, module_data, stream)
        except Exception as error:
            raise OSError(f"upload failed: {error}") from error


@killed_by("test_a_source_that_dies_leaves_no_data")
class CommitsWhatItGot(DirectoryStorage):
    """Makes the object of what came before the error (opendal commits in __exit__)."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        try:
            super().copy(stream, file)
        except Exception:
            file.flush()
            self.publish(file.name, file.name.rpartition(".")[0])
            raise


@killed_by("test_a_source_that_dies_leaves_no_data", "test_what_the_source_raises_goes_out_unchanged")
class TakesAnErrorForTheEnd(DirectoryStorage):
    """Stores what came before the error, and reports success (minimalkv, simplekv)."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        with suppress(Exception):
            super().copy(stream, file)


@killed_by("test_a_source_that_dies_leaves_no_file")
class LeavesItsTemporaryFile(DirectoryStorage):
    """Leaves its temporary file when an upload breaks (go-cloud, neofs-node, filedepot)."""

    def give_up(self, temporary: str) -> None:
        if len(os.path.basename(temporary)) == 32:
            super().give_up(temporary)


@killed_by("test_a_source_that_dies_leaves_no_file")
class CleansUpAfterExceptionsAlone(DirectoryStorage):
    """Cleans up in `except Exception`, and not when the process is told to stop."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        path = self.path(module_data)
        temporary = self.temporary(path)
        try:
            self.write(stream, temporary)
            self.publish(temporary, path)
        except Exception:
            self.give_up(temporary)
            raise


@killed_by("test_a_failed_assign_leaves_the_old")
class CleansUpTheOld(DirectoryStorage):
    """Cleans up after an upload that broke, the old data too."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        try:
            super().assign(context, module_data, stream)
        except Exception:
            self.delete(context, module_data)
            raise


@killed_by("test_assign_works_after_a_failed_one")
class StaysBusy(MemoryStorage):
    """Notes that an upload is under way, and does not take the note back when it breaks."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.busy: set[str] = set()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        if module_data in self.busy:
            raise OSError("an upload of this object is under way")
        self.busy.add(module_data)
        super().assign(context, module_data, stream)
        self.busy.remove(module_data)


@killed_by("test_what_cannot_be_written_is_an_error")
class SwallowsWriteErrors(DirectoryStorage):
    """Goes on when the disk is full, and keeps what fitted (seaweedfs' empty files)."""

    def write(self, stream: Source, path: str) -> None:
        with suppress(OSError), open(path, "wb", buffering=0) as file:
            while block := stream.read(BLOCK):
                file.write(block)


@killed_by("test_a_module_agrees_with_a_dictionary")
class RevivesTheOld(MemoryStorage):
    """Puts a backup back when an upload breaks, though the object was deleted since."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.backups: dict[str, bytes] = {}

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        try:
            super().assign(context, module_data, stream)
        except Exception:
            if module_data in self.backups:
                self.objects[module_data] = self.backups[module_data]
            raise
        self.backups[module_data] = self.objects[module_data]
