"""Servers of others that run for the tests, and never outlive them."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.server import ROOT, children, environment

__all__ = ["Guard", "alive", "left_behind"]

_NOBODY = 65534
#: PostgreSQL and mod_wsgi refuse to run as root. So for root they run as nobody, who may go by the modes of files
#: as root does: a checkout in a directory of root's alone is served, too. The secure bit is for those who ask
#: access(2), which else does not count what nobody may.
_UNPRIVILEGED = (
    "setpriv",
    f"--reuid={_NOBODY}",
    f"--regid={_NOBODY}",
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override,+fowner",
    "--ambient-caps=-all,+dac_override,+fowner",
)
_SECONDS = 30

# It reads the number of the server's process, and an empty line when that has been stopped. The end of its input is
# the end of the tests. $1 is the directory, $2 the signal.
_WATCH = """
while read -r line; do pid=$line; done
if [ "$pid" ]; then
    kill -s "$2" "$pid"
    tries=0
    while grep -qs '^State:.[^ZX]' "/proc/$pid/status" && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -s KILL -- "-$pid"
fi
rm -rf -- "$1"
"""
# The watch learns of the process before it is a server, so that there is no moment in which nobody watches it.
_START = 'echo $$; log=$1; shift; exec "$@" >>"$log" 2>&1'


def alive(pid: int) -> bool:
    """Return whether a process is there, and not only waits for its parent to take note of its end."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(") ")[2][0] not in "ZX"


class Guard:
    """A temporary directory and a program that runs in it, neither of which outlives this process.

    That holds whatever ends this process: a shell watches it, and stops the program and removes the directory.

    :param end: the signal that stops the program.
    :param where: where the directory is made; else where temporary files are.
    """

    process: subprocess.Popen[bytes]

    def __init__(self, end: signal.Signals = signal.SIGTERM, where: str | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="server-", dir=where))
        self._owner = os.getpid()
        self._end = end
        command = ["sh", "-c", _WATCH, "watch", str(self.directory), end.name.removeprefix("SIG")]
        # In sessions of their own, so that Ctrl-C and a kill of the tests' process group pass them by.
        self._watch = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        atexit.register(self.stop)
        if os.geteuid() == 0:
            os.chown(self.directory, _NOBODY, _NOBODY)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a command that is run by somebody who is not root."""
        return [*(_UNPRIVILEGED if os.geteuid() == 0 else ()), *map(str, arguments)]

    def start(self, *arguments: str | Path, ready: Callable[[], bool], env: Mapping[str, str] | None = None) -> None:
        """Start the program, in the directory, and wait until it is ready. What it says goes to the log.

        :raises AssertionError: it ended, or did not get ready; the error has the log.
        """
        command = ["sh", "-c", _START, "start", str(self.directory / "log"), *self.command(*arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._watch.stdin,
            cwd=self.directory,
            env=env,
            start_new_session=True,
        )
        deadline = time.monotonic() + _SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{arguments[0]} did not start: {self.log()}")
            time.sleep(0.01)

    def log(self) -> str:
        """Return what the program has said up to now."""
        try:
            return (self.directory / "log").read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def end(self) -> None:
        """Stop the program, and keep the directory."""
        if self.process.poll() is None:
            self.process.send_signal(self._end)
        try:
            self.process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(ProcessLookupError):  # what outlived it
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop the program, and remove the directory. A child that was forked off this process stops nothing."""
        if os.getpid() != self._owner or self._watch.poll() is not None:
            return
        atexit.unregister(self.stop)
        if "process" in vars(self):
            self.end()
        self._watch.communicate(b"\n")


def left_behind(starting: str) -> list[str]:
    """Start a server in a process that is then killed, and return what is still there of it after a while.

    :param starting: the statements that start it, and leave it in ``server``.
    """
    program = f"{starting}\nprint(server.process.pid, server.directory, flush=True)\ninput()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid, directory = process.stdout.readline().split()
        pids = [int(pid), *children(int(pid))]
        process.kill()
    deadline = time.monotonic() + _SECONDS
    while True:
        left = [f"process {pid}" for pid in pids if alive(pid)] + [directory] * Path(directory).exists()
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)
