"""A cloud to play with, in a temporary directory: in this process, or served."""

import contextlib
import itertools
import logging
import os
import random
import re
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any
from unittest import mock

from host.accounts import ADMINISTRATOR
from host.application import create
from host.catalogue.engine import Catalogue
from host.catalogue.version import make
from host.cloud import Cloud, open_cloud
from host.logs import ACCESS, AUDIT, configure
from host.settings import FILE, load
from tests.host.agreement import disagreements
from tests.host.cloud import cheap_passwords, forgetful
from tests.host.fuzzing.admin import Administrator
from tests.host.fuzzing.doors import Connection, InProcess, OverSocket
from tests.host.fuzzing.paths import Shared
from tests.host.fuzzing.players import Board, Boss, Breaker, Player, Stranger, User
from tests.server import Server, children

__all__ = ["SMALL", "Grounds", "InThisProcess", "Served"]

#: What the host does by so many at a time: as small as this, it does everything in several steps.
SMALL = {
    "host.catalogue.pages.PAGE": 3,
    "host.catalogue.tree._STEPS": 2,
    "host.names.LISTED": 4,
    "host.names._AT_ONCE": 2,
    "host.reading.LISTED": 4,
    "host.upkeep._BATCH": 3,
    "host.containers.LISTED": 4,
}

#: Passwords, and arguments of modules, that must not come out. Each is a word that nothing else holds.
_ROOT, _ALICE, _BOB, _CAROL, _DORA = (f"sesame-{name}" for name in ("root", "alice", "bob", "carol", "dora"))
_OTHERS = ("sesame-member", "sesame-key", 'sesame \\ " é')
#: Those who work at the same time in one account, and one who is made, changed and removed by the administrator.
_STRANGERS = (("carol", _CAROL), ("carol", _CAROL), ("m3", _OTHERS[0]))
_SECRETS = (_ROOT, _ALICE, _BOB, _CAROL, _DORA, "sesame")
_QUOTAS = {"alice": (40_000_000, 300), "bob": (300_000, 30), "carol": (5_000_000, 100), "dora": (40_000_000, 300)}
_PASSWORDS = {"alice": _ALICE, "bob": _BOB, "carol": _CAROL, "dora": _DORA}
#: Those who know what they have. Dora's storage is at two locations.
_USERS = [(name, _PASSWORDS[name]) for name in ("alice", "bob", "dora")]
_SETTINGS = "grace = 1\nproxies = ['127.0.0.1']\n[limits]\nobject = 2500000\nvalue = 4000000\n[server]\nstop = 5\n"
#: What no log of errors may hold. That a quota is full is told there, too.
_WRONG = re.compile(r"sesame|Traceback|^[-0-9:, ]*(ERROR|CRITICAL)(?!.*the quota does not have room)", re.MULTILINE)


class Grounds:
    """A cloud, and players in it. Their dice come out of one."""

    #: Seconds in which everything comes to its end, once nobody plays.
    patience = 0.0

    def __init__(self, dice: random.Random, catalogue: str = "") -> None:
        self._ends = contextlib.ExitStack()
        self.directory = Path(self._ends.enter_context(tempfile.TemporaryDirectory()))
        self.data = self.directory / "cloud"
        self.roots = {"default": [self.data / "default"], "twins": [self.data / "here", self.data / "away"]}
        for root in itertools.chain(*self.roots.values()):
            root.mkdir(parents=True)
        first = f'catalogue = "{catalogue}"\n' if catalogue else ""
        (self.data / FILE).write_text(first + _SETTINGS)
        (self.directory / "modules").mkdir()
        self.cloud = self._make()
        self._ends.callback(self.cloud.close)
        self.board = Board(_SECRETS)
        self.dice = dice
        self.shared = Shared()
        self.players: list[Player] = []

    def burst(self, length: int) -> None:
        """Let each player act so often, and look whether everything is as it must be."""
        self._play(length)
        for player in self.players:
            player.settle()
        deadline = time.monotonic() + self.patience
        while (found := disagreements(self.cloud, self.roots)) and time.monotonic() < deadline:
            time.sleep(0.2)
        for fault in found:
            self.board.blame(fault, "after a burst")
        self._look_at_logs()

    def close(self) -> None:
        """Remove everything."""
        self._ends.close()

    def administrator(self) -> Administrator:
        """Return what makes an administrator's requests."""
        user = (ADMINISTRATOR, _ROOT)
        return Administrator(
            self._dice(), user, self.directory / "modules", _arguments(*self.roots["default"]), _OTHERS
        )

    def _make(self) -> Cloud:
        settings = load(self.data)
        catalogue = Catalogue(settings.catalogue)
        make(catalogue)
        catalogue.close()
        cloud = open_cloud(settings)
        for name, roots in self.roots.items():
            places: dict[str, Any] = {"" if root == roots[0] else root.name: _arguments(root) for root in roots}
            cloud.registry.configure(name, "fsstore.FileStorage", "", places)
        cloud.accounts.put(ADMINISTRATOR, password=_ROOT, policy="default", role=ADMINISTRATOR)
        for name, password in _PASSWORDS.items():
            size, number = _QUOTAS[name]
            policy = "twins" if name == "dora" else "default"
            cloud.accounts.put(name, password=password, policy=policy, quota=size, quota_objects=number)
        return cloud

    def _dice(self) -> random.Random:
        return random.Random(self.dice.random())

    def _play(self, length: int) -> None:
        raise NotImplementedError

    def _act(self, player: Player) -> None:
        try:
            player.play()
        except Exception:
            self.board.blame(traceback.format_exc(), "a player stumbled")

    def _look_at_logs(self) -> None:
        for name in ("access.log", "audit.log"):
            path = self.data / name
            text = path.read_text("utf-8") if path.exists() else ""
            for line in text.splitlines():
                if "sesame" in line:
                    self.board.blame("a secret is in a log", line[:1000])
            if text:
                os.truncate(path, 0)


