"""System calls that are noted, and that fail when a test wants them to."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["O_TMPFILE", "System", "recorded"]

RECORDED = ["open", "mkdir", "rmdir", "write", "copy_file_range", "setxattr", "fchmod", "fchown", "fsync", "link"]
RECORDED += ["rename", "unlink"]
O_TMPFILE = "open(O_TMPFILE)"


class System:
    """Passes every system call on, notes it, and lets one fail.

    :param fail: how the label of the call begins; the label of ``fsync`` ends with the name of what is synced.
    :param at: how many of them succeed first.
    :param after: whether it is done all the same, as NFS may have it.
    """

    def __init__(self, fail: str = "", error: int = errno.EIO, at: int = 0, after: bool = False) -> None:
        self.calls: list[str] = []
        self._fail = fail
        self._error = error
        self._at = at
        self._after = after

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            label = O_TMPFILE if name == "open" and args[1] & os.O_TMPFILE == os.O_TMPFILE else name
            if label == "fsync":
                label = f"fsync {Path(os.readlink(f'/proc/self/fd/{args[0]}')).name[:4]}"
            if label != "open":
                self.calls.append(label)
            if self._fail and label.startswith(self._fail):
                self._at -= 1
                if self._at < 0:
                    if self._after:
                        real(*args, **kwargs)
                    raise OSError(self._error, os.strerror(self._error))
            return real(*args, **kwargs)

        return call


@contextmanager
def recorded(system: System) -> Iterator[System]:
    """Let all system calls of this process go through ``system``."""
    with ExitStack() as stack:
        for name in RECORDED:
            stack.enter_context(mock.patch.object(os, name, system.wrap(name, getattr(os, name))))
        yield system
