"""The parts of a cloud, put together in one place."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from host.accounts import Accounts
from host.database import connect
from host.loader import Loader
from host.tree import Tree
from host.upkeep import Upkeep
from host.vault import Vault

__all__ = ["Cloud", "open_cloud"]


@dataclass(frozen=True)
class Cloud:
    """What one server process works with."""

    engine: Engine
    loader: Loader
    accounts: Accounts
    tree: Tree
    vault: Vault
    upkeep: Upkeep

    def close(self) -> None:
        """Close the catalogue's connections. Needed before a ``fork``."""
        self.engine.dispose()


def open_cloud(url: str | URL) -> Cloud:
    """Open the cloud whose catalogue is at ``url`` (of SQLAlchemy), a new one where it is empty.

    :raises sqlalchemy.exc.SQLAlchemyError: the catalogue cannot be used.
    """
    engine = connect(url)
    loader = Loader(engine)
    vault = Vault(engine, loader)
    return Cloud(engine, loader, Accounts(engine), Tree(engine), vault, Upkeep(engine, loader, vault.process))
