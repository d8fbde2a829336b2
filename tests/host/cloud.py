"""A cloud in this process, for tests of the host's rooms."""

import base64
import json
import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from falcon import testing

from host.accounts import ADMINISTRATOR
from host.application import create
from host.body import Body
from host.catalogue.engine import Catalogue
from host.catalogue.version import make
from host.cloud import Cloud, open_cloud
from host.settings import load
from tests.files import objects_in

__all__ = ["MEMBERS", "MODULES", "CloudTest"]

MODULES = "/cdmi/system_configuration/vendor_modules"
MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"


class CloudTest(unittest.TestCase):
    """A cloud with the module ``default``, the administrator (password ``root``) and alice (``wonder``)."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.objects = self.directory / "objects"
        self.objects.mkdir()
        self.cloud = self.open()
        self.configure("default", "fsstore.FileStorage", {"root": str(self.objects)})
        self.cloud.accounts.put(ADMINISTRATOR, password="root", policy="default", role=ADMINISTRATOR)
        self.cloud.accounts.put("alice", password="wonder", policy="default")
        self.client = testing.TestClient(create(self.cloud))

    def open(self) -> Cloud:
        """Open the cloud, as one more process would."""
        settings = load(self.directory)
        catalogue = Catalogue(settings.catalogue)
        make(catalogue)
        catalogue.close()
        cloud = open_cloud(settings)
        self.addCleanup(cloud.close)
        return cloud

    def configure(self, name: str, dotted: str, arguments: Any = (), description: str = "") -> None:
        """Configure a module, as an administrator does."""
        given = dict(arguments) if isinstance(arguments, dict) else list(arguments)
        self.cloud.registry.configure(name, dotted, description, {"": given})

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        user: str = "alice:wonder",
        headers: dict[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> testing.Result:
        """Make a request; a body that is no bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}", **(headers or {})}
        path, _, query = path.partition("?")
        return self.client.simulate_request(
            method, path, query_string=query, body=data, headers=sent, remote_addr=address
        )

    def admin(self, method: str, path: str, body: Any = None) -> testing.Result:
        """Make a request as the administrator."""
        return self.call(method, path, body, user="administrator:root")

    def put(self, path: str, data: bytes = b"data", **headers: str) -> testing.Result:
        """Store an object by plain HTTP."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "text/plain", "Content-Length": str(len(data)), **sent}
        return self.call("PUT", path, data, headers=sent)

    def cdmi(self, method: str, path: str, body: Any = None, kind: str = "object", **headers: str) -> testing.Result:
        """Make a request by CDMI."""
        sent = {"X-CDMI-Specification-Version": "1.1.1", **headers}
        if method == "PUT":
            sent["Content-Type"] = f"application/cdmi-{kind}"
        return self.call(method, path, body, headers=sent)

    @contextmanager
    def meanwhile(self, act: Callable[[], object]) -> Iterator[None]:
        """Do something else when the first body begins to be read in the block: after all looks, before the commit."""
        acts = [act]
        read = Body.read

        def first(body: Body, size: int = -1, /) -> bytes:
            if acts:
                acts.pop()()
            return read(body, size)

        with mock.patch.object(Body, "read", first):
            yield

    def stored(self) -> list[bytes]:
        """Return what lies in the module's storage."""
        return sorted(path.read_bytes() for path in objects_in(self.objects))

    def assert_refused(self, result: testing.Result, status: int, text: str = "") -> None:
        """Assert that a request was refused with one JSON object in one line."""
        self.assertEqual(result.status_code, status, result.text)
        self.assertEqual(result.headers["content-type"], "application/json")
        self.assertEqual(result.json.keys(), {"error", "id"})
        self.assertNotIn("\n", result.text)
        self.assertIn(text, result.json["error"])
