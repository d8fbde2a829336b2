"""A real server in a process of its own, and real clients."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Mapping
from pathlib import Path

from tests.programs import needs

__all__ = ["ROOT", "Listening", "Server", "ServerTest", "children", "curl", "environment", "needs_curl"]

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse"

needs_curl = needs("curl")


def environment(*path: Path | str, **variables: str) -> dict[str, str]:
    """Return an environment in which this checkout, and ``path`` before it, are imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VSM_", "COV_", "NOSE_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])), **variables}


class Listening:
    """A server that answers on a port of loopback."""

    process: subprocess.Popen[bytes]
    url: str

    def connect(self) -> socket.socket:
        """Return a connection, for requests that no proper client makes."""
        host, port = self.url.partition("://")[2].split(":")
        return socket.create_connection((host, int(port)), timeout=30)

    def memory(self) -> int:
        """Return the peak memory of the largest of its processes, in bytes."""
        peaks = [0]
        for pid in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
                peaks += map(int, re.findall(r"VmHWM:\s+(\d+) kB", status))
        return max(peaks) * 1024


class Server(Listening):
    """``vsm serve`` on a port of its own choice.

    :param constants: what is too long or too large for a test as it is, by its dotted name.
    """

    def __init__(
        self,
        data: Path,
        *path: Path | str,
        password: str | None = PASSWORD,
        cwd: Path | None = None,
        constants: Mapping[str, float] = {},
    ) -> None:
        variables = {} if password is None else {"VSM_ADMINISTRATOR_PASSWORD": password}
        program = ["-m", "vsm"]
        if constants:
            lines = [f"import {name.rpartition('.')[0]}\n{name} = {value}" for name, value in constants.items()]
            program = ["-c", "\n".join([*lines, "import vsm.__main__", "raise SystemExit(vsm.__main__.main())"])]
        command = [sys.executable, *program, "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
        self._said = [tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")]  # noqa: SIM115 (stop closes them)
        env = environment(*path, **variables)
        self.process = subprocess.Popen(command, env=env, cwd=cwd, stdout=self._said[0], stderr=self._said[1])
        self.greeting = self._wait_for_greeting()
        self.url = re.findall(r"http://[\d.:]+", self.greeting)[0]

    def _wait_for_greeting(self) -> str:
        """Return what it prints, up to the third curl line."""
        deadline = time.monotonic() + 30
        while (said := self._read(0)).count(" curl ") < 3 or not said.endswith("\n"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start: {self.stop()}")
            time.sleep(0.02)
        return said

    def _read(self, which: int) -> str:
        return os.pread(self._said[which].fileno(), 100_000, 0).decode()

    def said(self, since: int = 0) -> bytes:
        """Return what it has said on stderr, from a byte on."""
        return os.pread(self._said[1].fileno(), 10_000_000, since)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> str:
        """Stop it, and return what it said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self._said[1].closed:
            return ""
        said = self._read(1)
        for file in self._said:
            file.close()
        return said


def children(pid: int) -> list[int]:
    """Return the child processes of ``pid``."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def curl(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run curl, without a terminal that it could ask for a password."""
    return subprocess.run(
        ["curl", "--silent", "--show-error", *arguments], input=stdin, capture_output=True, timeout=300
    )


class ServerTest(unittest.TestCase):
    """A directory for a cloud, and servers that are stopped in the end."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.data = self.directory / "cloud"

    def serve(self, *path: Path | str, password: str | None = PASSWORD, constants: Mapping[str, float] = {}) -> Server:
        server = Server(self.data, *path, password=password, cwd=self.directory, constants=constants)
        self.addCleanup(server.stop)
        return server

    def wait_until_gone(self, pids: list[int]) -> None:
        """Wait until none of the processes is there any more."""
        deadline = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            self.assertLess(time.monotonic(), deadline, "processes are left")
            time.sleep(0.05)
