"""``vsm serve``: run a cloud, making it first where there is none."""

import argparse
import os
import secrets
import socket
import struct
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from host.accounts import ADMINISTRATOR
from host.errors import Invalid
from host.loader import load_class
from host.settings import Settings
from host.wsgi import serve
from vsm.data import PASSWORD_VARIABLE, make_data
from vsm.errors import CommandError

__all__ = ["add_arguments", "run"]

_STALLED = 30  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")
    parser.add_argument(
        "--listen", type=_address, default="127.0.0.1:8080", metavar="HOST:PORT", help="where to serve (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status. It serves until SIGTERM or SIGINT."""
    listener = _bind(*options.listen)
    is_given = PASSWORD_VARIABLE in os.environ
    cloud, made = make_data(options.data)
    classes = cloud.registry.classes()
    cloud.close()
    _require_importable(classes)
    _greet(_url(listener), options.data, made, is_given=is_given)
    os.set_inheritable(listener.fileno(), True)
    _Server(cloud.settings, listener).run()
    return 0


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up here and nowhere else."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._descriptor = listener.detach()  # gunicorn closes it
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self._descriptor}",
            "workers": self._settings.server.processes,
            "threads": self._settings.server.threads,
            "graceful_timeout": self._settings.server.stop,
            "worker_class": "vsm.worker.Worker",
            "control_socket_disable": True,
            "forwarder_headers": "",  # no client says where the application begins, not even one on this machine
            "limit_request_line": 8190,
            "loglevel": "warning",
            "proc_name": "vsm serve",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Each worker comes here after its fork, so that none shares a connection or a module.
        return serve(self._settings.directory)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _bind(host: str, port: int) -> socket.socket:
    """Return a listening socket, whose connections fail when they bring nothing for a while.

    gunicorn has no limit of its own, and a client that says nothing more holds a thread.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _STALLED, 0))
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        raise CommandError(f"--listen {host}:{port}: {error.strerror or error}") from error
    return listener


def _require_importable(classes: list[str]) -> None:
    """Import every configured class, in a process of its own: none is to be loaded before the workers are.

    :raises CommandError: one does not import.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for dotted in classes:
                load_class(dotted)
        except Invalid as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as answer:
        refusal = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        refusal = f"module: one of {', '.join(classes)} ends the process that imports it"
    if refusal:
        raise CommandError(f"{refusal}: mend it, or put its egg on PYTHONPATH")


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greet(url: str, data: Path, made: str | None, *, is_given: bool) -> None:
    """Print what to do next: a user, an object, and the object back."""
    administrator = ADMINISTRATOR
    if made is not None:
        print(f"The password of {ADMINISTRATOR}, shown this once: {made}")
        administrator += f":{made}"
    elif is_given:
        administrator += f":${PASSWORD_VARIABLE}"
    alice = secrets.token_urlsafe(9)
    members = f"{url}/cdmi/cdmi_domains/system_domain/cdmi_domain_members"
    body = f'{{"password": "{alice}", "policy": "default"}}'
    print(f"Serving {data} at {url}/cdmi/. A user alice, an object of hers, and the object back:")
    print(f"  curl -u \"{administrator}\" -X PUT --data-binary '{body}' {members}/alice")
    print(f"  echo 'Hello, cloud' | curl -u alice:{alice} -T - {url}/cdmi/hello.txt")
    print(f"  curl -u alice:{alice} {url}/cdmi/hello.txt", flush=True)
