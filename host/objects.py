"""The user's tree: containers and objects, by CDMI and by plain HTTP."""

import base64
import codecs
import io
import json
from collections.abc import Iterable, Iterator
from wsgiref.util import FileWrapper

from falcon import HTTP_201, HTTP_204, HTTP_206, HTTP_301, Request, Response

from host import wire
from host.accounts import Account
from host.body import BLOCK, Body
from host.errors import Conflict, Failed, Forbidden, Invalid, LengthRequired, NotFound, UnknownType
from host.node import Node
from host.requests import allow, answer, body_of, is_chunked, read_small
from host.tree import Tree
from host.vault import Facts, Vault
from modules import ReadStream

__all__ = ["Objects"]

#: Bytes of the body of a CDMI request, which is JSON and so is read whole. Raw bodies have no limit.
JSON_LIMIT = 16 * 1024 * 1024


class Objects:
    """Everything below ``/cdmi/`` that is not the system's. Each account sees a tree of its own."""

    def __init__(self, tree: Tree, vault: Vault) -> None:
        self._tree = tree
        self._vault = vault

    def serve(self, request: Request, response: Response, account: Account, where: wire.Path) -> None:
        """Answer one request."""
        allow(request, "GET", "HEAD", "PUT", "DELETE")
        if request.method == "PUT":
            self._require_plain(request)
            self._put(request, response, account, where)
        elif request.method == "DELETE":
            self._require_plain(request)
            self._delete(response, account, where)
        else:
            self._get(request, response, account, where)

    def _require_plain(self, request: Request) -> None:
        if request.query_string:
            raise Invalid(f"?{request.query_string}: parts of an object are not served by themselves")

    def _get(self, request: Request, response: Response, account: Account, where: wire.Path) -> None:
        node = self._tree.find(account.root, where.names)
        if node is None or (where.slash and not node.container):
            raise NotFound(f"nothing at {where.url}")
        if node.container and not where.slash:
            query = f"?{request.query_string}" if request.query_string else ""
            response.status = HTTP_301
            response.set_header("Location", wire.Path(where.names, slash=True).url + query)
            return
        self._require_plain(request)
        is_cdmi = request.get_header("X-CDMI-Specification-Version") is not None
        kind = wire.CONTAINER if node.container else wire.OBJECT
        wire.require_acceptable(request.get_header("Accept"), kind, is_cdmi)
        if node.container:
            answer(response, wire.container_json(node, where, self._tree.children(node)), wire.CONTAINER)
        elif is_cdmi:
            self._send_cdmi(request, response, node, where)
        else:
            self._send_raw(request, response, node)

    def _send_raw(self, request: Request, response: Response, node: Node) -> None:
        # If-Range asks for the part of an object that has not changed. There is nothing yet to tell that by.
        header = None if request.get_header("If-Range") else request.get_header("Range")
        part = wire.byte_range(header, node.size)
        first, last = part or (0, node.size - 1)
        length = last - first + 1
        if request.method != "HEAD":
            response.stream = self._raw_stream(request, node, None if part is None else (first, length))
        response.content_type = node.mimetype
        response.content_length = length
        response.set_header("Accept-Ranges", "bytes")
        if part is not None:
            response.status = HTTP_206
            response.set_header("Content-Range", f"bytes {first}-{last}/{node.size}")

    def _raw_stream(self, request: Request, node: Node, part: tuple[int, int] | None) -> Iterable[bytes]:
        stream = self._vault.open(node)
        # Read, and never sent by the server itself from a descriptor (sendfile): a module that keeps
        # checksums can only compare what it is asked to read.
        wrapper = request.env.get("wsgi.file_wrapper", FileWrapper)
        wrapped: Iterable[bytes] = wrapper(_Window(stream, *(part or (0, node.size))), BLOCK)
        return wrapped

    def _send_cdmi(self, request: Request, response: Response, node: Node, where: wire.Path) -> None:
        fields = wire.object_json(node, where)
        fields["valuetransferencoding"] = node.encoding
        if node.size:
            fields["valuerange"] = f"0-{node.size - 1}"
        response.content_type = wire.OBJECT
        head = json.dumps(fields)[:-1].encode() + b', "value": "'
        if node.encoding == "base64":
            response.content_length = len(head) + (node.size + 2) // 3 * 4 + len(_TAIL)
        if request.method == "HEAD":
            response.stream = iter(())  # without a stream the answer would get a Content-Length of 0
        else:
            response.stream = _Value(head, _Window(self._vault.open(node), 0, node.size), node.encoding)

    def _put(self, request: Request, response: Response, account: Account, where: wire.Path) -> None:
        for name in ("Content-Range", "If-Match", "If-None-Match", "If-Unmodified-Since"):
            if request.get_header(name):
                raise Invalid(f"{name}: not served for PUT")
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        if where.names and where.names[0].startswith("cdmi_"):
            raise Invalid(f"{where.names[0]!r}: names that begin with cdmi_ are the system's")
        if media_type == wire.OBJECT:
            self._put_object(request, response, account, where)
        elif media_type != wire.CONTAINER and (
            media_type.startswith("application/cdmi-")
            or (media_type == "multipart/mixed" and request.get_header("X-CDMI-Specification-Version"))
        ):
            raise UnknownType(f"{media_type} is not served")
        elif media_type == wire.CONTAINER or where.slash or not where.names:
            self._put_container(request, response, account, where, media_type == wire.CONTAINER)
        else:
            self._put_raw(request, response, account, where)

    def _put_container(
        self, request: Request, response: Response, account: Account, where: wire.Path, is_cdmi: bool
    ) -> None:
        if not where.slash:
            raise Invalid("a container's name ends in a slash")
        body = read_small(request, JSON_LIMIT)
        if body and not is_cdmi:
            raise Invalid("an object's name does not end in a slash, and a container has no data")
        metadata = wire.user_metadata(wire.cdmi_fields(body))
        if where.names:
            parent = self._tree.container(account.root, where.names[:-1])
        node = self._tree.find(account.root, where.names)
        if node is None:
            node = self._tree.make_container(parent, where.names[-1], metadata or {})
            response.status = HTTP_201
            if is_cdmi:
                answer(response, wire.container_json(node, where, []), wire.CONTAINER)
            return
        if not node.container:
            raise Conflict(f"{where.names[-1]!r} is an object")
        if metadata is not None:
            self._tree.change(node, metadata)
        response.status = HTTP_204

    def _put_object(self, request: Request, response: Response, account: Account, where: wire.Path) -> None:
        if where.slash or not where.names:
            raise Invalid("an object's name does not end in a slash")
        sent = wire.object_body(read_small(request, JSON_LIMIT))
        parent = self._tree.container(account.root, where.names[:-1])
        node = self._tree.find(account.root, where.names)
        if node is not None and sent.value is None:
            self._tree.change(node, sent.metadata, sent.mimetype)
            response.status = HTTP_204
            return
        value = sent.value or b""
        encoding = sent.encoding or "utf-8"
        default = None if node else "text/plain" if encoding == "utf-8" else "application/octet-stream"
        facts = Facts(sent.mimetype or default, encoding, sent.metadata)
        body = Body(io.BytesIO(value), len(value), _room(account, node))
        node, is_new = self._vault.store(account, parent, where.names[-1], body, facts)
        response.status = HTTP_201 if is_new else HTTP_204
        if is_new:
            answer(response, wire.object_json(node, where), wire.OBJECT)

    def _put_raw(self, request: Request, response: Response, account: Account, where: wire.Path) -> None:
        if request.content_length is None and not is_chunked(request):
            raise LengthRequired("the body has no Content-Length and is not chunked")
        mimetype = wire.mimetype(request.content_type) or "application/octet-stream"
        parent = self._tree.container(account.root, where.names[:-1])
        node = self._tree.find(account.root, where.names)
        if node is not None and node.container:  # also refused when it is named, but then all was read
            raise Conflict(f"{where.names[-1]!r} is a container")
        body = body_of(request, _room(account, node))
        facts = Facts(mimetype, wire.encoding_of(mimetype))
        _, is_new = self._vault.store(account, parent, where.names[-1], body, facts)
        response.status = HTTP_201 if is_new else HTTP_204

    def _delete(self, response: Response, account: Account, where: wire.Path) -> None:
        if not where.names:
            raise Forbidden("the root cannot be deleted")
        node = self._tree.find(account.root, where.names)
        if node is None or (where.slash and not node.container):
            raise NotFound(f"nothing at {where.url}")
        self._tree.remove(node)
        response.status = HTTP_204


