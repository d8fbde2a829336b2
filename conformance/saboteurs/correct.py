"""Two correct modules, cut so that a saboteur can break one thing alone."""

import io
import os
import re
import shutil
import uuid
from contextlib import suppress
from typing import Any, BinaryIO, ClassVar

from modules import Context, ReadStream, Source, StorageModule

__all__ = ["BLOCK", "DirectoryStorage", "MemoryStorage", "MemoryStream"]

BLOCK = 65536  #: bytes read from a source at once


class _Storage(StorageModule):
    def new_data(self, context: Context) -> str:
        return self.make_identity()

    def make_identity(self) -> str:
        return uuid.uuid4().hex

    def check(self, module_data: str) -> str:
        """Return the name of the object that ``module_data`` tells.

        :raises ValueError: it tells none.
        """
        if not re.fullmatch("[0-9a-f]{32}", module_data):
            raise ValueError("module_data: not made by this module")
        return module_data


class MemoryStream(io.BytesIO):
    """A stream of bytes in memory."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        # BytesIO takes a place before the start, relative to here or to the end, for the start.
        if whence and self.place(whence) + offset < 0:
            raise ValueError("a place before the start")
        return super().seek(offset, whence)

    def place(self, whence: int) -> int:
        """Return the place that an offset is counted from."""
        return self.tell() if whence == 1 else len(self.getbuffer())


class MemoryStorage(_Storage):
    """Objects in a dictionary: correct, for what it claims."""

    LACKS: ClassVar[dict[str, str]] = {
        "durability": "keeps everything in memory",
        "processes": "each process has a memory of its own",
        "large objects": "keeps everything in memory",
    }

    def __init__(self, **unknown: Any) -> None:
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: takes no arguments")
        self.objects: dict[str, bytes] = {}

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        name = self.check(module_data)
        self.objects[name] = b"".join(iter(lambda: stream.read(BLOCK), b""))

    def available(self, context: Context, module_data: str) -> bool:
        return self.check(module_data) in self.objects

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return self.open(self.find(module_data))

    def delete(self, context: Context, module_data: str) -> None:
        self.objects.pop(self.check(module_data), None)

    def get_size(self, context: Context, module_data: str) -> int:
        return len(self.find(module_data))

    def statistics(self, context: Context) -> dict[str, Any]:
        return {"capacity": {"total": -1, "free": -1, "used": -1}}

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        name = self.check(module_data)
        self.objects[name] = self.find(source)
        return True

    def open(self, data: bytes) -> ReadStream:
        """Return a stream of ``data``."""
        return MemoryStream(data)

    def find(self, module_data: str) -> bytes:
        """Return the data of an object.

        :raises FileNotFoundError: there is none.
        """
        try:
            return self.objects[self.check(module_data)]
        except KeyError:
            raise FileNotFoundError(module_data) from None


class DirectoryStorage(_Storage):
    """Objects as files in one directory: written under another name, synced, and renamed.

    A writer that is killed leaves its file behind; ``delete`` removes that too.
    """

    def __init__(self, directory: str | None = None, **unknown: Any) -> None:
        if unknown or directory is None:
            raise ValueError(f"{', '.join(unknown) or 'directory'}: takes one argument, directory")
        self.directory = directory

    def path(self, module_data: str) -> str:
        """Return the path of an object's file."""
        return os.path.join(self.directory, self.check(module_data))

    def temporary(self, path: str) -> str:
        """Return the path under which the file ``path`` is written."""
        return f"{path}.{uuid.uuid4().hex}"

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        path = self.path(module_data)
        temporary = self.temporary(path)
        try:
            self.write(stream, temporary)
            self.publish(temporary, path)
        except BaseException:
            self.give_up(temporary)
            raise

    def write(self, stream: Source, path: str) -> None:
        """Write what ``stream`` gives to the new file ``path``."""
        with open(path, "wb") as file:
            self.copy(stream, file)
            file.flush()
            os.fsync(file.fileno())

    def copy(self, stream: Source, file: BinaryIO) -> None:
        """Write what ``stream`` gives to ``file``."""
        while block := stream.read(BLOCK):
            file.write(block)

    def publish(self, temporary: str, path: str) -> None:
        """Make the file ``temporary`` the object at ``path``."""
        os.replace(temporary, path)
        self.sync()

    def give_up(self, temporary: str) -> None:
        """Remove what a failed ``assign`` wrote."""
        with suppress(FileNotFoundError):
            os.unlink(temporary)

    def sync(self) -> None:
        """Have the names in the directory survive a power cut."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def available(self, context: Context, module_data: str) -> bool:
        path = self.path(module_data)
        if not os.path.isdir(self.directory):
            raise OSError(f"{self.directory} is gone")
        return os.path.exists(path)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return open(self.path(module_data), "rb")

    def delete(self, context: Context, module_data: str) -> None:
        path = self.path(module_data)
        for name in os.listdir(self.directory):
            if name.startswith(os.path.basename(path)):
                self.give_up(os.path.join(self.directory, name))
        self.sync()

    def get_size(self, context: Context, module_data: str) -> int:
        return os.stat(self.path(module_data)).st_size

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        with open(self.path(source), "rb") as original:  # a stream: correct, and for saboteurs to break
            self.assign(context, module_data, original)
        return True

    def statistics(self, context: Context) -> dict[str, Any]:
        usage = shutil.disk_usage(self.directory)
        return {"capacity": {"total": usage.total, "free": usage.free, "used": usage.used}}
