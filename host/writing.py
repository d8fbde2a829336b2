"""PUT, POST and DELETE of objects and containers, by CDMI and by plain HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from falcon import HTTP_201, HTTP_204

from host.accounts import Accounts
from host.body import Body
from host.catalogue.node import Node
from host.errors import Conflict, Invalid, LengthRequired, NotAllowed, NotFound, UnknownType
from host.exchange import Exchange
from host.incoming import Incoming, require_served, transfer
from host.names import LISTED, Names
from host.patching import patched
from host.vault import Facts, Stored, Target, Vault
from host.wire import path as paths
from host.wire.headers import CONTAINER, OBJECT, encoding_of, mimetype
from host.wire.path import Path
from host.wire.ranges import content_range
from host.wire.reader import ObjectReader
from host.wire.replies import container_json, object_json
from host.wire.values import user_metadata

__all__ = ["Writing"]

_BINARY = "application/octet-stream"
#: Fields of which a PUT may say that it is about them alone.
_CHANGEABLE = {"metadata", "mimetype", "value", "valuetransferencoding"}


class Writing:
    """Carries out what changes something."""

    def __init__(self, names: Names, vault: Vault, accounts: Accounts) -> None:
        self._names = names
        self._vault = vault
        self._accounts = accounts

    def put(self, exchange: Exchange) -> None:
        """Create or change what is at a path."""
        where, kind = exchange.where, exchange.content_type
        _require_users_name(exchange)
        unknown = set(exchange.selection.names or ()) - _CHANGEABLE
        if unknown:
            raise Invalid(f"?{min(unknown)}: it cannot be changed by itself")
        if _is_object(exchange):
            self._put_object(exchange)
        elif kind == CONTAINER or where.slash:
            self._put_container(exchange)
        else:
            _require_plain(kind)
            self._put_raw(exchange, Target(exchange.account, where, exchange.conditions))

    def post(self, exchange: Exchange) -> None:
        """Create something in a container, under a name that is its id."""
        where = exchange.where
        if where.id is None and where.names == (paths.BY_ID,):
            exchange.where = where = Path((), slash=True, id=exchange.account.unnamed)
        node = self._names.find(exchange.account, where)
        if node is None:
            raise NotFound(f"no container {where.url}: create it first")
        if not node.container:
            raise NotAllowed("POST is for containers", Allow="GET, HEAD, PUT, DELETE")
        target = Target(exchange.account, where, is_inside=True)
        if _is_object(exchange):
            self._store_incoming(exchange, target, _incoming(exchange))
        elif exchange.content_type == CONTAINER:
            self._post_container(exchange)
        else:
            _require_plain(exchange.content_type)
            self._put_raw(exchange, target)

    def delete(self, exchange: Exchange) -> None:
        """Remove what is at a path, and all below it."""
        if exchange.selection.names is not None:
            raise Invalid(f"?{exchange.request.query_string}: parts of an object cannot be deleted by themselves")
        self._names.remove(exchange.account, exchange.where, exchange.conditions)
        exchange.response.status = HTTP_204

    # Containers

    def _put_container(self, exchange: Exchange) -> None:
        account, where = exchange.account, exchange.where
        if not where.slash:
            raise Invalid("a container's name ends in a slash")
        fields = _container_fields(exchange)
        facts = _facts(exchange, user_metadata(fields), None)
        if moved := transfer(fields):
            self._transfer_container(exchange, *moved, facts)
            return
        node = self._names.find(account, where)
        exchange.conditions.require_to_write(node)
        if node is None:
            if not where.names:
                raise NotFound(f"nothing has the id {where.id}")
            node = self._names.make_container(account, where, facts.merged({}))
            self._created(exchange, node, with_body=exchange.content_type == CONTAINER)
            return
        if not node.container:
            raise Conflict(f"{where.url} is an object")
        if facts.metadata is not None or facts.items is not None:
            self._names.change(account, where, facts, exchange.conditions)
        exchange.response.status = HTTP_204

    def _post_container(self, exchange: Exchange) -> None:
        fields = _container_fields(exchange)
        if transfer(fields):
            raise Invalid("copy and move want a name: PUT them")
        facts = _facts(exchange, user_metadata(fields), None)
        node = self._names.make_container(exchange.account, exchange.where, facts.merged({}), is_inside=True)
        self._created(exchange, node)

    def _transfer_container(self, exchange: Exchange, verb: str, source: Path, facts: Facts) -> None:
        account, where = exchange.account, exchange.where
        node = self._source(exchange, verb, source)
        if not node.container:
            raise Invalid(f"{verb}: {source.url} is an object, and is put as one")
        if not where.names:
            raise Conflict("the root exists already")
        is_new = True
        if verb == "move":
            is_new = self._names.move(account, source, where, facts, exchange.conditions)
        else:
            self._names.copy_container(account, node, where, facts.metadata, exchange.conditions)
        exchange.response.status = HTTP_204
        if is_new:
            node = self._there(exchange, where)
            self._created(exchange, node, children=next(self._names.pages(node, 0, LISTED), []))

    # Objects

    def _put_object(self, exchange: Exchange) -> None:
        account, where = exchange.account, exchange.where
        incoming = _incoming(exchange)
        if incoming.data is None and exchange.selection.value is None and transfer(incoming.fields) is None:
            node = self._names.find(account, where)
            # What is said of a container may come as an object, too; but it must be said.
            if node is not None and (exchange.selection.metadata or incoming.metadata or not where.slash):
                exchange.conditions.require_to_write(node)
                # A container has neither of the two.
                kind, encoding = (None, None) if node.container else (incoming.mimetype, incoming.given_encoding)
                facts = _facts(exchange, incoming.metadata, kind, encoding)
                changed = self._names.change(account, where, facts, exchange.conditions)
                exchange.response.status = HTTP_204
                exchange.response.set_header("ETag", f'"{changed.etag}"')
                return
        if where.slash or not (where.names or where.id):
            raise Invalid("an object's name does not end in a slash")
        self._store_incoming(exchange, Target(account, where, exchange.conditions), incoming)

    def _store_incoming(self, exchange: Exchange, target: Target, incoming: Incoming) -> None:
        """Store an object of which a cdmi-object tells."""
        if moved := transfer(incoming.fields):
            if incoming.data is not None:
                raise Invalid("more than one of value, copy and move")
            self._transfer_object(exchange, target, *moved, incoming)
            return
        if incoming.data is not None and "value" not in exchange.selection:
            raise Invalid("value: it is not among the fields that the query names")
        old = self._vault.look(target)
        default = "text/plain" if incoming.encoding == "utf-8" else _BINARY

        def facts() -> Facts:
            incoming.finish()
            known = _facts(exchange, incoming.metadata, incoming.mimetype or (None if old else default))
            # Of a part that is written, how the whole reads back is known already.
            is_part = old is not None and exchange.selection.value is not None
            return replace(known, encoding=old.encoding if old is not None and is_part else incoming.encoding)

        if exchange.selection.value is None:
            data, length = incoming.data or _Nothing(), 0 if incoming.data is None else incoming.length
            self._store(exchange, target, self._body(exchange, old, data, length, incoming.encoding), facts)
        elif incoming.data is None:
            raise Invalid("value: missing, and the query names a range of it")
        else:
            self._store_part(exchange, target, old, exchange.selection.value, incoming.data, incoming.encoding, facts)

    def _transfer_object(self, exchange: Exchange, target: Target, verb: str, source: Path, incoming: Incoming) -> None:
        node = self._source(exchange, verb, source)
        if node.container:
            raise Invalid(f"{verb}: {source.url} is a container, and is put as one")
        facts = _facts(exchange, incoming.metadata, incoming.mimetype)
        if verb == "copy":
            self._vault.look(target)
            whole = facts.metadata if facts.metadata is not None else node.metadata
            copied = Facts(facts.mimetype or node.mimetype, node.encoding, whole)
            self._stored(exchange, target, self._vault.copy(target, node, copied))
            return
        if target.is_inside or not target.path.names:
            raise Invalid("move wants a name: PUT it")
        is_new = self._names.move(exchange.account, source, target.path, facts, exchange.conditions)
        moved = self._there(exchange, target.path)
        exchange.response.set_header("ETag", f'"{moved.etag}"')
        exchange.response.status = HTTP_204
        if is_new:
            self._created(exchange, moved)

    def _put_raw(self, exchange: Exchange, target: Target) -> None:
        if exchange.request.content_length is None and not exchange.is_chunked:
            raise LengthRequired("the body has no Content-Length and is not chunked")
        if exchange.selection.names is not None:
            raise Invalid(f"?{exchange.request.query_string}: fields want a cdmi-object")
        kind = mimetype(exchange.request.content_type) or _BINARY
        part = exchange.request.get_header("Content-Range")
        old = self._vault.look(target)
        encoding = encoding_of(kind)
        source, length = exchange.request.env["wsgi.input"], exchange.length
        if part is None:
            body = self._body(exchange, old, source, length, encoding)
            self._store(exchange, target, body, lambda: Facts(kind, encoding))
            return
        facts = Facts(None, old.encoding) if old is not None else Facts(kind, encoding)
        whole = Body(source, length)
        self._store_part(exchange, target, old, content_range(part), whole, encoding, lambda: facts)

    def _store_part(
        self,
        exchange: Exchange,
        target: Target,
        old: Node | None,
        part: tuple[int, int],
        source: Any,
        encoding: str,
        facts: Callable[[], Facts],
    ) -> None:
        data, length = patched(self._vault, old, part, source)
        encoding = encoding if old is None else old.encoding or "base64"
        try:
            target = replace(target, etag="" if old is None else old.etag)
            self._store(exchange, target, self._body(exchange, old, data, length, encoding), facts)
        finally:
            data.close()

    def _body(self, exchange: Exchange, old: Node | None, source: Any, length: int | None, encoding: str) -> Body:
        account = exchange.account
        if account.quota is not None:
            account = self._accounts.now(account)
        room = None if account.room is None else account.room + (0 if old is None else old.size)
        return Body(source, length, room, limit=exchange.limits.object, text=encoding == "utf-8")

    def _store(self, exchange: Exchange, target: Target, body: Body, facts: Callable[[], Facts]) -> None:
        self._stored(exchange, target, self._vault.store(target, body, facts))

    # Answers

    def _stored(self, exchange: Exchange, target: Target, stored: Stored) -> None:
        """Answer for an object that was stored."""
        exchange.response.set_header("ETag", f'"{stored.etag}"')
        exchange.response.status = HTTP_201 if stored.is_new else HTTP_204
        if stored.is_new and (target.is_inside or _is_object(exchange)):
            by_id = Path((), slash=False, id=stored.id)
            self._created(exchange, self._there(exchange, by_id))

    def _created(self, exchange: Exchange, node: Node, *, with_body: bool = True, children: Sequence[str] = ()) -> None:
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

    def _source(self, exchange: Exchange, verb: str, source: Path) -> Node:
        node = self._names.find(exchange.account, source)
        if node is None or (source.slash and not node.container):
            raise NotFound(f"{verb}: nothing at {source.url}")
        return node

    def _there(self, exchange: Exchange, where: Path) -> Node:
        node = self._names.find(exchange.account, where)
        if node is None:
            raise NotFound("it was removed meanwhile")
        return node


class _Nothing:
    """The data of an object of which none was sent."""

    def read(self, size: int, /) -> bytes:
        return b""


def _is_object(exchange: Exchange) -> bool:
    """Tell whether the body is a cdmi-object, whole or in parts."""
    kind = exchange.content_type
    return kind == OBJECT or (kind == "multipart/mixed" and exchange.is_cdmi)


def _require_users_name(exchange: Exchange) -> None:
    """Check that what is to be made in the root, by name or by the root's id, has no name of the system's own."""
    where = exchange.where
    first = where.names[0] if where.names and where.id in (None, exchange.account.root) else ""
    if first.startswith("cdmi_") or first in ("storage_root", "system_configuration"):
        raise Invalid(f"{first!r}: storage_root, system_configuration and cdmi_* are the system's names in the root")


def _require_plain(kind: str) -> None:
    if kind.startswith("application/cdmi-"):
        raise UnknownType(f"{kind} is not served")


def _incoming(exchange: Exchange) -> Incoming:
    return Incoming(exchange.body(), exchange.request.content_type or "", exchange.limits.value)


def _facts(exchange: Exchange, metadata: dict[str, Any] | None, kind: str | None, encoding: str | None = None) -> Facts:
    """Return what a body says, as far as the query names it."""
    selected, given = exchange.selection, metadata or {}
    return Facts(
        mimetype=kind if "mimetype" in selected else None,
        encoding=encoding if "valuetransferencoding" in selected else None,
        metadata=metadata if "metadata" in selected and selected.metadata is None else None,
        items=None if selected.metadata is None else {name: given.get(name) for name in selected.metadata},
    )


def _container_fields(exchange: Exchange) -> dict[str, Any]:
    if exchange.content_type != CONTAINER:
        _require_plain(exchange.content_type)
        if exchange.body().read(1):
            raise Invalid("an object's name does not end in a slash, and a container has no data")
        return {}
    reader = ObjectReader(exchange.body(), exchange.limits.value)
    reader.begin()
    if reader.has_value:
        raise Invalid("value: a container has none")
    reader.finish()
    require_served(reader.fields)
    return reader.fields
