"""What CDMI clients are told that works (CDMI 1.0.2 and 1.1.1, chapter 12): all of it, and nothing else.

Values are strings, as the texts have it. What an object or a container can do is told in its own part.
"""

from typing import Any

from host.wire.path import Path

__all__ = ["CAPABILITY", "capabilities"]

CAPABILITY = "application/cdmi-capability"

#: System-wide capabilities (CDMI 1.0.2, table 100; 1.1.1, table 101).
_ROOT = [
    "cdmi_domains",
    "cdmi_object_access_by_ID",
    "cdmi_object_copy_from_local",
    "cdmi_object_move_from_local",
    "cdmi_object_move_from_ID",
    "cdmi_post_dataobject_by_ID",
    "cdmi_copy_dataobject_by_ID",
]
#: And of CDMI 1.1 on.
_ROOT_1_1 = ["cdmi_dataobjects"]
_CONTAINER = [
    "cdmi_list_children",
    "cdmi_list_children_range",
    "cdmi_read_metadata",
    "cdmi_modify_metadata",
    "cdmi_create_dataobject",
    "cdmi_post_dataobject",
    "cdmi_create_container",
    "cdmi_create_value_range",
    "cdmi_delete_container",
    "cdmi_move_container",
    "cdmi_copy_container",
    "cdmi_move_dataobject",
    "cdmi_copy_dataobject",
]
_DATAOBJECT = [
    "cdmi_read_value",
    "cdmi_read_value_range",
    "cdmi_read_metadata",
    "cdmi_modify_value",
    "cdmi_modify_value_range",
    "cdmi_modify_metadata",
    "cdmi_delete_dataobject",
]
_SYSTEM_METADATA = ["cdmi_size", "cdmi_ctime", "cdmi_mtime", "cdmi_atime", "cdmi_owner"]
_DOMAIN = ["cdmi_list_children"]

_PARTS = {
    "container": [*_CONTAINER, *_SYSTEM_METADATA[1:]],
    "dataobject": [*_DATAOBJECT, *_SYSTEM_METADATA],
    "domain": _DOMAIN,
}


def capabilities(names: tuple[str, ...], version: str | None) -> dict[str, Any] | None:
    """Return the answer for ``/cdmi/cdmi_capabilities/`` and, with one name, for a part of it; None if there is none.

    :param version: what the client asked for; None for plain HTTP.
    """
    where = Path(("cdmi_capabilities", *names), slash=True)
    if not names:
        keys = _ROOT if version is not None and version.startswith("1.0") else [*_ROOT, *_ROOT_1_1]
        children = [f"{name}/" for name in _PARTS]
    elif len(names) == 1 and names[0] in _PARTS:
        keys, children = _PARTS[names[0]], []
    else:
        return None
    listed = {"childrenrange": f"0-{len(children) - 1}"} if children else {}
    return {
        "objectType": CAPABILITY,
        "objectName": f"{where.names[-1]}/",
        "parentURI": where.parent.url,
        "capabilities": dict.fromkeys(keys, "true"),
        **listed,
        "children": children,
    }
