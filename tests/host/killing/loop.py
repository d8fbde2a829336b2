"""The loop: a server is started, used by many clients at once, and killed with all its processes."""

import contextlib
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host.cloud import open_cloud
from host.settings import FILE, load
from tests.guard import alive
from tests.host.agreement import disagreements
from tests.host.fuzzing.grounds import SMALL
from tests.host.killing.client import Client, Refused, Tally
from tests.server import ROOT, Server, children, environment
from vsm.data import make_data

__all__ = ["Loop"]

_CLIENTS = 6
#: Bob's storage is at two locations.
_USERS = (("alice", "wonder", "default"), ("bob", "builder", "twins"))
_LIFE = (0.1, 1.0)  # seconds of load, at least and at most, once all clients have looked at what there is
_EARLY = 10  # one of so many servers is killed while its workers start, the second at first
_PATIENCE = 60  # seconds
#: Upkeep is at work in the life of each server. One that died counts as dead in the life of the next ones.
_CONSTANTS = {**SMALL, "host.upkeep._BEAT": 0.5, "host.upkeep._SILENCE": 10}
#: ``vsm upkeep`` in a world in which every other process counts as dead at once.
_UPKEEP = "from host import upkeep; upkeep._SILENCE = -2; from vsm import __main__; raise SystemExit(__main__.main())"


class Loop:
    """A cloud in ``data``, an empty directory, whose server is killed again and again.

    :param catalogue: the URL of an empty database; else it is SQLite's.
    """

    def __init__(self, data: Path, dice: random.Random, catalogue: str = "") -> None:
        self._data = data
        self._dice = dice
        self.roots = {"default": [data / "default"], "twins": [data / "here", data / "away"]}
        self.tally = Tally()
        self.kills = 0
        #: Seconds from the start of a server to its greeting, and from that to the first answer.
        self.greetings: list[float] = []
        self.answers: list[float] = []
        first = f'catalogue = "{catalogue}"\n' if catalogue else ""
        (data / FILE).write_text(f"{first}grace = 1\n")
        cloud, _ = make_data(data)
        places: dict[str, Any] = {}
        for location, root in zip(("", "away"), self.roots["twins"], strict=True):
            root.mkdir()
            places[location] = {"root": str(root)}
        cloud.registry.configure("twins", "fsstore.FileStorage", "", places)
        for name, password, policy in _USERS:
            cloud.accounts.put(name, password=password, policy=policy)
        cloud.close()
        self.clients = [
            Client(f"c{number}", _USERS[number % 2][:2], random.Random(dice.random()), self.tally)
            for number in range(_CLIENTS)
        ]

    def run(self, kills: int) -> None:
        """Kill so many servers, or as many as it takes until something is wrong."""
        while self.kills < kills and not self.tally.failures:
            self._live()
            self.kills += 1

    def end(self) -> str:
        """Clean up as upkeep does, compare everything for the last time, and return what upkeep told."""
        command = [sys.executable, "-c", _UPKEEP, "upkeep", "--data", str(self._data), "--grace", "0", "--json"]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
        self._fail_if(done.stderr or (done.stdout if done.returncode else ""))
        cloud = open_cloud(load(self._data))
        status = cloud.upkeep.status()
        self._fail_if(f"upkeep left something: {status}" if any(status.values()) else "")
        self.tally.failures += disagreements(cloud, self.roots)
        cloud.close()
        self.let_all(Client.check)
        return done.stdout.strip()

    def let_all(self, act: Callable[[Client], object]) -> None:
        """Let each client do something, one after the other, on a server that is not killed."""
        server = self._start()
        try:
            for client in self.clients:
                client.connect(server.url)
                with contextlib.suppress(Refused):
                    act(client)
                client.close()
        finally:
            said = server.stop()
        self._fail_if(said)

    def _start(self) -> Server:
        begin = time.monotonic()
        server = Server(self._data, password=None, constants=_CONSTANTS)
        self.greetings.append(time.monotonic() - begin)
        return server

    def _live(self) -> None:
        """Start a server, use it, and kill it."""
        server = self._start()
        ready = threading.Semaphore(0)
        threads = [threading.Thread(target=self._work, args=(client, server.url, ready)) for client in self.clients]
        for thread in threads:
            thread.start()
        try:
            if self.kills % _EARLY == 1:
                time.sleep(self._dice.uniform(0, 0.3))
            else:
                self._wait_for_all(ready)
                time.sleep(self._dice.uniform(*_LIFE))
        finally:
            server.process.send_signal(signal.SIGSTOP)  # so that it has no more workers than are seen here
            pids = [server.process.pid, *children(server.process.pid)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
        self._fail_if(server.stop())
        while any(map(alive, pids)):
            time.sleep(0.01)

    def _wait_for_all(self, ready: threading.Semaphore) -> None:
        """Wait until every client has looked at what there is."""
        begin = time.monotonic()
        for number in range(_CLIENTS):
            if not ready.acquire(timeout=_PATIENCE):
                self.tally.failures.append("a client is not served")
            if number == 0:
                self.answers.append(time.monotonic() - begin)

    def _work(self, client: Client, url: str, ready: threading.Semaphore) -> None:
        """Be a client, until the server is gone."""
        client.connect(url)
        try:
            client.check()
            ready.release()
            while not self.tally.failures:
                client.act()
        except (OSError, http.client.HTTPException):
            return
        except Exception:
            self._fail_if(traceback.format_exc())
        finally:
            client.close()
            ready.release()

    def _fail_if(self, said: str) -> None:
        if said:
            self.tally.failures.append(said[-3000:])
