"""A cloud in this process, for tests of the host's rooms."""

import base64
import io
import json
import os
import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from argon2 import PasswordHasher
from falcon import testing
from sqlalchemy import event, func, select

from host.accounts import ADMINISTRATOR
from host.application import create
from host.body import Body
from host.catalogue.account import Account, by_name
from host.catalogue.engine import Catalogue
from host.catalogue.schema import data, detached
from host.catalogue.version import make
from host.cloud import Cloud, open_cloud
from host.settings import CATALOGUE_VARIABLE, load
from host.vault import Facts, Stored, Target
from host.wire.path import Path as CloudPath
from host.wire.path import parse
from tests.files import CONTEXT, objects_in
from tests.host.consistency import faults

__all__ = ["MEMBERS", "MODULES", "CloudTest", "cheap_passwords", "forgetful", "where"]

MODULES = "/cdmi/system_configuration/vendor_modules"
MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"


def where(path: str) -> CloudPath:
    """Return a path below ``/cdmi/``."""
    found = parse(path.encode().decode("latin-1"), limit=100_000)
    assert found is not None
    return found


def cheap_passwords() -> AbstractContextManager[Any]:
    """Let passwords be hashed with little effort in the block: tests make many accounts."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return mock.patch("host.accounts.PasswordHasher", return_value=cheap)


def forgetful(cloud: Cloud) -> Cloud:
    """Return the cloud, whose SQLite does not wait for the disk from now on: tests make many transactions."""
    if cloud.catalogue.is_sqlite:
        cloud.catalogue.close()
        event.listen(cloud.catalogue.engine, "connect", _forget_at_a_power_cut)
    return cloud


def _forget_at_a_power_cut(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")


class CloudTest(unittest.TestCase):
    """A cloud with the module ``default``, the administrator (password ``root``) and alice (``wonder``)."""

    def setUp(self) -> None:
        self.prepare()
        self.cloud = self.open()
        self.configure("default", "fsstore.FileStorage", {"root": str(self.objects)})
        self.cloud.accounts.put(ADMINISTRATOR, password="root", policy="default", role=ADMINISTRATOR)
        self.cloud.accounts.put("alice", password="wonder", policy="default")
        self.client = testing.TestClient(create(self.cloud))

    def prepare(self) -> None:
        """Make an empty directory for a cloud, and choose its database."""
        self.addCleanup(self._let_go, set(vars(self)))
        self.enterContext(cheap_passwords())
        if (url := self.catalogue_url()) is not None:
            self.enterContext(mock.patch.dict(os.environ, {CATALOGUE_VARIABLE: url}))
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.objects = self.directory / "objects"
        self.objects.mkdir()

    def _let_go(self, kept: set[str]) -> None:
        # nose keeps every test to its end, and with it what a module of its cloud has open.
        for name in vars(self).keys() - kept:
            if not name.startswith("_"):
                delattr(self, name)

    def catalogue_url(self) -> str | None:
        """Return the URL of the database for the catalogue; None for a file in the cloud's directory."""
        return None

    def open(self) -> Cloud:
        """Open the cloud, as one more process would."""
        settings = load(self.directory)
        catalogue = Catalogue(settings.catalogue)
        make(catalogue)
        catalogue.close()
        cloud = forgetful(open_cloud(settings))
        self.addCleanup(cloud.close)
        return cloud

    def configure(self, name: str, dotted: str, arguments: Any = (), description: str = "") -> None:
        """Configure a module, as an administrator does."""
        given = dict(arguments) if isinstance(arguments, dict) else list(arguments)
        self.cloud.registry.configure(name, dotted, description, {"": given})

    def account(self, name: str = "alice") -> Account:
        """Return an account as it is now."""
        with self.cloud.catalogue.reading() as connection:
            found = by_name(connection, name)
        assert found is not None
        return found[0]

    def target(self, path: str = "/cdmi/o", **more: Any) -> Target:
        """Return a place in alice's tree."""
        return Target(self.account(), where(path), **more)

    def store(self, path: str = "/cdmi/o", content: bytes = b"data", **facts: Any) -> Stored:
        """Store an object in alice's tree, without a request."""
        body = Body(io.BytesIO(content), len(content))
        return self.cloud.vault.store(self.target(path), body, lambda: Facts(**facts))

    def states(self) -> dict[str, int]:
        """Return how many rows of data there are in each state."""
        query = select(data.c.state, func.count()).group_by(data.c.state)
        with self.cloud.catalogue.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def bury(self) -> None:
        """Do the upkeep as if every process were dead, and garbage of no use any more."""
        self.cloud.vault.close()  # it goes on, and what it had noted is gone
        with mock.patch("host.upkeep._SILENCE", -1):
            self.cloud.upkeep.reap(grace=0)

    def assert_sound(self) -> None:
        """Assert that after that nothing is lost, nothing has leaked, and all that is counted is counted right."""
        self.bury()
        with self.cloud.catalogue.writing() as connection:
            self.assertEqual(faults(connection), [])
            kept = connection.execute(select(data)).all()
            self.assertEqual({row.state for row in kept} - {"kept"}, set())
            self.assertEqual(connection.execute(select(detached)).all(), [])
        here = [row for row in kept if row.module == "default"]
        module = self.cloud.loader.instance("default")
        for row in here:
            self.assertEqual(module.get_size(CONTEXT, row.module_data), row.size)
        self.assertEqual(len(self.stored()), len(here))

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
