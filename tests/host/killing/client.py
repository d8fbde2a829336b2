"""A client that knows what it was told: of each of its names the state that was acknowledged."""

import base64
import http.client
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from tests.host.fuzzing.request import basic

__all__ = ["Client", "Entry", "Names", "Refused", "State", "Tally"]

Names = tuple[str, ...]

_MANY = 16  # names of a client, above which more is deleted than made
_PATIENCE = 60  # seconds for an answer
_OBJECT = {"Content-Type": "application/cdmi-object", "X-CDMI-Specification-Version": "1.1.1"}
_CONTAINER = {**_OBJECT, "Content-Type": "application/cdmi-container"}


class Entry(NamedTuple):
    """An object. What is None nobody was told."""

    data: bytes
    etag: str | None
    mark: str | None  # an item of its metadata


#: What there is: objects, and None for a container.
State = dict[Names, Entry | None]


class Refused(http.client.HTTPException):
    """The server answered, and not as it must; the client has noted that."""


@dataclass
class Tally:
    """What all clients did."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    old: int = 0
    new: int = 0
    bytes: int = 0
    failures: list[str] = field(default_factory=list)


class _Act(NamedTuple):
    """A request, the state that it makes, and the object whose entity tag the answer tells."""

    kind: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    after: State
    tagged: Names | None = None


class Client:
    """A client with a container of its own, in which nobody else works. One thread uses it."""

    def __init__(self, name: str, user: tuple[str, str], dice: random.Random, tally: Tally) -> None:
        self.name = name
        self._authorization = basic(*user)
        self._dice = dice
        self._tally = tally
        self._connection: http.client.HTTPConnection | None = None
        #: What was acknowledged, and what it would be after the request that was not answered.
        self.state: State = {}
        self.other: State | None = None

    def connect(self, url: str) -> None:
        """Use another server from now on."""
        self._connection = http.client.HTTPConnection(url.partition("://")[2], timeout=_PATIENCE)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def check(self) -> None:
        """Compare what there is with what was acknowledged, of what was in flight with what it may have become.

        :raises OSError: the server is gone. Then nothing is known, and it is to be called again.
        :raises http.client.HTTPException: likewise.
        """
        found = self._found(())
        for state in (self.state, self.other):
            if state is not None and _fits(found, state):
                if self.other is not None:
                    self._tally.old += state is self.state
                    self._tally.new += state is self.other
                self.state, self.other = found, None
                return
        self._blame(f"{self.name} has {_shown(found)}, and not {_shown(self.state)} nor {_shown(self.other)}")
        self.state, self.other = found, None

    def act(self) -> None:
        """Change something, and note what the server said.

        :raises OSError: it said nothing.
        :raises http.client.HTTPException: likewise.
        """
        act = self._chosen()
        self.other = act.after
        answer = self._call(act.method, act.path, act.headers, act.body, (201, 204))
        self.state, self.other = act.after, None
        if act.tagged is not None and (entry := self.state[act.tagged]) is not None:
            etag = answer.getheader("ETag")
            if etag is None:
                self._blame(f"{act.kind} was answered without an ETag")
            self.state[act.tagged] = entry._replace(etag=etag)
        self._tally.acknowledged[act.kind] += 1
        self._tally.bytes += len(act.body)

    # What there is

    def _found(self, names: Names) -> State:
        answer = self._call("GET", self._path(names, slash=True), _CONTAINER, b"", (200,) if names else (200, 404))
        if answer.status == 404:
            return {}
        found: State = {names: None}
        for child in json.loads(self._body)["children"]:
            below = (*names, child.removesuffix("/"))
            found |= self._found(below) if child.endswith("/") else {below: self._read(below)}
        return found

    def _read(self, names: Names) -> Entry:
        answer = self._call("GET", self._path(names), {}, b"", (200,))
        data, etag = self._body, answer.getheader("ETag")
        self._call("GET", f"{self._path(names)}?metadata:mark", _OBJECT, b"", (200,))
        return Entry(data, etag, json.loads(self._body)["metadata"].get("mark"))

    # What is done

    def _chosen(self) -> _Act:
        if not self.state:
            return self._make(())
        dice = self._dice
        objects = [names for names, entry in self.state.items() if entry is not None]
        containers = [names for names, entry in self.state.items() if entry is None]
        if len(self.state) > _MANY:
            return self._delete(dice.choice([*objects, *containers[1:]]))
        kinds: list[tuple[int, Callable[[], _Act]]] = [
            (8, lambda: self._put(self._free())),
            (2, lambda: self._make(self._free())),
        ]
        if objects:
            one = dice.choice(objects)
            kinds += [
                (6, lambda: self._put(one)),
                (4, lambda: self._put_part(one)),
                (3, lambda: self._describe(one)),
                (3, lambda: self._transfer("copy", one, dice.choice([self._free(), dice.choice(objects)]))),
                (3, lambda: self._transfer("move", one, dice.choice([self._free(), dice.choice(objects)]))),
                (4, lambda: self._delete(one)),
            ]
        if len(containers) > 1:
            inner = dice.choice(containers[1:])
            outside = [names for names in containers if names[: len(inner)] != inner]
            free = (*dice.choice(outside), self._name())
            kinds += [
                (2, lambda: self._transfer("copy", inner, free)),
                (2, lambda: self._transfer("move", inner, free)),
                (1, lambda: self._delete(inner)),
            ]
        _, make = dice.choices(kinds, weights=[weight for weight, _ in kinds])[0]
        return make()

    def _put(self, names: Names) -> _Act:
        data = self._data()
        old = self.state.get(names)
        mark = None if old is None else old.mark
        if self._dice.random() < 0.5:
            after = {**self.state, names: Entry(data, None, mark)}
            return _Act("put", "PUT", self._path(names), {"Content-Type": "image/png"}, data, after, names)
        fields: dict[str, object] = {"valuetransferencoding": "base64", "value": base64.b64encode(data).decode()}
        if self._dice.random() < 0.5:
            mark = self._name()
            fields["metadata"] = {"mark": mark}
        after = {**self.state, names: Entry(data, None, mark)}
        return _Act("cdmi", "PUT", self._path(names), _OBJECT, json.dumps(fields).encode(), after, names)

    def _put_part(self, names: Names) -> _Act:
        old = self.state[names]
        assert old is not None
        data = self._dice.randbytes(self._dice.randint(1, 2000))
        first = self._dice.randint(0, len(old.data) + 10)
        whole = old.data[:first].ljust(first, b"\0") + data + old.data[first + len(data) :]
        headers = {"Content-Type": "image/png", "Content-Range": f"bytes {first}-{first + len(data) - 1}/*"}
        after = {**self.state, names: Entry(whole, None, old.mark)}
        return _Act("part", "PUT", self._path(names), headers, data, after, names)

    def _describe(self, names: Names) -> _Act:
        old = self.state[names]
        assert old is not None
        mark = self._name()
        body = json.dumps({"metadata": {"mark": mark}}).encode()
        after = {**self.state, names: Entry(old.data, None, mark)}
        return _Act("metadata", "PUT", f"{self._path(names)}?metadata:mark", _OBJECT, body, after, names)

    def _make(self, names: Names) -> _Act:
        return _Act("container", "PUT", self._path(names, slash=True), _CONTAINER, b"{}", {**self.state, names: None})

    def _delete(self, names: Names) -> _Act:
        after = {each: entry for each, entry in self.state.items() if each[: len(names)] != names}
        return _Act("delete", "DELETE", self._path(names, slash=self.state[names] is None), {}, b"", after)

    def _transfer(self, verb: str, source: Names, names: Names) -> _Act:
        is_container = self.state[source] is None
        moved = {each: entry for each, entry in self.state.items() if each[: len(source)] == source}
        kept = {each: entry for each, entry in self.state.items() if verb == "copy" or each not in moved}
        after = dict(kept)
        for each, entry in moved.items():
            is_new = entry is not None and verb == "copy"
            after[names + each[len(source) :]] = entry._replace(etag=None) if entry is not None and is_new else entry
        body = json.dumps({verb: self._path(source, slash=is_container)}).encode()
        path = self._path(names, slash=is_container)
        tagged = names if verb == "copy" and not is_container else None
        kind = f"{verb} container" if is_container else verb
        return _Act(kind, "PUT", path, _CONTAINER if is_container else _OBJECT, body, after, tagged)

    # Helpers

    def _data(self) -> bytes:
        dice = self._dice
        most = dice.choices([0, 1000, 30_000, 300_000, 6_000_000], weights=[2, 30, 20, 6, 2])[0]
        return dice.randbytes(dice.randint(most // 2, most))

    def _name(self) -> str:
        return f"n{self._dice.randrange(10**9)}"

    def _free(self) -> Names:
        """Return names that nothing has."""
        return (*self._dice.choice([names for names, entry in self.state.items() if entry is None]), self._name())

    def _path(self, names: Names, *, slash: bool = False) -> str:
        return quote("/".join(("/cdmi", self.name, *names))) + ("/" if slash else "")

    def _call(
        self, method: str, path: str, headers: dict[str, str], body: bytes, expected: tuple[int, ...]
    ) -> http.client.HTTPResponse:
        assert self._connection is not None
        sent = {"Authorization": self._authorization, **headers}
        try:
            self._connection.request(method, path, body or None, sent)
            answer = self._connection.getresponse()
            self._body = answer.read()
        except BaseException:
            self._connection.close()
            raise
        if answer.status not in expected:
            self._blame(f"{method} {path}: {answer.status} {self._body[:300]!r}")
            raise Refused
        return answer

    def _blame(self, text: str) -> None:
        self._tally.failures.append(text)


def _fits(found: State, state: State) -> bool:
    """Tell whether what was found is what is known."""
    return found.keys() == state.keys() and all(_equal(found[names], state[names]) for names in found)


def _equal(found: Entry | None, known: Entry | None) -> bool:
    if found is None or known is None:
        return found is known
    return known.etag in (None, found.etag) and found._replace(etag=None) == known._replace(etag=None)


def _shown(state: State | None) -> str:
    if state is None:
        return "anything else"
    shown = {
        "/".join(names): "container"
        if entry is None
        else (len(entry.data), entry.data[:8].hex(), entry.etag, entry.mark)
        for names, entry in state.items()
    }
    return str(shown)
