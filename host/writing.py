"""PUT, POST and DELETE: what they are about, and who carries them out."""

from falcon import HTTP_204

from host.accounts import Accounts
from host.containers import Containers
from host.errors import Invalid, NotAllowed, NotFound
from host.exchange import Exchange
from host.names import Names
from host.objects import Objects
from host.vault import Target, Vault
from host.wire import path as paths
from host.wire.headers import CONTAINER
from host.wire.path import Path
from host.written import Written, is_object, require_plain

__all__ = ["Writing"]

#: Fields of which a PUT may say that it is about them alone.
_CHANGEABLE = {"metadata", "mimetype", "value", "valuetransferencoding"}


class Writing:
    """Carries out what changes something."""

    def __init__(self, names: Names, vault: Vault, accounts: Accounts) -> None:
        self._names = names
        written = Written(names)
        self._containers = Containers(names, written)
        self._objects = Objects(names, vault, accounts, written)

    def put(self, exchange: Exchange) -> None:
        """Create or change what is at a path."""
        where, kind = exchange.where, exchange.content_type
        _require_users_name(exchange)
        unknown = set(exchange.selection.names or ()) - _CHANGEABLE
        if unknown:
            raise Invalid(f"?{min(unknown)}: it cannot be changed by itself")
        if is_object(exchange):
            self._objects.put(exchange)
        elif kind == CONTAINER or where.slash:
            self._containers.put(exchange)
        else:
            require_plain(kind)
            self._objects.put_raw(exchange, Target(exchange.account, where, exchange.conditions))

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
        if is_object(exchange):
            self._objects.post(exchange, target)
        elif exchange.content_type == CONTAINER:
            self._containers.post(exchange)
        else:
            require_plain(exchange.content_type)
            self._objects.put_raw(exchange, target)

    def delete(self, exchange: Exchange) -> None:
        """Remove what is at a path, and all below it."""
        if exchange.selection.names is not None:
            raise Invalid(f"?{exchange.request.query_string}: parts of an object cannot be deleted by themselves")
        self._names.remove(exchange.account, exchange.where, exchange.conditions)
        exchange.response.status = HTTP_204


def _require_users_name(exchange: Exchange) -> None:
    """Check that what is to be made in the root, by name or by the root's id, has no name of the system's own."""
    where = exchange.where
    first = where.names[0] if where.names and where.id in (None, exchange.account.root) else ""
    if first.startswith("cdmi_") or first in ("storage_root", "system_configuration"):
        raise Invalid(f"{first!r}: storage_root, system_configuration and cdmi_* are the system's names in the root")
