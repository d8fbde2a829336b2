"""Answers that are streamed: values in JSON, long listings, several ranges."""

import base64
import codecs
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from host.body import BLOCK
from host.streams import Window

__all__ = ["Blocks", "Listing", "Ranges", "Value"]


class Blocks:
    """The bytes of an object."""

    def __init__(self, stream: Window) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        while block := self._stream.read(BLOCK):
            yield block

    def close(self) -> None:
        """Close the stream. A server calls it, also when the client has gone away."""
        self._stream.close()


class Value:
    """The JSON of an object, whose field ``value`` is streamed. A server iterates over it, and closes it."""

    def __init__(self, fields: dict[str, Any], stream: Window, encoding: str) -> None:
        self._head = _opened(fields, "value", '"')
        self._stream = stream
        self._encoding = encoding

    @staticmethod
    def length(fields: dict[str, Any], size: int) -> int:
        """Return how many bytes the JSON has if the value has ``size`` and is in base64."""
        return len(_opened(fields, "value", '"')) + (size + 2) // 3 * 4 + len(b'"}')

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._base64() if self._encoding == "base64" else self._text()
        yield b'"}'

    def _base64(self) -> Iterator[bytes]:
        rest = b""
        while block := self._stream.read(BLOCK):
            block = rest + block
            whole = len(block) // 3 * 3  # the digits of pieces can be joined only at multiples of three bytes
            rest = block[whole:]
            yield base64.b64encode(block[:whole])
        yield base64.b64encode(rest)

    def _text(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while block := self._stream.read(BLOCK):
            yield json.dumps(decoder.decode(block))[1:-1].encode()
        decoder.decode(b"", final=True)

    def close(self) -> None:
        """Close the stream. A server calls it, also when the client has gone away."""
        self._stream.close()


class Listing:
    """The JSON of a container, whose children are read some at a time.

    :param first: the number of the first child.
    """

    def __init__(self, fields: dict[str, Any], pages: Iterator[list[str]], first: int) -> None:
        self._fields = fields
        self._pages = pages
        self._first = first

    def __iter__(self) -> Iterator[bytes]:
        yield _opened(self._fields, "children", "[")
        count = 0
        for page in self._pages:
            comma = ", " if count else ""
            count += len(page)
            yield f"{comma}{json.dumps(page)[1:-1]}".encode()
        yield f'], "childrenrange": "{self._first}-{self._first + count - 1}"}}'.encode() if count else b"]}"


class Ranges:
    """Several ranges of an object, as multipart/byteranges (RFC 9110, section 14.6).

    :param ranges: the first and last byte of each.
    :param open_range: opens one, by its first byte and its length.
    """

    def __init__(
        self, ranges: list[tuple[int, int]], size: int, mimetype: str, open_range: Callable[[int, int], Window]
    ) -> None:
        self._ranges = ranges
        self._open_range = open_range
        self._stream: Window | None = None
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        self._heads = [
            f"\r\n--{boundary}\r\nContent-Type: {mimetype}\r\nContent-Range: bytes {a}-{b}/{size}\r\n\r\n".encode()
            for a, b in ranges
        ]
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        #: Bytes of the whole body.
        self.length = sum(map(len, self._heads)) + sum(b - a + 1 for a, b in ranges) + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        for head, (first, last) in zip(self._heads, self._ranges, strict=True):
            yield head
            self._stream = self._open_range(first, last - first + 1)
            while block := self._stream.read(BLOCK):
                yield block
            self.close()
        yield self._tail

    def close(self) -> None:
        """Close what is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _opened(fields: dict[str, Any], name: str, mark: str) -> bytes:
    """Return the JSON of ``fields`` with one field more, whose value is still to come."""
    head = json.dumps(fields)[:-1]
    return f'{head}{", " if fields else ""}"{name}": {mark}'.encode()
