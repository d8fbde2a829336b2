"""What CDMI looks like on the wire. Pure functions of text and bytes; no request, no database.

Source: SNIA CDMI 1.0.2 and 1.1.1; docs/decisions/003-host.md has what was chosen where they leave it open.
"""

import base64
import binascii
import json
import math
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from host.errors import Invalid, NotAcceptable, Unsatisfiable
from host.node import Node

__all__ = [
    "CONTAINER",
    "OBJECT",
    "ObjectBody",
    "Path",
    "byte_range",
    "cdmi_fields",
    "container_json",
    "credentials",
    "encoding_of",
    "json_object",
    "mimetype",
    "object_body",
    "object_json",
    "path",
    "require_acceptable",
    "user_metadata",
    "version",
]

OBJECT = "application/cdmi-object"
CONTAINER = "application/cdmi-container"
_VERSIONS = ("1.1.1", "1.1.0", "1.1", "1.0.2", "1.0.1h", "1.0.1", "1.0")  # the highest first
_ENCODINGS = ("utf-8", "base64")
_DEPTH = 64  # of nested JSON; clients have needed 3
_UNSERVED = ("copy", "move", "reference", "deserialize", "deserializevalue", "serialize")


@dataclass(frozen=True)
class Path:
    """A path below ``/cdmi/``: its names, and whether it ends in a slash."""

    names: tuple[str, ...]
    slash: bool

    @property
    def url(self) -> str:
        """The path as it is in a URL."""
        return "/cdmi/" + quote("/".join(self.names)) + ("/" if self.slash and self.names else "")

    @property
    def parent(self) -> "Path":
        """The path of the container that holds it."""
        return Path(self.names[:-1], slash=True)


def path(path_info: str) -> Path | None:
    """Parse the PATH_INFO of PEP 3333; None if it does not lie below ``/cdmi``.

    :raises Invalid: it is not UTF-8, or holds a name that no object can have.
    """
    try:
        text = path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise Invalid("the path is not UTF-8") from None
    first, *names = [name for name in text.split("/") if name] or [""]
    if first != "cdmi":
        return None
    for name in names:
        if name in (".", "..") or "\0" in name:
            raise Invalid(f"the path holds the name {name!r}, which nothing can have")
    return Path(tuple(names), slash=text.endswith("/"))


def version(header: str | None) -> str | None:
    """Return the highest version that the client and we speak; None for plain HTTP.

    :raises Invalid: there is none in common.
    """
    if header is None:
        return None
    asked = [item.strip() for item in header.split(",")]
    for ours in _VERSIONS:
        if ours in asked:
            return ours
    raise Invalid(f"X-CDMI-Specification-Version: none of {header!r} is served; {_VERSIONS[0]} is")


def credentials(header: str | None) -> tuple[str, str] | None:
    """Return the name and password of an Authorization header (RFC 7617), None if it has none."""
    scheme, _, coded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a body that is a JSON object; an empty one is ``{}``.

    :raises Invalid: it is none.
    """
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Invalid("the body is JSON, but not an object")
    _require_sane(value, _DEPTH)
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity, which Python reads and no other parser does


def _require_sane(value: Any, depth: int) -> None:
    """Check that a value can be kept and written again.

    :raises Invalid: a text is not Unicode, a number is infinite, or all is nested too deeply.
    """
    if depth == 0:
        raise Invalid(f"the body is nested more than {_DEPTH} deep")
    if isinstance(value, str) and not value.isprintable():  # a lone surrogate is not; what is needs no look
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Invalid("the body holds a lone surrogate, which is no text") from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise Invalid("the body holds a number that is too large")
    elif isinstance(value, (dict, list)):
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            _require_sane(item, depth - 1)


def cdmi_fields(body: bytes) -> dict[str, Any]:
    """Parse the body of a CDMI request.

    :raises Invalid: it is malformed, or asks for what is not served.
    """
    fields = json_object(body)
    if unserved := [name for name in _UNSERVED if name in fields]:
        raise Invalid(f"{unserved[0]}: not served")
    return fields


@dataclass(frozen=True)
class ObjectBody:
    """A cdmi-object as a client sends it. None is what it did not send."""

    value: bytes | None
    encoding: str | None
    mimetype: str | None
    metadata: dict[str, Any] | None


def object_body(body: bytes) -> ObjectBody:
    """Parse the body of a PUT with Content-Type application/cdmi-object.

    :raises Invalid: it is malformed, or asks for what is not served.
    """
    fields = cdmi_fields(body)
    encoding = _text(fields, "valuetransferencoding")
    if encoding not in (None, *_ENCODINGS):
        raise Invalid(f"valuetransferencoding: {encoding!r} is not served; utf-8 and base64 are")
    value = _text(fields, "value")
    if value is None:
        data = None
    elif encoding == "base64":
        data = _decode64(value)
    else:
        encoding = "utf-8"
        data = value.encode()
    return ObjectBody(data, encoding, mimetype(_text(fields, "mimetype")), user_metadata(fields))


def mimetype(text: str | None) -> str | None:
    """Return ``text`` if it can be sent back as a Content-Type.

    :raises Invalid: it cannot: it is too long, or holds more than printable ASCII.
    """
    if text is not None and not re.fullmatch("[!-~][ -~]{0,254}", text):
        raise Invalid("mimetype: not 1 to 255 characters of printable ASCII, the first no blank")
    return text


def encoding_of(content_type: str) -> str:
    """Return the valuetransferencoding in which data of that type reads back."""
    return "utf-8" if re.search(r";\s*charset\s*=\s*\"?utf-8\b", content_type, re.IGNORECASE) else "base64"


def user_metadata(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metadata of a body: without nulls and without what the system keeps itself.

    :raises Invalid: it is not a JSON object.
    """
    value = fields.get("metadata")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Invalid("metadata: not a JSON object")
    return {key: item for key, item in value.items() if item is not None and key not in _SYSTEM}


