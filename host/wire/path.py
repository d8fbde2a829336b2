"""Paths below ``/cdmi/``: of names, and of object ids (CDMI 1.1.1, section 5.10)."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from host.errors import Invalid, TooLong
from host.wire import objectid

__all__ = ["BY_ID", "NAME_LIMIT", "Path", "parse", "source"]

#: The first name of paths by id.
BY_ID = "cdmi_objectid"
#: The longest name, in bytes of UTF-8. PostgreSQL's indexes cannot hold much longer ones.
NAME_LIMIT = 1024


@dataclass(frozen=True)
class Path:
    """A path below ``/cdmi/``: its names, and whether it ends in a slash. With an ``id`` it begins there."""

    names: tuple[str, ...]
    slash: bool
    id: str | None = None

    @property
    def url(self) -> str:
        """The path as it is in a URL."""
        names = self.names if self.id is None else (BY_ID, self.id, *self.names)
        return "/cdmi/" + quote("/".join(names)) + ("/" if self.slash and names else "")

    @property
    def parent(self) -> "Path":
        """The path of the container that holds it."""
        return Path(self.names[:-1], slash=True, id=self.id)

    def child(self, name: str, *, slash: bool) -> "Path":
        """Return the path of what has ``name`` in this container."""
        return Path((*self.names, name), slash, self.id)


def parse(path_info: str, limit: int) -> Path | None:
    """Parse the PATH_INFO of PEP 3333; None if it does not lie below ``/cdmi``.

    :param limit: bytes.
    :raises TooLong: it has more.
    :raises Invalid: it is not UTF-8, or holds a name or an id that nothing can have.
    """
    if len(path_info) > limit:
        raise TooLong(f"the path has more than {limit} bytes")
    try:
        text = path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise Invalid("the path is not UTF-8") from None
    first, *names = [name for name in text.split("/") if name] or [""]
    return _below(names, slash=text.endswith("/")) if first == "cdmi" else None


def source(text: str) -> Path:
    """Parse what the field ``copy`` or ``move`` names: a path or URL, percent-encoded, with ``/cdmi`` or without.

    :raises Invalid: it is none, or goes on with a query: to leave that out would copy more than was asked for.
    """
    # Not by urlsplit, which takes the first name behind two slashes for a host, and drops tabs and line ends.
    match = re.fullmatch("(?:https?://[^/?#]+)?(/[^?#]*)", text, re.IGNORECASE)
    if match is None:
        raise Invalid("copy or move: not a path that begins with a slash, without a query")
    try:
        decoded = unquote(match.group(1), errors="strict")
    except UnicodeError:
        raise Invalid("copy or move: not UTF-8") from None
    names = [name for name in decoded.split("/") if name]
    return _below(names[1:] if names[:1] == ["cdmi"] else names, slash=decoded.endswith("/"))


def _below(names: list[str], *, slash: bool) -> Path:
    for name in names:
        if name in (".", "..") or "\0" in name:
            raise Invalid(f"the path holds the name {name!r}, which nothing can have")
        if len(name) > NAME_LIMIT // 4 and len(name.encode()) > NAME_LIMIT:
            raise TooLong(f"the path holds a name of more than {NAME_LIMIT} bytes")
    while names[:1] == ["storage_root"]:  # what some clients call the root; nothing in it can have that name
        names = names[1:]
    if names[:1] != [BY_ID] or len(names) < 2:
        return Path(tuple(names), slash)
    if not objectid.is_valid(names[1]):
        raise Invalid(f"{names[1]!r} is no object id")
    return Path(tuple(names[2:]), slash, names[1].upper())
