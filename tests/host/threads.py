"""Works that are done at the same time."""

import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["at_once", "wait_until"]


def at_once(*works: Callable[[], Any], each: Callable[[], object] = lambda: None) -> list[Any]:
    """Do ``works``, each in a thread, and return in their order what they returned, or raised.

    :param each: is called after the start of each thread.
    """
    outcomes: list[Any] = [None] * len(works)

    def run(number: int) -> None:
        try:
            outcomes[number] = works[number]()
        except BaseException as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
        each()
    for thread in threads:
        thread.join()
    return outcomes


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that other threads or processes bring about; it takes as long as it takes."""
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come about")
        time.sleep(0.001)
