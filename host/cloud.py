"""The parts of a cloud, put together in one place."""

from dataclasses import dataclass

from host.accounts import Accounts
from host.catalogue import tree
from host.catalogue.engine import Catalogue
from host.catalogue.version import require_current
from host.loader import Loader
from host.names import Names
from host.registry import Registry
from host.replication import Replication
from host.settings import Settings
from host.upkeep import Upkeep
from host.vault import Vault

__all__ = ["Cloud", "open_cloud"]


@dataclass(frozen=True)
class Cloud:
    """What one server process works with."""

    settings: Settings
    catalogue: Catalogue
    loader: Loader
    registry: Registry
    accounts: Accounts
    names: Names
    vault: Vault
    upkeep: Upkeep

    def close(self) -> None:
        """Give back what the process holds: reservations, and connections. Needed before a ``fork``."""
        self.vault.close()
        self.catalogue.close()


def open_cloud(settings: Settings) -> Cloud:
    """Open a cloud, whose catalogue there is.

    :raises SettingsError: the catalogue is of another version.
    :raises sqlalchemy.exc.SQLAlchemyError: it cannot be used.
    """
    catalogue = Catalogue(settings.catalogue)
    require_current(catalogue)
    new_id = tree.new_id(settings.enterprise_number)
    loader = Loader(catalogue, settings.location, settings.server.threads)
    vault = Vault(catalogue, loader, new_id)
    replication = Replication(catalogue, loader, vault.process)
    return Cloud(
        settings,
        catalogue,
        loader,
        Registry(catalogue, loader),
        Accounts(catalogue, settings.enterprise_number),
        Names(catalogue, vault, new_id),
        vault,
        Upkeep(catalogue, loader, vault, replication, settings.grace),
    )
