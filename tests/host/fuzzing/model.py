"""What an account must have, by a model of plain objects: what was stored with success reads back equal."""

import base64
import itertools
import json
import random
from collections.abc import Callable
from urllib.parse import quote, unquote

from tests.host.fuzzing.bodies import Bodies
from tests.host.fuzzing.request import Answer, Request, basic
from tests.host.fuzzing.words import CONTAINER, OBJECT

__all__ = ["Model", "Names", "touched"]

Names = tuple[str, ...]

_PLAIN = ["a", "b", "c", "d", "ä", "x y", "50%41"]
_CDMI = ("X-CDMI-Specification-Version", "1.1.1")
_MOST = 1_500_000  # bytes of an object
_MANY = 50  # names, above which more is deleted than made


class Model:
    """One account's objects and containers. Every step is a request whose outcome is known beforehand.

    :param send: makes a request, and returns the answer.
    """

    def __init__(self, dice: random.Random, send: Callable[[Request], Answer], user: tuple[str, str]) -> None:
        self._dice = dice
        self._send = send
        self._authorization = ("Authorization", basic(*user))
        self._bodies = Bodies(dice)
        self.objects: dict[Names, bytes] = {}
        self.containers: set[Names] = {()}
        #: What did not come out as it had to.
        self.faults: list[tuple[str, Request]] = []

    def known(self) -> list[Names]:
        """Return all names but the root."""
        return [*self.objects, *(self.containers - {()})]

    # Steps

    def step(self) -> None:
        """Make one request, and note what of it is wrong."""
        dice = self._dice
        if len(self.objects) + len(self.containers) > _MANY:
            self._delete(dice.choice(self.known()))
            return
        steps: list[tuple[int, Callable[[Names], None]]] = [
            (6, self._put_raw),
            (6, self._put_object),
            (3, self._put_part),
            (3, self._put_container),
            (3, self._copy),
            (3, self._move),
            (2, self._delete),
            (2, self._describe),
            (2, self._put_if),
            (4, self._list),
            (5, self._read),
            (3, self._read_ranges),
        ]
        weights, makers = zip(*steps, strict=True)
        dice.choices(makers, weights=weights)[0](self._names())

    def verify(self) -> None:
        """Read everything, and note what is not as it has to be."""
        for names in list(self.containers):
            self._list(names)
        for names in list(self.objects):
            self._read(names)

    def refresh(self, names: Names) -> None:
        """Take what is at ``names`` and below as it is: a request changed it whose outcome was not known."""
        for kept in [each for each in self.objects if each[: len(names)] == names]:
            del self.objects[kept]
        self.containers = {each for each in self.containers if each[: len(names)] != names}
        answer = self._get(names, slash=True, cdmi=True)
        if answer.status == 200:
            self.containers.add(names)
            for child in json.loads(answer.body)["children"]:
                self.refresh((*names, child.removesuffix("/")))
        elif (answer := self._get(names)).status == 200:
            self.objects[names] = answer.body

    def _put_raw(self, names: Names) -> None:
        data = self._data()
        request = Request("PUT", _target(names), (("Content-Type", "text/plain"),), data)
        self._store(names, request, data)

    def _put_object(self, names: Names) -> None:
        data = self._data()
        fields = self._bodies.object(plain=True) | self._bodies.value(data)
        if self._dice.random() < 0.8:
            kind, body = OBJECT, self._bodies.written(fields)
        else:
            first = self._bodies.written({key: fields[key] for key in fields if key in ("mimetype", "metadata")})
            kind, mark = "multipart/mixed; boundary=mark-7", b"--mark-7"
            head = b"\r\nContent-Type: application/cdmi-object\r\n\r\n"
            body = b"".join([mark, head, first, b"\r\n", mark, b"\r\n\r\n", data, b"\r\n", mark, b"--\r\n"])
        self._store(names, Request("PUT", _target(names), (("Content-Type", kind), _CDMI), body), data)

    def _put_part(self, names: Names) -> None:
        old = self.objects.get(names, b"")
        data = self._data()[:5000] or b"x"
        first = self._dice.randint(0, len(old) + 100)
        if self._dice.random() < 0.5:  # up to the old end, or a little less
            first = max(0, len(old) - len(data) - self._dice.randrange(3))
        part = f"{first}-{first + len(data) - 1}"
        if self._dice.random() < 0.5:
            headers = (("Content-Type", "text/plain"), ("Content-Range", f"bytes {part}/*"))
            request = Request("PUT", _target(names), headers, data)
        else:
            body = self._bodies.written(self._bodies.value(data))
            request = Request("PUT", f"{_target(names)}?value:{part}", (("Content-Type", OBJECT), _CDMI), body)
        self._store(names, request, old[:first].ljust(first, b"\0") + data + old[first + len(data) :])

    def _store(self, names: Names, request: Request, data: bytes) -> None:
        is_possible = self._has_parent(names) and names not in self.containers
        if self._done(request, is_possible=is_possible, statuses=(204,) if names in self.objects else (201,)):
            self.objects[names] = data
            if self._dice.random() < 0.5:
                self._read(names)

    def _put_if(self, names: Names) -> None:
        """Put an object if it is the one that was read, or if it is another one."""
        if names not in self.objects:
            return
        etag, data = self._get(names).header("ETag") or "", self._data()
        is_possible = self._dice.random() < 0.5
        headers = (("Content-Type", "text/plain"), ("If-Match", etag if is_possible else '"another"'))
        request = Request("PUT", _target(names), headers, data)
        expected = 304
        if self._done(request, is_possible=is_possible, statuses=(204,)):
            self.objects[names], expected = data, 200
        request = Request("GET", _target(names), (("If-None-Match", etag), self._authorization))
        if (answer := self._send(request)).status != expected:
            self._blame(f"status {answer.status} and not {expected}", request)

    def _put_container(self, names: Names) -> None:
        request = Request("PUT", _target(names, slash=True), (("Content-Type", CONTAINER), _CDMI), b"{}")
        is_possible = self._has_parent(names) and names not in self.objects
        if self._done(request, is_possible=is_possible, statuses=(204,) if names in self.containers else (201,)):
            self.containers.add(names)

    def _copy(self, names: Names) -> None:
        source = self._source()
        is_container = source in self.containers
        is_possible = source in self.known() and self._has_parent(names) and names not in self.containers
        if is_container and names in self.objects:
            is_possible = False
        below = {each: self.objects[each] for each in self.objects if each[: len(source)] == source}
        inner = [each for each in self.containers if each[: len(source)] == source]
        if self._transfer("copy", source, names, is_container=is_container, is_possible=is_possible):
            self.objects |= {names + each[len(source) :]: data for each, data in below.items()}
            self.containers |= {names + each[len(source) :] for each in inner}

    def _move(self, names: Names) -> None:
        source = self._source()
        is_container = source in self.containers
        is_possible = source in self.known() and self._has_parent(names)
        if is_container:
            is_inside = names[: len(source)] == source and names != source
            is_possible = is_possible and not is_inside and (names == source or names not in self.known())
        elif names in self.containers:
            is_possible = False
        if self._transfer("move", source, names, is_container=is_container, is_possible=is_possible):
            moved = {each: self.objects.pop(each) for each in list(self.objects) if each[: len(source)] == source}
            inner = {each for each in self.containers if each[: len(source)] == source}
            self.objects |= {names + each[len(source) :]: data for each, data in moved.items()}
            self.containers = (self.containers - inner) | {names + each[len(source) :] for each in inner}

    def _transfer(self, verb: str, source: Names, names: Names, *, is_container: bool, is_possible: bool) -> bool:
        kind = CONTAINER if is_container else OBJECT
        where = _target(source, slash=is_container)
        if self._dice.random() < 0.5 and source[0] != "cdmi":  # which would be taken for the prefix
            where = where.removeprefix("/cdmi")
        body = json.dumps({verb: where}).encode()
        request = Request("PUT", _target(names, slash=is_container), (("Content-Type", kind), _CDMI), body)
        return self._done(request, is_possible=is_possible, statuses=(201, 204))

    def _delete(self, names: Names) -> None:
        is_slash = names in self.containers and self._dice.random() < 0.5
        request = Request("DELETE", _target(names, slash=is_slash))
        if self._done(request, is_possible=names in self.known(), statuses=(204,)):
            self.objects = {each: data for each, data in self.objects.items() if each[: len(names)] != names}
            self.containers = {each for each in self.containers if each[: len(names)] != names}

    def _describe(self, names: Names) -> None:
        """Change one item of the metadata, and read all."""
        if names not in self.objects:
            return
        items = self._metadata(names)
        value = self._dice.choice(["v", "ü", 5, 1.5, [1, {"a": None}], True])
        body = json.dumps({"metadata": {"k": value}}).encode()
        request = Request("PUT", f"{_target(names)}?metadata:k", (("Content-Type", OBJECT), _CDMI), body)
        if self._done(request, is_possible=True, statuses=(204,)):
            found, expected = self._metadata(names), {**items, "k": value}
            if found != expected:
                self._blame(f"the metadata is {found} and not {expected}", self._last)

    def _metadata(self, names: Names) -> dict[str, object]:
        """Return the metadata but for the host's own."""
        answer = self._get(names, "?metadata", cdmi=True)
        items = json.loads(answer.body)["metadata"] if answer.status == 200 else {}
        return {name: value for name, value in items.items() if not name.startswith("cdmi_")}

    def _list(self, names: Names) -> None:
        """List a container, or a range of its children."""
        first, last, query = 0, 2 * _MANY, ""
        if self._dice.random() < 0.5:
            first = self._dice.randint(0, 9)
            last = first + self._dice.randint(0, 9)
            query = f"?childrenrange;children:{first}-{last}"
        answer = self._get(names, query, slash=True, cdmi=True)
        if names not in self.containers:
            if answer.status != 404:
                self._blame(f"status {answer.status} for the listing of what there is not", self._last)
            return
        below = sorted(
            {each[len(names)] for each in self.known() if len(each) == len(names) + 1 and each[:-1] == names}
        )
        expected = [f"{name}/" if (*names, name) in self.containers else name for name in below]
        expected = expected[first : last + 1]
        listed: dict[str, object] = {"children": expected}
        if expected:
            listed["childrenrange"] = f"{first}-{first + len(expected) - 1}"
        found = json.loads(answer.body) if answer.status == 200 else {}
        if {key: found[key] for key in found if key.startswith("children")} != listed:
            self._blame(f"it should be {listed}: {answer.status} {answer.body[:500]!r}", self._last)

    def _read(self, names: Names) -> None:
        cdmi = self._dice.random() < 0.4
        answer = self._get(names, cdmi=cdmi)
        expected = 301 if names in self.containers else 200 if names in self.objects else 404
        if answer.status != expected:
            self._blame(f"status {answer.status} and not {expected}", self._last)
        elif expected == 200:
            data = _value(answer) if cdmi else answer.body
            if data != self.objects[names]:
                self._blame(f"{len(data)} bytes are not the {len(self.objects[names])} that were stored", self._last)

    def _read_ranges(self, names: Names) -> None:
        """Read one range of an object, or several that do not touch each other."""
        size = len(self.objects.get(names, b""))
        number = self._dice.choice([1, 1, 2, 5])
        places = sorted(self._dice.sample(range(size), 2 * number)) if size >= 2 * number else []
        ranges = list(zip(places[::2], places[1::2], strict=True))
        if not ranges or any(after[0] - before[1] < 2 for before, after in itertools.pairwise(ranges)):
            return
        asked = ("Range", "bytes=" + ", ".join(f"{first}-{last}" for first, last in ranges))
        request = Request("GET", _target(names), (asked, self._authorization))
        answer = self._send(request)
        data, found = self.objects[names], []
        for first, last in ranges:
            head = f"Content-Range: bytes {first}-{last}/{size}\r\n\r\n".encode()
            found.append(answer.body.partition(head)[2][: last - first + 1] if number > 1 else answer.body)
        if answer.status != 206 or found != [data[first : last + 1] for first, last in ranges]:
            self._blame(f"{answer.status}: {asked} of {size} bytes is not that", request)

    # Helpers

    def _names(self) -> Names:
        known = self.known()
        if known and self._dice.random() < 0.6:
            return self._dice.choice(known)
        return (*self._dice.choice(sorted(self.containers)), self._dice.choice(_PLAIN))

    def _data(self) -> bytes:
        return self._bodies.data()[:_MOST]

    def _source(self) -> Names:
        return self._names()

    def _has_parent(self, names: Names) -> bool:
        return names[:-1] in self.containers

    def _get(self, names: Names, query: str = "", *, slash: bool = False, cdmi: bool = False) -> Answer:
        target = _target(names, slash=slash) + query
        self._last = Request("GET", target, (*([_CDMI] * cdmi), self._authorization))
        return self._send(self._last)

    def _done(self, request: Request, *, is_possible: bool, statuses: tuple[int, ...]) -> bool:
        """Make a request that changes something, and tell whether it was carried out."""
        request = request.plus(self._authorization).sized()
        answer = self._send(request)
        if answer.status == 507:  # the account has a quota
            return False
        if is_possible != (answer.status in statuses) or (not is_possible and not 400 <= answer.status < 500):
            wanted = f"one of {statuses}" if is_possible else "a refusal"
            self._blame(f"status {answer.status} and not {wanted}: {answer.body[:200]!r}", request)
            self.refresh(())
            return False
        return is_possible

    def _blame(self, text: str, request: Request) -> None:
        self.faults.append((text, request))


def touched(request: Request) -> Names:
    """Return the names at and below which a request of which nothing is known may have changed something."""
    path = request.target.partition("#")[0].partition("?")[0]
    if b"move" in request.body or "%" in path.replace("%25", "") or not path.startswith("/cdmi/"):
        return ()
    names = tuple(name for name in unquote(path).split("/") if name)[1:]
    return () if names[:1] in (("cdmi_objectid",), ("storage_root",)) else names


def _target(names: Names, *, slash: bool = False) -> str:
    return "/cdmi/" + quote("/".join(names)) + ("/" if slash and names else "")


def _value(answer: Answer) -> bytes:
    fields = json.loads(answer.body)
    coded: str = fields["value"]
    return base64.b64decode(coded) if fields["valuetransferencoding"] == "base64" else coded.encode()
