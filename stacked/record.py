"""The text of ``module_data`` of a stacked module, which holds that of the module below. Pure functions.

It is a JSON object: the layer, what that keeps of the object, and under ``inner`` the ``module_data`` of
the module below; as a part of the JSON where that is JSON, or else as a string. So a stack of four is
not four times quoted. docs/formats/stacked.md has all of it.
"""

import errno
import json
from typing import Any, NamedTuple

from modules import MODULE_DATA_LIMIT

__all__ = ["Record", "decode", "encode", "nested", "text_of"]


class Record(NamedTuple):
    """What ``module_data`` of a layer holds: the text of the one below, and what the layer keeps of the object."""

    inner: str
    fields: dict[str, Any]


def encode(layer: str, inner: str, **fields: Any) -> str:
    """Return the ``module_data`` of a layer.

    :param inner: the ``module_data`` of the module below.
    :param fields: what the layer keeps of the object; values of JSON types.
    :raises OSError: with ``errno.ENAMETOOLONG``, it is longer than a host keeps.
    """
    text = json.dumps({"layer": layer, **fields, "inner": nested(inner)})
    if len(text) > MODULE_DATA_LIMIT:  # json.dumps writes ASCII: characters are bytes
        reason = f"module_data of the layer {layer} has {len(text)} bytes, a host keeps {MODULE_DATA_LIMIT}"
        raise OSError(errno.ENAMETOOLONG, f"{reason}: the stack is too high")
    return text


def decode(layer: str, module_data: str, *names: str) -> Record:
    """Return what :func:`encode` made ``module_data`` of.

    What has other fields than ``names`` is refused; the values are the caller's to check.

    :raises ValueError: ``module_data`` is not of that layer.
    """
    if not isinstance(module_data, str) or len(module_data) > MODULE_DATA_LIMIT:
        raise ValueError(f"module_data: not a string of at most {MODULE_DATA_LIMIT} characters")
    try:
        fields = json.loads(module_data)
        if not isinstance(fields, dict) or fields.keys() != {"layer", "inner", *names}:
            raise ValueError("not a JSON object with the fields of this layer and nothing else")
        if fields.pop("layer") != layer:
            raise ValueError("it is of another layer")
        return Record(text_of(fields.pop("inner")), fields)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        raise ValueError(f"module_data: not made by the layer {layer}: {error}") from None


def nested(text: str) -> Any:
    """Return ``module_data`` as it is put into other JSON: itself, or the object that it is the JSON text of."""
    try:
        value = json.loads(text)
        is_same = isinstance(value, dict) and json.dumps(value) == text
    except (ValueError, RecursionError):
        return text
    return value if is_same else text


def text_of(value: Any) -> str:
    """Return the ``module_data`` that :func:`nested` made ``value`` of.

    :raises ValueError: it cannot have made it.
    """
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, str):
        raise ValueError("the module_data of the module below is neither an object nor a string")
    return value
