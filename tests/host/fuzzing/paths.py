"""Paths and queries at random: of what is there, of what may be, and of what nothing can have."""

import random
import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from host.wire import objectid
from tests.host.fuzzing.request import Answer
from tests.host.fuzzing.words import FIELDS, ODD, PLAIN, RAW, SYSTEM

__all__ = ["Paths", "Shared"]


class Shared:
    """What the players of a fuzzer know of each other."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.etags: list[str] = []

    def learn(self, answer: Answer) -> None:
        """Remember what an answer tells."""
        etag, location = answer.header("ETag"), answer.header("Location")
        if etag is not None:
            _add(self.etags, etag)
        if location is not None and answer.status == 201:
            _add(self.ids, location.strip("/").rpartition("/")[2])
        # An object may call itself of that type, too.
        if (answer.header("Content-Type") or "").startswith("application/cdmi-"):
            for identity in re.findall(rb'"(?:objectID|parentID)": "([0-9A-F]{48})"', answer.body):
                _add(self.ids, identity.decode())


class Paths:
    """Paths of one fuzzer.

    :param known: returns what there is, by the names that lead there.
    """

    def __init__(self, dice: random.Random, shared: Shared, known: Callable[[], Sequence[tuple[str, ...]]]) -> None:
        self._dice = dice
        self._shared = shared
        self._known = known

    def name(self) -> str:
        """Return a name."""
        return self._dice.choice(ODD if self._dice.random() < 0.1 else PLAIN)

    def names(self) -> tuple[str, ...]:
        """Return the names that lead to what is there, or may be there."""
        dice = self._dice
        known = self._known() if dice.random() < 0.6 else ()
        if known:
            found = dice.choice(known)
            return (*found, self.name()) if dice.random() < 0.25 else found
        if dice.random() < 0.01:
            return tuple(self.name() for _ in range(dice.choice([20, 300, 1500])))
        return tuple(self.name() for _ in range(dice.choice([1, 1, 2, 2, 3])))

    def written(self, names: Sequence[str], *, slash: bool = False) -> str:
        """Return a path as it stands in a request line, in one of the ways to write it."""
        dice = self._dice
        coded = [self._coded(name) for name in names]
        if dice.random() < 0.03:
            coded.insert(dice.randrange(len(coded) + 1), dice.choice(RAW))
        between = "//" if dice.random() < 0.02 else "/"
        prefix = "/cdmi/"
        if dice.random() < 0.05:
            prefix = dice.choice(
                ["/cdmi", "//cdmi//", "/CDMI/", "/cdmi/storage_root/", "/", "/cdmi/./", "/x/", "/%63dmi/"]
            )
        return prefix + between.join(coded) + ("/" if slash else "")

    def target(self, *, slash: bool | None = None) -> str:
        """Return the path of a request: of names, of an id, or of the system's own."""
        dice = self._dice
        slash = dice.random() < 0.3 if slash is None else slash
        chance = dice.random()
        if chance < 0.78:
            return self.written(self.names(), slash=slash)
        if chance < 0.95:
            below = self.names()[: dice.choice([0, 0, 0, 1, 2])]
            return self.written(("cdmi_objectid", self.id(), *below), slash=slash)
        if chance < 0.99:
            return f"/cdmi/{dice.choice(SYSTEM)}"
        return dice.choice(
            ["/", "*", "/cdmi", "/cdmi/", "//", "/favicon.ico", "http://localhost/cdmi/a", "/cdmi?x", "/cdmi/%"]
        )

    def id(self) -> str:
        """Return an id: of somebody's object, of nothing, or malformed."""
        dice = self._dice
        known = dice.choice(self._shared.ids) if self._shared.ids else objectid.new()
        match dice.randrange(10):
            case 0:
                return known.lower()
            case 1:
                place = dice.randrange(len(known))
                return known[:place] + dice.choice("0Fxé \u0661") + known[place + 1 :]
            case 2:
                return dice.choice(
                    ["", "0", "00", known[:-1], known + "00", known * 3, "00007ED90010D891022876A8DE0BC0FD", "x" * 48]
                )
            case 3:
                return objectid.new(dice.choice([0, 1, 32473, 2**24 - 1]))
            case _:
                return known

    def etag(self) -> str | None:
        """Return the entity tag of something, None if none is known."""
        return self._dice.choice(self._shared.etags) if self._shared.etags else None

    def query(self) -> str:
        """Return a query, empty or of fields."""
        dice = self._dice
        if dice.random() < 0.6:
            return ""
        fields = dice.choices(FIELDS, k=dice.choice([1, 1, 2, 3, 20]))
        text = dice.choices([";", "&", "%3B"], weights=[8, 2, 1])[0].join(fields)
        return "?" + "".join(c if c.isascii() else quote(c) for c in text)

    def _coded(self, name: str) -> str:
        dice = self._dice
        if dice.random() < 0.85:
            return quote(name, safe="")
        if dice.random() < 0.5:
            return "".join(f"%{byte:{dice.choice(['02x', '02X'])}}" for byte in name.encode())
        return quote(name, safe="/;:@&=+$,!~*'()\"\\<>|^`{}#?%")


def _add(known: list[str], new: str) -> None:
    """Remember something, and forget something else once there is much."""
    if len(known) >= 400:
        del known[:200]
    known.append(new)
