"""One request, as bytes of HTTP, as an environment of PEP 3333 and as a line for a shell; and one answer."""

import base64
import io
import random
import re
import shlex
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes

__all__ = ["Answer", "Input", "Request", "basic"]

_SHOWN = 20_000  # bytes of a body that are printed


def basic(name: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@dataclass(frozen=True)
class Request:
    """A request whose first lines are well-formed HTTP, whatever they say.

    :param target: what stands in the request line; each character is a byte.
    :param body: what is sent of it. A Content-Length among the headers may say something else.
    :param is_broken: whether the body, in chunks, ends in the middle of one.
    :param address: where it comes from, where no socket says so.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    is_broken: bool = False
    address: str = "127.0.0.1"

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        values = [value for each, value in self.headers if each.lower() == name.lower()]
        return values[-1] if values else None

    def plus(self, *headers: tuple[str, str]) -> "Request":
        """Return it with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def without(self, name: str) -> "Request":
        """Return it without a header."""
        return replace(self, headers=tuple(each for each in self.headers if each[0].lower() != name.lower()))

    def sized(self) -> "Request":
        """Return it with the right Content-Length, unless its body comes in chunks."""
        return self if self.is_chunked else self.without("Content-Length").plus(("Content-Length", str(len(self.body))))

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in (self.header("Transfer-Encoding") or "").lower()

    @property
    def is_whole(self) -> bool:
        """Whether the body has the length that the headers say, so that another request may follow it."""
        length = self.header("Content-Length")
        return not self.is_broken and (self.is_chunked or (length or "0") == str(len(self.body)))

    def head(self) -> bytes:
        """Return all up to the body."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def payload(self, dice: random.Random) -> bytes:
        """Return the body as it is sent."""
        if not self.is_chunked:
            return self.body
        sent, place = [], 0
        while place < len(self.body):
            block = self.body[place : place + dice.choice([1, 10, 1000, 100_000])]
            place += len(block)
            sent.append(b"%x\r\n%b\r\n" % (len(block), block))
        whole = b"".join([*sent, b"0\r\n\r\n"])
        return whole[: dice.randrange(len(whole) - 2)] if self.is_broken else whole

    def environment(self) -> dict[str, Any]:
        """Return what a server gives the application for it."""
        path, _, query = re.sub("^[a-z]+://[^/?#]*", "", self.target).partition("#")[0].partition("?")
        env: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.address,
            "HTTP_HOST": "localhost",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": Input(self.body, is_broken=self.is_broken),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in self.headers:
            if "_" not in name:
                key = name.upper().replace("-", "_")
                key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
                is_joined = key in env and key.startswith("HTTP_")
                env[key] = f"{env[key]},{value}" if is_joined else value
        return env

    def curl(self) -> str:
        """Return a line for a shell that sends it again; ``$URL`` there is the server's."""
        words = ["curl", "-sSi", "--path-as-is", "-X", self.method, "--request-target", self.target]
        for name, value in self.headers:
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
        words += ["--data-binary", "@-"] if self.body else []
        coded = base64.b64encode(self.body[:_SHOWN]).decode()
        more = f" # of {len(self.body)} bytes, the first {_SHOWN}" if len(self.body) > _SHOWN else ""
        before = f"echo {coded} | base64 -d | " if self.body else ""
        return f'{before}{shlex.join(words)} "$URL"{more}'


class Input:
    """A ``wsgi.input`` as gunicorn's: it gives what there is, and raises where a chunk is broken."""

    def __init__(self, data: bytes, *, is_broken: bool) -> None:
        self._file = io.BytesIO(data)
        self._is_broken = is_broken

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._file.read(size)
        if not data and self._is_broken:
            raise OSError("the connection was closed in the middle of a chunk")
        return data

    readline = readlines = __iter__ = read


@dataclass(frozen=True)
class Answer:
    """An answer. ``faults`` is what was wrong with it as HTTP."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    seconds: float = 0.0
    faults: tuple[str, ...] = field(default=())

    def header(self, name: str) -> str | None:
        """Return the value of a header."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), None)
