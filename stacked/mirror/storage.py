"""A mirror: each object is kept in several modules, and is there as long as one of them is well."""

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from modules import Context, ReadStream, Source
from stacked.base import Layer
from stacked.kept import Spool, has_upkeep
from stacked.mirror import copies
from stacked.mirror.copies import Copies, MirrorStream
from stacked.mirror.crew import Crew, Hanging
from stacked.mirror.healing import Healer, Report
from stacked.mirror.journal import GONE, LACKING, Journal, Noted, lock_of
from stacked.mirror.label import DamagedError, Label
from stacked.mirror.quorum import binding, require_journal, writes_of
from stacked.mirror.turn import Turns
from stacked.mirror.writing import Writing
from stacked.several import judged, named_stores
from stacked.store import Inner, Store

__all__ = ["MirroredStorage"]


class MirroredStorage(Layer):
    """A module that keeps each object in several others.

    :param stores: the names under which the modules below are configured, in the order in which they are read; in
        Python, they may be those modules.
    :param writes: in how many of them an object must be before it counts as stored: ``"all"``, or a number. It is more
        than half of them, so that any two writes have a store in common.
    :param journal: the absolute path of a file that tells what is amiss where, once :meth:`prepare` has made it. It
        must be given where ``writes`` is not all. All processes that use the mirror must use the same file.
    :param patience: seconds for which a store may do nothing before it is left out.
    :raises ValueError: an argument is missing, unknown or wrong.
    :raises OSError: the journal is not there.
    """

    layer = "mirror"

    def __init__(
        self,
        stores: Any = None,
        writes: Any = "all",
        journal: str | None = None,
        patience: float = 120,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: MirroredStorage knows no such argument")
        self._stores = named_stores(stores, 2)
        self._writes = writes_of(writes, len(self._stores))
        require_journal(journal, self._writes < len(self._stores))
        if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 0 < patience <= 86400:
            raise ValueError("patience: it is seconds, more than 0 and at most 86400")
        self._patience = float(patience)
        if journal is not None and not (os.path.isfile(journal) and os.path.isfile(lock_of(journal))):
            raise FileNotFoundError(f"journal: no journal is at {journal}: is its disk mounted?")
        self._journal = None if journal is None else Journal(journal)
        self._turns = Turns(None if journal is None else lock_of(journal), self._patience * 4)
        self._hanging = Hanging()
        self._errors = dict.fromkeys(self._stores, 0)
        self._last_errors: dict[str, str] = {}

    @classmethod
    def prepare(cls, stores: Any = None, writes: Any = "all", journal: str | None = None, **others: Any) -> None:
        require_journal(journal, writes_of(writes, len(named_stores(stores, 2))) < len(stores))
        if journal is not None:
            Journal.make(journal)

    def stores(self) -> Sequence[Store]:
        return list(self._stores.values())

    def new_data(self, context: Context) -> str:
        found, errors = {}, []
        for name, store in self._stores.items():
            try:
                if self._journal is not None and name in self._hanging:
                    raise TimeoutError(f"{name} hangs")
                found[name] = Inner(*store.below(self, context)).new_data()
            except Exception as error:  # a vendor's module may raise anything
                self._failed(name, error)
                errors.append(judged(name, error))
        if errors and (self._journal is None or len(found) < self._writes):
            raise errors[0]
        return copies.encode(found)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        found = self._copies(module_data, context)
        found.add(self._noted(found).late)
        self._complete(found)
        late = partial(self._end_late, found)
        with Writing(found, self._needed(found), stream, self._hanging, self._patience, late) as writing:
            try:
                with ExitStack() as turn:
                    try:
                        writing.read()
                        turn.enter_context(self._turns.of(found.key))
                        writing.publish()
                        self._keep(found, writing)
                    except BaseException:
                        self._undo(found, writing)
                        raise
            finally:
                for name, error in writing.failed.items():
                    self._failed(name, error)
        if self._journal is None and writing.had_old:  # another process may have stored it at the same time
            self._healer(Report()).heal(found, {}, is_kept=True)

    def available(self, context: Context, module_data: str) -> bool:
        found = self._copies(module_data, context)
        try:
            return self._is_available(found)
        except OSError:  # somebody may be changing it just now
            with self._turns.of(found.key):
                return self._is_available(found)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return self._open(self._copies(module_data, context))

    def delete(self, context: Context, module_data: str) -> None:
        found = self._copies(module_data, context)
        with self._turns.of(found.key):
            noted = None
            try:
                noted = self._noted(found)
                found.add(noted.late)
            except OSError:  # to delete must not need space; but what the journal alone knows must be known
                if len(found.inners) < len(self._stores):
                    raise
            self._delete(found, noted)

    def get_size(self, context: Context, module_data: str) -> int:
        with self._open(self._copies(module_data, context)) as stream:
            return stream.seek(0, 2)

    def statistics(self, context: Context) -> Mapping[str, Any]:
        asked = {name: partial(self._statistics_of, name, context) for name in self._stores}
        with Crew(self._hanging, self._patience) as crew:
            told = crew.together(asked)
        below: dict[str, Any] = {}
        for name, found in told.items():
            below[name] = {"error": str(found)} if isinstance(found, Exception) else found
        return {
            "capacity": binding([found["capacity"] for found in below.values() if "capacity" in found], self._writes),
            "layer": self.layer,
            "writes": self._writes,
            "amiss": {} if self._journal is None else self._journal.statistics(),
            "hanging": [name for name in self._stores if name in self._hanging],
            "errors": dict(self._errors),
            "last_errors": dict(self._last_errors),
            "below": below,
        }

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        report = Report()
        healer = self._healer(report)
        if self._journal is not None:
            for module_data in self._journal.all():
                self._heal(healer, report, module_data, context, is_kept=False)
        below: dict[str, Any] = {}
        with Spool() as spool:
            for module_data in spool.through(kept):
                self._heal(healer, report, module_data, context, is_kept=True)
            for name, store in self._stores.items():
                try:
                    inner = Inner(*store.below(self, context))
                    if has_upkeep(inner):
                        below[name] = inner.upkeep(spool.read(partial(self._inner_of, name)))
                except Exception as error:  # the others need theirs all the same
                    self._failed(name, error)
                    below[name] = {"error": str(error), "wrong": 1}
        told = report.told()
        told["wrong"] += sum(found.get("wrong", 0) for found in below.values())
        return {**told, "below": below}

    def _copies(self, module_data: str, context: Context) -> Copies:
        return Copies(module_data, self._stores, self, context)

    def _needed(self, found: Copies) -> int:
        """Return how many copies an object must have; of one that was made for fewer stores there cannot be more."""
        return self._writes if self._journal is not None else min(self._writes, len(found.inners))

    def _noted(self, found: Copies) -> Noted:
        return Noted({}, {}) if self._journal is None else self._journal.of(found.key)

    def _noted_to_read(self, found: Copies) -> Noted:
        """Return what is noted of an object. Where that cannot be had, it is still absent if it is in no store."""
        try:
            noted = self._noted(found)
        except OSError:
            if any(found.look(name) is not None for name in found.inners):
                raise
            noted = Noted({}, {})
        found.add(noted.late)
        return noted

    def _in_order(self, found: Copies, amiss: Mapping[str, str]) -> list[str]:
        """Return the stores that may be read, those that hang last."""
        return sorted((name for name in found.inners if name not in amiss), key=lambda name: name in self._hanging)

    def _is_available(self, found: Copies) -> bool:
        """Tell whether enough stores have the object, in the same version.

        :raises OSError: some have it, or it cannot be told.
        """
        amiss = self._noted_to_read(found).amiss
        labels: list[Label] = []
        errors: list[Exception] = []
        for name in self._in_order(found, amiss):
            try:
                label = found.look(name)
            except Exception as error:  # a vendor's module may raise anything
                self._failed(name, error)
                errors.append(judged(name, error))
                continue
            labels += [] if label is None else [label]
            if label is not None and labels.count(label) >= self._needed(found):
                return True
        if errors:
            raise errors[0]
        if labels or LACKING in amiss.values():
            most = max((labels.count(label) for label in labels), default=0)
            reason = f"{most} copies of the object are well and the same, and {self._needed(found)} are needed"
            raise OSError(errno.EIO, f"{reason}: upkeep brings the others")
        return False

    def _open(self, found: Copies) -> MirrorStream:
        """Open the first copy that is well."""
        amiss = self._noted_to_read(found).amiss
        names = self._in_order(found, amiss)
        errors: list[Exception] = []
        for place, name in enumerate(names):
            try:
                return MirrorStream(found, name, found.open(name), names[place + 1 :], self._failed)
            except FileNotFoundError:
                continue
            except Exception as error:  # a vendor's module may raise anything
                self._failed(name, error)
                errors.append(judged(name, error))
        if errors:
            raise errors[0]
        if LACKING in amiss.values():
            raise OSError(errno.EIO, f"only {', '.join(amiss)} may have it, and not the newest: upkeep tells more")
        raise FileNotFoundError(errno.ENOENT, "the object is in none of its stores")

    def _complete(self, found: Copies) -> dict[str, Exception]:
        """Have the stores make ``module_data`` for an object that they do not know of yet, and note that.

        :returns: what went wrong, by store.
        """
        failed: dict[str, Exception] = {}
        for name in self._stores:
            if self._journal is None or name in found.inners:
                continue
            try:
                if name in self._hanging:
                    raise TimeoutError(f"{name} hangs")
                found.add({name: self._journal.name(found.key, name, found.inner(name).new_data())})
            except Exception as error:  # a vendor's module may raise anything
                self._failed(name, error)
                failed[name] = judged(name, error)
        return failed

    def _keep(self, found: Copies, writing: Writing) -> None:
        """Note what lacks the new version, before success is told."""
        if self._journal is not None:
            lacking = {name: LACKING for name in self._stores if name not in writing.kept}
            if lacking or self._noted(found).amiss:
                self._journal.note(found.key, found.module_data, lacking, writing.kept)
        writing.keep()

    def _undo(self, found: Copies, writing: Writing) -> None:
        with suppress(OSError):  # what went wrong before says more
            amiss, well = writing.undo(self._noted(found).amiss)
            if (amiss or well) and self._journal is not None:
                self._journal.note(found.key, found.module_data, amiss, well)

    def _end_late(self, found: Copies, name: str, label: Label, is_kept: bool) -> None:
        """See to what a store has published after it was given up."""
        with self._turns.of(found.key):
            try:
                shown = found.look(name)
            except DamagedError:
                shown = label
            if shown is None or shown.version != label.version:
                return
            if not is_kept or all(found.look(other) is None for other in found.inners if other != name):
                found.delete(name)  # it was not stored, or was deleted meanwhile
                return
        self._healer(Report()).heal(found, {}, is_kept=True)  # it may have come in the place of a newer one

    def _delete(self, found: Copies, noted: Noted | None) -> None:
        with Crew(self._hanging, self._patience) as crew:
            done = crew.together({name: partial(found.delete, name) for name in found.inners})
        failed = {name: judged(name, error) for name, error in done.items() if isinstance(error, Exception)}
        for name, error in failed.items():
            self._failed(name, error)
        if failed and (self._journal is None or noted is None or len(self._stores) - len(failed) < self._writes):
            raise next(iter(failed.values()))
        if failed and self._journal is not None:
            well = [name for name in self._stores if name not in failed]
            self._journal.note(found.key, found.module_data, dict.fromkeys(failed, GONE), well)
        elif self._journal is not None and (noted is None or noted.amiss or noted.late):
            with suppress(OSError):  # all is deleted: upkeep finds that, too
                self._journal.forget(found.key)

    def _statistics_of(self, name: str, context: Context) -> Mapping[str, Any]:
        return Inner(*self._stores[name].below(self, context)).statistics()

    def _inner_of(self, name: str, module_data: str) -> str | None:
        try:
            key, inners = copies.decode(module_data)
        except ValueError:
            return None  # it was counted as wrong
        if name not in inners and self._journal is not None:
            inners.update(self._journal.of(key).late)
        return inners.get(name)

    def _healer(self, report: Report) -> Healer:
        return Healer(self._journal, self._turns, report)

    def _heal(self, healer: Healer, report: Report, module_data: str, context: Context, *, is_kept: bool) -> None:
        try:
            found = self._copies(module_data, context)
            found.add(self._noted(found).late)
        except (ValueError, OSError) as error:
            report.note_wrong(module_data, error)
            return
        healer.heal(found, self._complete(found), is_kept=is_kept)

    def _failed(self, name: str, error: BaseException) -> None:
        """Note what went wrong in a store."""
        self._errors[name] += 1
        self._last_errors[name] = f"{type(error).__name__}: {error}"
