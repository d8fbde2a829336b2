"""nginx, as a server of files with sendfile, and as one of WebDAV."""

import os
import pwd
import shutil
from pathlib import Path

from bench.cloud.client import Large, Target
from bench.cloud.process import Process, free_port
from bench.stores import Unavailable

__all__ = ["Nginx", "configuration"]

_CONFIGURATION = """\
{user}daemon off;
worker_processes 2;
pid "{directory}/nginx.pid";
error_log stderr warn;
events {{
    worker_connections 512;
}}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    aio off;
    keepalive_requests 100000;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path "{directory}/body";
    proxy_temp_path "{directory}/proxy";
    fastcgi_temp_path "{directory}/fastcgi";
    uwsgi_temp_path "{directory}/uwsgi";
    scgi_temp_path "{directory}/scgi";
    server {{
        listen 127.0.0.1:{port};
        root "{directory}/files";
        location / {{
            dav_methods PUT DELETE;
        }}
    }}
}}
"""


def configuration(directory: Path, port: int, user: str | None) -> str:
    """Return a configuration: two workers, as our server has two processes, and all files in ``directory``.

    :param user: as whom the workers run, if the master is root; else they would be nobody.
    """
    return _CONFIGURATION.format(directory=directory, port=port, user=f"user {user};\n" if user else "")


class Nginx(Large):
    """nginx, keeping objects as files of one directory.

    It syncs nothing. What makes a PUT of it durable is done here, after its answer, and in its time: an fsync
    of the file and one of its directory.

    :param directory: an empty one, where all is kept.
    :raises Unavailable: nginx is not there.
    """

    def __init__(self, directory: Path) -> None:
        program = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
        if program is None:
            raise Unavailable("nginx is not installed (Debian: nginx)")
        self._files = directory / "files"
        self._files.mkdir(parents=True)
        port = free_port()
        user = pwd.getpwuid(os.getuid()).pw_name if os.geteuid() == 0 else None
        settings = directory / "nginx.conf"
        settings.write_text(configuration(directory, port, user), "utf-8")
        super().__init__(Target("nginx", port, "/"))
        command = [program, "-e", "stderr", "-p", str(directory), "-c", str(settings)]
        self._process = Process("nginx", command, directory)
        self._process.wait_for(port)

    def stored(self, name: str) -> None:
        """Sync the file and its directory."""
        for path, flags in ((self._files / name, os.O_RDWR), (self._files, os.O_RDONLY | os.O_DIRECTORY)):
            descriptor = os.open(path, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def stop(self) -> None:
        """Stop the server."""
        self._process.stop()
