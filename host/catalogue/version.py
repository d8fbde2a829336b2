"""Whether this program and a catalogue fit together. What makes an older one newer is in :mod:`host.catalogue.upgrade`.

A server does not need Alembic, which it would import with all that is installed beside it.
"""

from sqlalchemy import Connection, inspect, text

from host.catalogue.engine import Catalogue
from host.catalogue.schema import metadata
from host.settings import SettingsError

__all__ = ["FIRST", "NEWEST", "found", "make", "require_current"]

#: The version of catalogues that were made before there were versions, and of those that are made now.
FIRST, NEWEST = "0001", "0003"


def make(catalogue: Catalogue) -> bool:
    """Make the tables of a new catalogue, and tell whether it was new."""
    with catalogue.writing() as connection:
        if inspect(connection).get_table_names():
            return False
        metadata.create_all(connection)
        # As Alembic has it, which reads it here.
        key = "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
        connection.execute(text(f"CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, {key})"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": NEWEST})
        return True


def require_current(catalogue: Catalogue) -> None:
    """Check that this program and the catalogue fit together.

    :raises SettingsError: the catalogue is empty, older or newer.
    """
    with catalogue.reading() as connection:
        version = found(connection)
    if version is None:
        raise SettingsError("the catalogue is empty: vsm serve makes one")
    if version != NEWEST:
        raise SettingsError(
            f"the catalogue is of version {version}, and this program wants {NEWEST}: "
            "stop all servers, back it up, and run vsm upgrade"
        )


def found(connection: Connection) -> str | None:
    """Return the version of a catalogue; None if it is empty."""
    tables = inspect(connection)
    if tables.has_table("alembic_version"):
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if version is None else str(version)
    return FIRST if tables.has_table("nodes") else None
