"""A second process, forked from this one, that can be waited for and killed."""

import os
import signal
import warnings
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NoReturn

__all__ = ["Child", "ChildError", "Parent", "die"]

_FORK = get_context("fork")  # the contract speaks of fork, so no other way of starting will do


class ChildError(AssertionError):
    """The child raised, died or did not answer."""


class Parent:
    """What the child has of its parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tell(self, message: object) -> None:
        """Send ``message`` to the parent, whose :meth:`Child.answer` returns it."""
        self._connection.send(("told", message))

    def wait(self) -> None:
        """Wait until the parent says :meth:`Child.go_on`."""
        self._connection.recv()


class Child:
    """``work`` in a forked process, killed at the end of the ``with`` statement if it still runs.

    What ``work`` returns is an :meth:`answer`, like what it tells meanwhile.

    :param patience: seconds to wait for an answer.
    """

    def __init__(self, work: Callable[[Parent], Any], patience: float) -> None:
        self._patience = patience
        self._near, far = _FORK.Pipe()
        self._process = _FORK.Process(target=_serve, args=(work, self._near, far), daemon=True)
        # Ctrl-C goes to all. The child ignores it, and must not be met by it before it comes to that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with warnings.catch_warnings():
                # A module that has threads makes Python 3.12 and newer warn; whether it can bear the
                # fork is what is being tried.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def go_on(self) -> None:
        """End the child's :meth:`Parent.wait`."""
        self._near.send(None)

    def answer(self) -> Any:
        """Return what the child tells next, or returns.

        :raises ChildError: it raised, died, or let us wait for longer than ``patience``.
        """
        if not self._near.poll(self._patience):
            raise ChildError(f"a forked process did not answer within {self._patience:g} s: it hangs")
        try:
            kind, message = self._near.recv()
        except (EOFError, ConnectionResetError):
            raise ChildError("a forked process died") from None
        if kind == "raised":
            raise ChildError(f"in a forked process: {message}")
        return message

    def end(self) -> None:
        """End the child if it still runs, and let go of it. It may be called again."""
        if not self._near.closed:
            self.kill()
            self._near.close()
            self._process.close()

    def wait_for_death(self) -> None:
        """Wait until the child has ended."""
        self._process.join(self._patience)

    def kill(self) -> None:
        """End the child by SIGKILL, at once, and wait for that."""
        self._process.kill()
        self._process.join()


def die() -> NoReturn:
    """End this process by SIGKILL: nothing that it would still do at its end happens."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def _serve(work: Callable[[Parent], Any], near: Connection, far: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    near.close()  # or the parent's end would never be seen closed
    try:
        result = work(Parent(far))
    except BaseException as error:  # all of it goes to the parent, whose test it is
        far.send(("raised", f"{type(error).__name__}: {error}"))
    else:
        far.send(("returned", result))
