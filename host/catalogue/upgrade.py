"""What brings a catalogue to the newest version: Alembic's migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from host.catalogue.engine import Catalogue
from host.catalogue.version import FIRST, NEWEST, found
from host.settings import SettingsError

__all__ = ["upgrade"]

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(catalogue: Catalogue) -> tuple[str | None, str]:
    """Bring the catalogue to the newest version, in one transaction; return the version it had, and the one it has.

    :raises SettingsError: it is of a version that this program does not know.
    """
    with catalogue.writing() as connection:
        version = found(connection)
        known = {script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions()}
        if version is not None and version not in known:
            raise SettingsError(f"the catalogue is of version {version}, and this program is older: use a newer one")
        config = _config(connection)
        if version == FIRST:
            command.stamp(config, FIRST)
        command.upgrade(config, NEWEST)
        return version, NEWEST


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