def _room(account: Account, node: Node | None) -> int | None:
    """Return how many bytes the new data of ``node`` may have; the old ones are given back for it."""
    return None if account.room is None else account.room + (0 if node is None else node.size)


class _Window:
    """``length`` bytes of a stream, and not one less: a stream that ends early is an error."""

    def __init__(self, stream: ReadStream, first: int, length: int) -> None:
        self._stream = stream
        self._left = length
        try:
            if first:
                stream.seek(first)
        except BaseException:
            stream.close()
            raise

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, all the rest if it is negative."""
        if not self._left:
            return b""
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        if not data:
            raise Failed(f"the storage module's stream ended {self._left} bytes early")
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


_TAIL = b'"}'


class _Value:
    """The text of a cdmi-object whose value is streamed: as the body of a response, or to be closed."""

    def __init__(self, head: bytes, stream: _Window, encoding: str) -> None:
        self._head = head
        self._stream = stream
        self._encoding = encoding

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._base64() if self._encoding == "base64" else self._text()
        yield _TAIL

    def _base64(self) -> Iterator[bytes]:
        rest = b""
        while block := self._stream.read(BLOCK):
            block = rest + block
            whole = len(block) // 3 * 3  # the digits of pieces can be joined only at multiples of three bytes
            rest = block[whole:]
            yield base64.b64encode(block[:whole])
        yield base64.b64encode(rest)

    def _text(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        while block := self._stream.read(BLOCK):
            yield json.dumps(decoder.decode(block))[1:-1].encode()

    def close(self) -> None:
        """Close the stream. A server calls it, also when the client has gone away."""
        self._stream.close()
