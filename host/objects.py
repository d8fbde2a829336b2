"""PUT and POST of objects, by CDMI and by plain HTTP."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from falcon import HTTP_201, HTTP_204

from host.accounts import Accounts
from host.body import Body
from host.catalogue.node import Node
from host.errors import Invalid, LengthRequired
from host.exchange import Exchange
from host.incoming import Incoming, transfer
from host.names import Names
from host.patching import patched
from host.vault import Facts, Stored, Target, Vault
from host.wire.headers import encoding_of, mimetype
from host.wire.path import Path
from host.wire.ranges import content_range
from host.written import Written, is_object, stated

__all__ = ["Objects"]

_BINARY = "application/octet-stream"


class Objects:
    """Carries out what makes or changes an object."""

    def __init__(self, names: Names, vault: Vault, accounts: Accounts, written: Written) -> None:
        self._names = names
        self._vault = vault
        self._accounts = accounts
        self._written = written

    def put(self, exchange: Exchange) -> None:
        """Store, copy or move an object to a path, or change what is said of one, as a cdmi-object tells."""
        account, where = exchange.account, exchange.where
        incoming = _incoming(exchange)
        if incoming.data is None and exchange.selection.value is None and transfer(incoming.fields) is None:
            node = self._names.find(account, where)
            # What is said of a container may come as an object, too; but it must be said.
            if node is not None and (exchange.selection.metadata or incoming.metadata or not where.slash):
                exchange.conditions.require_to_write(node)
                # A container has neither of the two.
                kind, encoding = (None, None) if node.container else (incoming.mimetype, incoming.given_encoding)
                facts = stated(exchange, incoming.metadata, kind, encoding)
                changed = self._names.change(account, where, facts, exchange.conditions)
                exchange.response.status = HTTP_204
                exchange.response.set_header("ETag", f'"{changed.etag}"')
                return
        if where.slash or not (where.names or where.id):
            raise Invalid("an object's name does not end in a slash")
        self._store_incoming(exchange, Target(account, where, exchange.conditions), incoming)

    def post(self, exchange: Exchange, target: Target) -> None:
        """Store an object in a container, as a cdmi-object tells."""
        self._store_incoming(exchange, target, _incoming(exchange))

    def put_raw(self, exchange: Exchange, target: Target) -> None:
        """Store a body as it is, or a part of an object."""
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

    def _store_incoming(self, exchange: Exchange, target: Target, incoming: Incoming) -> None:
        """Store an object of which a cdmi-object tells."""
        if moved := transfer(incoming.fields):
            if incoming.data is not None:
                raise Invalid("more than one of value, copy and move")
            self._transfer(exchange, target, *moved, incoming)
            return
        if incoming.data is not None and "value" not in exchange.selection:
            raise Invalid("value: it is not among the fields that the query names")
        old = self._vault.look(target)
        default = "text/plain" if incoming.encoding == "utf-8" else _BINARY

        def facts() -> Facts:
            incoming.finish()
            known = stated(exchange, incoming.metadata, incoming.mimetype or (None if old else default))
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

    def _transfer(self, exchange: Exchange, target: Target, verb: str, source: Path, incoming: Incoming) -> None:
        node = self._written.source(exchange, verb, source)
        if node.container:
            raise Invalid(f"{verb}: {source.url} is a container, and is put as one")
        facts = stated(exchange, incoming.metadata, incoming.mimetype)
        if verb == "copy":
            self._vault.look(target)
            whole = facts.metadata if facts.metadata is not None else node.metadata
            copied = Facts(facts.mimetype or node.mimetype, node.encoding, whole)
            self._stored(exchange, target, self._vault.copy(target, node, copied))
            return
        if target.is_inside or not target.path.names:
            raise Invalid("move wants a name: PUT it")
        is_new = self._names.move(exchange.account, source, target.path, facts, exchange.conditions)
        moved = self._written.there(exchange, target.path)
        exchange.response.set_header("ETag", f'"{moved.etag}"')
        exchange.response.status = HTTP_204
        if is_new:
            self._written.created(exchange, moved)

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

    def _stored(self, exchange: Exchange, target: Target, stored: Stored) -> None:
        """Answer for an object that was stored."""
        exchange.response.set_header("ETag", f'"{stored.etag}"')
        exchange.response.status = HTTP_201 if stored.is_new else HTTP_204
        if stored.is_new and (target.is_inside or is_object(exchange)):
            by_id = Path((), slash=False, id=stored.id)
            self._written.created(exchange, self._written.there(exchange, by_id))


class _Nothing:
    """The data of an object of which none was sent."""

    def read(self, size: int, /) -> bytes:
        return b""


def _incoming(exchange: Exchange) -> Incoming:
    return Incoming(exchange.body(), exchange.request.content_type or "", exchange.limits.value)
