"""The whole way, once: a vendor's egg on a running cloud, and a user's bytes in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.server import PASSWORD, ROOT, Server, ServerTest, curl, environment, needs_curl

#: The command as the vendors' document has it since the 2010s.
DOCUMENTED = r"""
curl -u administrator -v -X PUT --data-binary \
'{"module": "newstore.newstore.NewStorage", \
  "description": "New Storage Module", \
  "args": ["arg1", "arg2", "arg3"] }' \
  https://cloud.example.com/cdmi/system_configuration/vendor_modules/newstore
"""
MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"
USER = ("--user", "carol:lamb")


@needs_curl
class NewStoreTest(ServerTest):
    def egg(self) -> Path:
        """Build the example's egg, in a copy of its directory."""
        source = self.directory / "newstore"
        shutil.copytree(ROOT / "examples/newstore", source)
        command = [sys.executable, "setup.py", "-q", "bdist_egg"]
        subprocess.run(command, cwd=source, env=environment(), check=True, timeout=120)
        (egg,) = (source / "dist").iterdir()
        return egg

    def add_as_documented(self, server: Server) -> None:
        """Paste the documented command into a shell; only the address is ours."""
        command = DOCUMENTED.replace("https://cloud.example.com", server.url)
        done = subprocess.run(
            command,
            shell=True,
            input=f"{PASSWORD}\n",  # where there is no terminal curl asks for it here
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=60,
        )
        self.assertIn("< HTTP/1.1 204 No Content", done.stderr)

    def objects(self) -> list[Path]:
        return sorted(path for path in (self.directory / "arg1/arg2").iterdir() if path.is_file())

    def check_reading(self, url: str, source: Path) -> None:
        data = source.read_bytes()
        got = self.directory / "got"
        self.assertEqual(curl(*USER, "--fail", "--output", str(got), f"{url}/large").returncode, 0)
        self.assertEqual(got.read_bytes(), data)
        self.assertEqual(curl(*USER, "--fail", f"{url}/empty").stdout, b"")
        for first, last in ((0, 0), (1_048_575, 1_048_576), (50_000_000, 50_099_999), (len(data) - 5, len(data) - 1)):
            part = curl(*USER, "--fail", "--range", f"{first}-{last}", f"{url}/large").stdout
            self.assertEqual(part, data[first : last + 1])

    def test_a_vendors_egg_keeps_a_users_bytes(self) -> None:
        egg = self.egg()
        server = self.serve(egg)
        self.add_as_documented(server)
        shown = curl(
            "--user", f"administrator:{PASSWORD}", f"{server.url}/cdmi/system_configuration/vendor_modules/newstore"
        )
        self.assertEqual(json.loads(shown.stdout)["statistics"]["label"], "arg3")

        body = '{"password": "lamb", "policy": "newstore"}'
        user = curl(
            "--user", f"administrator:{PASSWORD}", "-i", "-T", "-", f"{server.url}{MEMBERS}/carol", stdin=body.encode()
        )
        self.assertIn(b" 201 Created", user.stdout)

        large, empty = self.directory / "large", self.directory / "empty"
        large.write_bytes(os.urandom(64 * 1024 * 1024))
        empty.write_bytes(b"")
        url = f"{server.url}/cdmi/files"
        self.assertEqual(curl(*USER, "--fail", "-X", "PUT", f"{url}/").returncode, 0)
        for path in (large, empty):
            stored = curl(*USER, "-i", "-T", str(path), f"{url}/{path.name}")
            self.assertIn(b" 201 Created", stored.stdout)
        self.assertEqual(sorted(path.stat().st_size for path in self.objects()), [0, 64 * 1024 * 1024])
        self.assertIn(large.read_bytes(), [path.read_bytes() for path in self.objects()])
        self.check_reading(url, large)

        self.assertEqual(server.stop(), "")
        self.assertEqual(server.process.returncode, 0)
        server = self.serve(egg)
        url = f"{server.url}/cdmi/files"
        self.check_reading(url, large)

        for path in (large, empty):
            self.assertIn(b" 204 ", curl(*USER, "-i", "-X", "DELETE", f"{url}/{path.name}").stdout)
            self.assertIn(b" 404 ", curl(*USER, "-i", f"{url}/{path.name}").stdout)
        self.assertEqual(json.loads(curl(*USER, f"{url}/").stdout)["children"], [])
        server.stop()
        command = [sys.executable, "-m", "vsm", "upkeep", "--data", str(self.data), "--grace", "0"]
        done = subprocess.run(
            command, env=environment(egg), cwd=self.directory, capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.stdout, done.returncode), ("2 deleted, 0 failed\n", 0), done.stderr)
        self.assertEqual(self.objects(), [])
