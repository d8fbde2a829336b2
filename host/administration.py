"""What only the administrator may do: vendor modules and users."""

import re
from typing import Any

from falcon import HTTP_201, HTTP_204, Request, Response

from host import wire
from host.accounts import KEEP, Accounts
from host.errors import Invalid
from host.loader import Loader
from host.requests import allow, answer, read_small

__all__ = ["Members", "VendorModules"]

_LIMIT = 1024 * 1024  # bytes of a body
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")


class VendorModules:
    """``/cdmi/system_configuration/vendor_modules/``"""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def serve_list(self, request: Request, response: Response, where: wire.Path) -> None:
        """List the modules."""
        allow(request, "GET", "HEAD")
        answer(response, _listing(where, self._loader.names()), wire.CONTAINER)

    def serve(self, request: Request, response: Response, name: str) -> None:
        """Add, change, show or delete one module."""
        allow(request, "GET", "HEAD", "PUT", "DELETE")
        if request.method == "PUT":
            fields = _fields(request, {"module", "description", "args"})
            dotted, description, arguments = fields.get("module"), fields.get("description", ""), fields.get("args", [])
            if not isinstance(dotted, str):
                raise Invalid("module: missing; give the dotted name of a class")
            if not isinstance(description, str):
                raise Invalid("description: not a string")
            if not isinstance(arguments, (list, dict)):
                raise Invalid("args: neither a list nor an object")
            self._loader.configure(_checked(name), dotted, description, arguments)
            response.status = HTTP_204
        elif request.method == "DELETE":
            self._loader.remove(name)
            response.status = HTTP_204
        else:
            answer(response, self._loader.describe(name))


class Members:
    """``/cdmi/cdmi_domains/system_domain/cdmi_domain_members/``"""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def serve_list(self, request: Request, response: Response, where: wire.Path) -> None:
        """List the users."""
        allow(request, "GET", "HEAD")
        answer(response, _listing(where, self._accounts.names()), wire.CONTAINER)

    def serve(self, request: Request, response: Response, name: str) -> None:
        """Provision, change, show or delete one user."""
        allow(request, "GET", "HEAD", "PUT", "DELETE")
        if request.method == "PUT":
            fields = _member(_fields(request))
            if unknown := ", ".join(sorted(fields.keys() - {"password", "policy", "quota"})):
                raise Invalid(f"{unknown}: unknown; a user has password, policy and quota")
            for key in ("password", "policy"):
                if key in fields and not (isinstance(fields[key], str) and fields[key]):
                    raise Invalid(f"{key}: not a string, or empty")
            _require_quota(fields.get("quota"))
            quota = fields.get("quota", KEEP)
            is_new = self._accounts.put(_checked(name), fields.get("password"), fields.get("policy"), quota)
            response.status = HTTP_201 if is_new else HTTP_204
        elif request.method == "DELETE":
            self._accounts.remove(name)
            response.status = HTTP_204
        else:
            answer(response, self._accounts.describe(name))


def _fields(request: Request, known: set[str] | None = None) -> dict[str, Any]:
    """Return the JSON object in the body.

    A command line that is pasted from a document has a backslash before each line end inside its
    quotes. They stay in the body, and are dropped where it is no JSON as it stands.
    """
    body = read_small(request, _LIMIT)
    try:
        fields = wire.json_object(body)
    except Invalid:
        fields = wire.json_object(re.sub(rb"\\\r?\n", b"", body))
    if known is not None and (unknown := ", ".join(sorted(fields.keys() - known))):
        raise Invalid(f"{unknown}: unknown; known are {', '.join(sorted(known))}")
    return fields


def _member(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a user's fields, also from the ``value`` and ``metadata`` of a cdmi-object."""
    if not fields.keys() & {"value", "metadata"}:
        return fields
    value = fields.get("value")
    if isinstance(value, str):
        value = wire.json_object(value.encode("utf-8", "surrogatepass"))
    metadata = fields.get("metadata")
    for name, part in (("value", value), ("metadata", metadata)):
        if part is not None and not isinstance(part, dict):
            raise Invalid(f"{name}: not a JSON object")
    member: dict[str, Any] = {}
    for key, item in {**(value or {}), **(metadata or {})}.items():
        short = key.removeprefix("cdmi_member_")
        if short in ("password", "policy", "quota"):
            member[short] = item
        elif short == "credentials":  # what CDMI 1.1.1, section 10.2 calls a password
            member["password"] = item
    return member


def _require_quota(quota: Any) -> None:
    if quota is not None and (type(quota) is not int or not 0 <= quota < 2**63):
        raise Invalid("quota: neither a number of bytes nor null")


def _listing(where: wire.Path, names: list[str]) -> dict[str, Any]:
    listed = {"childrenrange": f"0-{len(names) - 1}"} if names else {}
    return {
        "objectType": wire.CONTAINER,
        "objectName": f"{where.names[-1]}/",
        "parentURI": where.parent.url,
        **listed,
        "children": names,
    }


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name: 1 to 64 of letters, digits and _ . @ + -, the first a letter or digit")
    return name
