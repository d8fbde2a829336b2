"""The README, followed word for word by a stranger with a fresh checkout and an empty home."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from tests.checkout import copy_checkout
from tests.server import ROOT, needs_curl

SERVE = "./run serve"


def blocks(text: str) -> list[str]:
    """Return the shell commands of a Markdown text, a string for each block."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class ReadmeTest(unittest.TestCase):
    text = (ROOT / "README.md").read_text("utf-8")

    def test_the_test_command_is_what_continuous_integration_runs(self) -> None:
        self.assertIn("./run test\n", blocks(self.text))
        self.assertIn("./run test", (ROOT / ".ci/run").read_text("utf-8"))
        self.assertIn("setup.py --quiet nosetests", (ROOT / "run").read_text("utf-8"))

    def test_every_link_leads_somewhere(self) -> None:
        for path in ROOT.glob("*.md"):
            for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
                if not target.startswith("https:"):
                    self.assertTrue((ROOT / target).exists(), f"{path.name}: {target}")

    @needs_curl
    def test_every_command_works(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            stranger = Stranger(Path(directory))
            self.addCleanup(stranger.leave)
            said = [stranger.do(block) for block in blocks(self.text) if block != "./run test\n"]
        text = "".join(said)
        self.assertIn("Serving", text)
        self.assertIn("< HTTP/1.1 204 No Content", text)
        self.assertIn("# Storage modules", text)
        self.assertIn('"label": "the first"', text)


class Stranger:
    """Runs blocks of commands one after the other, in one shell; servers stay up in a second one."""

    def __init__(self, directory: Path) -> None:
        self._checkout = copy_checkout(directory / "checkout")
        home = directory / "home"
        home.mkdir()
        kept = ("PATH", "LANG", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "SSL_CERT_FILE", "PIP_CACHE_DIR")
        self._env = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}
        # A virtual environment in which the tests run is none of the stranger's.
        own = os.environ.get("VIRTUAL_ENV", str(ROOT / ".venv"))
        self._env["PATH"] = os.pathsep.join(p for p in self._env["PATH"].split(os.pathsep) if not p.startswith(own))
        self._state = directory / "state"
        self._state.write_text("")
        self._port = str(free_port())
        self._server: subprocess.Popen[bytes] | None = None

    def do(self, block: str) -> str:
        """Run one block, and return what it said."""
        script = block.replace("8080", self._port)
        if SERVE in script:
            self.leave()
            return self._serve(script.replace(SERVE, f"{SERVE} --listen 127.0.0.1:{self._port}"))
        # The shell's variables go on from block to block.
        script = f"set -a -e -o pipefail\n. {self._state}\n{script}\nexport -p > {self._state}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._checkout, env=self._env, capture_output=True, timeout=300, text=True
        )
        if done.returncode:
            raise AssertionError(f"{block}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def _serve(self, script: str) -> str:
        log = self._checkout / "serve.log"
        with log.open("wb") as out:
            self._server = subprocess.Popen(
                ["bash", "-c", f". {self._state}\n{script}"],
                cwd=self._checkout,
                env=self._env,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 300
        while (said := log.read_text("utf-8")).count(" curl ") < 3:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{script}\n{said}")
            time.sleep(0.1)
        return said

    def leave(self) -> None:
        """Stop the server."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGTERM)
            self._server.wait(timeout=60)
            self._server = None


class ToolsTest(unittest.TestCase):
    def test_shell_scripts_are_posix(self) -> None:
        shell = shutil.which("dash") or "sh"
        for name in ("run", ".ci/run"):
            done = subprocess.run([shell, "-n", str(ROOT / name)], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
