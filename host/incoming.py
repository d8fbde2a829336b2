"""A cdmi-object as a client sends it: in JSON, or its fields in JSON and its value as a second part."""

import io
import re
from typing import Any, Protocol

from host.body import Body
from host.errors import Invalid
from host.wire.headers import OBJECT, encoding_of, media_type, mimetype
from host.wire.multipart import Mixed, boundary_of
from host.wire.path import Path, source
from host.wire.reader import ENCODINGS, ObjectReader, decode_value
from host.wire.values import text, user_metadata

__all__ = ["Incoming", "require_served", "transfer"]

_UNSERVED = ("reference", "deserialize", "deserializevalue", "serialize", "snapshot", "exports")
_OUR_DOMAIN = re.compile("(https?://[^/]+)?(/cdmi)?/cdmi_domains/system_domain/?")


class Source(Protocol):
    """What is read."""

    def read(self, size: int, /) -> bytes: ...


class Incoming:
    """What a request says of an object. Of its fields some may come after its data, and want :meth:`finish`.

    :param content_type: the header, with its parameters.
    :param limit: bytes of a value that cannot be streamed.
    :raises HostError: the body is malformed, or asks for what is not served.
    """

    def __init__(self, body: Body, content_type: str, limit: int) -> None:
        #: The data, None if there is none, and its length in bytes, None if that is not known.
        self.data: Source | None = None
        self.length: int | None = None
        self._parts: Mixed | None = None
        if media_type(content_type) == OBJECT:
            self._reader = ObjectReader(body, limit)
            self._reader.begin()
            self._open_value()
        else:
            self._parts = Mixed(body, boundary_of(content_type))
            self._reader = ObjectReader(self._first(self._parts), limit)
            self._open_part(self._parts)
        require_served(self.fields)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields, but for the value, as far as they were read."""
        return self._reader.fields

    @property
    def given_encoding(self) -> str | None:
        """The valuetransferencoding, None if it is not said."""
        return _encoding(self.fields)

    @property
    def encoding(self) -> str:
        """The valuetransferencoding in which the data is to read back."""
        given = self.given_encoding
        if given is None and self._parts is not None:
            return encoding_of(self.mimetype or "")
        return given or "utf-8"

    @property
    def mimetype(self) -> str | None:
        """The mimetype, None if it is not said."""
        return mimetype(text(self.fields, "mimetype"))

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The metadata, None if there is none."""
        return user_metadata(self.fields)

    def finish(self) -> None:
        """Read what comes after the data.

        :raises HostError: it is malformed, or asks for what is not served.
        """
        if self._parts is None:
            self._reader.finish()
        elif self.data is not None and self._parts.next_part() is not None:
            raise Invalid("multipart/mixed: more than two parts")
        if self.data is not None and any(self.fields.get(verb) is not None for verb in ("copy", "move")):
            raise Invalid("more than one of value, copy and move")
        if self.fields.get("value") is not None:
            raise Invalid("value: not a string")
        require_served(self.fields)
        _ = self.encoding, self.mimetype, self.metadata

    def _open_value(self) -> None:
        reader = self._reader
        if not reader.has_value:
            self.finish()
        elif (encoding := _encoding(reader.fields)) is not None:
            self.data = reader.value(encoding)
        else:  # it may be said later
            held = reader.hold()
            reader.finish()
            value = decode_value(held, self.encoding)
            self.data, self.length = io.BytesIO(value), len(value)

    def _first(self, parts: Mixed) -> Source:
        part = parts.next_part()
        if part is None or media_type(part.content_type) != OBJECT:
            raise Invalid(f"multipart/mixed: the first part is not {OBJECT}")
        return part

    def _open_part(self, parts: Mixed) -> None:
        self._reader.begin()
        if self._reader.has_value:
            raise Invalid("value: it is the second part of a multipart/mixed body")
        self._reader.finish()
        part = parts.next_part()
        if part is not None:
            self.data = part
            if part.content_type:
                self.fields.setdefault("mimetype", part.content_type)


def require_served(fields: dict[str, Any]) -> None:
    """Check that a body asks for nothing that is not served. A field that is null or empty asks for nothing.

    :raises Invalid: it does.
    """
    if unserved := [name for name in _UNSERVED if fields.get(name)]:
        raise Invalid(f"{unserved[0]}: not served")
    if (domain := text(fields, "domainURI")) and not _OUR_DOMAIN.fullmatch(domain):
        raise Invalid("domainURI: there is the one domain /cdmi/cdmi_domains/system_domain/ alone")


def transfer(fields: dict[str, Any]) -> tuple[str, Path] | None:
    """Return ``copy`` or ``move``, and from where; None if a body asks for neither.

    :raises Invalid: it asks for both, or names no path.
    """
    verbs = [verb for verb in ("copy", "move") if fields.get(verb) is not None]
    if not verbs:
        return None
    if len(verbs) > 1:
        raise Invalid("more than one of value, copy and move")
    return verbs[0], source(text(fields, verbs[0]) or "")


def _encoding(fields: dict[str, Any]) -> str | None:
    encoding = text(fields, "valuetransferencoding")
    if encoding not in (None, *ENCODINGS):
        raise Invalid(f"valuetransferencoding: {encoding!r} is not served; utf-8 and base64 are")
    return encoding
