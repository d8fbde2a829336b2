"""Requests to a server on this machine: one by one, and large bodies at little cost to the client."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse

from bench.cloud.process import ServerError

__all__ = ["Large", "Target", "content", "request"]

_BUFFER = 256 * 1024  # it stays in the cache of a processor
_TIMEOUT = 120  # seconds


@dataclass(frozen=True)
class Target:
    """Where a server takes objects: ``prefix`` and a name are an object's path."""

    name: str  #: of the server, for the reader
    port: int
    prefix: str
    headers: Mapping[str, str] = field(default_factory=dict)  #: of every request

    def connect(self) -> HTTPConnection:
        """Return a connection; it is made with the first request."""
        return HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)


@cache
def content(size: int) -> memoryview:
    """Return ``size`` bytes to store, always the same ones, no two parts of which are alike."""
    return memoryview(os.urandom(size))


def request(
    target: Target, method: str, path: str, body: bytes | memoryview | None = None, **headers: str
) -> tuple[HTTPResponse, bytes]:
    """Make one request on a connection of its own, and return the answer with its body.

    :param path: the whole of it.
    :param headers: with ``_`` for ``-``.
    :raises ServerError: the answer is none of success.
    """
    all_headers = {**target.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection = target.connect()
    try:
        connection.request(method, path, body, all_headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, HTTPException) as error:
        raise ServerError(f"{target.name}: {method} {path}: {error!r}") from error
    finally:
        connection.close()
    if not 200 <= response.status < 300:
        raise ServerError(
            f"{target.name}: {method} {path}: {response.status} {answer[:300].decode('utf-8', 'replace')}"
        )
    return response, answer


class Large:
    """Objects that a server keeps, as :class:`bench.stores.Store`: all of one call through one connection.

    A body is sent from memory and received into a buffer that is kept, so that the client costs as little as
    a client can that takes the bytes.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._made = 0

    def names(self, count: int) -> list[str]:
        numbers = range(self._made, self._made + count)
        self._made += count
        return [f"large-{number}" for number in numbers]

    def put(self, names: Sequence[str], size: int) -> None:
        connection = self.target.connect()
        try:
            for name in names:
                connection.request("PUT", self.target.prefix + name, content(size), dict(self.target.headers))
                response = connection.getresponse()
                self._require(response, 201, 204)
                response.read()
                self.stored(name)
        finally:
            connection.close()

    def stored(self, name: str) -> None:
        """Do what an answer to a PUT leaves to be done until the object is durable: nothing, in good servers."""

    def get(self, names: Sequence[str], size: int) -> None:
        buffer = memoryview(bytearray(_BUFFER))
        connection = self.target.connect()
        try:
            for name in names:
                connection.request("GET", self.target.prefix + name, headers=dict(self.target.headers))
                response = connection.getresponse()
                self._require(response, 200)
                count = 0
                while got := response.readinto(buffer):
                    count += got
                if count != size:
                    raise ServerError(f"{self.target.name}: GET {name}: {count} bytes instead of {size}")
        finally:
            connection.close()

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            request(self.target, "DELETE", self.target.prefix + name)

    def verify(self, size: int) -> None:
        """Store an object, and see whether the same bytes come back.

        :raises ServerError: they do not.
        """
        names = self.names(1)
        self.put(names, size)
        if request(self.target, "GET", self.target.prefix + names[0])[1] != content(size):
            raise ServerError(f"{self.target.name}: GET: other bytes came back than were stored")
        self.delete(names, size)

    def _require(self, response: HTTPResponse, *statuses: int) -> None:
        if response.status not in statuses:
            answer = response.read(300).decode("utf-8", "replace")
            raise ServerError(f"{self.target.name}: {response.status} instead of {statuses[0]}: {answer}")
