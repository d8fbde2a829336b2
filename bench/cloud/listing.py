"""A page of the names in a container that has very many, beside one of a container that has a thousand."""

import json
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

from bench.cloud.client import Target, request
from bench.cloud.fill import fill
from bench.cloud.ours import USER, Ours
from bench.cloud.process import ServerError

__all__ = ["FEW", "PAGE", "Pages", "page_path"]

PAGE = 1000  #: names
FEW = 1000  #: names in the small container
_VERSION = {"X-CDMI-Specification-Version": "1.1.1"}


def page_path(container: str, first: int) -> str:
    """Return the path and query of the page that begins with the name of that number."""
    return f"/cdmi/{container}/?children:{first}-{first + PAGE - 1}"


class Pages:
    """Our server with two containers: ``many`` names and :data:`FEW`.

    :param data: where to make the cloud.
    :raises ServerError: the server serves no pages.
    """

    def __init__(self, data: Path, many: int) -> None:
        made = Ours(data)  # the cloud and its user
        try:  # or very many names would be made for nothing
            request(_asking(made), "GET", page_path("c", 0))
        finally:
            made.stop()
        for container, count in (("many", many), ("few", FEW)):
            fill(data, USER, container, count)
        self._server = Ours(data)
        self.target = _asking(self._server)

    def verify(self, path: str) -> None:
        """See whether the answer is a page.

        :raises ServerError: it is none.
        """
        connection = self.target.connect()
        try:
            children = json.loads(_fetch(self.target, connection, path)).get("children")
        finally:
            connection.close()
        if not isinstance(children, list) or len(set(children)) != PAGE:
            raise ServerError(f"{self.target.name}: GET {path}: not {PAGE} children")

    def get(self, paths: Sequence[str], size: int) -> None:
        """Get each of the pages, through one connection; their size is what it is."""
        connection = self.target.connect()
        try:
            for path in paths:
                _fetch(self.target, connection, path)
        finally:
            connection.close()

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()


def _asking(server: Ours) -> Target:
    """Return the server for requests of CDMI."""
    return Target(server.target.name, server.target.port, "", {**server.target.headers, **_VERSION})


def _fetch(target: Target, connection: HTTPConnection, path: str) -> bytes:
    connection.request("GET", path, headers=dict(target.headers))
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise ServerError(f"{target.name}: GET {path}: {response.status} {body[:300].decode('utf-8', 'replace')}")
    return body
