"""Saboteurs of threads, processes and crashes."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage, MemoryStream
from conformance.saboteurs.registry import killed_by
from modules import Context, ReadStream, Source

__all__: list[str] = []


@killed_by("test_threads_on_objects_of_their_own")
class NotesTheCurrentObject(MemoryStorage):
    """Keeps in the instance what belongs to the call."""

    current = ""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.current = self.check(module_data)
        data = b"".join(iter(lambda: stream.read(65536), b""))
        time.sleep(0.001)  # where another thread comes in
        self.objects[self.current] = data


@killed_by("test_a_slow_upload_holds_up_nobody")
class LocksWhileItReads(MemoryStorage):
    """Holds its one lock while the client's bytes trickle in."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.lock = threading.RLock()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        with self.lock:
            super().assign(context, module_data, stream)

    def find(self, module_data: str) -> bytes:
        with self.lock:
            return super().find(module_data)


@killed_by("test_of_several_assigns_at_once_one_wins")
class SharesATemporaryName(DirectoryStorage):
    """Writes every upload of an object to the same temporary file."""

    def temporary(self, path: str) -> str:
        return f"{path}.tmp"


@killed_by("test_of_assigns_by_two_processes_one_wins")
class NamesByThread(DirectoryStorage):
    """Tells its temporary files apart by thread, which forked processes have alike."""

    def temporary(self, path: str) -> str:
        return f"{path}.{threading.get_ident()}"


@killed_by("test_readers_see_the_old_or_the_new")
class UnlinksBeforeItRenames(DirectoryStorage):
    """Removes the old before it renames the new: for a moment there is neither."""

    def publish(self, temporary: str, path: str) -> None:
        self.give_up(path)
        time.sleep(0.005)
        super().publish(temporary, path)


@killed_by("test_what_one_instance_does_another_sees")
class CachesAbsence(DirectoryStorage):
    """Remembers what was absent, and does not hear that another process brought it."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        self.absent: set[str] = set()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.absent.discard(module_data)

    def available(self, context: Context, module_data: str) -> bool:
        if module_data not in self.absent and super().available(context, module_data):
            return True
        self.absent.add(module_data)
        return False


@killed_by("test_what_one_process_does_another_sees")
class KeepsAnIndexOfItsOwn(DirectoryStorage):
    """Has an index that all instances of a process share, and other processes do not."""

    index: ClassVar[set[str]] = set()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.index.add(module_data)

    def available(self, context: Context, module_data: str) -> bool:
        return self.check(module_data) in self.index

    def delete(self, context: Context, module_data: str) -> None:
        super().delete(context, module_data)
        self.index.discard(module_data)


@killed_by("test_an_instance_is_used_after_a_fork")
class BelongsToOneProcess(MemoryStorage):
    """Works only in the process that made it, like a connection to a database."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.process = os.getpid()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        if os.getpid() != self.process:
            raise ConnectionError("the connection belongs to another process")
        super().assign(context, module_data, stream)


@killed_by("test_an_instance_is_used_before_and_after_a_fork")
class HangsAfterAFork(MemoryStorage):
    """Waits for threads that its parent process had (obstore, fsspec, gcsfs)."""

    pool: ThreadPoolExecutor | None = None

    def open(self, data: bytes) -> ReadStream:
        if self.pool is None:
            self.pool = ThreadPoolExecutor(1)
        return self.pool.submit(MemoryStream, data).result()


@killed_by("test_what_was_stored_survives_a_crash")
class WritesBehind(DirectoryStorage):
    """Returns while the data is in its own memory alone, and writes it when it is used (s2)."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        self.pending: dict[str, bytes] = {}

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.pending[self.check(module_data)] = b"".join(iter(lambda: stream.read(65536), b""))

    def path(self, module_data: str) -> str:
        data = self.pending.pop(module_data, None)
        if data is not None:
            super().assign({}, module_data, MemoryStream(data))
        return super().path(module_data)


@killed_by("test_what_was_deleted_stays_deleted_after_a_crash")
class DeletesBehind(DirectoryStorage):
    """Returns while the deletion is in its own memory alone (arrow-rs-object-store)."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        self.doomed: set[str] = set()

    def delete(self, context: Context, module_data: str) -> None:
        self.doomed.add(self.check(module_data))

    def path(self, module_data: str) -> str:
        path = super().path(module_data)
        if module_data in self.doomed:
            self.doomed.remove(module_data)
            super().delete({}, module_data)
        return path


@killed_by("test_a_killed_writer_leaves_the_old", "test_a_killed_writer_leaves_the_object_absent")
class HidesWhileItWrites(DirectoryStorage):
    """Writes in place and hides the object meanwhile, but only from its own process."""

    hidden: ClassVar[set[str]] = set()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.hidden.add(module_data)
        super().assign(context, module_data, stream)
        self.hidden.discard(module_data)

    def temporary(self, path: str) -> str:
        return path

    def publish(self, temporary: str, path: str) -> None:
        self.sync()

    def available(self, context: Context, module_data: str) -> bool:
        return module_data not in self.hidden and super().available(context, module_data)


@killed_by("test_nothing_is_left_of_a_killed_writer")
class LeavesWhatWasKilled(DirectoryStorage):
    """Forgets the temporary files of processes that were killed (go-cloud, neofs-node)."""

    def delete(self, context: Context, module_data: str) -> None:
        self.give_up(self.path(module_data))


@killed_by("test_assign_works_after_a_killed_writer")
class LocksByAFile(DirectoryStorage):
    """Locks by a file, which a process that was killed leaves locked for ever."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        lock = f"{self.path(module_data)}.lock"
        with open(lock, "xb"):
            try:
                super().assign(context, module_data, stream)
            finally:
                os.unlink(lock)
