"""Work in threads of its own, one at most for each thing that there is to do: what hangs holds up nothing else."""

import logging
import threading
from collections.abc import Callable, Hashable

__all__ = ["Background"]

log = logging.getLogger(__name__)


class Background:
    """The threads of one process that work beside those that serve."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[Hashable, threading.Thread] = {}

    def start(self, key: Hashable, work: Callable[[], object]) -> None:
        """Do ``work`` in a thread, unless the thread of the same ``key`` is still at work."""
        with self._lock:
            at_work = self._threads.get(key)
            if at_work is not None and at_work.is_alive():
                return
            thread = threading.Thread(target=self._run, args=(key, work), name=f"{key}", daemon=True)
            thread.start()  # which may fail
            self._threads[key] = thread

    def wait(self, seconds: float) -> None:
        """Wait for each thread for so long at most. What is not through then ends with the process."""
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(seconds)

    def _run(self, key: Hashable, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # the catalogue may be away for a while
            log.exception("%s failed", key)
        finally:
            with self._lock:
                if self._threads.get(key) is threading.current_thread():
                    del self._threads[key]
