"""What is beside the users' own: capabilities, and the tree above the users."""

from host.accounts import ADMINISTRATOR
from host.administration import Members, VendorModules
from host.cloud import Cloud
from host.errors import Forbidden, NotFound
from host.exchange import Exchange
from host.wire.capabilities import CAPABILITY, capabilities
from host.wire.headers import CONTAINER
from host.wire.path import Path
from host.wire.replies import listing_json

__all__ = ["OWN", "System"]

#: The first names of paths that are the system's own.
OWN = ("cdmi_capabilities", "cdmi_domains", "system_configuration")
_DOMAIN = "application/cdmi-domain"


class System:
    """Answers requests for the system's own."""

    def __init__(self, cloud: Cloud) -> None:
        self._modules = VendorModules(cloud.registry)
        self._members = Members(cloud.accounts)

    def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        names = exchange.where.names
        if self._serve_open(exchange):
            return
        if exchange.account.role != ADMINISTRATOR:
            raise Forbidden("only an administrator may do that")
        match names:
            case ("system_configuration", "vendor_modules"):
                self._modules.serve_list(exchange)
            case ("system_configuration", "vendor_modules", name):
                self._modules.serve(exchange, name)
            case ("cdmi_domains", "system_domain", "cdmi_domain_members"):
                self._members.serve_list(exchange)
            case ("cdmi_domains", "system_domain", "cdmi_domain_members", name):
                self._members.serve(exchange, name)
            case ("system_configuration",):
                _list(exchange, ["vendor_modules/"], CONTAINER)
            case _:
                raise NotFound(f"nothing at {exchange.where.url}")

    def _serve_open(self, exchange: Exchange) -> bool:
        """Answer what everybody may read; return False if it is not that."""
        names = exchange.where.names
        if names[0] == "cdmi_capabilities":
            found = capabilities(names[1:], exchange.version)
            if found is None:
                raise NotFound(f"nothing at {exchange.where.url}")
            _require_reading(exchange)
            if not _redirected(exchange):
                exchange.answer({key: found[key] for key in found if key in exchange.selection}, CAPABILITY)
        elif names == ("cdmi_domains",):
            _list(exchange, ["system_domain/"], CONTAINER)
        elif names == ("cdmi_domains", "system_domain"):
            _list(exchange, ["cdmi_domain_members/"], _DOMAIN)
        else:
            return False
        return True


def _require_reading(exchange: Exchange) -> None:
    if exchange.request.method == "DELETE":
        raise Forbidden("the system's own cannot be deleted")
    exchange.allow("GET", "HEAD")


def _list(exchange: Exchange, children: list[str], kind: str) -> None:
    _require_reading(exchange)
    if not _redirected(exchange):
        exchange.answer(listing_json(exchange.where, children, kind), kind)


def _redirected(exchange: Exchange) -> bool:
    """Send a client that left out the slash to the right path, with its query; return False if it did not."""
    if exchange.where.slash:
        return False
    exchange.redirect(Path(exchange.where.names, slash=True).url)
    return True
