"""A storage module that keeps every object as one file in one directory.

It is the sample: short, honest and complete. ``modules`` has the contract that it keeps.
"""

import contextlib
import json
import os
import re
import shutil
import stat
import uuid
from typing import Any, BinaryIO

from modules import Context, Source, StorageModule


class SimpleStorage(StorageModule):
    """Objects as files in ``storage_dir``.

    :param storage_dir: an absolute path; the last directory of it is made if it is missing.
    """

    # The constructor's arguments are what an administrator wrote. Python would raise a TypeError for
    # an unknown one; the contract asks for a ValueError that says what to do, hence **unknown.
    def __init__(self, storage_dir: str | None = None, **unknown: Any) -> None:
        if unknown or not isinstance(storage_dir, str) or not os.path.isabs(storage_dir) or "\0" in storage_dir:
            wrong = ", ".join(unknown) or "storage_dir"
            raise ValueError(f"{wrong}: SimpleStorage takes one argument, storage_dir, an absolute path")
        self.storage_dir = os.path.normpath(storage_dir)
        self.uploads = os.path.join(self.storage_dir, ".uploads")
        for directory in (self.storage_dir, self.uploads):
            if not os.path.isdir(directory):
                with contextlib.suppress(FileExistsError):  # another process may do the same just now
                    os.mkdir(directory)
                self._sync(os.path.dirname(directory))
        # Fail now, in front of the administrator, and not later, in front of a user.
        if not os.access(storage_dir, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"storage_dir: {storage_dir} is not writable")

    # An identity is needed before there is data. A random one needs no counter, which processes
    # would have to share. JSON is the custom: it leaves room for a second value in a later version.
    def new_data(self, context: Context) -> str:
        return json.dumps({"id": uuid.uuid4().hex})

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        path = self._path(module_data)
        # Write elsewhere first: nobody must ever see half an object. The name is unique, for two
        # uploads may run at once, and on the same file system, for a rename from another one would
        # not be one step. It begins with the identity: delete finds what a killed process left.
        temporary = os.path.join(self.uploads, f"{os.path.basename(path)}.{uuid.uuid4().hex}")
        with open(temporary, "xb") as file:
            try:
                # copyfileobj reads until it gets b"", as it must: a short read is not the end.
                shutil.copyfileobj(stream, file, 1024 * 1024)
                # What was written is still in memory. Once we return the host says "stored", so it
                # has to be on the disk by then: out of Python's buffer, then out of the system's.
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, path)  # one step: from absent, or old, to whole
            except BaseException:
                os.unlink(temporary)  # whatever went wrong leaves nothing behind
                raise
        self._sync(self.storage_dir)  # the new name has to be on the disk as well

    def available(self, context: Context, module_data: str) -> bool:
        try:
            self.get_size(context, module_data)
        except FileNotFoundError:
            # Is the object absent, or has somebody unmounted the disk? Only the first is a False.
            if not os.path.isdir(self.storage_dir):
                raise
            return False
        return True

    # An open file has read, seek and close, and goes on reading after its name is deleted.
    def get_read_stream(self, context: Context, module_data: str) -> BinaryIO:
        return open(self._path(module_data), "rb")

    def delete(self, context: Context, module_data: str) -> None:
        path = self._path(module_data)
        begun = [name for name in os.listdir(self.uploads) if name.startswith(os.path.basename(path))]
        for doomed in (path, *(os.path.join(self.uploads, name) for name in begun)):
            # A host that was interrupted deletes once more: that what is to go is gone is no error.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(doomed)
        self._sync(self.storage_dir)

    def get_size(self, context: Context, module_data: str) -> int:
        return os.lstat(self._path(module_data)).st_size

    def statistics(self, context: Context) -> dict[str, Any]:
        usage = shutil.disk_usage(self.storage_dir)
        return {"capacity": {"total": usage.total, "free": usage.free, "used": usage.used}}

    # module_data comes back from a database that others may write to. Only what new_data can have
    # made gets through; so no "..", no absolute path and no NUL ever reaches the file system.
    def _path(self, module_data: str) -> str:
        try:
            record = json.loads(module_data) if len(module_data) <= 4096 else {}
            identity = record["id"]
            if len(record) > 1 or not re.fullmatch("[0-9a-f]{32}", identity):
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ValueError("module_data: not made by SimpleStorage") from None
        path = os.path.join(self.storage_dir, identity)
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise ValueError(f"module_data: {path} is no plain file, and so no object")
        return path

    def _sync(self, directory: str) -> None:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
