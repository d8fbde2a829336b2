"""Who makes the requests: users with a model of what they have, one who breaks HTTP itself, and an administrator."""

import random
import re
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.host.fuzzing.admin import Administrator
from tests.host.fuzzing.doors import Connection, Door
from tests.host.fuzzing.grammar import Grammar
from tests.host.fuzzing.model import Model, touched
from tests.host.fuzzing.oracle import faults_of
from tests.host.fuzzing.paths import Paths, Shared
from tests.host.fuzzing.raw import spoilt
from tests.host.fuzzing.request import Answer, Request

__all__ = ["Board", "Boss", "Breaker", "Player", "Stranger", "User"]

_ALIKE = 4  # findings of one kind that are kept


@dataclass
class Board:
    """What all players found.

    :param secrets: what no answer may hold.
    """

    secrets: Sequence[str]
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)

    def blame(self, fault: str, how: str) -> None:
        """Note something that is wrong, and how it came about."""
        kind = re.sub("[0-9a-fA-F]{8,}|[0-9]+", "0", fault)[-60:]
        self._kinds[kind] += 1
        if self._kinds[kind] <= _ALIKE:
            self.findings.append(f"{fault}\n    {how}")

    def judge(self, request: Request, answer: Answer, *, has_quota: bool) -> None:
        """Count an answer, and note what is wrong with it."""
        self.counts[request.method, answer.status] += 1
        for fault in faults_of(request, answer, self.secrets, has_quota=has_quota):
            self.blame(fault, request.curl())


class Player(Protocol):
    """Somebody who makes requests, one after the other."""

    def play(self) -> None:
        """Make a request or a few."""

    def settle(self) -> None:
        """Look whether everything is as it must be, now that nobody else makes requests."""


class User:
    """A user, who knows what must be there: half of the requests are plain, the others may be anything."""

    def __init__(self, dice: random.Random, door: Door, shared: Shared, board: Board, user: tuple[str, str]) -> None:
        self._dice = dice
        self._door = door
        self._shared = shared
        self._board = board
        self.model = Model(dice, self._send, user)
        self._paths = Paths(dice, shared, self.model.known)
        self._grammar = Grammar(dice, self._paths, user)

    def play(self) -> None:
        """Make a plain request, or any."""
        if self._dice.random() < 0.4:
            self.model.step()
        else:
            request = self._grammar.request()
            answer = self._send(request)
            if answer.status < 300 and request.method not in ("GET", "HEAD"):
                self.model.refresh(touched(request))
        self._tell()

    def settle(self) -> None:
        """Read everything."""
        self.model.verify()
        self._tell()

    def _send(self, request: Request) -> Answer:
        answer = self._door.send(request)
        self._board.judge(request, answer, has_quota=True)
        self._shared.learn(answer)
        return answer

    def _tell(self) -> None:
        for fault, request in self.model.faults:
            self._board.blame(fault, request.curl())
        self.model.faults.clear()


class Stranger:
    """A user who makes any requests, maybe beside others with the same name."""

    def __init__(self, dice: random.Random, door: Door, shared: Shared, board: Board, user: tuple[str, str]) -> None:
        self._dice = dice
        self._door = door
        self._shared = shared
        self._board = board
        self._grammar = Grammar(dice, Paths(dice, shared, list), user)

    def play(self) -> None:
        """Make a request."""
        request = self._grammar.request().plus(_from_anywhere(self._dice))
        answer = self._door.send(request)
        self._board.judge(request, answer, has_quota=True)
        self._shared.learn(answer)

    def settle(self) -> None:
        """Do nothing."""


class Breaker:
    """A user who sends what is no HTTP any more."""

    def __init__(
        self,
        dice: random.Random,
        connect: Callable[[], Connection],
        shared: Shared,
        board: Board,
        user: tuple[str, str],
    ) -> None:
        self._dice = dice
        self._connect = connect
        self._board = board
        self._grammar = Grammar(dice, Paths(dice, shared, list), user)

    def play(self) -> None:
        """Send something on a connection of its own, and read what comes."""
        dice = self._dice
        number = dice.choice([1, 1, 1, 2, 3])
        requests = [self._grammar.request().plus(_from_anywhere(dice)) for _ in range(number)]
        data = b"".join(request.head() + request.payload(dice) for request in requests)
        for _ in range(dice.choice([0, 1, 1, 2, 5])):
            data = spoilt(dice, data)
        connection = self._connect()
        try:
            connection.send(data, end=True)
            if dice.random() < 0.9:
                self._read(connection, data)
        except Exception:
            self._board.blame(traceback.format_exc(), data[:4000].hex())
        finally:
            connection.close()

    def settle(self) -> None:
        """Do nothing."""

    def _read(self, connection: Connection, data: bytes) -> None:
        """Read answers until there is none."""
        while not connection.at_end():
            # Whether it was HEAD that came through nobody knows: a body that is not there is no fault then.
            is_head = b"HEAD" in data
            answer = connection.answer("HEAD" if is_head else "")
            self._board.counts["(spoilt)", answer.status] += 1
            request = Request("HEAD" if is_head else "(spoilt)", "")
            for fault in faults_of(request, answer, self._board.secrets, has_quota=True):
                self._board.blame(fault, data[:4000].hex())
            if connection.is_last or is_head:
                return


class Boss:
    """The administrator."""

    def __init__(self, door: Door, board: Board, administrator: Administrator) -> None:
        self._door = door
        self._board = board
        self._administrator = administrator

    def play(self) -> None:
        """Make a request."""
        request = self._administrator.request()
        self._board.judge(request, self._door.send(request), has_quota=False)

    def settle(self) -> None:
        """Do nothing."""


def _from_anywhere(dice: random.Random) -> tuple[str, str]:
    """Return a header that lets a request come from elsewhere: too many wrong passwords lock out one address."""
    return "X-Forwarded-For", f"10.0.{dice.randrange(256)}.{dice.randrange(256)}"
