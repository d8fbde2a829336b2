"""Operations that stop before each step, so that a test decides which goes on, and which is killed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from modules import Context, ReadStream, Source, StorageModule
from stacked.dedup.database import Database
from tests.sources import Pieces

__all__ = ["Memory", "Operation", "steps"]


class Killed(BaseException):
    """What an operation gets at last whose process was killed: by then it can do nothing any more."""


class Operation(threading.Thread):
    """Something that is done step by step, as if by a process of its own."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self.error: BaseException | None = None
        self.is_done = False
        self.is_killed = False
        self.start()

    def run(self) -> None:
        self._go.acquire()
        _HERE.operation = self
        try:
            self._work()
        except BaseException as error:
            self.error = error
        self.is_done = True
        self._stopped.release()

    def step(self) -> None:
        """Let it go on until its next step."""
        self._go.release()
        assert self._stopped.acquire(timeout=30), "it hangs"

    def pause(self) -> None:
        """Wait for the next step, in the operation's own thread."""
        if self.is_killed:
            raise Killed
        self._stopped.release()
        self._go.acquire()
        if self.is_killed:
            raise Killed

    def bury(self) -> None:
        """Let the thread of one that was killed come to its end."""
        self.is_killed = True
        while not self.is_done:
            self.step()


class _Here(threading.local):
    operation: Operation | None = None


_HERE = _Here()


def pause() -> None:
    """Wait for the next step, if this is an operation."""
    if _HERE.operation is not None:
        _HERE.operation.pause()


class Memory(StorageModule):
    """Objects in a dictionary, with a step before each thing that is done to one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._count = 0

    def new_data(self, context: Context) -> str:
        self._count += 1
        return str(self._count)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        data = b"".join(iter(lambda: stream.read(100), b""))
        pause()
        self.objects[module_data] = data

    def available(self, context: Context, module_data: str) -> bool:
        pause()
        return module_data in self.objects

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        pause()
        if module_data not in self.objects:
            raise FileNotFoundError(module_data)
        return _Stream(self.objects[module_data])

    def delete(self, context: Context, module_data: str) -> None:
        pause()
        self.objects.pop(module_data, None)

    def get_size(self, context: Context, module_data: str) -> int:
        pause()
        return len(self.objects[module_data])

    def statistics(self, context: Context) -> dict[str, Any]:
        return {"capacity": {"total": -1, "free": -1, "used": -1}}


class _Stream(Pieces):
    """A stream that gives little at a time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, [100_000])

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._data.seek(offset, whence)

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def steps() -> Iterator[None]:
    """Make operations stop before what they do to the index, and be processes that can be killed."""
    commit, read = Database.commit, Database.read

    def commit_later(self: Database, *arguments: Any, **options: Any) -> Any:
        pause()
        return commit(self, *arguments, **options)

    def read_later(self: Database, *arguments: Any) -> Any:
        pause()
        return read(self, *arguments)

    def me() -> str:
        return "nobody" if _HERE.operation is None else _HERE.operation.name

    def is_dead(name: str) -> bool:
        return any(
            each.name == name and each.is_killed for each in threading.enumerate() if isinstance(each, Operation)
        )

    with (
        mock.patch.object(Database, "commit", commit_later),
        mock.patch.object(Database, "read", read_later),
        mock.patch("stacked.dedup.owner.me", me),
        mock.patch("stacked.dedup.owner.is_dead", is_dead),
    ):
        yield
