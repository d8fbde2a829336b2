"""Ctrl-C, where it must not come between the making of a thing and the note that it has to go."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["postponed"]


@contextmanager
def postponed() -> Iterator[None]:
    """Let an interrupt wait until the end of the ``with`` statement, which must be short."""
    if threading.current_thread() is not threading.main_thread():  # where signals do not come
        yield
        return
    noted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        noted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if noted:
            signal.raise_signal(signal.SIGINT)
