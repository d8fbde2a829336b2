"""A process with eight writing threads is killed again and again: nothing acknowledged is lost."""

import json
import os
import random
import select
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from signal import SIGKILL
from typing import Any

from modules import StorageModule
from tests.fsstore.killed import DELETED, content_of
from tests.fsstore.roots import clean_up, look, make_root, open_storage, strangers
from tests.server import ROOT, environment

#: How often the process is killed. FSSTORE_KILLS in the environment may ask for more.
KILLS = int(os.environ.get("FSSTORE_KILLS", "300"))
#: The longest life of a process, in seconds.
LIFE = 0.1
#: Seconds after which a process that says nothing hangs.
PATIENCE = 60


class Writers:
    """The process that forks, see tests.fsstore.killed."""

    def __init__(self, root: Path, careless: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fsstore.killed", str(root), careless],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._rest = b""

    def close(self) -> None:
        self._process.communicate()

    def live(self, seed: int, objects: dict[str, str], seconds: float) -> list[str]:
        """Let a process work for so long, kill it, and return what it said."""
        self._order(json.dumps({"seed": seed, "objects": objects}))
        lines = self._read(seconds)
        self._order("kill")
        while not lines or not lines[-1].startswith("dead "):
            said = self._read(PATIENCE, at_most=1)
            if not said:
                raise AssertionError(f"it hangs, or is gone: {lines[-3:]}")
            lines += said
        return lines

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _read(self, seconds: float, at_most: int = 1_000_000) -> list[str]:
        """Return the lines that come in so many seconds, or in the first so many pieces."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        said = self._rest
        while at_most and select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]:
            block = os.read(pipe, 65536)
            if not block:
                break
            said += block
            at_most -= 1
        *lines, self._rest = said.split(b"\n")
        return [line.decode() for line in lines]


class Ledger:
    """What was asked for and acknowledged; versions by object, None for absent."""

    def __init__(self) -> None:
        self.known: dict[str, str | None] = {}
        self.possible: dict[str, set[str | None]] = {}  # of what was touched since it was last checked
        self.acknowledged = 0
        self.interrupted = 0
        self.failures: list[str] = []

    def note(self, lines: list[str]) -> None:
        """Take in what a process said in its life."""
        begun: set[str] = set()
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in ("begin", "done"):
                said, _, module_data = rest.partition(" ")
                version = None if said == DELETED else said
                if word == "begin":
                    begun.add(module_data)
                    self.possible.setdefault(module_data, {self.known.get(module_data)}).add(version)
                else:
                    begun.remove(module_data)
                    self.possible[module_data] = {version}
                    self.acknowledged += 1
            elif word != "dead" or rest != str(int(SIGKILL)):
                self.failures.append(line)
        self.interrupted += len(begun)

    def check(self, module: StorageModule) -> None:
        """Compare what was touched with what is there, which then is known."""
        for module_data, versions in self.possible.items():
            try:
                data = look(module, module_data)
            except Exception as error:
                self.failures.append(f"{module_data}: {error!r}")
                continue
            for version in versions:
                if data == (None if version is None else content_of(version)):
                    self.known[module_data] = version
                    break
            else:
                size = "absent" if data is None else f"{len(data)} bytes"
                self.failures.append(f"{module_data} is {size}, and none of the versions {versions}")
        self.possible.clear()

    def check_all(self, module: StorageModule) -> None:
        """Compare all that was ever touched."""
        self.possible = {module_data: {version} for module_data, version in self.known.items()}
        self.check(module)

    def objects(self) -> dict[str, str]:
        """Return the version of each object that is there."""
        return {module_data: version for module_data, version in self.known.items() if version is not None}


class KillTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name, "root")
        make_root(self.root)

    def killed(self, kills: int, **careless: Any) -> Ledger:
        """Kill so many processes, or as many as it takes until something is wrong."""
        ledger = Ledger()
        writers = Writers(self.root, **careless)
        self.addCleanup(writers.close)
        for _ in range(kills):
            seed = random.SystemRandom().randrange(2**32)
            ledger.note(writers.live(seed, ledger.objects(), random.Random(seed).uniform(0, LIFE)))
            ledger.check(open_storage(self.root))
            if ledger.failures:
                ledger.failures.append(f"seed {seed}")
                break
        return ledger

    def test_nothing_that_was_acknowledged_is_lost(self) -> None:
        ledger = self.killed(KILLS)
        self.assertEqual(ledger.failures, [])
        self.assertGreater(ledger.acknowledged, KILLS)
        self.assertGreater(ledger.interrupted, KILLS)  # else they were not killed at work
        clean_up(self.root)
        ledger.check_all(open_storage(self.root))
        self.assertEqual(ledger.failures, [])
        self.assertEqual(strangers(self.root, ledger.objects()), [])

    def test_an_acknowledgement_that_comes_too_early_is_caught(self) -> None:
        self.assertTrue(self.killed(100, careless="early").failures)

    def test_an_object_that_is_written_in_place_is_caught(self) -> None:
        self.assertTrue(self.killed(100, careless="in place").failures)
