"""Ranges of bytes (RFC 9110, section 14)."""

import re

from host.errors import Invalid, Unsatisfiable

__all__ = ["byte_ranges", "content_range"]

#: Ranges that one request may ask for. More are ignored, and it gets everything, as the RFC allows.
_MOST = 100


def byte_ranges(header: str | None, size: int) -> list[tuple[int, int]] | None:
    """Return the first and last byte of each range of a Range header, or None for all of the object.

    What is malformed or in another unit is ignored, as the RFC allows. Ranges that overlap or touch are joined: so no
    request gets a byte twice.

    :raises Unsatisfiable: all ranges lie outside the ``size`` bytes.
    """
    unit, _, asked = (header or "").partition("=")
    if unit.strip().lower() != "bytes" or asked.count(",") >= _MOST:
        return None
    found: list[tuple[int, int]] = []
    items = [item.strip() for item in asked.split(",")]
    for item in filter(None, items):
        bounds = re.fullmatch(r"(\d{0,19})\s*-\s*(\d{0,19})", item, re.ASCII)
        if bounds is None or bounds.group(1) == bounds.group(2) == "":
            return None
        first, last = bounds.groups()
        if first and last and int(last) < int(first):
            return None
        start, end = (int(first), int(last or size)) if first else (max(0, size - int(last)), size)
        if start < size and not (not first and int(last) == 0):
            found.append((start, min(end, size - 1)))
    if not any(items):
        return None
    if not found:
        raise Unsatisfiable(f"the object has {size} bytes", Content_Range=f"bytes */{size}")
    return _joined(found)


def content_range(header: str) -> tuple[int, int]:
    """Return the first and last byte of the Content-Range of a PUT; the total behind the slash is not looked at.

    :raises Invalid: it is none.
    """
    # Nowhere is there more than one way to match: so no header takes long.
    form = r"bytes(?:\s*+=|\s)\s*+(\d{1,18})\s*-\s*(\d{1,18})\s*(/\s*(\*|\d{1,19}))?"
    match = re.fullmatch(form, header.strip(), re.ASCII)
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise Invalid("Content-Range: not 'bytes FIRST-LAST/*'")
    return int(match.group(1)), int(match.group(2))


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join what overlaps or touches; the others stay in the order of the request."""
    kept: list[tuple[int, int]] = []
    for start, end in ranges:
        while touching := next((r for r in kept if start <= r[1] + 1 and r[0] <= end + 1), None):
            place = kept.index(touching)
            start, end = min(start, touching[0]), max(end, touching[1])
            del kept[place]
        kept.append((start, end))
    return kept
