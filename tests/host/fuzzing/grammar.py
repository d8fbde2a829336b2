"""Requests at random, most of them nearly right: so they get far into the host before something is wrong."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.host.fuzzing.bodies import Bodies
from tests.host.fuzzing.paths import Paths
from tests.host.fuzzing.request import Request, basic
from tests.host.fuzzing.words import (
    ACCEPTS,
    BOUNDARIES,
    CONTAINER,
    DATES,
    LENGTHS,
    METHODS,
    OBJECT,
    OTHERS,
    PARTS,
    RANGES,
    TAGS,
    TYPES,
    VERSIONS,
)

__all__ = ["Grammar"]


class Grammar:
    """Requests of one account, whose credentials are ``user``."""

    def __init__(self, dice: random.Random, paths: Paths, user: tuple[str, str]) -> None:
        self._dice = dice
        self._paths = paths
        self._user = user
        self._bodies = Bodies(dice)

    def request(self) -> Request:
        """Return a request."""
        dice = self._dice
        kinds: list[tuple[int, Callable[[], Request]]] = [
            (10, self._read),
            (6, self._read_plain),
            (8, self._put_raw),
            (8, self._put_object),
            (4, self._put_container),
            (4, self._put_part),
            (5, self._transfer),
            (4, self._change),
            (4, self._put_parts),
            (4, self._post),
            (3, self._delete),
            (2, self._any),
        ]
        weights, makers = zip(*kinds, strict=True)
        request = dice.choices(makers, weights=weights)[0]()
        for _ in range(dice.choices([0, 1, 2, 3], weights=[4, 3, 2, 1])[0]):
            request = self._turned(request)
        return self._signed(request)

    # What is nearly right

    def _read(self) -> Request:
        dice = self._dice
        headers = self._conditions() if dice.random() < 0.3 else []
        if dice.random() < 0.3:
            headers.append(("Range", dice.choice(RANGES)))
            if dice.random() < 0.2:
                headers.append(("If-Range", dice.choice([self._tag(), dice.choice(DATES)])))
        if dice.random() < 0.5:
            headers.append(self._version())
        if dice.random() < 0.2:
            headers.append(("Accept", dice.choice(ACCEPTS)))
        return Request(
            dice.choice(["GET", "GET", "GET", "HEAD"]), self._paths.target() + self._paths.query(), tuple(headers)
        )

    def _read_plain(self) -> Request:
        """Return a request by plain HTTP, mostly of what is there."""
        dice = self._dice
        headers = [("Range", dice.choice(RANGES))]
        if dice.random() < 0.4:
            headers += self._conditions()
        if dice.random() < 0.2:
            headers.append(("If-Range", dice.choice([self._tag(), dice.choice(DATES)])))
        return Request("GET", self._paths.written(self._paths.names(), slash=False), tuple(headers))

    def _put_raw(self) -> Request:
        kind = self._dice.choice(["text/plain", "text/plain; charset=utf-8", "application/octet-stream"])
        return self._with_body("PUT", self._paths.target(slash=False), kind, self._bodies.data())

    def _put_object(self) -> Request:
        fields = self._bodies.object(self._bodies.data() if self._dice.random() < 0.7 else None)
        return self._with_body("PUT", self._paths.target(slash=False), OBJECT, self._json(fields), cdmi=True)

    def _put_container(self) -> Request:
        dice = self._dice
        fields: dict[str, Any] = {"metadata": self._bodies.metadata()} if dice.random() < 0.5 else {}
        body = b"" if dice.random() < 0.3 else self._json(fields)
        return self._with_body("PUT", self._paths.target(slash=True), CONTAINER, body, cdmi=True)

    def _put_part(self) -> Request:
        dice = self._dice
        data = self._bodies.data()[:2000]
        first = dice.choice([0, 0, 1, 10, 300, 5000, 200_000])
        part = f"{first}-{first + max(0, len(data) - 1)}"
        target = self._paths.target(slash=False)
        if dice.random() < 0.5:
            request = self._with_body("PUT", target, "text/plain", data)
            header = dice.choice(PARTS) if dice.random() < 0.3 else f"bytes {part}/*"
            return request.plus(("Content-Range", header))
        fields = self._bodies.object() | self._bodies.value(data)
        return self._with_body("PUT", f"{target}?value:{part}", OBJECT, self._json(fields), cdmi=True)

    def _transfer(self) -> Request:
        dice = self._dice
        names = self._paths.names()
        is_container = dice.random() < 0.4
        source = self._paths.written(names, slash=is_container and dice.random() < 0.8)
        if dice.random() < 0.15:
            source = self._paths.target()
        if dice.random() < 0.2:
            source = source.removeprefix("/cdmi")
        fields = {dice.choice(["copy", "move"]): source}
        if dice.random() < 0.2:
            fields |= self._bodies.object(b"data" if dice.random() < 0.1 else None)
        kind = CONTAINER if is_container else OBJECT
        if dice.random() < 0.3:  # into itself, or onto itself
            target = self._paths.written(
                [*names, self._paths.name()][: len(names) + dice.randrange(2)], slash=is_container
            )
        else:
            target = self._paths.target(slash=is_container)
        return self._with_body("PUT", target, kind, self._json(fields), cdmi=True)

    def _change(self) -> Request:
        dice = self._dice
        fields = {"metadata": self._bodies.metadata(), **({"mimetype": "a/b"} if dice.random() < 0.3 else {})}
        query = dice.choice(
            ["?metadata:k", "?metadata", "?metadata:k;metadata:color", "?mimetype", "", self._paths.query()]
        )
        slash = dice.random() < 0.4
        kind = CONTAINER if slash else OBJECT
        return self._with_body("PUT", self._paths.target(slash=slash) + query, kind, self._json(fields), cdmi=True)

    def _put_parts(self) -> Request:
        dice = self._dice
        boundary = dice.choice(BOUNDARIES) if dice.random() < 0.3 else "b"
        first = self._json(self._bodies.object(b"x" if dice.random() < 0.05 else None))
        body = self._bodies.parts(first, self._bodies.data(), boundary)
        quoted = f'"{boundary}"' if dice.random() < 0.5 else boundary
        kind = f"multipart/mixed; boundary={quoted}"
        return self._with_body(
            dice.choice(["PUT", "PUT", "POST"]), self._paths.target(slash=False), kind, body, cdmi=True
        )

    def _post(self) -> Request:
        dice = self._dice
        target = dice.choice(["/cdmi/cdmi_objectid/", self._paths.target(slash=True), self._paths.target()])
        kind = dice.choice([OBJECT, CONTAINER, "text/plain", "application/cdmi-queue"])
        if kind == "text/plain":
            return self._with_body("POST", target, kind, self._bodies.data())
        fields = {} if kind == CONTAINER else self._bodies.object(self._bodies.data())
        return self._with_body("POST", target, kind, self._json(fields), cdmi=True)

    def _delete(self) -> Request:
        query = self._paths.query() if self._dice.random() < 0.1 else ""
        headers = self._conditions() if self._dice.random() < 0.2 else []
        return Request("DELETE", self._paths.target() + query, tuple(headers))

    def _any(self) -> Request:
        dice = self._dice
        kind = dice.choice(TYPES)
        return self._with_body(
            dice.choice(METHODS), self._paths.target() + self._paths.query(), kind, self._bodies.data()[:3000]
        )

    # What makes it wrong

    def _turned(self, request: Request) -> Request:
        """Return a request with something else in it."""
        dice = self._dice
        match dice.randrange(11):
            case 0:
                return request.plus(self._version())
            case 1:
                return request.plus(("Content-Type", dice.choice(TYPES)))
            case 2:
                return request.plus(("Accept", dice.choice(ACCEPTS)))
            case 3:
                return request.plus(*self._conditions())
            case 4:
                return request.plus(
                    dice.choice([("Range", dice.choice(RANGES)), ("Content-Range", dice.choice(PARTS))])
                )
            case 5:
                return request.plus(dice.choice(OTHERS))
            case 6:
                return replace(request, method=dice.choice(["GET", "HEAD", "PUT", "POST", "DELETE", *METHODS]))
            case 7:
                return replace(request, target=request.target.partition("?")[0] + self._paths.query())
            case 8:
                return self._framed(request)
            case 9 if request.body:
                return replace(request, body=self._bodies.spoilt(request.body)).sized()
            case _:
                return replace(request, target=self._paths.target())

    def _framed(self, request: Request) -> Request:
        """Return a request whose body is framed in another way, or wrongly."""
        dice = self._dice
        bare = request.without("Content-Length")
        match dice.randrange(5):
            case 0:
                return bare.plus(("Content-Length", dice.choice(LENGTHS)))
            case 1:
                return bare.plus(("Content-Length", str(len(request.body) + dice.choice([-1, 1, 100, 10**12]))))
            case 2:
                return bare
            case 3:
                return replace(bare.plus(("Transfer-Encoding", "chunked")), is_broken=True)
            case _:
                return bare.plus(("Transfer-Encoding", dice.choice(["chunked", "Chunked", "chunked", "xchunked"])))

    def _signed(self, request: Request) -> Request:
        """Return a request with credentials, mostly the right ones."""
        dice = self._dice
        right = basic(*self._user)
        if dice.random() < 0.94:
            return request.plus(("Authorization", right))
        if dice.random() < 0.15:  # each costs a look at a password
            name = dice.choice([f"nobody{dice.randrange(1000)}", "é", "", "x" * 100, "x" * 5000])
            return request.plus(("Authorization", basic(name, dice.choice(["", "x", "\0", "é" * 2000]))))
        odd = [
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic ====",
            "Bearer x",
            "",
            "Digest a=b",
            "Basic " + "A" * 4001,
            right + "x",
            "\xff",
        ]
        odd += ["basic" + right[5:], right + " ", right.replace(" ", "  "), "Basic AA==", "Basic gICA", "Basic OmE="]
        value = dice.choice(odd)
        return request if value == "Basic OmE=" and dice.random() < 0.9 else request.plus(("Authorization", value))

    # Helpers

    def _json(self, fields: dict[str, Any]) -> bytes:
        return self._bodies.mutated(fields) if self._dice.random() < 0.25 else self._bodies.written(fields)

    def _version(self) -> tuple[str, str]:
        return "X-CDMI-Specification-Version", self._dice.choice(
            VERSIONS if self._dice.random() < 0.2 else ["1.1.1", "1.0.2"]
        )

    def _tag(self) -> str:
        known = self._paths.etag()
        return known if known is not None and self._dice.random() < 0.6 else self._dice.choice(TAGS)

    def _conditions(self) -> list[tuple[str, str]]:
        dice = self._dice
        name = dice.choice(["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"])
        return [(name, self._tag() if name.endswith("Match") else dice.choice(DATES))]

    def _with_body(self, method: str, target: str, kind: str, body: bytes, *, cdmi: bool = False) -> Request:
        headers = [("Content-Type", kind)] if kind or self._dice.random() < 0.5 else []
        if cdmi and self._dice.random() < 0.9:
            headers.append(self._version())
        if self._dice.random() < 0.1:
            headers += self._conditions()
        chunked = self._dice.random() < 0.1
        headers.append(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body))))
        return Request(method, target, tuple(headers), body)
