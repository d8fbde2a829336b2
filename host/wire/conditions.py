"""Conditional requests (RFC 9110, section 13), and what CDMI 1.0 has for two of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Protocol

from host.errors import PreconditionFailed

__all__ = ["NONE", "Conditions", "conditions", "http_date", "if_range"]


class State(Protocol):
    """What conditions are compared with: an object as it is."""

    @property
    def etag(self) -> str: ...

    @property
    def mtime(self) -> int: ...


@dataclass(frozen=True)
class Conditions:
    """The conditions of one request. Tags are in their quotes, weak ones after ``W/``; ``*`` without quotes is any."""

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None
    modified_since: int | None = None
    unmodified_since: int | None = None

    def require(self, state: State | None) -> None:
        """Check what must hold before an object is changed, or read.

        :param state: None if there is no object.
        :raises PreconditionFailed: it does not hold.
        """
        if self.match is not None:
            holds = state is not None and _is_one(state.etag, self.match, weak=False)
        else:
            since = self.unmodified_since
            holds = since is None or (state is not None and state.mtime <= since)
        if not holds:
            raise PreconditionFailed(
                "the object is not the one that If-Match, If-Unmodified-Since or X-CDMI-MustExist asks for"
            )

    def require_to_write(self, state: State | None) -> None:
        """Check what must hold before an object is changed.

        :raises PreconditionFailed: it does not hold.
        """
        self.require(state)
        if self.none_match is not None and state is not None and _is_one(state.etag, self.none_match, weak=True):
            raise PreconditionFailed("the object is one that If-None-Match or X-CDMI-NoClobber excludes")

    def is_known(self, state: State) -> bool:
        """Tell whether the client of a GET has what it asks for, so that 304 is the answer."""
        if self.none_match is not None:
            return _is_one(state.etag, self.none_match, weak=True)
        return self.modified_since is not None and state.mtime <= self.modified_since


NONE = Conditions()


def conditions(header: Callable[[str], str | None], *, is_put: bool = False) -> Conditions:
    """Return the conditions of a request.

    :param header: returns the header of a name, or None.
    :param is_put: whether the headers of CDMI count, too: what must exist matches ``*``, if nothing says more of it,
        and what must not be overwritten matches none.
    """
    match, none_match = header("If-Match"), header("If-None-Match")
    if is_put and match is None and _is_true(header("X-CDMI-MustExist")):
        match = "*"
    if is_put and _is_true(header("X-CDMI-NoClobber")):
        none_match = "*"
    since, unmodified = header("If-Modified-Since"), header("If-Unmodified-Since")
    if match is none_match is since is unmodified is None:
        return NONE
    return Conditions(_tags(match), _tags(none_match), _seconds(since), _seconds(unmodified))


def if_range(header: str | None, state: State) -> bool:
    """Tell whether a Range header counts: it does not if the object is another than the one that If-Range names."""
    if header is None:
        return True
    if '"' in header:
        return _is_one(state.etag, _tags(header) or (), weak=False)
    return _seconds(header) == state.mtime


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> str:
    """Return a time as HTTP writes it, in English whatever the locale is."""
    return formatdate(seconds, usegmt=True)


def _is_true(header: str | None) -> bool:
    return header is not None and header.strip().lower() == "true"


def _tags(header: str | None) -> tuple[str, ...] | None:
    if header is None:
        return None
    if header.strip() == "*":
        return ("*",)
    return tuple(re.findall(r'(?:W/)?"[^"]*"', header))


def _is_one(etag: str, tags: tuple[str, ...], *, weak: bool) -> bool:
    """Tell whether ``etag``, a strong one, is among ``tags``; a weak one of them counts only if ``weak``."""
    return "*" in tags or f'"{etag}"' in tags or (weak and f'W/"{etag}"' in tags)


def _seconds(header: str | None) -> int | None:
    """Return a date in seconds since 1970; one that is malformed is ignored, as the RFC asks."""
    try:
        date = None if header is None else parsedate_to_datetime(header)
        # Without a zone, as C's asctime writes it, it is in UTC, too.
        return None if date is None else int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
