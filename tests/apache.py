"""A real Apache httpd with mod_wsgi, as an instance of its own on a free port of loopback.

mod_wsgi brings its own Python: Debian's, of one minor version. What is installed for the running interpreter is put
on its path, which works for compiled packages too, as long as the minor version is the same.
"""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from tests.instance import Instance
from tests.programs import filled, needs
from tests.server import ROOT

__all__ = ["CONFIGURATION", "Apache", "needs_apache"]

_MODULES = Path("/usr/lib/apache2/modules")
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

#: What a server of the cloud needs, as an administrator writes it.
#: - python-home would be a virtual environment made with Debian's own python3, and is left out here.
#: - locale: Debian's Apache runs in the locale C, where Python takes names of files for ASCII.
#: - home: an account's own directory need not exist, and mod_wsgi wants one that does.
#: - AllowEncodedSlashes On: with NoDecode %2F and %252F would both arrive as %2F.
#: - no-gzip: Debian's Apache compresses what is text, and then an object's length and ETag are not its own.
CONFIGURATION = """\
WSGIDaemonProcess cloud processes=2 threads=8 locale=C.UTF-8 home=/srv/cloud python-path=/srv/cloud/newstore.egg
WSGIScriptAlias / /srv/cloud/cloud.wsgi process-group=cloud application-group=%{GLOBAL}
WSGIPassAuthorization On
WSGIChunkedRequest On
AllowEncodedSlashes On
LimitRequestBody 0
SetEnv no-gzip 1
<Directory /srv/cloud>
    Require all granted
</Directory>
"""

# What keeps this instance apart from others, and what Debian's own configuration brings that concerns a cloud.
_INSTANCE = """\
ServerRoot "/srv/cloud"
ServerName localhost
Listen 127.0.0.1:80
DefaultRuntimeDir "/srv/cloud"
PidFile "/srv/cloud/pid"
Mutex "file:/srv/cloud" default
WSGISocketPrefix "/srv/cloud/wsgi"
ErrorLog "/srv/cloud/log"
LogLevel info
LoadModule mpm_event_module /modules/mod_mpm_event.so
LoadModule authz_core_module /modules/mod_authz_core.so
LoadModule env_module /modules/mod_env.so
LoadModule filter_module /modules/mod_filter.so
LoadModule deflate_module /modules/mod_deflate.so
LoadModule reqtimeout_module /modules/mod_reqtimeout.so
LoadModule wsgi_module /modules/mod_wsgi.so
AddOutputFilterByType DEFLATE text/html text/plain text/xml
RequestReadTimeout header=20-40,minrate=500 body=10,minrate=500
<Directory />
    AllowOverride None
    Require all denied
</Directory>
"""


def _mod_wsgi_is_there() -> bool:
    module = _MODULES / "mod_wsgi.so"
    return module.exists() and f"libpython{_PYTHON}.so".encode() in module.read_bytes()


needs_apache = needs("apache2", more={f"mod_wsgi for Python {_PYTHON}": _mod_wsgi_is_there()})


class Apache(Instance):
    """An Apache httpd that serves one WSGI script.

    :param script: the text of the script; or its path.
    :param path: what is imported beside this checkout: directories and eggs.
    :param processes: how many processes run the script.
    :param threads: how many threads each of them has.
    :param python_home: a virtual environment that was made with the Python of mod_wsgi, instead of the packages
        of the running interpreter.
    :param directives: more directives.
    :param env: more variables of the environment.
    """

    def __init__(
        self,
        script: str | Path,
        *path: Path | str,
        processes: int = 2,
        threads: int = 8,
        python_home: Path | None = None,
        directives: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("apache2")
        if isinstance(script, str):
            (self.directory / "cloud.wsgi").write_text(script, "utf-8")
            script = self.directory / "cloud.wsgi"
        packages = [] if python_home else [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        imported = ":".join(map(str, [*path, ROOT, *dict.fromkeys(packages)]))
        python = f"python-path='{imported}'" + (f" python-home='{python_home}'" if python_home else "")
        self._configuration = directives + filled(
            CONFIGURATION,
            {
                "processes=2 threads=8": f"processes={processes} threads={threads}",
                "home=/srv/cloud ": f"home='{self.directory}' ",
                "python-path=/srv/cloud/newstore.egg": python,
                "/srv/cloud/cloud.wsgi": f'"{script}"',
                "<Directory /srv/cloud>": f'<Directory "{script.parent}">',
            },
        )
        variables = {"PATH": os.defpath, "LANG": "C", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        self.launch("-f", self.directory / "apache.conf", "-DFOREGROUND", configure=self._configure, env=variables)

    def _configure(self, port: int) -> None:
        values = {"127.0.0.1:80": f"127.0.0.1:{port}", "/srv/cloud": str(self.directory), "/modules/": f"{_MODULES}/"}
        (self.directory / "apache.conf").write_text(filled(_INSTANCE, values) + self._configuration, "utf-8")

    def listens(self) -> bool:
        return "resuming normal operations" in self.log()
