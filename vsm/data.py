"""A cloud's directory: its catalogue, and the objects of its module ``default``."""

import os
import secrets
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from host.accounts import ADMINISTRATOR
from host.cloud import Cloud, open_cloud
from host.errors import HostError
from vsm.errors import CommandError

__all__ = ["PASSWORD_VARIABLE", "catalogue_url", "make_data", "open_data"]

PASSWORD_VARIABLE = "VSM_ADMINISTRATOR_PASSWORD"  # noqa: S105 (a name, no password)
_DEFAULT = "default"
_CATALOGUE = "catalogue.sqlite"


def catalogue_url(data: Path) -> URL:
    """Return the URL of the catalogue in the directory ``data``."""
    return URL.create("sqlite", database=str(data.resolve() / _CATALOGUE))


def open_data(data: Path) -> Cloud:
    """Open the cloud in the directory ``data``.

    :raises CommandError: there is none, or it cannot be used.
    """
    if not (data / _CATALOGUE).is_file():
        raise CommandError(f"{data}: no cloud there: vsm serve makes one")
    return _open(data)


def make_data(data: Path) -> tuple[Cloud, str | None]:
    """Open the cloud in the directory ``data``, and make what it lacks.

    :returns: the cloud, and the administrator's password if it was made up just now.
    :raises CommandError: it cannot be made or used.
    """
    try:
        _make_directory(data)
        cloud = _open(data)
        try:
            return cloud, _complete(cloud, data.resolve() / _DEFAULT)
        except BaseException:
            cloud.close()
            raise
    except OSError as error:
        raise CommandError(f"{error.filename or data}: cannot be used: {error.strerror}") from error
    except (HostError, SQLAlchemyError, UnicodeError) as error:
        raise CommandError(f"{data}: {' '.join(str(error).split())}") from error


def _make_directory(data: Path) -> None:
    """Make the directory and an empty catalogue, readable by nobody else, unless they are there."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (data / _CATALOGUE).exists():
        if any(data.iterdir()):
            raise CommandError(f"{data}: not empty, and no cloud: name another directory with --data")
        (data / _CATALOGUE).touch(mode=0o600)
    (data / _DEFAULT).mkdir(mode=0o700, exist_ok=True)


def _open(data: Path) -> Cloud:
    try:
        return open_cloud(catalogue_url(data))
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise CommandError(f"{data}: the catalogue cannot be used: {cause}") from error


def _complete(cloud: Cloud, objects: Path) -> str | None:
    if _DEFAULT not in cloud.loader.names():
        cloud.loader.configure(
            _DEFAULT, "fsstore.FileStorage", "Files in the cloud's directory", {"root": str(objects)}
        )
    given = os.environ.pop(PASSWORD_VARIABLE, None)  # no vendor's code is to find it there
    if ADMINISTRATOR in cloud.accounts.names():
        if given:
            cloud.accounts.put(ADMINISTRATOR, password=given)
        return None
    made = None if given else secrets.token_urlsafe(12)
    cloud.accounts.put(ADMINISTRATOR, given or made, _DEFAULT, role=ADMINISTRATOR)
    return made
