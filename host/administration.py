"""What only administrators may do: vendor modules and users."""

import re
from typing import Any

from falcon import HTTP_201, HTTP_204

from host.accounts import ADMINISTRATOR, USER, Accounts
from host.errors import Invalid
from host.exchange import Exchange
from host.loader import MASK, masked
from host.registry import Registry
from host.wire.headers import CONTAINER
from host.wire.replies import listing_json
from host.wire.values import json_object

__all__ = ["Members", "VendorModules"]

_LIMIT = 1024 * 1024  # bytes of a body
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
_PASSWORD = 1024  # characters


class VendorModules:
    """``/cdmi/system_configuration/vendor_modules/``"""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def serve_list(self, exchange: Exchange) -> None:
        """List the modules."""
        exchange.allow("GET", "HEAD")
        exchange.answer(listing_json(exchange.where, self._registry.names()), CONTAINER)

    def serve(self, exchange: Exchange, name: str) -> None:
        """Add, change, show or delete one module."""
        exchange.allow("GET", "HEAD", "PUT", "DELETE")
        if exchange.request.method == "PUT":
            fields = _fields(exchange, {"module", "description", "args", "locations"})
            dotted, description = fields.get("module"), fields.get("description", "")
            locations = _locations(fields)
            exchange.audited = {"module": dotted, "description": description, "locations": _shown(locations)}
            if not isinstance(dotted, str):
                raise Invalid("module: missing; give the dotted name of a class")
            if not isinstance(description, str) or "\0" in description:  # which PostgreSQL does not keep
                raise Invalid("description: not a string, or with a NUL in it")
            self._registry.configure(_checked(name), dotted, description, locations)
            exchange.response.status = HTTP_204
        elif exchange.request.method == "DELETE":
            self._registry.remove(name)
            exchange.response.status = HTTP_204
        else:
            exchange.answer(self._registry.describe(name))


class Members:
    """``/cdmi/cdmi_domains/system_domain/cdmi_domain_members/``"""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def serve_list(self, exchange: Exchange) -> None:
        """List the users."""
        exchange.allow("GET", "HEAD")
        exchange.answer(listing_json(exchange.where, self._accounts.names()), CONTAINER)

    def serve(self, exchange: Exchange, name: str) -> None:
        """Provision, change, show or delete one user."""
        exchange.allow("GET", "HEAD", "PUT", "DELETE")
        if exchange.request.method == "PUT":
            fields = _member(_fields(exchange))
            # What is no field may be a misspelt one, such as a password.
            shown = set(_FIELDS) - {"password"}
            exchange.audited = {key: value if key in shown else MASK for key, value in fields.items()}
            _require_member(fields)
            is_new = self._accounts.put(_checked(name), **fields)
            exchange.response.status = HTTP_201 if is_new else HTTP_204
        elif exchange.request.method == "DELETE":
            self._accounts.remove(name)
            exchange.response.status = HTTP_204
        else:
            exchange.answer(self._accounts.describe(name))


def _fields(exchange: Exchange, known: set[str] | None = None) -> dict[str, Any]:
    """Return the JSON object in the body.

    A command line that is pasted from a document has a backslash before each line end inside its
    quotes. They stay in the body, and are dropped where it is no JSON as it stands.
    """
    body = exchange.read_small(_LIMIT)
    try:
        fields = json_object(body)
    except Invalid:
        fields = json_object(re.sub(rb"\\\r?\n", b"", body))
    if known is not None and (unknown := sorted(fields.keys() - known)):
        raise Invalid(f"{', '.join(unknown)}: unknown; known are {', '.join(sorted(known))}")
    return fields


def _locations(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by location; of a module without locations they are those of one named ""."""
    if "locations" not in fields:
        locations = {"": fields.get("args", [])}
    elif "args" in fields:
        raise Invalid("args and locations: one of them; each location has arguments of its own")
    else:
        locations = fields["locations"]
        if not isinstance(locations, dict) or not locations:
            raise Invalid("locations: not a JSON object with the arguments of each location by its name")
        for name in locations:
            _checked(name)
    for arguments in locations.values():
        if not isinstance(arguments, (list, dict)):
            raise Invalid("args: neither a list nor an object")
    return locations


def _shown(locations: dict[str, Any]) -> dict[str, Any]:
    """Return arguments as they may be shown. Which of a list are secrets nobody can tell before they have names."""
    return {
        location: masked(arguments) if isinstance(arguments, dict) else f"{len(arguments)} values"
        for location, arguments in locations.items()
    }


#: What a user has, by the names that CDMI 1.1.1, section 10.2 has for some of it, and ours.
_FIELDS = ("password", "policy", "role", "quota", "quota_objects")
_MEMBER = {**{name: name for name in _FIELDS}, "credentials": "password"}


def _member(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a user's fields, also from the ``value`` and ``metadata`` of a cdmi-object."""
    if not fields.keys() & {"value", "metadata"}:
        return fields
    value = fields.get("value")
    if isinstance(value, str):
        value = json_object(value.encode("utf-8", "surrogatepass"))
    metadata = fields.get("metadata")
    for name, part in (("value", value), ("metadata", metadata)):
        if part is not None and not isinstance(part, dict):
            raise Invalid(f"{name}: not a JSON object")
    both = {**(value or {}), **(metadata or {})}
    short = {key.removeprefix("cdmi_member_"): item for key, item in both.items()}
    return {_MEMBER[key]: item for key, item in short.items() if key in _MEMBER}


def _require_member(fields: dict[str, Any]) -> None:
    if unknown := sorted(fields.keys() - set(_FIELDS)):
        raise Invalid(f"{', '.join(unknown)}: unknown; a user has {', '.join(_FIELDS)}")
    for key in ("password", "policy"):
        value = fields.get(key, "x")
        if not (isinstance(value, str) and 0 < len(value) <= _PASSWORD and "\0" not in value):
            raise Invalid(f"{key}: not a string, or empty, or longer than {_PASSWORD} characters, or with a NUL in it")
    if fields.get("role", USER) not in (USER, ADMINISTRATOR):
        raise Invalid(f"role: neither {USER!r} nor {ADMINISTRATOR!r}")
    for key in ("quota", "quota_objects"):
        number = fields.get(key)
        if number is not None and (type(number) is not int or not 0 <= number < 2**63):
            raise Invalid(f"{key}: neither a whole number nor null")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name: 1 to 64 of letters, digits and _ . @ + -, the first a letter or digit")
    return name
