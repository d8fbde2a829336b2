"""Three logs: what goes wrong, for the operator; every request; and every act of an administrator."""

import json
import logging
import logging.handlers
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from host.loader import without
from host.settings import Settings

__all__ = ["ACCESS", "AUDIT", "access_line", "audit_line", "configure"]

#: Each request in one line, and each act of an administrator as one JSON object in one line.
ACCESS = logging.getLogger("host.access")
AUDIT = logging.getLogger("host.audit")


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
    for logger, name in ((ACCESS, settings.access_log), (AUDIT, settings.audit_log)):
        logger.handlers[:] = [_handler(settings.directory, name)]
        logger.setLevel(logging.INFO if name else logging.CRITICAL)
        logger.propagate = False


def _handler(directory: Path, name: str) -> logging.Handler:
    if not name:
        return logging.NullHandler()
    # A file that is moved away, as logrotate does, is opened anew. A line is one write at the end of the file: so
    # processes do not mix theirs.
    handler: logging.Handler = (
        logging.StreamHandler(sys.stderr)
        if name == "-"
        else logging.handlers.WatchedFileHandler(directory / name, encoding="utf-8", errors="backslashreplace")
    )
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


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
