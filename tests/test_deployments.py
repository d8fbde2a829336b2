"""The cloud behind real web servers: the vendors' document's walk-through under Apache, and TLS by nginx."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests import apache, nginx
from tests.apache import Apache, needs_apache
from tests.nginx import Nginx, needs_nginx
from tests.server import PASSWORD, ROOT, ServerTest, curl, environment, needs_curl
from tests.test_end_to_end import DOCUMENTED

GIB = 1 << 30
MODULES = "/cdmi/system_configuration/vendor_modules"
MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"
ADMINISTRATOR = ("--user", f"administrator:{PASSWORD}")
CAROL = ("--user", "carol:lamb")


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


class DeploymentTest(ServerTest):
    def egg(self) -> Path:
        """Build the example's egg."""
        source = self.directory / "newstore"
        shutil.copytree(ROOT / "examples/newstore", source)
        command = [sys.executable, "setup.py", "-q", "bdist_egg"]
        subprocess.run(command, cwd=source, env=environment(), check=True, timeout=120)
        (egg,) = (source / "dist").iterdir()
        return egg

    def provision(self, url: str, policy: str = "default", trust: Sequence[str] = ()) -> None:
        body = json.dumps({"password": "lamb", "policy": policy})
        made = curl(*trust, *ADMINISTRATOR, "--fail", "-X", "PUT", "--data-binary", body, f"{url}{MEMBERS}/carol")
        self.assertEqual(made.returncode, 0, made.stderr)

    def large(self) -> Path:
        """Return a file of a GiB, in which no two blocks are the same."""
        path = self.directory / "large"
        with path.open("wb") as file:
            for number in range(GIB >> 20):
                file.write(number.to_bytes(8, "big") * (1 << 17))
        return path

    def check_round_trip(self, url: str, sent: Path, *headers: str, trust: Sequence[str] = ()) -> None:
        """Store a file, and read it back whole and in part."""
        options = [option for header in headers for option in ("--header", header)]
        stored = curl(*trust, *CAROL, "--fail", *options, "--upload-file", str(sent), f"{url}/cdmi/large")
        self.assertEqual(stored.returncode, 0, stored.stderr)
        got = self.directory / "got"
        self.assertEqual(curl(*trust, *CAROL, "--fail", "-o", str(got), f"{url}/cdmi/large").returncode, 0)
        self.assertEqual(md5(got), md5(sent))
        part = curl(*trust, *CAROL, "--fail", "--range", "1048570-1048589", f"{url}/cdmi/large").stdout
        with sent.open("rb") as file:
            file.seek(1048570)
            self.assertEqual(part, file.read(20))
        got.unlink()


