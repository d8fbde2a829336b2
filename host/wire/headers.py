"""Header fields of a request."""

import base64
import re

from host.errors import Invalid, NotAcceptable

__all__ = ["CONTAINER", "OBJECT", "client_address", "credentials", "encoding_of", "media_type", "mimetype"]
__all__ += ["require_acceptable", "version"]

OBJECT = "application/cdmi-object"
CONTAINER = "application/cdmi-container"
_VERSIONS = ("1.1.1", "1.1.0", "1.1", "1.0.2", "1.0.1h", "1.0.1", "1.0")  # the highest first


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
    return (name, password) if colon and "\0" not in name else None


def media_type(content_type: str | None) -> str:
    """Return the media type of a Content-Type, in small letters and without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


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


def require_acceptable(accept: str | None, kind: str, cdmi: bool) -> None:
    """Check that a client which sends ``accept`` takes ``kind``.

    In a plain HTTP request only a client that asks for the other kind, and for nothing else, does not.

    :raises NotAcceptable: it does not.
    """
    if not accept:
        return
    items = ["".join(item.lower().split()) for item in accept.split(",")]
    asked = {item.partition(";")[0] for item in items if not re.search(r";q=0(\.0*)?$", item)}
    if asked & {"*/*", "application/*", kind}:
        return
    if cdmi or asked == {OBJECT, CONTAINER} - {kind}:
        raise NotAcceptable(f"this is {kind}, which the header Accept excludes")


def client_address(peer: str, forwarded: str | None, proxies: frozenset[str]) -> str:
    """Return the address from which a request comes.

    :param forwarded: the header X-Forwarded-For, to which each proxy adds the address that it saw. It is believed as
        far as it was written by ``proxies``, ours.
    """
    chain = [*(item.strip() for item in (forwarded or "").split(",") if item.strip()), peer]
    while len(chain) > 1 and chain[-1] in proxies:
        chain.pop()
    return chain[-1][:64]
