"""The outermost door: a WSGI application (PEP 3333). Every request comes in here, every error goes out here."""

import json
import logging
import uuid
from typing import Any

import falcon
from falcon import Request, Response

from host import wire
from host.accounts import ADMINISTRATOR, Account
from host.administration import Members, VendorModules
from host.cloud import Cloud
from host.database import busy_or_full
from host.errors import Forbidden, HostError, NotFound, Unauthorized
from host.objects import Objects

__all__ = ["create"]

log = logging.getLogger(__name__)


def create(cloud: Cloud) -> falcon.App[Request, Response]:
    """Return the application that serves ``cloud``. Make it after a server's ``fork``."""
    app: falcon.App[Request, Response] = falcon.App()
    app.resp_options.default_media_type = "text/plain"  # of the empty body of a 201
    app.add_sink(_Door(cloud))
    for kind in (Exception, falcon.HTTPError, HostError):  # the last that fits is taken
        app.add_error_handler(kind, _refuse)
    return app


class _Door:
    def __init__(self, cloud: Cloud) -> None:
        self._accounts = cloud.accounts
        self._modules = VendorModules(cloud.loader)
        self._members = Members(cloud.accounts)
        self._objects = Objects(cloud.tree, cloud.vault)

    def __call__(self, req: Request, resp: Response, **_: Any) -> None:
        self._serve(req, resp)

    def _serve(self, request: Request, response: Response) -> None:
        where = wire.path(request.env["PATH_INFO"])
        version = wire.version(request.get_header("X-CDMI-Specification-Version"))
        if version is not None:
            response.set_header("X-CDMI-Specification-Version", version)
        account = self._account(request)
        if where is None:
            raise NotFound("everything is below /cdmi/")
        if where.names[:1] in (("system_configuration",), ("cdmi_domains",)):
            if account.role != ADMINISTRATOR:
                raise Forbidden("only the administrator may do that")
            self._serve_system(request, response, where)
        else:
            self._objects.serve(request, response, account, where)

    def _serve_system(self, request: Request, response: Response, where: wire.Path) -> None:
        match where.names:
            case ("system_configuration", "vendor_modules"):
                self._modules.serve_list(request, response, where)
            case ("system_configuration", "vendor_modules", name):
                self._modules.serve(request, response, name)
            case ("cdmi_domains", "system_domain", "cdmi_domain_members"):
                self._members.serve_list(request, response, where)
            case ("cdmi_domains", "system_domain", "cdmi_domain_members", name):
                self._members.serve(request, response, name)
            case _ if request.method == "DELETE":
                raise Forbidden("the system's own cannot be deleted")
            case _:
                raise NotFound(f"nothing at {where.url}")

    def _account(self, request: Request) -> Account:
        known = wire.credentials(request.auth)
        account = None if known is None else self._accounts.authenticate(*known)
        if account is None:
            raise Unauthorized("name and password are needed", WWW_Authenticate='Basic realm="cdmi"')
        return account


def _refuse(request: Request, response: Response, error: Exception, _: dict[str, Any]) -> None:
    """Answer with one JSON object; what a client must not see goes to the log under the same id."""
    identity = uuid.uuid4().hex[:16]
    status, text, headers = 500, "the server failed", {}
    error = busy_or_full(error)
    if isinstance(error, HostError):
        status, text, headers = error.status, str(error), error.headers
    elif isinstance(error, falcon.HTTPError):
        status, text, headers = error.status_code, error.description or error.title or "", dict(error.headers or {})
    if status >= 500:
        cause = error.__cause__ if isinstance(error, HostError) else error  # what a module raised, or a fault of ours
        log.error("%s: %s %r: %s", identity, request.method, request.path, error, exc_info=cause)
    response.status = falcon.code_to_http_status(status)
    response.set_headers(headers)
    response.content_type = "application/json"
    response.stream = None
    response.data = json.dumps({"error": text, "id": identity}).encode()
