"""Saboteurs of new_data."""

import itertools
import os
import random
import time
from typing import Any

from conformance.saboteurs.correct import DirectoryStorage, MemoryStorage
from conformance.saboteurs.registry import killed_by
from modules import Context, ReadStream, Source

__all__: list[str] = []


@killed_by("test_module_data_is_unique_among_threads")
class CountsWithoutALock(MemoryStorage):
    """Reads a counter and writes it back, while another thread does the same."""

    count = 0

    def make_identity(self) -> str:
        count = self.count
        time.sleep(0.001)  # where the other thread comes in
        self.count = count + 1
        return f"{count:032x}"


@killed_by("test_module_data_is_unique_among_instances")
class CountsFromNought(DirectoryStorage):
    """Counts anew in every instance."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        self.count = itertools.count()

    def make_identity(self) -> str:
        return f"{next(self.count):032x}"


@killed_by("test_module_data_is_unique_after_a_fork")
class SeedsOnce(DirectoryStorage):
    """Has random numbers of its own, which go on alike in all processes that a server forks."""

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        super().__init__(directory, **unknown)
        self.random = random.Random()  # noqa: S311

    def make_identity(self) -> str:
        return f"{self.random.getrandbits(128):032x}"


@killed_by("test_module_data_is_short")
class WritesLongIdentities(MemoryStorage):
    """Puts everything that it knows into module_data, which the host's column cuts off."""

    def make_identity(self) -> str:
        return super().make_identity() + "0" * 5000

    def check(self, module_data: str) -> str:
        return super().check(module_data[:32]) + module_data[32:]


@killed_by("test_the_str_of_module_data_is_enough")
class WritesNoUnicode(MemoryStorage):
    """Puts undecodable bytes of a path into module_data, as os.fsdecode does; no database takes them."""

    def make_identity(self) -> str:
        return super().make_identity() + "\udc80"

    def check(self, module_data: str) -> str:
        return super().check(module_data.removesuffix("\udc80"))


@killed_by("test_module_data_is_made_quickly")
class AsksFarAway(MemoryStorage):
    """Asks another server for every identity."""

    def make_identity(self) -> str:
        time.sleep(0.12)
        return super().make_identity()


@killed_by("test_a_reserved_identity_has_no_data")
class ReservesAnEmptyObject(DirectoryStorage):
    """Reserves a name by an empty file, as mkstemp does, and takes it for an object."""

    def new_data(self, context: Context) -> str:
        module_data = super().new_data(context)
        with open(self.path(module_data), "xb"):
            return module_data


@killed_by("test_a_reserved_identity_can_be_deleted")
class DeletesOnlyWhatItStored(MemoryStorage):
    """Takes module_data that was never assigned for a stranger's."""

    def __init__(self, **unknown: Any) -> None:
        super().__init__(**unknown)
        self.stored: set[str] = set()

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self.stored.add(module_data)

    def delete(self, context: Context, module_data: str) -> None:
        if module_data not in self.stored:
            raise ValueError("module_data: not made by this module")
        super().delete(context, module_data)


@killed_by("test_assign_refuses_what_it_never_made")
class AssignTakesAnyName(MemoryStorage):
    """Stores under whatever name it gets (fsspec, hashfs)."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.objects[module_data] = b"".join(iter(lambda: stream.read(65536), b""))


@killed_by("test_available_refuses_what_it_never_made")
class AvailableTakesAnyName(MemoryStorage):
    """Says of a stranger's data that it is absent, so that the host brings it."""

    def available(self, context: Context, module_data: str) -> bool:
        return module_data in self.objects


@killed_by("test_delete_refuses_what_it_never_made")
class DeleteTakesAnyName(MemoryStorage):
    """Says of a stranger's data that it is deleted (filedepot's bare except)."""

    def delete(self, context: Context, module_data: str) -> None:
        self.objects.pop(module_data, None)


@killed_by("test_get_size_refuses_what_it_never_made")
class LetsAKeyErrorOut(MemoryStorage):
    """Lets an error of its own insides out, by which no host can tell anything."""

    def get_size(self, context: Context, module_data: str) -> int:
        try:
            return super().get_size(context, module_data)
        except ValueError as error:
            raise KeyError(module_data) from error


@killed_by("test_get_read_stream_refuses_what_it_never_made")
class TakesAStrangersForAbsent(MemoryStorage):
    """Says of a stranger's data that there is none, so that the host looks for a copy."""

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        try:
            return super().get_read_stream(context, module_data)
        except ValueError:
            raise FileNotFoundError(module_data) from None


@killed_by("test_nothing_outside_the_storage_is_touched")
class TakesModuleDataForAPath(DirectoryStorage):
    """Joins module_data to its directory, and goes wherever that leads (glance_store, hashfs, fsspec)."""

    def check(self, module_data: str) -> str:
        return module_data

    def delete(self, context: Context, module_data: str) -> None:
        if os.path.exists(self.path(module_data)):
            os.unlink(self.path(module_data))