def _arguments(root: Path) -> dict[str, Any]:
    return {"root": str(root), "durability": "none"}


class _Caught(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _restore(logger: logging.Logger, handlers: list[logging.Handler], level: int, *, propagate: bool) -> None:
    """Make a log what it was before."""
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagate


class InThisProcess(Grounds):
    """The application in this process. Players act in turns, so that one seed is one course of events."""

    def __init__(self, dice: random.Random, catalogue: str = "") -> None:
        with cheap_passwords():
            super().__init__(dice, catalogue)
        for name, value in SMALL.items():
            self._ends.enter_context(mock.patch(name, value))
        forgetful(self.cloud)
        self._caught = _Caught()
        logger = logging.getLogger()
        self._ends.callback(_restore, logger, logger.handlers[:], logger.level, propagate=logger.propagate)
        for lines in (ACCESS, AUDIT):
            self._ends.callback(lines.close)
        configure(self.cloud.settings, self.cloud.loader.secrets)
        logging.getLogger().handlers[:] = [self._caught]
        door = InProcess(create(self.cloud))
        self.players = [User(self._dice(), door, self.shared, self.board, user) for user in _USERS]
        self.players.append(Boss(door, self.board, self.administrator()))
        self.players += [Stranger(self._dice(), door, self.shared, self.board, user) for user in _STRANGERS[1:]]

    def _play(self, length: int) -> None:
        for _ in range(length):
            for player in self.players:
                self._act(player)

    def _look_at_logs(self) -> None:
        super()._look_at_logs()
        for line in self._caught.lines:
            if _WRONG.search(line):
                self.board.blame("the log of errors", line[-3000:])
        self._caught.lines.clear()


class Served(Grounds):
    """``vsm serve``, and players who all act at the same time."""

    patience = 15.0  # it has to take note of connections that were closed

    def __init__(self, dice: random.Random, catalogue: str = "") -> None:
        super().__init__(dice, catalogue)
        constants = {**SMALL, "vsm.serve._STALLED": 3, "host.upkeep._BEAT": 1}
        self._server = Server(self.data, password=_ROOT, cwd=self.directory, constants=constants)
        self._ends.callback(self._server.stop)
        self._workers: list[int] = []
        self._seen = 0
        self._doors = [OverSocket(self._server.connect, self._dice()) for _ in range(len(_USERS) + 1 + len(_STRANGERS))]
        for door in self._doors:
            self._ends.callback(door.close)
        doors = iter(self._doors)
        self.players = [User(self._dice(), next(doors), self.shared, self.board, user) for user in _USERS]
        self.players.append(Boss(next(doors), self.board, self.administrator()))
        self.players += [Stranger(self._dice(), next(doors), self.shared, self.board, user) for user in _STRANGERS]
        for _ in range(2):
            self.players.append(Breaker(self._dice(), self._connection, self.shared, self.board, _STRANGERS[0]))

    def _connection(self) -> Connection:
        return Connection(self._server.connect())

    def _play(self, length: int) -> None:
        def play(player: Player) -> None:
            for _ in range(length):
                self._act(player)

        threads = [threading.Thread(target=play, args=(player,)) for player in self.players]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for door in self._doors:
            door.close()

    def _look_at_logs(self) -> None:
        super()._look_at_logs()
        block = self._server.said(self._seen)
        self._seen += len(block)
        said = block.decode("utf-8", "replace")
        if _WRONG.search(said):
            self.board.blame("the log of errors", said[:5000])
        workers = sorted(children(self._server.process.pid))
        if self._workers not in ([], workers):
            self.board.blame("the workers are others by now", f"{self._workers} {workers}")
        self._workers = workers
