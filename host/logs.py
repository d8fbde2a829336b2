"""Three logs: what goes wrong, for the operator; every request; and every act of an administrator."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from host.loader import without
from host.settings import Settings

__all__ = ["ACCESS", "AUDIT", "Lines", "access_line", "audit_line", "configure"]

_PAUSE = 1.0  # seconds between two looks whether a file was moved away, and between two complaints

log = logging.getLogger(__name__)


class Lines:
    """A log of lines, which is off until it is opened. Threads and processes write to one file side by side.

    It is none of :mod:`logging`'s, which takes longer for a line than a small object does to be read.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._descriptor = -1
        self._look = self._complain = 0.0  # seconds before which neither is done again

    @property
    def is_on(self) -> bool:
        """Whether lines are kept."""
        return self._descriptor >= 0

    def open(self, directory: Path, name: str) -> None:
        """Keep lines from now on in the file ``name``; on the standard error if it is ``-``, nowhere if it is empty.

        :raises OSError: it cannot be written.
        """
        self.close()
        if name == "-":
            self._descriptor = os.dup(2)
        elif name:
            self._path = directory / name
            self._descriptor = _opened(self._path)

    def close(self) -> None:
        """Keep no more lines. No thread may be writing one."""
        if self.is_on:
            os.close(self._descriptor)
        self._path, self._descriptor, self._look = None, -1, 0.0

    def write(self, line: str) -> None:
        """Write one line. What fails then is said in the log of what goes wrong, and is no failure of a request."""
        if not self.is_on:
            return
        try:
            try:
                self._follow()
            finally:
                os.write(self._descriptor, f"{line}\n".encode("utf-8", "backslashreplace"))
        except OSError as error:
            now = time.monotonic()
            if now >= self._complain:
                self._complain = now + _PAUSE
                log.error("a log cannot be written: %s", error)

    def _follow(self) -> None:
        """Begin a new file if the one that is open was moved away, as logrotate does."""
        now = time.monotonic()
        if self._path is None or now < self._look:
            return
        self._look = now + _PAUSE
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._descriptor)):
                return
        except FileNotFoundError:
            pass
        new = _opened(self._path)
        try:
            # The number stays: so no thread that is writing to it just now writes to what somebody else opens.
            os.dup2(new, self._descriptor, inheritable=False)
        finally:
            os.close(new)


def _opened(path: Path) -> int:
    # Each line is one write at the end of the file, wherever that is by then: so processes do not mix theirs.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


#: Each request in one line, and each act of an administrator as one JSON object in one line.
ACCESS = Lines()
AUDIT = Lines()


class _Masking(logging.Formatter):
    """Writes no secret, whatever a module said of itself."""

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return without(super().format(record), self._secrets())


def configure(settings: Settings, secrets: Callable[[], Iterable[str]]) -> None:
    """Set up the logs of this process. What goes wrong goes to the standard error.

    :param secrets: returns what must not be written there.
    :raises OSError: a log cannot be written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masking(secrets))
    logging.getLogger().handlers[:] = [handler]
    ACCESS.open(settings.directory, settings.access_log)
    AUDIT.open(settings.directory, settings.audit_log)


def access_line(
    identity: str, address: str, account: str, request: str, status: str, sent: int, seconds: float, agent: str
) -> str:
    """Return the line of a request: the combined format of web servers, then the id and the seconds it took."""
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return (
        f"{_plain(address) or '-'} - {_plain(account) or '-'} [{when}] {json.dumps(request)} {status} {sent} "
        f'"-" {json.dumps(agent or "-")} {identity} {seconds:.3f}'
    )


def audit_line(identity: str, address: str, account: str, act: str, status: int, /, **more: Any) -> str:
    """Return the line of an administrator's act: one JSON object.

    :param more: what the act was about, as the client said it; it never stands for what the host says.
    """
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    fields = {"time": when, "id": identity, "account": account, "address": address, "act": act, "status": status}
    return json.dumps({**fields, **more, **fields})


def _plain(text: str) -> str:
    """Return a name or an address as it can be in a line whose fields are divided by blanks."""
    return json.dumps(text)[1:-1].replace(" ", "\\u0020")
