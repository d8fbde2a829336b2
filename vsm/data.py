"""A cloud's directory: its catalogue, and the objects of its module ``default``."""

import os
import secrets
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from host.accounts import ADMINISTRATOR
from host.cloud import Cloud, open_cloud
from host.errors import HostError
from vsm.errors import CommandError

__all__ = ["PASSWORD_VARIABLE", "catalogue_url", "make_data", "open_data"]

PASSWORD_VARIABLE = "VSM_ADMINISTRATOR_PASSWORD"  # noqa: S105 (a name, no password)
_DEFAULT = "default"


def catalogue_url(data: Path) -> str:
    """Return the URL of the catalogue in the directory ``data``."""
    return f"sqlite:///{data.resolve() / 'catalogue.sqlite'}"


def open_data(data: Path) -> Cloud:
    """Open the cloud in the directory ``data``.

    :raises CommandError: there is none, or it cannot be used.
    """
    if not (data / "catalogue.sqlite").is_file():
        raise CommandError(f"{data}: no cloud there: vsm serve makes one")
    return _open(data)


def make_data(data: Path) -> tuple[Cloud, str | None]:
    """Open the cloud in the directory ``data``, and make what it lacks.

    :returns: the cloud, and the administrator's password if it was made up just now.
    :raises CommandError: it cannot be made or used.
    """
    objects = data.resolve() / _DEFAULT
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)  # the catalogue and everybody's data are nobody else's
        objects.mkdir(exist_ok=True)
    except OSError as error:
        raise CommandError(f"{data}: the directory cannot be made: {error.strerror}") from error
    cloud = _open(data)
    try:
        return cloud, _complete(cloud, objects)
    except HostError as error:
        raise CommandError(f"{data}: {error}") from error


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
    given = os.environ.get(PASSWORD_VARIABLE)
    if ADMINISTRATOR in cloud.accounts.names():
        if given:
            cloud.accounts.put(ADMINISTRATOR, password=given)
        return None
    made = None if given else secrets.token_urlsafe(12)
    cloud.accounts.put(ADMINISTRATOR, given or made, _DEFAULT, role=ADMINISTRATOR)
    return made
