"""What CDMI answers: objects and containers as JSON (CDMI 1.1.1, chapters 8 and 9)."""

import time
from typing import Any

from host.catalogue.node import Node
from host.wire.fields import ALL, Selection
from host.wire.headers import CONTAINER, OBJECT
from host.wire.path import Path

__all__ = ["container_json", "listing_json", "object_json", "timestamp"]

_DOMAIN = "/cdmi/cdmi_domains/system_domain/"


def object_json(node: Node, where: Path, owner: str, selected: Selection = ALL) -> dict[str, Any]:
    """Return the fields of an object, without its value.

    :param where: its path of names; one that is of its id alone if it has no name.
    :param owner: the name of its account.
    """
    metadata = {**node.metadata, "cdmi_size": node.size, **_system(node, owner)}
    fields = {"objectType": OBJECT, **_common(node, where, "dataobject"), "mimetype": node.mimetype or ""}
    return _selected({**fields, "metadata": metadata}, selected)


def container_json(node: Node, where: Path, owner: str, selected: Selection = ALL) -> dict[str, Any]:
    """Return the fields of a container, without its children."""
    metadata = {**node.metadata, **_system(node, owner)}
    place = Path(where.names, slash=True, id=where.id)
    fields = {"objectType": CONTAINER, **_common(node, place, "container"), "metadata": metadata}
    return _selected(fields, selected)


def listing_json(where: Path, children: list[str], kind: str = CONTAINER) -> dict[str, Any]:
    """Return the fields of a container of the system's own."""
    named = {"objectName": f"{where.names[-1]}/", "parentURI": where.parent.url} if where.names else {}
    listed = {"childrenrange": f"0-{len(children) - 1}"} if children else {}
    return {"objectType": kind, **named, "domainURI": _DOMAIN, **listed, "children": children}


def timestamp(seconds: int) -> str:
    """Return a time as CDMI writes it; strict clients want the six digits."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds))


def _common(node: Node, where: Path, kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"objectID": node.id}
    if where.names:
        fields["objectName"] = where.names[-1] + ("/" if where.slash else "")
        fields["parentURI"] = where.parent.url
        fields["parentID"] = node.parent
    fields["domainURI"] = _DOMAIN
    fields["capabilitiesURI"] = f"/cdmi/cdmi_capabilities/{kind}/"
    fields["completionStatus"] = "Complete"
    return fields


def _system(node: Node, owner: str) -> dict[str, str]:
    return {
        "cdmi_ctime": timestamp(node.ctime),
        "cdmi_mtime": timestamp(node.mtime),
        "cdmi_atime": timestamp(node.mtime),  # reads are not noted: as of a disk mounted noatime
        "cdmi_owner": owner,
    }


def _selected(fields: dict[str, Any], selected: Selection) -> dict[str, Any]:
    if selected.metadata is not None:
        metadata = fields["metadata"]
        fields["metadata"] = {key: metadata[key] for key in metadata if key.startswith(selected.metadata)}
    return fields if selected.names is None else {key: fields[key] for key in fields if key in selected}
