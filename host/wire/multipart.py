"""Bodies of several parts (RFC 2046, section 5.1): multipart/mixed, in which CDMI sends fields and value apart."""

import re
from typing import Protocol

from falcon import DelimiterError
from falcon.util.reader import BufferedReader

from host.errors import Invalid

__all__ = ["Mixed", "Part", "boundary_of"]

_BLOCK = 1024 * 1024  # bytes a read
_HEAD = 16 * 1024  # bytes of the header fields of one part
_ANY = 2**62  # bytes that a body may have


class Source(Protocol):
    """Where a body comes from."""

    def read(self, size: int, /) -> bytes: ...


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names.

    :raises Invalid: it names none.
    """
    match = re.search(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))', content_type, re.IGNORECASE)
    if match is None:
        raise Invalid("multipart/mixed: the Content-Type has no boundary")
    return (match.group(1) or match.group(2)).encode("latin-1", "replace")


class Part:
    """The data of one part, and its Content-Type."""

    def __init__(self, reader: BufferedReader, delimiter: bytes, content_type: str) -> None:
        self.content_type = content_type
        self._reader = reader
        self._delimiter = delimiter

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; ``b""`` at the end of the part.

        :raises Invalid: the body ends before the part does.
        """
        data = self._reader.read_until(self._delimiter, size)
        if not data and self._reader.peek(len(self._delimiter)) != self._delimiter:
            raise Invalid("multipart/mixed: the body ends before its last boundary")
        return data


class Mixed:
    """The parts of a body. Each has to be read to its end before the next is asked for."""

    def __init__(self, source: Source, boundary: bytes) -> None:
        # A boundary stands at the begin of a line, and the first line has none before it.
        begin = [b"\r\n"]
        self._reader = BufferedReader(lambda size: begin.pop() if begin else source.read(size), _ANY, _BLOCK)
        self._delimiter = b"\r\n--" + boundary

    def next_part(self) -> Part | None:
        """Return the next part, or None at the end of the body.

        :raises Invalid: the body is malformed.
        """
        reader = self._reader
        try:
            reader.pipe_until(self._delimiter, consume_delimiter=True)
            if reader.peek(2) == b"--":
                reader.exhaust()  # what comes after the last boundary has no meaning
                return None
            if reader.read_until(b"\r\n", _HEAD, consume_delimiter=True).strip(b" \t"):
                raise Invalid("multipart/mixed: something follows a boundary")
            if reader.peek(2) == b"\r\n":
                reader.read(2)
                return Part(reader, self._delimiter, "")
            head = reader.read_until(b"\r\n\r\n", _HEAD, consume_delimiter=True)
        except DelimiterError:
            raise Invalid("multipart/mixed: a boundary or the end of a part's header is missing") from None
        fields = {}
        unfolded = re.sub("\r\n(?=[ \t])", "", head.decode("latin-1"))  # a line may be the rest of the one before it
        for line in unfolded.split("\r\n"):
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        if fields.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            raise Invalid("multipart/mixed: no Content-Transfer-Encoding but binary is served")
        return Part(reader, self._delimiter, fields.get("content-type", ""))
