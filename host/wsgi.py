"""The application for a server that wants a WSGI file, such as Apache with mod_wsgi::

from host.wsgi import serve
application = serve("/srv/cloud")
"""

import atexit
import ctypes
from contextlib import suppress
from pathlib import Path

from host.application import Application, create
from host.cloud import open_cloud
from host.logs import configure
from host.settings import load

__all__ = ["serve"]

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def serve(directory: str | Path) -> Application:
    """Open the cloud in ``directory``, begin its upkeep in this process, and return the application.

    Call it in the process that serves, after every ``fork``.

    :raises SettingsError: a setting is wrong, or the catalogue is of another version.
    :raises OSError: a log cannot be written.
    """
    _share_memory()
    settings = load(Path(directory))
    cloud = open_cloud(settings)
    configure(settings, cloud.loader.secrets)
    cloud.upkeep.start()

    def end() -> None:
        cloud.upkeep.stop()
        cloud.close()

    atexit.register(end)
    return create(cloud)


def _share_memory() -> None:
    """Let all threads of this process take their memory from one place.

    The malloc of glibc has up to eight arenas a core, and each thread keeps in its own what another one could use: so
    a process grew for as long as transfers of many megabytes came to threads that had had none yet (mallopt(3)).
    With Python's lock few threads ask for memory at the same time. Another C library has no mallopt, and no arenas.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
