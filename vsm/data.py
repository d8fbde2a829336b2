"""A cloud's directory: its settings, its catalogue, and the objects of its module ``default``."""

import importlib.util
import os
import secrets
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from host.accounts import ADMINISTRATOR
from host.catalogue.engine import Catalogue
from host.catalogue.version import make
from host.cloud import Cloud, open_cloud
from host.errors import HostError
from host.settings import CATALOGUE, FILE, Settings, SettingsError, load
from vsm.errors import CommandError

__all__ = ["PASSWORD_VARIABLE", "make_data", "open_cloud_with", "open_data", "open_settings"]

PASSWORD_VARIABLE = "VSM_ADMINISTRATOR_PASSWORD"  # noqa: S105 (a name, no password)
_DEFAULT = "default"


def open_settings(data: Path) -> Settings:
    """Return the settings of the cloud in the directory ``data``.

    :raises CommandError: there is no cloud, or a setting is wrong.
    """
    try:
        settings = load(data)
    except SettingsError as error:
        raise CommandError(str(error)) from error
    if settings.is_embedded and not (data / CATALOGUE).is_file():
        raise CommandError(f"{data}: no cloud there: vsm serve makes one")
    return settings


def open_data(data: Path) -> Cloud:
    """Open the cloud in the directory ``data``.

    :raises CommandError: there is none, or it cannot be used.
    """
    return open_cloud_with(open_settings(data))


def make_data(data: Path) -> tuple[Cloud, str | None]:
    """Open the cloud in the directory ``data``, and make what it lacks.

    :returns: the cloud, and the administrator's password if it was made up just now.
    :raises CommandError: it cannot be made or used.
    """
    try:
        settings = load(data)
        _make_directory(data, settings)
        catalogue = Catalogue(settings.catalogue)
        try:
            make(catalogue)
        finally:
            catalogue.close()
        cloud = open_cloud_with(settings)
        try:
            return cloud, _complete(cloud, data.resolve() / _DEFAULT)
        except BaseException:
            cloud.close()
            raise
    except OSError as error:
        raise CommandError(f"{error.filename or data}: cannot be used: {error.strerror}") from error
    except SQLAlchemyError as error:
        raise CommandError(f"{data}: the catalogue cannot be used: {_cause(error)}") from error
    except (HostError, SettingsError, UnicodeError) as error:
        raise CommandError(f"{data}: {' '.join(str(error).split())}") from error


def _make_directory(data: Path, settings: Settings) -> None:
    """Make the directory and an empty catalogue, readable by nobody else, unless they are there."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.is_embedded and not (data / CATALOGUE).exists():
        if any(path.name != FILE for path in data.iterdir()):
            raise CommandError(f"{data}: not empty, and no cloud: name another directory with --data")
        (data / CATALOGUE).touch(mode=0o600)
    (data / _DEFAULT).mkdir(mode=0o700, exist_ok=True)


def open_cloud_with(settings: Settings) -> Cloud:
    """Open the cloud of these settings.

    :raises CommandError: it cannot be used.
    """
    try:
        return open_cloud(settings)
    except SettingsError as error:
        raise CommandError(f"{settings.directory}: {error}") from error
    except SQLAlchemyError as error:
        raise CommandError(f"{settings.directory}: the catalogue cannot be used: {_cause(error)}") from error


def _cause(error: SQLAlchemyError) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _complete(cloud: Cloud, objects: Path) -> str | None:
    if _DEFAULT not in cloud.registry.names():
        # Of the checksums the one that costs least, where its library is installed.
        checksum = "crc32" if importlib.util.find_spec("xxhash") is None else "xxh3"
        arguments = {"root": str(objects), "checksum": checksum}
        cloud.registry.configure(_DEFAULT, "fsstore.FileStorage", "Files in the cloud's directory", {"": arguments})
    given = os.environ.pop(PASSWORD_VARIABLE, None)  # no vendor's code is to find it there
    if ADMINISTRATOR in cloud.accounts.names():
        if given:
            cloud.accounts.put(ADMINISTRATOR, password=given)
        return None
    made = None if given else secrets.token_urlsafe(12)
    cloud.accounts.put(ADMINISTRATOR, password=given or made, policy=_DEFAULT, role=ADMINISTRATOR)
    return made
