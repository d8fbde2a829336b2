"""JSON that comes from outside: parsed, and checked so that it can be kept and written again."""

import json
import math
from typing import Any

from host.errors import Invalid

__all__ = ["json_object", "require_sane", "text", "user_metadata"]

_DEPTH = 64  # of nested JSON; clients have needed 3
_SYSTEM = {"cdmi_size", "cdmi_ctime", "cdmi_mtime", "cdmi_atime", "cdmi_owner"}
_ACCESS = "cdmi_acl"


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a body that is a JSON object; an empty one is ``{}``.

    :raises Invalid: it is none.
    """
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Invalid("the body is JSON, but not an object")
    require_sane(value)
    return value


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and no other parser does."""
    raise ValueError(name)


def require_sane(value: Any, depth: int = _DEPTH) -> None:
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
            require_sane(item, depth - 1)


def user_metadata(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metadata of a body: without nulls and without what the system keeps itself. None if there is none.

    :raises Invalid: it is not a JSON object, or asks for what is not served: whoever says who may do what relies on it.
    """
    value = fields.get("metadata")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Invalid("metadata: not a JSON object")
    if value.get(_ACCESS):
        raise Invalid(f"metadata: {_ACCESS}: not served")
    return {key: item for key, item in value.items() if item is not None and key not in {*_SYSTEM, _ACCESS}}


def text(fields: dict[str, Any], name: str) -> str | None:
    """Return a field that is a string, None if there is none.

    :raises Invalid: it is no string.
    """
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{name}: not a string")
    return value
