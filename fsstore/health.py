"""What went wrong since the start, and whether anything may still be written."""

import errno
import os

from fsstore.durable import NotAFile

__all__ = ["Health"]

#: What a device says that fails, or that its file system has been taken out of writing for.
_FAILED = {errno.EIO, errno.EROFS}


class Health:
    """Errors by name, and the reason why nothing is written any more, if there is one.

    :param read_only: whether an administrator wants nothing to be written.
    """

    def __init__(self, read_only: bool) -> None:
        self.errors: dict[str, int] = {}
        self.read_only = "it is configured so" if read_only else None

    def note(self, error: OSError) -> None:
        """Count an error."""
        name = errno.errorcode.get(error.errno or 0, "other")
        self.errors[name] = self.errors.get(name, 0) + 1

    def note_write(self, error: OSError) -> None:
        """Count an error of writing; one that says that the device fails ends the writing."""
        self.note(error)
        if error.errno in _FAILED and not isinstance(error, NotAFile) and self.read_only is None:
            self.read_only = f"the device failed ({os.strerror(error.errno)}): mend it, and start again"

    def require_writable(self) -> None:
        """Raise if nothing may be written.

        :raises OSError: with ``errno.EROFS``.
        """
        if self.read_only is not None:
            raise OSError(errno.EROFS, f"the storage takes no writes: {self.read_only}")
