"""How a mirror is healed: what is missing somewhere is brought there, and what should be gone is deleted."""

import errno
from collections.abc import Mapping
from typing import Any

from stacked.mirror.copies import Copies
from stacked.mirror.journal import GONE, LACKING, Journal, Noted
from stacked.mirror.label import DamagedError, Label
from stacked.mirror.turn import Turns

__all__ = ["Healer", "Report"]

_TRIES = 3

_TOLD = 20  # objects of which it is told what is wrong


class _ChangedError(Exception):
    """Somebody changes the object at the same time."""

    def __str__(self) -> str:
        return "it is changed all the time"


class Report:
    """What an upkeep found and did."""

    def __init__(self) -> None:
        self.looked = self.brought = self.deleted = self.diverged = self.wrong = 0
        self._reasons: list[str] = []

    def note_wrong(self, module_data: str, reason: object) -> None:
        """Note an object that is not well, and why."""
        self.wrong += 1
        if len(self._reasons) < _TOLD:
            self._reasons.append(f"{reason}: {module_data}")

    def told(self) -> dict[str, Any]:
        """Return it for an administrator to see."""
        counts = {"looked_at": self.looked, "brought": self.brought, "deleted": self.deleted}
        return {**counts, "diverged": self.diverged, "wrong": self.wrong, "reasons": self._reasons}


class Healer:
    """What heals one object after the other.

    :param journal: None where there is none.
    """

    def __init__(self, journal: Journal | None, turns: Turns, report: Report) -> None:
        self._journal = journal
        self._turns = turns
        self._report = report

    def heal(self, copies: Copies, unknown: Mapping[str, Exception], *, is_kept: bool) -> None:
        """Make all copies of an object what they should be.

        :param unknown: the stores that cannot be told of it, and why.
        :param is_kept: whether it should be there.
        """
        self._report.looked += 1
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._heal(copies, unknown, is_kept)
            except _ChangedError as error:
                if not tries_left:
                    self._report.note_wrong(copies.module_data, error)
            except Exception as error:  # after one object that is not well it goes on to the next
                return self._report.note_wrong(copies.module_data, error)

    def _heal(self, copies: Copies, unknown: Mapping[str, Exception], is_kept: bool) -> None:
        noted = self._journal.of(copies.key) if self._journal is not None else Noted({}, {})
        copies.add(noted.late)
        seen = {name: _look(copies, name) for name in copies.inners}
        truth = _truth(seen, noted)
        if truth is None:
            self._remove(copies, noted, is_kept)
        else:
            self._bring_all(copies, seen, noted, truth, unknown)

    def _remove(self, copies: Copies, noted: Noted, is_kept: bool) -> None:
        """Delete what should be gone, of an object that nothing is known of where all is known."""
        with self._turns.of(copies.key):
            self._require_unchanged(copies, noted)
            seen = {name: _look(copies, name) for name in copies.inners}
            if _truth(seen, noted) is not None:
                raise _ChangedError
            for name, what in noted.amiss.items():
                if what == GONE and name in copies.inners and seen[name] is not None:
                    copies.delete(name)
                    self._report.deleted += 1
            left = [name for name in copies.inners if _look(copies, name) is not None]
            if left:
                raise OSError(errno.EIO, f"only {', '.join(left)} has a copy, which is not known to be the newest")
            if self._journal is not None and (noted.amiss or noted.late):
                self._journal.forget(copies.key)
        if is_kept and not noted.amiss:
            self._report.note_wrong(copies.module_data, "it is in none of its stores, unless it was deleted just now")

    def _bring_all(
        self, copies: Copies, seen: dict[str, Any], noted: Noted, truth: Label, unknown: Mapping[str, Exception]
    ) -> None:
        labels = {seen[name] for name in seen if name not in noted.amiss and isinstance(seen[name], Label)}
        self._report.diverged += len(labels) > 1
        failed = dict(unknown)
        # A source that proves to be corrupt becomes one of those that are healed.
        while name := next((name for name in copies.inners if seen[name] != truth and name not in failed), ""):
            try:
                self._bring(copies, seen, noted, truth, name)
                seen[name] = truth
                self._report.brought += 1
            except Exception as error:  # the other stores can be healed all the same
                failed[name] = error
        well = [name for name in copies.inners if seen[name] == truth]
        if self._journal is not None and well and (failed or any(name in noted.amiss for name in well)):
            with self._turns.of(copies.key):
                self._require_unchanged(copies, noted)
                if all(copies.look(name) == truth for name in well):
                    lacking = dict.fromkeys(failed, LACKING)
                    self._journal.note(copies.key, copies.module_data, lacking, well)
        if failed:
            raise next(iter(failed.values()))

    def _bring(self, copies: Copies, seen: dict[str, Any], noted: Noted, truth: Label, target: str) -> None:
        """Bring the newest version to the store ``target``, from the first that has it whole."""
        if isinstance(seen[target], Exception) and not isinstance(seen[target], DamagedError):
            raise seen[target]
        error: Exception = OSError(errno.EIO, "no copy is whole")
        for source in copies.inners:
            if seen[source] != truth:
                continue
            try:
                with _Turn(self._turns, copies.key) as turn:

                    def confirm(source: str = source) -> None:
                        turn.take()
                        self._require_unchanged(copies, noted)
                        if copies.look(source) != truth or not _is_same(_look(copies, target), seen[target], truth):
                            raise _ChangedError

                    copies.bring(source, target, truth, confirm)
                return
            except DamagedError as damaged:
                seen[source] = error = damaged
            except Exception as failed:  # the next copy may be whole
                error = failed
        raise error

    def _require_unchanged(self, copies: Copies, noted: Noted) -> None:
        if self._journal is not None and self._journal.of(copies.key).amiss != noted.amiss:
            raise _ChangedError


class _Turn:
    """An object's turn, which may be taken in the middle of the block and is given back at its end."""

    def __init__(self, turns: Turns, key: bytes) -> None:
        self._turn = turns.of(key)
        self._is_taken = False

    def take(self) -> None:
        """Take the turn."""
        self._turn.__enter__()
        self._is_taken = True

    def __enter__(self) -> "_Turn":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._is_taken:
            self._turn.__exit__(None, None, None)


def _look(copies: Copies, name: str) -> Label | Exception | None:
    """Return the label of a copy, None if there is none, or why that cannot be told."""
    try:
        return copies.look(name)
    except Exception as error:  # the caller looks at it
        return error


def _is_same(now: object, before: object, truth: Label) -> bool:
    """Tell whether a store has what it had; what is corrupt may have a label that is well."""
    return now == before or (isinstance(before, DamagedError) and (now == truth or isinstance(now, DamagedError)))


def _truth(seen: Mapping[str, Any], noted: Noted) -> Label | None:
    """Return the version that is to be everywhere, or None if the object is to be gone.

    :raises Exception: it cannot be told.
    """
    trusted = [seen[name] for name in seen if name not in noted.amiss]
    labels = [label for label in trusted if isinstance(label, Label)]
    if labels:
        return max(labels)
    for error in trusted:
        if error is not None:
            raise error
    if not trusted and not all(what == GONE for what in noted.amiss.values()):
        raise OSError(errno.EIO, "no copy is known to be the newest")
    return None
