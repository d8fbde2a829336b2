"""A real nginx that ends TLS before a server of the cloud, on a free port of loopback."""

import socket
import ssl
import subprocess

from tests.instance import Instance
from tests.programs import filled, needs

__all__ = ["CONFIGURATION", "Nginx", "needs_nginx"]

#: The proxy before a cloud on 127.0.0.1:8080, as an administrator writes it. Bodies pass through as they come, in
#: both directions; without a path behind proxy_pass the path passes as it was sent.
CONFIGURATION = """\
server {
    listen 443 ssl;
    server_name cloud.example.org;
    ssl_certificate /etc/ssl/certs/cloud.pem;
    ssl_certificate_key /etc/ssl/private/cloud.key;
    client_max_body_size 0;

    location / {
        proxy_pass http://127.0.0.1:8080;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_read_timeout 300s;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
"""

# What keeps this instance apart from others.
_INSTANCE = """\
daemon off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include cloud.conf;
}
"""

needs_nginx = needs("nginx", "openssl")


class Nginx(Instance):
    """An nginx with a certificate of its own.

    :param upstream: the URL of the server behind it, without a path.
    """

    scheme = "https"

    def __init__(self, upstream: str) -> None:
        super().__init__("nginx")
        #: What a client has to trust.
        self.certificate = self.directory / "cloud.pem"
        self._key = self.directory / "cloud.key"
        self._upstream = upstream
        self._make_certificate()
        self.launch("-e", "stderr", "-p", self.directory, "-c", "nginx.conf", configure=self._configure)

    def _make_certificate(self) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", str(self._key), "-out", str(self.certificate), "-days", "2"]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"openssl: {done.stderr}")

    def _configure(self, port: int) -> None:
        values = {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "http://127.0.0.1:8080": self._upstream,
            "/etc/ssl/certs/cloud.pem": f'"{self.certificate}"',
            "/etc/ssl/private/cloud.key": f'"{self._key}"',
        }
        (self.directory / "cloud.conf").write_text(filled(CONFIGURATION, values), "utf-8")
        (self.directory / "nginx.conf").write_text(_INSTANCE, "utf-8")

    def connect(self) -> socket.socket:
        context = ssl.create_default_context(cafile=self.certificate)
        return context.wrap_socket(super().connect(), server_hostname="127.0.0.1")

    def listens(self) -> bool:
        return (self.directory / "nginx.pid").exists()  # it is written once the port is open
