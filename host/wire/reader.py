"""A JSON object that comes in pieces, and whose field ``value`` may be larger than memory.

A client may send its fields in any order. The value can be streamed if ``valuetransferencoding`` comes before it;
else it is held until all is there, up to a limit.
"""

import binascii
import codecs
import json
import re
from collections.abc import Callable
from typing import Any, Protocol

from host.errors import Invalid, TooLarge
from host.wire.values import refuse_constant, require_sane

__all__ = ["ENCODINGS", "ObjectReader", "ValueReader", "decode_value"]

ENCODINGS = ("utf-8", "base64")
_BLOCK = 1024 * 1024  # bytes a read
_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BLANKS = dict.fromkeys(map(ord, " \t\r\n"))  # in base64, they have no meaning
#: As much of a string as is whole: a pair of surrogates is one character, and half of one is none.
_PIECE = re.compile(
    r'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
_ESCAPE = 12  # characters of the longest escape
_FIELDS = 1024 * 1024  # characters of all fields but the value
#: What a number may go on with, in text that has not come yet.
_NUMBER = re.compile(r"[-+.0-9eE]*")


class Source(Protocol):
    """Where the text comes from."""

    def read(self, size: int, /) -> bytes: ...


class ObjectReader:
    """Reads the object in ``source``. First :meth:`begin`; then, if there is a value, it; then :meth:`finish`.

    :param limit: characters of a value that is held.
    """

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._place = 0
        self._ended = False
        self._length = 0  # characters of all fields but the value
        self._json = json.JSONDecoder(parse_constant=refuse_constant)
        self._is_open = False  # whether the object has begun and not ended
        self._names: set[str] = set()  # of all fields that have come
        #: What was read so far, but for the value.
        self.fields: dict[str, Any] = {}
        #: Whether the next thing is the value, a string.
        self.has_value = False

    def begin(self) -> None:
        """Read up to the value, or to the end if there is none.

        :raises Invalid: it is no JSON object.
        :raises TooLarge: its fields have more than there may be.
        """
        first = self._peek()
        if first == "":
            return  # an empty body is an empty object
        if first != "{":
            raise Invalid(
                "the body is JSON, but not an object" if first in '["-0123456789tfn' else "the body is not JSON"
            )
        self._place += 1
        self._is_open = True
        if self._peek() == "}":
            self._close()
        else:
            self._read_fields()

    def value(self, encoding: str) -> "ValueReader":
        """Return the value, to be read to its end."""
        return ValueReader(self._pieces, encoding)

    def hold(self) -> str:
        """Return the value whole, as it is in JSON.

        :raises TooLarge: it has more than the limit.
        """
        pieces, length = [], 0
        while piece := self._pieces():
            pieces.append(piece)
            length += len(piece)
            if length > self._limit:
                raise TooLarge(
                    f"the value has more than {self._limit} bytes: send valuetransferencoding before it, or send it raw"
                )
        return "".join(pieces)

    def finish(self) -> None:
        """Read what comes after the value, or after :meth:`begin`.

        :raises Invalid: it is no JSON object, or holds a field twice.
        """
        if self._is_open:
            self._separate()
        if self._is_open:
            self._read_fields()
        if self._peek() != "":
            raise Invalid("the body is not JSON: something follows the object")

    def _read_fields(self) -> None:
        """Read fields until the object ends or a value begins."""
        while True:
            key = self._key()
            if key in self._names:  # a value has been decoded as the fields before it say: none may be said anew
                raise Invalid(f"the body holds {key[:64]!r} twice")
            self._names.add(key)
            if key == "value" and self._peek() == '"':
                self._place += 1
                self.has_value = True
                return
            item = self._item()
            require_sane([key, item])
            self.fields[key] = item
            self._separate()
            if not self._is_open:
                return

    def _separate(self) -> None:
        """Go past the comma between two fields, or past the end of the object."""
        mark = self._peek()
        if mark == "}":
            self._close()
        elif mark == ",":
            self._place += 1
        else:
            raise Invalid("the body is not JSON")

    def _close(self) -> None:
        self._place += 1
        self._is_open = False

    def _key(self) -> str:
        if self._peek() != '"':
            raise Invalid("the body is not JSON")
        while (match := _STRING.match(self._text, self._place)) is None:
            self._require_room(len(self._text) - self._place)
            if not self._more():
                raise Invalid("the body is not JSON")
        key = self._decode(match.group())
        self._place = match.end()
        self._count(len(key))
        if self._peek() != ":":
            raise Invalid("the body is not JSON")
        self._place += 1
        return str(key)

    def _item(self) -> Any:
        """Read any JSON value."""
        self._peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._place)
            except RecursionError:
                raise Invalid("the body is not JSON") from None
            except ValueError:
                value, end = None, len(self._text)
            goes_on = _NUMBER.match(self._text, end)
            if self._ended or (goes_on is not None and goes_on.end() < len(self._text)):
                break
            self._require_room(len(self._text) - self._place)
            self._more()
        if value is None and end == len(self._text):
            value = self._decode(self._text[self._place :])
        self._count(end - self._place)
        self._place = end
        return value

    def _decode(self, text: str) -> Any:
        try:
            return self._json.decode(text)
        except (ValueError, RecursionError):
            raise Invalid("the body is not JSON") from None

    def _count(self, length: int) -> None:
        """Count what was read."""
        self._require_room(length)
        self._length += length

    def _require_room(self, length: int) -> None:
        """Check that the fields may have ``length`` characters more."""
        if self._length + length > _FIELDS:
            raise TooLarge(f"the fields beside the value have more than {_FIELDS} characters")

    def _pieces(self) -> str:
        """Return the next piece of the value, as text; "" at its end."""
        while self.has_value:
            match = _PIECE.match(self._text, self._place)
            end = self._place if match is None else match.end()
            piece = self._text[self._place : end]
            self._place = end
            if self._text[end : end + 1] == '"':
                self._place += 1
                self.has_value = False
            elif len(self._text) - end >= _ESCAPE or (not self._more() and not piece):
                raise Invalid("value: not a JSON string")
            if piece:
                return str(self._decode(f'"{piece}"'))
        return ""

    def _peek(self) -> str:
        """Return the next character that is no space, without going past it; "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._place)
            self._place = self._place if match is None else match.end()
            if self._place < len(self._text) or not self._more():
                return self._text[self._place : self._place + 1]

    def _more(self) -> bool:
        """Get more text, and forget what was read; return False at the end.

        As much comes as is kept, at least: what is not whole yet is looked at anew each time, and so not too often.
        """
        kept = len(self._text) - self._place
        pieces, length = [self._text[self._place :]], 0
        while length < max(1, kept) and not self._ended:
            pieces.append(self._block())
            length += len(pieces[-1])
        self._text = "".join(pieces)
        self._place = 0
        return length > 0

    def _block(self) -> str:
        block = self._source.read(_BLOCK)
        self._ended = not block
        try:
            return self._decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            raise Invalid("the body is not UTF-8") from None


class ValueReader:
    """The bytes of a value, decoded as they come."""

    def __init__(self, pieces: Callable[[], str], encoding: str) -> None:
        self._pieces = pieces
        self._is_base64 = encoding == "base64"
        self._digits = ""  # of base64, that are no whole group yet
        self._is_padded = False

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, of any number; ``b""`` at the end.

        :raises Invalid: the value is no JSON string, or no base64.
        """
        while piece := self._pieces():
            data = self._base64(piece) if self._is_base64 else piece.encode()
            if data:
                return data
        if self._digits:
            raise Invalid("value: not base64")
        return b""

    def _base64(self, piece: str) -> bytes:
        digits = self._digits + piece.translate(_BLANKS)
        whole = len(digits) // 4 * 4
        self._digits = digits[whole:]
        if not whole:
            return b""
        if self._is_padded:
            raise Invalid("value: not base64")
        try:
            data = binascii.a2b_base64(digits[:whole], strict_mode=True)
        except ValueError:
            raise Invalid("value: not base64") from None
        self._is_padded = digits[whole - 1] == "="
        return data


def decode_value(value: str, encoding: str) -> bytes:
    """Return the bytes of a value that was held.

    :raises Invalid: it is no base64.
    """
    pieces = iter([value, ""])
    reader = ValueReader(lambda: next(pieces, ""), encoding)
    return b"".join(iter(lambda: reader.read(_BLOCK), b""))
