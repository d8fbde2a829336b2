"""The application for a server that wants a WSGI file, such as Apache with mod_wsgi::

from host.wsgi import serve
application = serve("/srv/cloud")
"""

import atexit
from pathlib import Path

from host import memory
from host.application import Application, create
from host.cloud import open_cloud
from host.logs import configure
from host.settings import load

__all__ = ["serve"]


def serve(directory: str | Path) -> Application:
    """Open the cloud in ``directory``, begin its upkeep in this process, and return the application.

    Call it in the process that serves, after every ``fork``.

    :raises SettingsError: a setting is wrong, or the catalogue is of another version.
    :raises OSError: a log cannot be written.
    """
    memory.share()
    settings = load(Path(directory))
    cloud = open_cloud(settings)
    configure(settings, cloud.loader.secrets)
    cloud.upkeep.start()

    def end() -> None:
        cloud.upkeep.stop()
        cloud.close()

    atexit.register(end)
    return create(cloud)