_SYSTEM = {"cdmi_size", "cdmi_ctime", "cdmi_mtime", "cdmi_atime", "cdmi_owner"}


def object_json(node: Node, where: Path) -> dict[str, Any]:
    """Return the fields of an object, without its value."""
    return {
        "objectType": OBJECT,
        **_common(node, where, "dataobject"),
        "mimetype": node.mimetype,
        "metadata": {**node.metadata, "cdmi_size": node.size, **_system(node)},
    }


def container_json(node: Node, where: Path, children: list[str]) -> dict[str, Any]:
    """Return the fields of a container."""
    listed = {"childrenrange": f"0-{len(children) - 1}"} if children else {}
    return {
        "objectType": CONTAINER,
        **_common(node, Path(where.names, slash=True), "container"),
        "metadata": {**node.metadata, **_system(node)},
        **listed,
        "children": children,
    }


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of a Range header (RFC 9110, section 14), or None for all.

    What is malformed, in another unit or of several ranges is ignored, as the RFC allows.

    :raises Unsatisfiable: the range lies outside the ``size`` bytes.
    """
    match = re.fullmatch(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", header or "", re.ASCII)
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last or size), size - 1)
        if last and int(last) < start:
            return None
    if start >= size or end < start:
        raise Unsatisfiable(f"the object has {size} bytes", Content_Range=f"bytes */{size}")
    return start, end


def require_acceptable(accept: str | None, kind: str, cdmi: bool) -> None:
    """Check that a client which sends ``accept`` takes ``kind``.

    In a plain HTTP request only a client that asks for the other kind, and for nothing else, does not.

    :raises NotAcceptable: it does not.
    """
    items = [item.lower().replace(" ", "") for item in (accept or "*/*").split(",")]
    asked = {item.partition(";")[0] for item in items if not re.search(r";q=0(\.0*)?$", item)}
    if asked & {"*/*", "application/*", kind}:
        return
    if cdmi or asked <= {OBJECT, CONTAINER}:
        raise NotAcceptable(f"this is {kind}, which the header Accept excludes")


def timestamp(seconds: int) -> str:
    """Return a time as CDMI writes it; strict clients want the six digits."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds))


def _common(node: Node, where: Path, kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"objectID": node.id}
    if where.names:
        fields["objectName"] = where.names[-1] + ("/" if where.slash else "")
        fields["parentURI"] = where.parent.url
        fields["parentID"] = node.parent
    fields["domainURI"] = "/cdmi/cdmi_domains/system_domain/"
    fields["capabilitiesURI"] = f"/cdmi/cdmi_capabilities/{kind}/"
    fields["completionStatus"] = "Complete"
    return fields


def _system(node: Node) -> dict[str, str]:
    return {
        "cdmi_ctime": timestamp(node.ctime),
        "cdmi_mtime": timestamp(node.mtime),
        "cdmi_atime": timestamp(node.mtime),  # reads are not noted: as of a disk mounted noatime
        "cdmi_owner": node.owner,
    }


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{name}: not a string")
    return value


def _decode64(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("value: not base64") from None
