"""NewStorage: objects as files, in a volume of a directory."""

import contextlib
import json
import os
import re
import shutil
import stat
import uuid
from typing import Any, BinaryIO

from modules import Context, Source, StorageModule

__all__ = ["NewStorage"]


class NewStorage(StorageModule):
    """Objects as files in ``directory/volume``, which is made where it is missing.

    :param directory: a path; a relative one is taken from the server's working directory.
    :param volume: the name of a subdirectory, so that several modules can share a directory.
    :param label: any text; administrators see it in the statistics.
    """

    def __init__(self, directory: str | None = None, volume: str = "objects", label: str = "", **unknown: Any) -> None:
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: unknown; NewStorage takes directory, volume and label")
        if not isinstance(directory, str) or not directory or "\0" in directory:
            raise ValueError("directory: missing, or not a path")
        if not isinstance(volume, str) or not re.fullmatch("[A-Za-z0-9_-]+", volume):
            raise ValueError("volume: not a name of letters, digits, _ and -")
        directory = os.path.abspath(directory)
        self._path = os.path.join(directory, volume)
        self._label = str(label)
        self._uploads = os.path.join(self._path, ".uploads")
        for path in (directory, self._path, self._uploads):
            self._make(path)
        if not os.access(self._path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"directory: {self._path} is not writable")

    def new_data(self, context: Context) -> str:
        return json.dumps({"object": uuid.uuid4().hex})

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        final = self._file(module_data)
        # It begins with the object's name: delete finds what a killed process left.
        temporary = os.path.join(self._uploads, f"{os.path.basename(final)}.{uuid.uuid4().hex}")
        with open(temporary, "xb") as file:
            try:
                shutil.copyfileobj(stream, file, 1024 * 1024)
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, final)
            except BaseException:
                os.unlink(temporary)
                raise
        self._sync(self._path)

    def available(self, context: Context, module_data: str) -> bool:
        try:
            self.get_size(context, module_data)
        except FileNotFoundError:
            if not os.path.isdir(self._path):  # unmounted: that is not to know that it is absent
                raise
            return False
        return True

    def get_read_stream(self, context: Context, module_data: str) -> BinaryIO:
        return open(self._file(module_data), "rb")

    def delete(self, context: Context, module_data: str) -> None:
        path = self._file(module_data)
        begun = [name for name in os.listdir(self._uploads) if name.startswith(os.path.basename(path))]
        for doomed in (path, *(os.path.join(self._uploads, name) for name in begun)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(doomed)
        self._sync(self._path)

    def get_size(self, context: Context, module_data: str) -> int:
        return os.lstat(self._file(module_data)).st_size

    def statistics(self, context: Context) -> dict[str, Any]:
        usage = shutil.disk_usage(self._path)
        capacity = {"total": usage.total, "free": usage.free, "used": usage.used}
        return {"capacity": capacity, "label": self._label}

    def _file(self, module_data: str) -> str:
        """Return the path that ``module_data`` tells, which comes from outside."""
        try:
            record = json.loads(module_data) if len(module_data) <= 4096 else {}
            identity = record["object"]
            if len(record) > 1 or not re.fullmatch("[0-9a-f]{32}", identity):
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ValueError("module_data: not made by NewStorage") from None
        path = os.path.join(self._path, identity)
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise ValueError(f"module_data: {path} is no plain file, and so no object")
        return path

    def _make(self, path: str) -> None:
        """Make the directory ``path`` if it is missing, so that it survives a crash."""
        if not os.path.isdir(path):
            with contextlib.suppress(FileExistsError):  # another process may do the same just now
                os.mkdir(path)
            self._sync(os.path.dirname(path))

    def _sync(self, directory: str) -> None:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
