"""The query of a CDMI request, which names fields: ``?objectID;metadata:k;value:0-4`` (CDMI 1.1.1, section 8.4)."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from host.errors import Invalid

__all__ = ["ALL", "Selection", "selection"]

#: Fields of an object or a container, also those that ours never have. What else is in a query is somebody else's, and
#: left alone.
_KNOWN = frozenset(
    [
        "objectType",
        "objectID",
        "objectName",
        "parentURI",
        "parentID",
        "domainURI",
        "capabilitiesURI",
        "completionStatus",
        "percentComplete",
        "mimetype",
        "metadata",
        "valuetransferencoding",
        "valuerange",
        "value",
        "childrenrange",
        "children",
        "capabilities",
        "exports",
        "snapshots",
    ]
)


@dataclass(frozen=True)
class Selection:
    """The fields that a request is about. ``names`` is None for all of them.

    :param metadata: what the names of metadata begin with; None for all of it.
    :param value: the first and last byte of the value; None for all of it.
    :param children: the numbers of the first and last child, likewise.
    """

    names: frozenset[str] | None = None
    metadata: tuple[str, ...] | None = None
    value: tuple[int, int] | None = None
    children: tuple[int, int] | None = None

    def __contains__(self, name: object) -> bool:
        return self.names is None or name in self.names


ALL = Selection()


def selection(query: str) -> Selection:
    """Parse the QUERY_STRING of PEP 3333; also ``&`` for ``;``, ``=`` for ``:``, and each field percent-encoded.

    :raises Invalid: a field's range is malformed.
    """
    if not query:
        return ALL
    names: set[str] = set()
    prefixes: list[str] = []
    is_whole = False
    ranges: dict[str, tuple[int, int]] = {}
    for item in re.split("[;&]", query):
        name, _, rest = re.sub("[:=]", ":", _decoded(item), count=1).partition(":")
        if name not in _KNOWN:
            continue
        if name in ("value", "children") and rest:
            if name in ranges:
                raise Invalid(f"?{name}: one range at a time")
            # A client that takes the field for the name of a parameter sends ``value%3A0-4=``.
            ranges[name] = _range(name, rest.removesuffix("="))
        elif name == "metadata":
            is_whole = is_whole or not rest
            prefixes.append(rest)
        names.add(name)
    metadata = None if is_whole or not prefixes else tuple(prefixes)
    return Selection(frozenset(names), metadata, ranges.get("value"), ranges.get("children")) if names else ALL


def _decoded(item: str) -> str:
    """Return a field as it was before it was percent-encoded; bytes that are no UTF-8 become what no name holds."""
    return unquote_to_bytes(item.encode("latin-1", "replace")).decode("utf-8", "surrogateescape")


def _range(name: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text, re.ASCII)
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise Invalid(f"?{name}: {text!r} is not FIRST-LAST")
    return int(match.group(1)), int(match.group(2))
