"""One assign of a mirror: the source goes to all stores at once, and becomes visible in enough of them or in none.

1. Each store reads in a thread of its own; what it has not read yet are a few blocks. One that fails, or reads
   nothing for too long, is left out. As soon as too few are left all give up.
2. Once the source has ended, each store waits for its last block. The object's turn is taken, and each store is
   asked which version it has.
3. Where there is none, all get the last block and the label, and publish. Else one does after the other: when one
   fails, the others still have the old version, which can be brought back from there.
4. Each copy is looked at. Where there are too few, all that is new is removed, or the old is brought back.
"""

import errno
import threading
import zlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Self

from modules import Source
from stacked.mirror.copies import BLOCK, Copies
from stacked.mirror.crew import Crew, Feed, Hanging
from stacked.mirror.journal import GONE, LACKING
from stacked.mirror.label import SIZE, DamagedError, Label
from stacked.several import judged
from stacked.streams import full_blocks, hint

__all__ = ["Writing"]

_DAMAGED = "damaged"


class Writing:
    """The stores of one assign. At the end of the ``with`` statement no thread of it is left, but those that hang.

    :param needed: how many copies there must be.
    :param patience: seconds for which a store may do nothing.
    :param late: called with a store which came to an end after it was given up, the label of the new version, and
        whether that was kept.
    """

    def __init__(
        self,
        copies: Copies,
        needed: int,
        source: Source,
        hanging: Hanging,
        patience: float,
        late: Callable[[str, Label, bool], None],
    ) -> None:
        self._copies = copies
        self._needed = needed
        self._source = source
        self._patience = patience
        self._late = late
        self._hanging = hanging
        self._crew = Crew(hanging, patience)
        length = hint(source)
        self._live = {name: Feed(None if length is None else length + SIZE) for name in copies.inners}
        self._feeds = dict(self._live)
        self._looked = {name: threading.Event() for name in copies.inners}
        self._seen: dict[str, Label | Exception | None] = {}
        self._label: Label | None = None
        self._last = b""
        self._is_kept = False
        self._is_over = threading.Event()
        #: The stores that may show the new version.
        self._released: set[str] = set()
        #: The stores that have it.
        self.kept: list[str] = []
        #: What went wrong, by store.
        self.failed: dict[str, Exception] = {}

    def read(self) -> None:
        """Give all of the source to the stores but the last block.

        :raises BaseException: what the source raises.
        :raises Exception: too few stores are left.
        """
        size = crc = 0
        self._require()
        for block in full_blocks(self._source, BLOCK):
            if self._last:
                self._give(dict.fromkeys(self._live, self._last))
            size, crc, self._last = size + len(block), zlib.crc32(block, crc), block
        self._label = Label.new(0, size, crc, self._copies.key)

    def publish(self) -> None:
        """Make the new version visible; the object's turn is the caller's.

        :raises Exception: there are too few copies of it.
        """
        self._look()
        old = [label for label in self._seen.values() if isinstance(label, Label)]
        assert self._label is not None  # noqa: S101 (read came first)
        self._label = self._label._replace(turn=max((label.turn for label in old), default=0) + 1)
        names = list(self._live)
        for group in [[name] for name in names] if old else [names]:
            for name in group:
                self._release(name)
            self._crew.be_patient()
            for name in group:
                self._finish(name)
            if len(self.kept) + len(self._live) < self._needed:
                break
        if len(self.kept) < self._needed:
            raise self._reason()

    @property
    def had_old(self) -> bool:
        """Whether there was another version before."""
        return any(isinstance(label, Label) for label in self._seen.values())

    def keep(self) -> None:
        """Take the new version for kept: it is not undone any more."""
        self._is_kept = True

    def undo(self, amiss: Collection[str]) -> tuple[dict[str, str], list[str]]:
        """Remove what is new, or bring back what was there before; the object's turn is the caller's.

        Where no store has the old version any more, what is whole of the new one stays. Where that cannot be told,
        everything stays.

        :param amiss: stores that did not have what they should have before, either.
        :returns: by store, what is amiss there after that; and the stores that are well where the new version stays.
        """
        for feed in self._feeds.values():
            feed.give_up()
        self._crew.be_patient()
        for name in self._feeds:
            self._crew.outcome(name)
        if not self._released:
            return {}, []
        if not self._seen:  # it took an error for the end, and may have replaced the old
            with Crew(self._hanging, self._patience) as crew:
                self._seen = crew.together({name: partial(self._look_at, name) for name in self._copies.inners})
        old = [label for name, label in self._seen.items() if name not in amiss and isinstance(label, Label)]
        if old:
            return self._bring_back(max(old))
        with Crew(self._hanging, self._patience) as crew:
            done = crew.together({name: partial(self._remove, name) for name in self._released})
        return {name: GONE for name, error in done.items() if error is not None and name not in amiss}, []

    def _remove(self, name: str) -> None:
        if self._is_new(self._look_at(name)):
            self._copies.delete(name)

    def _bring_back(self, old: Label) -> tuple[dict[str, str], list[str]]:
        with Crew(self._hanging, self._patience) as crew:
            now = crew.together({name: partial(self._look_at, name) for name in self._copies.inners})
        sources = [name for name, label in now.items() if label == old]
        changed = [name for name in self._released if isinstance(now[name], Exception) or self._is_new(now[name])]
        if not sources:
            if any(isinstance(label, Exception) for label in now.values()):
                return dict.fromkeys(changed, LACKING), []
            damaged = [name for name in changed if now[name] is _DAMAGED]
            return dict.fromkeys(damaged, LACKING), [name for name in changed if name not in damaged]
        with Crew(self._hanging, self._patience) as crew:
            done = crew.together({name: partial(self._bring, sources, name, old) for name in changed})
        return {name: LACKING for name, is_brought in done.items() if is_brought is not True}, []

    def _bring(self, sources: list[str], target: str, old: Label) -> bool:
        """Bring the old version to a store, or at least remove the new one there, and tell whether the old is there."""
        for source in sources:
            try:
                self._copies.bring(source, target, old, lambda: None)
                return True
            except Exception as error:  # the next one may do
                self.failed.setdefault(target, judged(target, error))
        self._copies.delete(target)
        return False

    def _look_at(self, name: str) -> Label | str | None:
        try:
            return self._copies.look(name)
        except DamagedError:
            return _DAMAGED

    def _is_new(self, found: Label | str | None) -> bool:
        """Tell whether what was found in a store comes from this assign."""
        if isinstance(found, Label):
            return self._label is not None and found.version == self._label.version
        return found is _DAMAGED

    def __enter__(self) -> Self:
        for name, feed in self._feeds.items():
            self._crew.start(name, partial(self._work, name, feed), partial(self._end_late, name))
        self._crew.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for feed in self._feeds.values():
            feed.give_up()
        self._is_over.set()
        self._crew.__exit__(*error)

    def _work(self, name: str, feed: Feed) -> None:
        """Store the copy in the store ``name``, in its thread."""
        try:
            self._copies.inner(name).assign(self._copies.inners[name], feed)
            if not feed.is_ended:
                self._released.add(name)  # it took an error for the end
                raise OSError(errno.EIO, f"{name} did not read the data to its end")
        finally:
            feed.over()
            self._looked[name].set()
        found, label = self._copies.label(name), self._label
        # Another one that is newer: two processes without a journal in common store the object at once.
        if label is not None and found != label and found.turn < label.turn:
            raise OSError(errno.EIO, f"{name} did not keep what it was given")

    def _end_late(self, name: str) -> None:
        self._is_over.wait()
        if self._label is not None:
            self._late(name, self._label, self._is_kept)

    def _give(self, items: Mapping[str, bytes | Callable[[], None] | None]) -> None:
        """Give each store its item, and go on without those that do not take it."""
        for name, item in items.items():
            if not self._live[name].put(item, self._patience):
                self._lose(name)
        self._require()

    def _lose(self, name: str, error: Exception | None = None) -> None:
        """Go on without the store ``name``.

        :param error: what went wrong, if it is not what the store raised.
        """
        feed = self._live.pop(name)
        if error is not None or feed.is_over:
            feed.give_up()
            self._crew.be_patient()
            found = self._crew.outcome(name)
        else:
            feed.give_up()
            self._crew.give_up(name)
            found = TimeoutError(f"{name} took nothing for {self._patience:g} s")
        self.failed[name] = judged(name, error or found)

    def _require(self) -> None:
        if len(self._live) + len(self.kept) < self._needed:
            raise self._reason()

    def _reason(self) -> Exception:
        if self.failed:
            return next(iter(self.failed.values()))
        return OSError(errno.EIO, f"{len(self._feeds)} stores of {self._needed} that are needed know the object")

    def _look(self) -> None:
        """Ask each store which version it has, in its thread, which is waiting for the last block."""
        self._give({name: partial(self._see, name) for name in self._live})
        self._crew.be_patient()
        for name in list(self._live):
            self._crew.wait_for(self._looked[name])
            seen = self._seen.get(name, TimeoutError(f"{name} does not tell what it has"))
            if isinstance(seen, Exception):
                self._lose(name, None if self._live[name].is_over else seen)
        self._require()

    def _see(self, name: str) -> None:
        try:
            self._seen[name] = self._copies.look(name)
        except DamagedError:
            self._seen[name] = None  # the new one takes its place
        except Exception as error:  # the waiting thread looks at it
            self._seen[name] = error
        finally:
            self._looked[name].set()

    def _release(self, name: str) -> None:
        """Give the store ``name`` what it needs to publish."""
        assert self._label is not None  # noqa: S101
        self._released.add(name)
        feed = self._live[name]
        _ = feed.put(self._last + self._label.encode(), self._patience) and feed.put(None, self._patience)

    def _finish(self, name: str) -> None:
        found = self._crew.outcome(name)
        del self._live[name]
        if isinstance(found, Exception):
            self.failed[name] = judged(name, found)
        else:
            self.kept.append(name)