@needs_apache
@needs_curl
class ApacheTest(DeploymentTest):
    def apache(self, *path: Path) -> Apache:
        """Serve the cloud, which is made here, under Apache."""
        self.serve(*path).stop()
        script = f"from host.wsgi import serve\n\napplication = serve({str(self.data)!r})\n"
        server = Apache(script, *path)
        self.addCleanup(server.stop)
        return server

    def test_a_vendors_egg_on_the_python_path_keeps_a_gib_both_ways(self) -> None:
        server = self.apache(self.egg())
        command = DOCUMENTED.replace("https://cloud.example.com", server.url)
        command = command.replace("arg1", str(self.directory / "tape")).replace("arg2", "reel")
        done = subprocess.run(
            command,
            shell=True,
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=60,
        )
        self.assertIn("< HTTP/1.1 204 No Content", done.stderr)
        self.provision(server.url, "newstore")
        large = self.large()
        for header in ("X: ", "Transfer-Encoding: chunked"):
            with self.subTest(header):
                self.check_round_trip(server.url, large, header)
        kept = [path for path in (self.directory / "tape/reel").iterdir() if path.is_file()]
        self.assertEqual({path.stat().st_size for path in kept}, {GIB})
        self.assertLess(server.memory(), 200_000_000)
        log = server.stop()
        self.assertNotIn("Traceback", log)

    def test_what_one_process_is_told_all_know_within_a_second(self) -> None:
        server = self.apache()
        other = self.directory / "other"
        other.mkdir()
        self.provision(server.url)
        for number in range(5):
            path = f"{server.url}{MODULES}/new"
            body = json.dumps({"module": "fsstore.FileStorage", "description": str(number), "args": [str(other)]})
            self.assertEqual(curl(*ADMINISTRATOR, "--fail", "-X", "PUT", "-d", body, path).returncode, 0)
            self.assertEqual(
                curl(
                    *ADMINISTRATOR, "-X", "PUT", "-d", f'{{"password": "p{number}"}}', f"{server.url}{MEMBERS}/carol"
                ).returncode,
                0,
            )
            time.sleep(1)
            for _ in range(10):  # whichever process answers
                shown = json.loads(curl(*ADMINISTRATOR, path).stdout)
                self.assertEqual(shown["description"], str(number))
                listed = curl("--fail", "--user", f"carol:p{number}", f"{server.url}/cdmi/")
                self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual(curl(*ADMINISTRATOR, "--fail", "-X", "DELETE", f"{server.url}{MODULES}/new").returncode, 0)
        time.sleep(1)
        body = '{"policy": "new"}'
        for _ in range(5):
            refused = curl(*ADMINISTRATOR, "-X", "PUT", "-d", body, f"{server.url}{MEMBERS}/carol")
            self.assertIn(b"no vendor module", refused.stdout)

    def test_names_are_the_same_whatever_server_is_before_them(self) -> None:
        server = self.apache()
        self.provision(server.url)
        for sent, name in (("a%252Fb", "a%2Fb"), ("%C3%A4%20b", "ä b"), ("x%3Fy", "x?y")):
            self.assertEqual(curl(*CAROL, "--fail", "-d", sent, "-X", "PUT", f"{server.url}/cdmi/{sent}").returncode, 0)
            self.assertIn(name, json.loads(curl(*CAROL, f"{server.url}/cdmi/").stdout)["children"])
        url = server.url
        server.stop()
        direct = self.serve()
        for sent in ("a%252Fb", "%C3%A4%20b", "x%3Fy"):
            self.assertEqual(curl(*CAROL, "--fail", f"{direct.url}/cdmi/{sent}").stdout, sent.encode(), url)


@needs_nginx
@needs_curl
class NginxTest(DeploymentTest):
    def test_tls_ends_before_the_cloud_and_bodies_pass_as_they_come(self) -> None:
        self.data.mkdir()
        (self.data / "cloud.toml").write_text('proxies = ["127.0.0.1"]\n')
        server = self.serve()
        proxy = Nginx(server.url)
        self.addCleanup(proxy.stop)
        trust = ("--cacert", str(proxy.certificate))
        self.provision(proxy.url, trust=trust)
        sent = self.directory / "sent"
        sent.write_bytes(os.urandom(20_000_000))
        for header in ("X: ", "Transfer-Encoding: chunked"):
            with self.subTest(header):
                self.check_round_trip(proxy.url, sent, header, trust=trust)
        curl(*trust, *CAROL, "--header", "X-Forwarded-For: 192.0.2.7", f"{proxy.url}/cdmi/")
        deadline = time.monotonic() + 30
        # Both behind it are proxies of ours. A request is logged when it is over, which curl may see a little earlier.
        while "\n192.0.2.7 " not in (log := (self.data / "access.log").read_text()):
            self.assertLess(time.monotonic(), deadline, log)
            time.sleep(0.01)


class ExamplesTest(DeploymentTest):
    """The configurations in docs/operating.md are those that are tested here."""

    def test_they_are_the_tested_ones(self) -> None:
        text = (ROOT / "docs/operating.md").read_text("utf-8")
        for language, configuration in (("apache", apache.CONFIGURATION), ("nginx", nginx.CONFIGURATION)):
            self.assertIn(configuration, re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
