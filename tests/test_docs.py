"""The documents, followed word for word by a stranger with a fresh checkout and an empty home."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from conformance.requirements import Capability
from conformance.suite import Promises
from tests.checkout import copy_checkout
from tests.contract_page import PAGE, page
from tests.programs import free_port
from tests.server import ROOT, needs_curl

SERVE = re.compile(r"(?:\./run|\bvsm) serve\b")
AFTERNOON = ROOT / "docs/writing-a-module.md"


def blocks(text: str, language: str = "sh") -> list[str]:
    """Return the blocks of a Markdown text that are in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """Return a Markdown text without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


class ReadmeTest(unittest.TestCase):
    text = (ROOT / "README.md").read_text("utf-8")

    def test_the_test_command_is_what_continuous_integration_runs(self) -> None:
        self.assertIn("./run test\n", blocks(self.text))
        continuous = (ROOT / ".ci/run").read_text("utf-8")
        self.assertIn("./run test", continuous)
        self.assertIn("export REQUIRE_SERVERS=1", continuous)
        self.assertIn("setup.py --quiet nosetests", (ROOT / "run").read_text("utf-8"))

    def test_every_link_leads_somewhere(self) -> None:
        for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
            for target in re.findall(r"\]\(([^)#]+)\)", prose(path.read_text("utf-8"))):
                if not target.startswith("https:"):
                    self.assertTrue((path.parent / target).exists(), f"{path.name}: {target}")


class ContractPageTest(unittest.TestCase):
    def test_it_is_what_the_docstrings_say(self) -> None:
        self.assertEqual(PAGE.read_text("utf-8"), page(), "python -m tests.contract_page writes it anew")

    def test_nothing_of_the_docstrings_markup_is_left(self) -> None:
        self.assertIsNone(re.search(r"``|:\w+:`|^:\w+|::$|^=+ ", prose(page()), re.MULTILINE))


class PromisesTest(unittest.TestCase):
    text = (ROOT / "docs/promises.md").read_text("utf-8")

    def test_each_complaint_has_a_test_that_is_there(self) -> None:
        rows = re.findall(r"^\| \d+ \|.*\|(.*)\|$", self.text, re.MULTILINE)
        self.assertEqual(len(rows), 25)
        for row in rows:
            named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+)::(\w+))?`", row)
            kit = re.findall(r"kit `(test_\w+)`", row)
            self.assertTrue(named or kit, row)
            self.assertEqual([name for name in kit if not hasattr(Promises, name)], [])
            for path, case, test in named:
                text = (ROOT / path).read_text("utf-8")
                for defined in filter(None, (case and f"class {case}(", test and f"def {test}(")):
                    self.assertIn(defined, text, path)


class AfternoonTest(unittest.TestCase):
    text = AFTERNOON.read_text("utf-8")

    def test_every_finding_is_one_of_the_kit(self) -> None:
        named = re.findall(r"^\| `(test_\w+)`", self.text, re.MULTILINE)
        self.assertGreater(len(named), 15)
        self.assertEqual([name for name in named if not hasattr(Promises, name)], [])

    def test_it_names_all_that_may_be_lacking(self) -> None:
        for capability in Capability:
            self.assertIn(f"`{capability}`", self.text)


@needs_curl
class FollowedTest(unittest.TestCase):
    """Both ways, each by a stranger; they share a checkout, since its environment takes a while to make."""

    directory: Path

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.directory = Path(directory.name)
        copy_checkout(cls.directory / "checkout")

    def stranger(self, name: str) -> "Stranger":
        home = self.directory / name
        home.mkdir()
        stranger = Stranger(self.directory / "checkout", home)
        self.addCleanup(stranger.leave)
        return stranger

    def test_every_command_of_the_readme_works(self) -> None:
        stranger = self.stranger("readme")
        text = (ROOT / "README.md").read_text("utf-8")
        said = "".join(stranger.do(block) for block in blocks(text) if block != "./run test\n")
        self.assertIn("Serving", said)
        self.assertIn("< HTTP/1.1 204 No Content", said)
        self.assertIn("# Storage modules", said)
        self.assertIn('"label": "the first"', said)

    def test_every_command_of_the_afternoon_works(self) -> None:
        stranger = self.stranger("afternoon")
        text = AFTERNOON.read_text("utf-8")
        adopter, wrapper = blocks(text, "python")
        project = stranger.home / "work/tape"
        said = ""
        for block in blocks(text):
            said += stranger.do(block)
            if "vsm new" in block:  # what the reader saves and changes
                (project / "reserve.py").write_text(wrapper)
                (project / "tests/test_tape.py").write_text(adopter)
        self.assertIn("\nOK (SKIP=12)\n", said)
        self.assertEqual(said.count(" kept, 11 not claimed, 1 not tried; "), 2)  # those of copy_data
        self.assertIn("tape.tape.TapeStorage, by hand in ", said)
        self.assertIn("HTTP/1.1 204 No Content", said)
        self.assertRegex(said, r"\n[0-9a-f]{32}\n\Z")


class Stranger:
    """Runs blocks of commands one after the other, in one shell; servers stay up in a second one."""

    def __init__(self, checkout: Path, home: Path) -> None:
        self.home = home
        self._checkout = checkout
        kept = ("PATH", "LANG", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "SSL_CERT_FILE", "PIP_CACHE_DIR")
        self._env = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}
        # A virtual environment in which the tests run is none of the stranger's.
        own = os.environ.get("VIRTUAL_ENV", str(ROOT / ".venv"))
        self._env["PATH"] = os.pathsep.join(p for p in self._env["PATH"].split(os.pathsep) if not p.startswith(own))
        self._state = home / ".state"
        self._state.write_text("")
        self._go_on = f'. {self._state}\ncd "$PWD"'
        self._port = str(free_port())
        self._server: subprocess.Popen[bytes] | None = None

    def do(self, block: str) -> str:
        """Run one block, and return what it said."""
        script = block.replace("8080", self._port)
        if SERVE.search(script):
            self.leave()
            return self._serve(SERVE.sub(rf"\g<0> --listen 127.0.0.1:{self._port}", script))
        # The shell's variables and its directory go on from block to block.
        script = f"set -a -e -o pipefail\n{self._go_on}\n{script}\nexport -p > {self._state}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._checkout, env=self._env, capture_output=True, timeout=300, text=True
        )
        if done.returncode:
            raise AssertionError(f"{block}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def _serve(self, script: str) -> str:
        log = self.home / "serve.log"
        with log.open("wb") as out:
            self._server = subprocess.Popen(
                ["bash", "-c", f"{self._go_on}\n{script}"],
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
