"""One request and its answer, as all handlers see them."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from falcon import HTTP_301, Request, Response

from host.body import BLOCK, Body
from host.catalogue.account import Account
from host.errors import NotAllowed, TooLarge
from host.settings import Limits
from host.wire.conditions import Conditions, conditions
from host.wire.fields import Selection, selection
from host.wire.headers import media_type
from host.wire.path import Path

__all__ = ["Exchange"]


@dataclass
class Exchange:
    """A request of ``account`` for ``where``. ``version`` is that of CDMI, None for plain HTTP."""

    request: Request
    response: Response
    account: Account
    where: Path
    version: str | None
    limits: Limits
    #: What the audit log tells of a change: the body, without secrets.
    audited: dict[str, Any] = field(default_factory=dict)

    @property
    def is_cdmi(self) -> bool:
        """Whether the request bears the header of CDMI."""
        return self.version is not None

    @property
    def is_head(self) -> bool:
        """Whether the answer has no body."""
        return self.request.method == "HEAD"

    @cached_property
    def conditions(self) -> Conditions:
        """What must hold for the request to be carried out."""
        return conditions(self.request.get_header, is_put=self.request.method == "PUT")

    @cached_property
    def selection(self) -> Selection:
        """The fields that the query names."""
        return selection(self.request.query_string)

    @property
    def content_type(self) -> str:
        """The media type of the body, in small letters."""
        return media_type(self.request.content_type)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks, without a length."""
        return "chunked" in (self.request.get_header("Transfer-Encoding") or "").lower()

    @property
    def length(self) -> int | None:
        """Bytes of the body; None if it comes in chunks, 0 if there is none."""
        return None if self.is_chunked else self.request.content_length or 0

    def redirect(self, url: str) -> None:
        """Send the client to another path, with its query."""
        query = self.request.query_string
        self.response.status = HTTP_301
        self.response.set_header("Location", f"{url}?{query}" if query else url)

    def allow(self, *methods: str) -> None:
        """Refuse every method but ``methods``.

        :raises NotAllowed: the request has another one.
        """
        if self.request.method not in methods:
            raise NotAllowed(f"{self.request.method} is not for this", Allow=", ".join(methods))

    def body(self) -> Body:
        """Return the body, to be streamed. One without a length is empty, unless it is chunked."""
        return Body(self.request.env["wsgi.input"], self.length)

    def read_small(self, limit: int) -> bytes:
        """Return the whole body.

        :param limit: bytes.
        :raises TooLarge: it has more.
        """
        if (self.length or 0) > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
        body, blocks = self.body(), []
        while block := body.read(BLOCK):
            blocks.append(block)
            if body.count > limit:
                raise TooLarge(f"the body has more than {limit} bytes")
        return b"".join(blocks)

    def answer(self, fields: dict[str, Any], kind: str = "application/json") -> None:
        """Answer with a JSON object."""
        self.response.data = json.dumps(fields).encode()
        self.response.content_type = kind
