"""Two ways to the host: its application in this process, and a server behind a socket."""

import errno
import random
import re
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from wsgiref.validate import WSGIWarning, validator

from tests.host.fuzzing.request import Answer, Request

__all__ = ["Connection", "Door", "InProcess", "OverSocket"]

_PATIENCE = 60  # seconds for an answer, before it is held to be lost
# gunicorn answers in the version that it was asked in.
_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-9]\d\d)(?: [ \t!-~\x80-\xff]*)?")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(|[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)[ \t]*"
)


class Door(Protocol):
    """Where requests go in and answers come out."""

    def send(self, request: Request) -> Answer: ...


class InProcess:
    """The application itself, watched by the checker of PEP 3333."""

    def __init__(self, application: Callable[[dict[str, Any], Any], Iterable[bytes]]) -> None:
        self._application = application
        self._checked: Any = validator(application)

    def send(self, request: Request) -> Answer:
        """Make a request, and return its answer."""
        begin = time.monotonic()
        given: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], object]:
            given.append((status, headers))
            return lambda data: None

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", WSGIWarning)  # of unknown methods
                # A server may pass on more than the checker wants to see.
                is_plain = re.fullmatch(
                    "[0-9]{0,99}", request.header("Content-Length") or ""
                ) and request.target.startswith("/")
                body = (self._checked if is_plain else self._application)(request.environment(), start)
                try:
                    data = b"".join(body)
                finally:
                    getattr(body, "close", int)()
        except Exception:
            return Answer(599, seconds=time.monotonic() - begin, faults=(traceback.format_exc(),))
        ((status, headers),) = given
        return Answer(int(status[:3]), tuple(headers), data, time.monotonic() - begin)


class OverSocket:
    """A server. One thread uses one door.

    :param connect: returns a new connection.
    """

    def __init__(self, connect: Callable[[], socket.socket], dice: random.Random) -> None:
        self._connect = connect
        self._dice = dice
        self._kept: Connection | None = None

    def send(self, request: Request) -> Answer:
        """Make a request, on a connection that was kept or on a new one, and return its answer."""
        begin = time.monotonic()
        connection = self._kept or Connection(self._connect())
        is_kept, self._kept = self._kept is not None, None
        try:
            connection.send(request.head() + request.payload(self._dice), end=not request.is_whole)
            answer = connection.answer(request.method)
        except (OSError, ValueError) as error:
            connection.close()
            if is_kept and isinstance(error, OSError):  # the server may give up a connection that was kept
                return self.send(request)
            return Answer(598, seconds=time.monotonic() - begin, faults=(f"no answer: {error!r}",))
        if request.is_whole and not connection.is_last and self._dice.random() < 0.9:
            self._kept = connection
        else:
            connection.close()
        return Answer(answer.status, answer.headers, answer.body, time.monotonic() - begin, answer.faults)

    def close(self) -> None:
        """Close what was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class Connection:
    """A connection, and a strict reader of answers (RFC 9112)."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.settimeout(_PATIENCE)
        self._buffer = b""
        #: Whether the last answer said that no other follows.
        self.is_last = False

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send bytes; a server may answer and close before it has read them all."""
        try:
            self._socket.sendall(data)
            if end:
                self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                raise

    def answer(self, method: str) -> Answer:
        """Return the next answer, but for those that are not final.

        :raises ValueError: what comes is no HTTP.
        :raises OSError: nothing comes.
        """
        status = 100
        while status < 200:
            head = self._until(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            match = _LINE.fullmatch(first)
            if match is None:
                raise ValueError(f"not a status line: {first[:200]!r}")
            status = int(match.group(1))
        fields = [_FIELD.fullmatch(line) for line in lines]
        headers = tuple((f.group(1).decode(), f.group(2).decode("latin-1")) for f in fields if f is not None)
        faults = [f"not a header: {line[:200]!r}" for line, f in zip(lines, fields, strict=True) if f is None]
        names = [name.lower() for name, _ in headers]
        faults += [
            f"{name} twice" for name in ("content-length", "content-type", "connection") if names.count(name) > 1
        ]
        known = {name.lower(): value for name, value in headers}
        self.is_last = known.get("connection", "").lower() == "close"
        body = b"" if method == "HEAD" or status in (204, 304) else self._body(known, faults)
        return Answer(status, headers, body, faults=tuple(faults))

    def at_end(self) -> bool:
        """Wait for more, and tell whether there is none."""
        try:
            return not self._buffer and not self._more()
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _body(self, known: dict[str, str], faults: list[str]) -> bytes:
        if known.get("transfer-encoding", "").lower() == "chunked":
            if "content-length" in known:
                faults.append("Content-Length and chunks")
            return self._chunks()
        if "content-length" in known:
            return self._exactly(int(known["content-length"]))
        if not self.is_last:
            faults.append("a body without length on a connection that is kept")
        while self._more():
            pass
        body, self._buffer = self._buffer, b""
        return body

    def _chunks(self) -> bytes:
        blocks = []
        while size := int(self._until(b"\r\n"), 16):
            blocks.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise ValueError("a chunk has no end")
        if self._exactly(2) != b"\r\n":
            raise ValueError("the chunks have no end")
        return b"".join(blocks)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            if not self._more():
                raise ConnectionError(f"it ends after {self._buffer[:200]!r}")
        data, _, self._buffer = self._buffer.partition(mark)
        return data

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise ValueError(f"the body ends {size - len(self._buffer)} bytes early")
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _more(self) -> bool:
        block = self._socket.recv(1 << 20)
        self._buffer += block
        return bool(block)
