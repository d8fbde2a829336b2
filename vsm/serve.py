"""``vsm serve``: run a cloud, making it first where there is none."""

import argparse
import logging
import os
import secrets
import socket
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from host.accounts import ADMINISTRATOR
from host.application import create
from host.cloud import Cloud, open_cloud
from host.errors import Invalid
from host.loader import load_class
from vsm.data import PASSWORD_VARIABLE, catalogue_url, make_data
from vsm.errors import CommandError

__all__ = ["add_arguments", "run"]

_PROCESSES = 2
_THREADS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path("cloud-data"), help="the cloud's directory (%(default)s)")
    parser.add_argument(
        "--listen", type=_address, default="127.0.0.1:8080", metavar="HOST:PORT", help="where to serve (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status. It serves until SIGTERM or SIGINT."""
    listener = _bind(*options.listen)
    cloud, made = make_data(options.data)
    _require_importable(cloud)
    cloud.close()
    host, port = listener.getsockname()[:2]
    _greet(f"http://{host}:{port}", options.data, made)
    os.set_inheritable(listener.fileno(), True)
    _Server(catalogue_url(options.data), listener).run()
    return 0


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up here and nowhere else."""

    def __init__(self, url: str, listener: socket.socket) -> None:
        self._url = url
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": _PROCESSES,
            "threads": _THREADS,
            "worker_class": "gthread",
            "control_socket_disable": True,
            "limit_request_line": 8190,
            "loglevel": "warning",
            "proc_name": "vsm serve",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        # Each worker comes here after its fork, so that none shares a connection or a module.
        cloud = open_cloud(self._url)
        cloud.upkeep.start()
        return create(cloud)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        raise CommandError(f"--listen {host}:{port}: {error.strerror or error}") from error
    return listener


def _require_importable(cloud: Cloud) -> None:
    """Import every configured class, in a process of its own: none is to be loaded before the fork.

    :raises CommandError: one does not import.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            pool.submit(_import_all, cloud.loader.classes()).result()
        except (Invalid, BrokenProcessPool) as error:
            raise CommandError(f"{error}: mend it, or put its egg on PYTHONPATH") from error


def _import_all(classes: list[str]) -> None:
    for dotted in classes:
        load_class(dotted)


def _greet(url: str, data: Path, made: str | None) -> None:
    """Print what to do next: a user, an object, and the object back."""
    administrator = ADMINISTRATOR
    if made is not None:
        print(f"The password of {ADMINISTRATOR}, shown this once: {made}")
        administrator += f":{made}"
    elif PASSWORD_VARIABLE in os.environ:
        administrator += f":${PASSWORD_VARIABLE}"
    alice = secrets.token_urlsafe(9)
    members = f"{url}/cdmi/cdmi_domains/system_domain/cdmi_domain_members"
    body = f'{{"password": "{alice}", "policy": "default"}}'
    print(f"Serving {data} at {url}/cdmi/. A user alice, an object of hers, and the object back:")
    print(f"  curl -u \"{administrator}\" -X PUT --data-binary '{body}' {members}/alice")
    print(f"  echo 'Hello, cloud' | curl -u alice:{alice} -T - {url}/cdmi/hello.txt")
    print(f"  curl -u alice:{alice} {url}/cdmi/hello.txt", flush=True)
