"""What a process that serves for months does about its memory, by the malloc of glibc.

Another C library has neither function, and none of these troubles.
"""

import ctypes
from contextlib import suppress

__all__ = ["give_back", "share"]

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def share() -> None:
    """Let all threads of this process take their memory from one place (mallopt(3)).

    glibc has up to eight arenas a core, and each thread keeps in its own what another one could use: so a process grew
    for as long as transfers of many megabytes came to threads that had had none yet. With Python's lock few threads
    ask for memory at the same time.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Give what lies unused between what is used back to the kernel (malloc_trim(3)), which takes a millisecond.

    By itself glibc does so at the end of its memory alone, and blocks of a transfer leave holes anywhere.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
