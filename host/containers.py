"""PUT and POST of containers."""

from typing import Any

from falcon import HTTP_204

from host.errors import Conflict, Invalid, NotFound
from host.exchange import Exchange
from host.incoming import require_served, transfer
from host.names import LISTED, Names
from host.vault import Facts
from host.wire.headers import CONTAINER
from host.wire.path import Path
from host.wire.reader import ObjectReader
from host.wire.values import user_metadata
from host.written import Written, require_plain, stated

__all__ = ["Containers"]


class Containers:
    """Carries out what makes or changes a container."""

    def __init__(self, names: Names, written: Written) -> None:
        self._names = names
        self._written = written

    def put(self, exchange: Exchange) -> None:
        """Make or change the container at a path, or put another one there."""
        account, where = exchange.account, exchange.where
        if not where.slash:
            raise Invalid("a container's name ends in a slash")
        fields = _fields(exchange)
        facts = stated(exchange, user_metadata(fields), None)
        if moved := transfer(fields):
            self._transfer(exchange, *moved, facts)
            return
        node = self._names.find(account, where)
        exchange.conditions.require_to_write(node)
        if node is None:
            if not where.names:
                raise NotFound(f"nothing has the id {where.id}")
            node = self._names.make_container(account, where, facts.merged({}))
            self._written.created(exchange, node, with_body=exchange.content_type == CONTAINER)
            return
        if not node.container:
            raise Conflict(f"{where.url} is an object")
        if facts.metadata is not None or facts.items is not None:
            self._names.change(account, where, facts, exchange.conditions)
        exchange.response.status = HTTP_204

    def post(self, exchange: Exchange) -> None:
        """Make a container in another one, under a name that is its id."""
        fields = _fields(exchange)
        if transfer(fields):
            raise Invalid("copy and move want a name: PUT them")
        facts = stated(exchange, user_metadata(fields), None)
        node = self._names.make_container(exchange.account, exchange.where, facts.merged({}), is_inside=True)
        self._written.created(exchange, node)

    def _transfer(self, exchange: Exchange, verb: str, source: Path, facts: Facts) -> None:
        account, where = exchange.account, exchange.where
        node = self._written.source(exchange, verb, source)
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
            node = self._written.there(exchange, where)
            self._written.created(exchange, node, children=next(self._names.pages(node, 0, LISTED), []))


def _fields(exchange: Exchange) -> dict[str, Any]:
    if exchange.content_type != CONTAINER:
        require_plain(exchange.content_type)
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
