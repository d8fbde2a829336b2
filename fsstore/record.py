"""The text of ``module_data``: a JSON object such as ``{"path": "3f/3f0c…"}``. Pure functions."""

import json

from fsstore import layout
from modules import MODULE_DATA_LIMIT

__all__ = ["decode", "encode"]


def encode(path: str) -> str:
    """Return the ``module_data`` of the object at ``path``."""
    return json.dumps({"path": path})


def decode(module_data: str) -> tuple[str, str]:
    """Return the shard and the file name that ``module_data`` tells.

    Whatever :func:`encode` cannot have made is refused here, so that nothing from outside is ever
    part of a path.

    :raises ValueError: ``module_data`` is not one of ours.
    """
    if not isinstance(module_data, str) or len(module_data) > MODULE_DATA_LIMIT:
        raise ValueError(f"module_data: not a string of at most {MODULE_DATA_LIMIT} characters")
    try:
        record = json.loads(module_data)
        if not isinstance(record, dict) or record.keys() != {"path"} or not isinstance(record["path"], str):
            raise ValueError("not a JSON object with a path and nothing else")
        return layout.split_path(record["path"])
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        raise ValueError(f"module_data: not made by FileStorage: {error}") from None
