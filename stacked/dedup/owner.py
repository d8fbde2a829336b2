"""Which process an upload belongs to, and whether that is still alive."""

import functools
import os
from contextlib import suppress

__all__ = ["is_dead", "me"]


def me() -> str:
    """Return a name of this process which no other one ever has."""
    pid = os.getpid()
    return f"{_machine()} {pid} {_begun(pid)}"


def is_dead(name: str) -> bool:
    """Tell whether the process of that name, of :func:`me`, is known to have ended.

    Of a process at another machine, or in another container, nothing is known.
    """
    machine, _, process = name.rpartition(" ")[0].rpartition(" ")
    if machine != _machine() or not process.isdecimal():
        return False
    return f"{machine} {process} {_begun(int(process))}" != name


def _machine() -> str:
    """Return the name of this run of this machine, and of the space that its process numbers are in."""
    return f"{_boot()} {_space(os.getpid())}"


@functools.cache
def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


@functools.lru_cache(1)
def _space(pid: int) -> str:
    return os.readlink("/proc/self/ns/pid")


def _begun(pid: int) -> str:
    """Return when a process began, in ticks since the machine did; nothing if there is none, or none any more."""
    with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()  # after the name, which may hold anything
        if fields[0] not in (b"Z", b"X"):
            return fields[19].decode()
    return ""
