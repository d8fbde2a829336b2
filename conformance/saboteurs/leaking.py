"""Saboteurs that hold what they should give back."""

import os
import threading
import uuid
import weakref
from typing import Any, BinaryIO

from conformance.saboteurs.correct import BLOCK, DirectoryStorage, MemoryStorage, MemoryStream
from conformance.saboteurs.registry import killed_by
from modules import Context, ReadStream, Source

__all__: list[str] = []


class _Leaking(DirectoryStorage):
    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        leaked: list[int] = []
        self.leaked = leaked
        weakref.finalize(self, _close_all, leaked)

    def leak(self) -> None:
        """Open the directory, and do not close it."""
        self.leaked.append(os.open(self.directory, os.O_RDONLY))


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@killed_by("test_descriptors_are_closed")
class LeaksADescriptor(_Leaking):
    """Opens the directory before it looks for the file, and does not close it when there is none."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        try:
            return super().get_read_stream(context, module_data)
        except FileNotFoundError:
            self.leak()
            raise


@killed_by("test_descriptors_are_closed")
class LeaksASource(_Leaking):
    """Opens the directory to look for what it is to copy, and does not close it when that is not there."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        try:
            return super().copy_data(context, module_data, source)
        except FileNotFoundError:
            self.leak()
            raise


@killed_by("test_threads_end")
class LeavesAThread(MemoryStorage):
    """Starts a thread for each upload, which waits for the next one."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.end = threading.Event()
        weakref.finalize(self, self.end.set)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        threading.Thread(target=self.end.wait, daemon=True).start()


@killed_by("test_files_go")
class LeavesProbes(DirectoryStorage):
    """Tries whether its disk can be written, and leaves what it wrote."""

    def statistics(self, context: Context) -> dict[str, Any]:
        with open(os.path.join(self.directory, f"probe-{uuid.uuid4().hex}"), "wb"):
            return super().statistics(context)


@killed_by("test_memory_is_given_back")
class RemembersEverything(MemoryStorage):
    """Has a cache without a bound."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.cache: dict[str, bytes] = {}

    def find(self, module_data: str) -> bytes:
        data = super().find(module_data)
        self.cache[module_data] = data * 10
        return data


@killed_by("test_memory_does_not_grow_with_the_object")
class HoldsTheObject(DirectoryStorage):
    """Reads the source in blocks, and collects them all before it writes (box, uploadserver)."""

    def copy(self, stream: Source, file: BinaryIO) -> None:
        file.write(b"".join(iter(lambda: stream.read(BLOCK), b"")))


@killed_by("test_memory_does_not_grow_with_the_object")
class HoldsTheCopy(DirectoryStorage):
    """Reads an object whole before it writes the copy."""

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(self.path(source), "rb") as original:
            self.assign(context, module_data, MemoryStream(original.read()))
        return True


@killed_by("test_memory_does_not_grow_with_the_object")
class ReadsTheObjectToOpenIt(DirectoryStorage):
    """Reads an object whole before it gives the first byte of it."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        stream = super().get_read_stream(context, module_data)
        data = stream.read()
        stream.seek(0)
        del data
        return stream
