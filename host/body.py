"""The body of a request, on its way into a storage module."""

import codecs
from typing import Protocol

from host.errors import Full, HostError, Invalid, TooLarge, TryAgain

__all__ = ["BLOCK", "Body"]

#: Bytes that are read from the server at once, however few the module asks for.
BLOCK = 1024 * 1024


class Input(Protocol):
    """The ``wsgi.input`` of PEP 3333, or what is read like it."""

    def read(self, size: int, /) -> bytes: ...


class Body:
    """The source that ``assign`` reads. It never says that a body is whole that was cut short.

    Some servers end such a body as if it were whole, others raise: here both raise, and ``error``
    keeps what was raised, whatever the module makes of it.

    :param source: ``wsgi.input``, or what gives a part of it.
    :param length: of Content-Length, in bytes; None where it is not known.
    :param room: bytes that the account may still store; None for any number.
    :param limit: bytes that an object may have; None for any number.
    :param text: whether to look if all of it is UTF-8.
    """

    def __init__(
        self,
        source: Input,
        length: int | None,
        room: int | None = None,
        *,
        limit: int | None = None,
        text: bool = False,
    ) -> None:
        self._source = source
        self._length = length
        self._room = room
        self._limit = limit
        self._block = b""
        self._place = 0  # in the block
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.count = 0  # bytes read from the source
        self.ended = False
        self._looks = text
        self.is_text = True  # as far as was looked, all is UTF-8
        self.error: HostError | None = None
        # What says of itself that it is too much is not read: of a gap behind the end of an object, it may be zeros.
        self._check_room(length or 0)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, or all the rest if it is negative; ``b""`` at the end.

        :raises HostError: the body was cut short, or is more than there may be.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        if self._place == len(self._block):
            self._block, self._place = self._pull(), 0
        if self._place == 0 and size >= len(self._block):
            part = self._block  # not copied
        else:
            part = self._block[self._place : self._place + size]
        self._place += len(part)
        return part

    def has(self, size: int) -> bool:
        """Tell whether :meth:`read` will not have to wait for the client."""
        return size >= 0 and (self._place < len(self._block) or self.ended)

    def __length_hint__(self) -> int:
        """Return how many bytes are still to come, 0 where that is not known (PEP 424)."""
        return 0 if self._length is None else max(0, self._length - self.count + len(self._block) - self._place)

    def _pull(self) -> bytes:
        if self.error is not None:
            raise self.error
        want = BLOCK if self._length is None else min(BLOCK, self._length - self.count)
        data = self._fetch(want) if want and not self.ended else b""
        self.count += len(data)
        self.ended = not data or self.count == self._length
        if self._length is not None and self.ended and self.count < self._length:
            raise self._stop(Invalid(f"the body ended after {self.count} of {self._length} bytes: send it again"))
        self._check_room(self.count)
        if self.error is not None:
            raise self.error
        self._look_at(data)
        return data

    def _check_room(self, count: int) -> None:
        """Note in ``error`` that ``count`` bytes are too many, if they are."""
        if self._limit is not None and count > self._limit:
            self._stop(TooLarge(f"an object may have {self._limit} bytes"))
        elif self._room is not None and count > self._room:
            self._stop(Full("the quota does not have room for this object"))

    def _fetch(self, want: int) -> bytes:
        try:
            return self._source.read(want)
        except HostError as error:
            self._stop(error)
            raise  # as it is: its cause is what the log is to tell
        except (TimeoutError, BlockingIOError):  # the latter where the socket itself has the limit
            raise self._stop(TryAgain("the body stalled: send it again")) from None  # the log needs no more of it
        except Exception as error:  # each server has its own for a body that breaks off
            raise self._stop(Invalid("the body broke off: send it again")) from error

    def _look_at(self, data: bytes) -> None:
        if self._looks and self.is_text:
            try:
                self._decoder.decode(data, final=self.ended)
            except UnicodeDecodeError:
                self.is_text = False

    def _stop(self, error: HostError) -> HostError:
        self.error = error
        return error
