"""The outermost door: a WSGI application (PEP 3333). Every request comes in here, every error goes out here."""

import json
import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import Any

import falcon
from falcon import Request, Response

from host.catalogue.account import Account
from host.catalogue.engine import told
from host.cloud import Cloud
from host.errors import HeadersTooLarge, HostError, NotFound, Unauthorized
from host.exchange import Exchange
from host.logs import ACCESS, AUDIT, access_line, audit_line
from host.reading import Reading
from host.system import OWN, System
from host.wire.headers import client_address, credentials, version
from host.wire.path import parse
from host.writing import Writing

__all__ = ["Application", "create"]

log = logging.getLogger(__name__)

_VERSION = "X-CDMI-Specification-Version"
#: Where a request's id, its account and its address are kept, in the environment of PEP 3333.
_ID, _ACCOUNT, _ADDRESS = "cloud.id", "cloud.account", "cloud.address"


def create(cloud: Cloud) -> "Application":
    """Return the application that serves ``cloud``. Make it after a server's ``fork``."""
    app: falcon.App[Request, Response] = falcon.App()
    app.resp_options.default_media_type = "text/plain"  # of the empty body of a 201
    app.add_sink(_Door(cloud))
    for kind in (Exception, falcon.HTTPError, HostError):  # the last that fits is taken
        app.add_error_handler(kind, _refuse)
    return Application(app)


class Application:
    """The WSGI callable: gives each request an id, and writes each into the access log."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, env: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        env[_ID] = secrets.token_hex(8)
        if not ACCESS.is_on:
            return self._app(env, start_response)  # type: ignore[no-any-return]
        entry = _Entry(env, start_response)
        entry.body = self._app(env, entry.start)
        return entry


class _Entry:
    """The entry of a request in the access log: written once the server is through with the answer."""

    def __init__(self, env: dict[str, Any], start_response: Any) -> None:
        self._env = env
        self._start_response = start_response
        self._begin = time.perf_counter()
        self._status = "-"
        self._sent = 0
        self.body: Iterable[bytes] = ()

    def start(self, status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
        """Stand for the server's ``start_response``."""
        self._status = status[:3]
        return self._start_response(status, headers, *([] if error is None else [error]))

    def __iter__(self) -> Iterator[bytes]:
        for block in self.body:
            self._sent += len(block)
            yield block

    def close(self) -> None:
        """Close the answer. A server calls it, also when the client has gone away."""
        env = self._env
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        finally:
            line = access_line(
                env[_ID],
                env.get(_ADDRESS, env.get("REMOTE_ADDR", "")),
                env.get(_ACCOUNT, ""),
                f"{env['REQUEST_METHOD']} {env['PATH_INFO']}{'?' if env.get('QUERY_STRING') else ''}"
                f"{env.get('QUERY_STRING', '')} {env.get('SERVER_PROTOCOL', '')}",
                self._status,
                self._sent,
                time.perf_counter() - self._begin,
                env.get("HTTP_USER_AGENT", ""),
            )
            ACCESS.write(line)


class _Door:
    def __init__(self, cloud: Cloud) -> None:
        self._settings = cloud.settings
        self._accounts = cloud.accounts
        self._system = System(cloud)
        self._reading = Reading(cloud.names, cloud.vault)
        self._writing = Writing(cloud.names, cloud.vault, cloud.accounts)

    def __call__(self, req: Request, resp: Response, **_: Any) -> None:
        self._serve(req, resp)

    def _serve(self, request: Request, response: Response) -> None:
        env, limits = request.env, self._settings.limits
        response.set_header("X-Request-ID", env[_ID])
        if sum(len(value) for name, value in env.items() if name[:5] == "HTTP_") > limits.headers:
            raise HeadersTooLarge(f"the headers have more than {limits.headers} bytes")
        where = parse(env["PATH_INFO"], limits.path)
        speaks = version(request.get_header(_VERSION))
        if speaks is not None:
            response.set_header(_VERSION, speaks)
        account = self._account(request)
        if where is None:
            raise NotFound("everything is below /cdmi/")
        exchange = Exchange(request, response, account, where, speaks, limits)
        if where.id is None and where.names[:1] and where.names[0] in OWN:
            self._serve_system(exchange)
        else:
            self._serve_user(exchange)

    def _serve_user(self, exchange: Exchange) -> None:
        exchange.allow("GET", "HEAD", "PUT", "POST", "DELETE")
        match exchange.request.method:
            case "GET" | "HEAD":
                self._reading.serve(exchange)
            case "PUT":
                self._writing.put(exchange)
            case "POST":
                self._writing.post(exchange)
            case _:
                self._writing.delete(exchange)

    def _serve_system(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method in ("GET", "HEAD"):
            self._system.serve(exchange)
            return
        env = request.env
        who = (env[_ID], env[_ADDRESS], exchange.account.name, f"{request.method} {exchange.where.url}")
        try:
            self._system.serve(exchange)
        except Exception as error:
            status = error.status if isinstance(error, HostError) else 500
            AUDIT.write(audit_line(*who, status, **exchange.audited, error=str(error) if status < 500 else "failed"))
            raise
        AUDIT.write(audit_line(*who, exchange.response.status_code, **exchange.audited))

    def _account(self, request: Request) -> Account:
        env = request.env
        peer = env.get("REMOTE_ADDR", "")
        env[_ADDRESS] = client_address(peer, request.get_header("X-Forwarded-For"), self._settings.proxies)
        known = credentials(request.auth)
        account = None if known is None else self._accounts.authenticate(*known, env[_ADDRESS])
        if account is None:
            raise Unauthorized("name and password are needed", WWW_Authenticate='Basic realm="cdmi"')
        env[_ACCOUNT] = account.name
        return account


def _refuse(request: Request, response: Response, error: Exception, _: dict[str, Any]) -> None:
    """Answer with one JSON object; what a client must not see goes to the log under the same id."""
    identity = request.env[_ID]
    status, text, headers = 500, "the server failed", {}
    error = told(error)
    if isinstance(error, HostError):
        status, text, headers = error.status, str(error), error.headers
    elif isinstance(error, falcon.HTTPError):
        status, text, headers = error.status_code, error.description or error.title or "", dict(error.headers or {})
    if status >= 500:
        cause = error.__cause__ if isinstance(error, HostError) else error  # what a module raised, or a fault of ours
        log.error("%s: %s %r: %s", identity, request.method, request.path, error, exc_info=cause)
    response.status = falcon.code_to_http_status(status)
    response.set_headers(headers)
    response.set_header("X-Request-ID", identity)  # falcon refuses some requests before they come to the door
    response.content_type = "application/json"
    response.stream = None
    line = " ".join(text.splitlines())  # what a client sent may be quoted in it
    response.data = json.dumps({"error": line, "id": identity}).encode()
