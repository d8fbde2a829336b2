"""What writing a container and writing an object have in common: what is looked for, and what is answered."""

from collections.abc import Sequence
from typing import Any

from falcon import HTTP_201

from host.catalogue.node import Node
from host.errors import NotFound, UnknownType
from host.exchange import Exchange
from host.names import Names
from host.vault import Facts
from host.wire.headers import CONTAINER, OBJECT
from host.wire.path import Path
from host.wire.replies import container_json, object_json

__all__ = ["Written", "is_object", "require_plain", "stated"]


class Written:
    """Finds what a request names, and answers for what it made."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def created(self, exchange: Exchange, node: Node, *, with_body: bool = True, children: Sequence[str] = ()) -> None:
        """Answer for what is new: with where it is, if the host chose its name, and what it is.

        :param children: the first names in a container, all up to some number.
        """
        exchange.response.status = HTTP_201
        where, owner = exchange.where, exchange.account.name
        if exchange.request.method == "POST" or where.id is not None:
            where = self._names.path_of(exchange.account, node)
        if exchange.request.method == "POST":
            exchange.response.set_header("Location", where.url)
        if node.container and with_body:
            listed = {"childrenrange": f"0-{len(children) - 1}"} if children else {}
            exchange.answer({**container_json(node, where, owner), **listed, "children": children}, CONTAINER)
        elif with_body:
            exchange.answer(object_json(node, where, owner), OBJECT)

    def source(self, exchange: Exchange, verb: str, source: Path) -> Node:
        """Return what is to be copied or moved.

        :raises NotFound: there is nothing.
        """
        node = self._names.find(exchange.account, source)
        if node is None or (source.slash and not node.container):
            raise NotFound(f"{verb}: nothing at {source.url}")
        return node

    def there(self, exchange: Exchange, where: Path) -> Node:
        """Return what has just been written.

        :raises NotFound: it is not there any more.
        """
        node = self._names.find(exchange.account, where)
        if node is None:
            raise NotFound("it was removed meanwhile")
        return node


def is_object(exchange: Exchange) -> bool:
    """Tell whether the body is a cdmi-object, whole or in parts."""
    kind = exchange.content_type
    return kind == OBJECT or (kind == "multipart/mixed" and exchange.is_cdmi)


def require_plain(kind: str) -> None:
    """Check that a body of the type ``kind`` may be kept as it is.

    :raises UnknownType: it is one of CDMI's.
    """
    if kind.startswith("application/cdmi-"):
        raise UnknownType(f"{kind} is not served")


def stated(exchange: Exchange, metadata: dict[str, Any] | None, kind: str | None, encoding: str | None = None) -> Facts:
    """Return what a body says, as far as the query names it."""
    selected, given = exchange.selection, metadata or {}
    return Facts(
        mimetype=kind if "mimetype" in selected else None,
        encoding=encoding if "valuetransferencoding" in selected else None,
        metadata=metadata if "metadata" in selected and selected.metadata is None else None,
        items=None if selected.metadata is None else {name: given.get(name) for name in selected.metadata},
    )
