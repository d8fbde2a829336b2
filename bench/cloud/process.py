"""A server's process: started, waited for, and stopped whatever happens."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["Process", "ServerError", "free_port"]

_START = 30  # seconds
_STOP = 15
_TOLD = 4000  # bytes of what a server says in the end


class ServerError(Exception):
    """A server did not start, or does not what it has to; the first line says what, the others what it said."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on. Somebody else may take it meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server, in a session of its own: Ctrl-C goes to us alone, and we stop all servers in order.

    :param directory: where it works, and where what it says is kept.
    """

    def __init__(
        self, name: str, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._said = directory / f"{name}.said"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603 (a server of ours)
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that was started; its workers are its children."""
        return self._process.pid

    def wait_for(self, port: int) -> None:
        """Wait until it takes connections on ``port``. If it does not, it is stopped.

        :raises ServerError: it ended, or does not listen after half a minute.
        """
        deadline = time.monotonic() + _START
        try:
            while not _is_listening(port):
                if (status := self._process.poll()) is not None:
                    raise self.error(f"did not start: exit status {status}")
                if time.monotonic() > deadline:
                    raise self.error(f"does not listen after {_START} seconds")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise

    def error(self, what: str) -> ServerError:
        """Return an error that tells ``what``, and the end of what the server said."""
        said = self._said.read_bytes()[-_TOLD:].decode("utf-8", "replace").strip()
        return ServerError(f"{self.name} {what}" + (f"; it said:\n{said}" if said else ""))

    def stop(self) -> None:
        """Stop it and all its children, and wait for it."""
        try:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP)
        finally:  # also when whoever waits has no patience
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
