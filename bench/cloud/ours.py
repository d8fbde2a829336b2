"""Our server: ``vsm serve``, with one user."""

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cloud.client import Large, Target, request
from bench.cloud.process import Process, ServerError, free_port

__all__ = ["USER", "Ours"]

USER = "bench"
_ROOT = Path(__file__).resolve().parents[2]
_MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"


class Ours(Large):
    """``vsm serve``, keeping a user's objects in the container ``c``.

    :param data: the cloud's directory, which is made if it is not there.
    """

    def __init__(self, data: Path) -> None:
        port = free_port()
        self._data = data
        data.parent.mkdir(parents=True, exist_ok=True)
        password = secrets.token_urlsafe()
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VSM_"))}
        self._environment["PYTHONPATH"] = str(_ROOT)
        command = [sys.executable, "-m", "vsm", "serve", "--data", str(data), "--listen", f"127.0.0.1:{port}"]
        environment = {**self._environment, "VSM_ADMINISTRATOR_PASSWORD": password}
        self._process = Process("vsm", command, data.parent, environment)
        self._process.wait_for(port)
        super().__init__(Target("vsm serve", port, "/cdmi/c/", _basic(USER, password)))
        try:
            administrator = Target("vsm serve", port, "", _basic("administrator", password))
            member = json.dumps({"password": password, "policy": "default"}).encode()
            request(administrator, "PUT", f"{_MEMBERS}/{USER}", member)
            request(self.target, "PUT", self.target.prefix)
        except BaseException:
            self.stop()
            raise

    def delete(self, names: Sequence[str], size: int) -> None:
        """Delete the objects, and have their space back at once as it is with nginx."""
        super().delete(names, size)
        self.upkeep()

    def upkeep(self) -> None:
        """Delete now what was deleted or replaced.

        :raises ServerError: it did not work.
        """
        command = [sys.executable, "-m", "vsm", "upkeep", "--data", str(self._data), "--grace", "0"]
        done = subprocess.run(  # noqa: S603 (ourselves)
            command, env=self._environment, cwd=self._data.parent, capture_output=True, text=True
        )
        if done.returncode:
            raise ServerError(f"vsm upkeep: exit status {done.returncode}: {done.stderr}")

    def workers(self) -> list[int]:
        """Return the processes that serve (proc(5): children)."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]

    def stop(self) -> None:
        """Stop the server."""
        self._process.stop()


def _basic(name: str, password: str) -> dict[str, str]:
    """Return the header of RFC 7617."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
