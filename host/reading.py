"""GET and HEAD of objects and containers, by CDMI and by plain HTTP."""

import json
from itertools import chain
from typing import Any

from falcon import HTTP_206, HTTP_304

from host.body import BLOCK
from host.catalogue.node import Node
from host.errors import Invalid, NotFound, Unsatisfiable
from host.exchange import Exchange
from host.names import LISTED, Names
from host.replies import Blocks, Listing, Ranges, Value
from host.vault import Vault
from host.wire.conditions import http_date, if_range
from host.wire.headers import CONTAINER, OBJECT, require_acceptable
from host.wire.path import Path
from host.wire.ranges import byte_ranges
from host.wire.replies import container_json, object_json

__all__ = ["Reading"]


class Reading:
    """Answers what changes nothing."""

    def __init__(self, names: Names, vault: Vault) -> None:
        self._names = names
        self._vault = vault

    def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        where = exchange.where
        node = self._names.find(exchange.account, where)
        if node is None or (where.slash and not node.container):
            raise NotFound(f"nothing at {where.url}")
        if node.container and not where.slash:
            exchange.redirect(Path(where.names, slash=True, id=where.id).url)
            return
        kind = CONTAINER if node.container else OBJECT
        require_acceptable(exchange.request.get_header("Accept"), kind, exchange.is_cdmi)
        if node.container:
            self._send_container(exchange, node)
        elif exchange.is_cdmi:
            self._send_object(exchange, node)
        else:
            self._send_raw(exchange, node)

    def _send_raw(self, exchange: Exchange, node: Node) -> None:
        if exchange.selection.names is not None:
            raise Invalid(f"?{exchange.request.query_string}: fields want the header X-CDMI-Specification-Version")
        request, response = exchange.request, exchange.response
        exchange.conditions.require(node)
        if exchange.conditions.is_known(node):
            _describe(exchange, node)
            response.status = HTTP_304
            return
        header = request.get_header("Range") if if_range(request.get_header("If-Range"), node) else None
        ranges = byte_ranges(header, node.size)
        if ranges is not None and len(ranges) > 1:
            self._send_ranges(exchange, node, ranges)
            return
        ((first, last),) = ranges or [(0, node.size - 1)]
        length = last - first + 1
        if not exchange.is_head:
            # Read, and never sent by the server itself from a descriptor (sendfile): a module that keeps
            # checksums can only compare what it is asked to read.
            response.stream = Blocks(self._vault.open(node.data, first, length))
        _describe(exchange, node)
        response.content_type = node.mimetype or ""
        response.content_length = length
        if ranges is not None:
            response.status = HTTP_206
            response.set_header("Content-Range", f"bytes {first}-{last}/{node.size}")

    def _send_ranges(self, exchange: Exchange, node: Node, ranges: list[tuple[int, int]]) -> None:
        response, data = exchange.response, node.data
        parts = Ranges(ranges, node.size, node.mimetype or "", lambda a, length: self._vault.open(data, a, length))
        _describe(exchange, node)
        response.status = HTTP_206
        response.content_type = parts.content_type
        response.content_length = parts.length
        if not exchange.is_head:
            response.stream = parts

    def _send_object(self, exchange: Exchange, node: Node) -> None:
        selected, response = exchange.selection, exchange.response
        exchange.conditions.require(node)
        fields = object_json(node, self._path(exchange, node), exchange.account.name, selected)
        first, last = selected.value or (0, node.size - 1)
        if selected.value is not None and first >= node.size:
            raise Unsatisfiable(f"the object has {node.size} bytes", Content_Range=f"bytes */{node.size}")
        last = min(last, node.size - 1)
        encoding = node.encoding or "base64"
        if selected.value is not None and encoding == "utf-8" and self._is_cut(node, first, last):
            encoding = "base64"
        if "valuetransferencoding" in selected or selected.value is not None:
            fields["valuetransferencoding"] = encoding
        if node.size and ("valuerange" in selected or selected.value is not None):
            fields["valuerange"] = f"{first}-{last}"
        if "value" in selected:
            self._send_value(exchange, node, fields, (first, last - first + 1), encoding)
        else:
            exchange.answer(fields, OBJECT)
        response.content_type = OBJECT

    def _send_value(
        self, exchange: Exchange, node: Node, fields: dict[str, Any], part: tuple[int, int], encoding: str
    ) -> None:
        response = exchange.response
        if encoding == "base64":
            response.content_length = Value.length(fields, part[1])
        elif part[1] <= BLOCK:  # small enough to be counted; of a larger text nobody knows how long it is in JSON
            window = self._vault.open(node.data, *part)
            try:
                response.data = json.dumps({**fields, "value": window.read().decode()}).encode()
            finally:
                window.close()
            return
        if exchange.is_head:
            response.stream = iter(())  # without a stream the answer would get a Content-Length of 0
        else:
            response.stream = Value(fields, self._vault.open(node.data, *part), encoding)

    def _is_cut(self, node: Node, first: int, last: int) -> bool:
        """Tell whether a range of a text begins or ends inside a character."""
        for place in (first, last + 1):
            if 0 < place < node.size:
                window = self._vault.open(node.data, place, 1)
                try:
                    if window.read(1)[0] & 0xC0 == 0x80:
                        return True
                finally:
                    window.close()
        return False

    def _send_container(self, exchange: Exchange, node: Node) -> None:
        selected = exchange.selection
        fields = container_json(node, self._path(exchange, node), exchange.account.name, selected)
        exchange.response.content_type = CONTAINER
        if "children" not in selected and "childrenrange" not in selected:
            exchange.answer(fields, CONTAINER)
            return
        first, last = selected.children or (0, 2**62)
        pages = self._names.pages(node, first, last - first + 1)
        page = next(pages, [])
        if len(page) == LISTED and last - first + 1 > LISTED and "children" in selected:
            exchange.response.stream = iter(()) if exchange.is_head else Listing(fields, chain([page], pages), first)
            return
        if page:
            count = len(page) if len(page) < LISTED else min(self._names.count(node) - first, last - first + 1)
            fields["childrenrange"] = f"{first}-{first + count - 1}"
        if "children" in selected:
            fields["children"] = page
        exchange.answer(fields, CONTAINER)

    def _path(self, exchange: Exchange, node: Node) -> Path:
        """Return the path of names of what was asked for, which may be by an id."""
        return exchange.where if exchange.where.id is None else self._names.path_of(exchange.account, node)


def _describe(exchange: Exchange, node: Node) -> None:
    """Tell by headers which state of an object it is, once it is sure that it is sent."""
    exchange.response.set_header("ETag", f'"{node.etag}"')
    exchange.response.set_header("Last-Modified", http_date(node.mtime))
    exchange.response.set_header("Accept-Ranges", "bytes")
