"""gunicorn's worker, with answers like the host's own to requests that never reach the host."""

import json
import logging
import uuid
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

__all__ = ["Worker"]

log = logging.getLogger(__name__)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a record is more than that a connection brought nothing for its whole time."""
    return record.exc_info is None or not isinstance(record.exc_info[1], BlockingIOError)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Refuses what is no HTTP with one JSON object instead of a page."""

    def init_process(self) -> None:
        """Begin to serve."""
        self.log.error_log.addFilter(_is_news)
        super().init_process()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that could not be parsed, or failed outside the application."""
        identity = uuid.uuid4().hex[:16]
        status, text = 500, "the server failed"
        if isinstance(exc, LimitRequestLine):
            status, text = 414, "the path is too long"
        elif isinstance(exc, LimitRequestHeaders):
            status, text = 431, "the headers are too long, or too many"
        elif isinstance(exc, ParseException):
            status, text = 400, "not a request of HTTP/1.1"
        else:
            log.error("%s: a request failed outside the application", identity, exc_info=exc)
        body = json.dumps({"error": text, "id": identity})
        head = f"HTTP/1.1 {status} {text}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        head += f"X-Request-ID: {identity}\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            write_nonblock(client, f"{head}{body}".encode())
        except OSError as error:
            log.debug("%s: the client is gone: %s", identity, error)
