"""``vsm upgrade``: bring the catalogue of an older version to this one's.

No server may run meanwhile. It cannot be undone: back the catalogue up before.
"""

import argparse
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from host.catalogue.engine import Catalogue
from host.catalogue.upgrade import upgrade
from host.settings import SettingsError
from vsm.data import open_settings
from vsm.errors import CommandError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    catalogue = Catalogue(open_settings(options.data).catalogue)
    try:
        found, newest = upgrade(catalogue)
    except (SettingsError, SQLAlchemyError) as error:
        raise CommandError(f"{options.data}: {' '.join(str(error).split())}") from error
    finally:
        catalogue.close()
    print(f"the catalogue was of version {found or 'none'}, and is of version {newest}")
    return 0
