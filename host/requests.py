"""What all handlers need of a request and of a response."""

import json
from typing import Any

from falcon import Request, Response

from host.body import BLOCK, Body
from host.errors import NotAllowed, TooLarge

__all__ = ["allow", "answer", "body_of", "read_small"]


def allow(request: Request, *methods: str) -> None:
    """Refuse every method but ``methods``.

    :raises NotAllowed: the request has another one.
    """
    if request.method not in methods:
        raise NotAllowed(f"{request.method} is not for this", Allow=", ".join(methods))


def answer(response: Response, fields: dict[str, Any], media_type: str = "application/json") -> None:
    """Answer with a JSON object."""
    response.data = json.dumps(fields).encode()
    response.content_type = media_type


def is_chunked(request: Request) -> bool:
    """Tell whether the body comes in chunks, without a length."""
    return "chunked" in (request.get_header("Transfer-Encoding") or "").lower()


def body_of(request: Request, room: int | None = None) -> Body:
    """Return the body, to be streamed. One without a length is empty, unless it is chunked.

    :param room: bytes that the account may still store; None for any number.
    """
    length = None if is_chunked(request) else request.content_length or 0
    return Body(request.env["wsgi.input"], length, room)


def read_small(request: Request, limit: int) -> bytes:
    """Return the whole body.

    :param limit: bytes.
    :raises TooLarge: it has more.
    """
    body = body_of(request)
    blocks = []
    while (request.content_length or 0) <= limit and body.count <= limit and (block := body.read(BLOCK)):
        blocks.append(block)
    if max(request.content_length or 0, body.count) > limit:
        raise TooLarge(f"the body has more than {limit} bytes")
    return b"".join(blocks)
