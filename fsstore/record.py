"""The text of ``module_data``: a JSON object that tells an object's layout and path. Pure functions.

For instance ``{"layout": 2, "path": "0000/000/3f0c…"}``; docs/formats/module-data.md has all of it.
"""

import json
import re

from fsstore import layout
from modules import MODULE_DATA_LIMIT

__all__ = ["decode", "encode"]

# What encode writes. To read it so costs half of what the JSON parser does, at every call of every method.
_OURS = re.compile(r'\{"layout": 2, "path": "([0-9a-f]{4}/[0-3][0-9a-f]{2})/([0-9a-f]{32})"\}').fullmatch
_KEYS = ({"path"}, {"layout", "path"})  # the first layout did not say which it was


def encode(path: str) -> str:
    """Return the ``module_data`` of the object at ``path`` in the layout of what is new."""
    return f'{{"layout": {layout.LAYOUT}, "path": "{path}"}}'


def decode(module_data: str) -> tuple[str, str]:
    """Return the shard and the file name that ``module_data`` tells.

    Whatever :func:`encode`, today's or an earlier one, cannot have made is refused here, so that
    nothing from outside is ever part of a path.

    :raises ValueError: ``module_data`` is not one of ours.
    """
    if isinstance(module_data, str) and (match := _OURS(module_data)):
        return match[1], match[2]
    return _decode_json(module_data)


def _decode_json(module_data: object) -> tuple[str, str]:
    """Return what :func:`decode` does, of a text that was written by other means than :func:`encode`."""
    if not isinstance(module_data, str) or len(module_data) > MODULE_DATA_LIMIT:
        raise ValueError(f"module_data: not a string of at most {MODULE_DATA_LIMIT} characters")
    try:
        record = json.loads(module_data)
        if not isinstance(record, dict) or record.keys() not in _KEYS:
            raise ValueError("not a JSON object with a layout and a path and nothing else")
        number, path = record.get("layout", 1), record["path"]
        if type(number) is not int or not isinstance(path, str):
            raise ValueError("the layout is no whole number, or the path is no string")
        return layout.split_path(number, path)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        raise ValueError(f"module_data: not made by FileStorage: {error}") from None
