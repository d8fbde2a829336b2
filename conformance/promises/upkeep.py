"""stands_on and upkeep, which a module may leave to its base class."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from conformance.harness import Harness
from conformance.processes import Parent
from conformance.requirements import Capability, requires
from conformance.streams import Pieces, random_bytes
from modules import StorageModule

__all__ = ["Standing", "Upkeep"]

_A_WHILE = 0.5  # seconds in which what waits for nothing is through


class _Beside:
    """``work`` in a thread of its own. A module may have it wait for what goes on meanwhile."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._thread.join(_A_WHILE)

    def end(self, patience: float) -> None:
        """Wait for its end, and raise what it raised."""
        self._thread.join(patience)
        if self._thread.is_alive():
            raise AssertionError(f"a thread did not end within {patience:g} s: it hangs")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # raised by end
            self._error = error


class Standing(Harness):
    """stands_on"""

    def test_every_module_that_it_gets_is_named(self) -> None:
        """return each name that it ever calls ``getModule`` with."""
        asked: set[str] = set()

        def get_module(name: str) -> StorageModule:
            asked.add(name)
            return self.get_module(name)

        self.context = {"func": {**self.context["func"], "getModule": get_module}}
        module_data = self.put(random_bytes(1000))
        self.assert_holds(module_data, random_bytes(1000))
        self.module.copy_data(self.context, self.new(), module_data)
        self.module.statistics(self.context)
        self.module.upkeep(self.context, iter([module_data]))
        self.module.delete(self.context, module_data)
        self.assertLessEqual(asked, self._named(), "names that getModule was called with")

    def test_names_come_in_a_list(self) -> None:
        """names; none, as this method returns, where it has a storage of its own."""
        names = self.module.stands_on(self.context)
        self.assertNotIsInstance(names, str)
        self.assertEqual({type(name) for name in names} - {str}, set(), "the types of names")
        self.assertEqual(list(self.module.stands_on(self.context)), list(names), "when it was asked again")

    def _named(self) -> set[str]:
        """Return the names of all modules below."""
        named: set[str] = set()
        waiting = [self.module]
        while waiting:
            new = set(waiting.pop().stands_on(self.context)) - named
            named |= new
            waiting += [self.get_module(name) for name in new]
        return named


class Upkeep(Harness):
    """upkeep"""

    def test_upkeep_changes_no_object(self) -> None:
        """treat what is not among ``kept`` as well as what is: it may be stored just now, or belong to another host."""
        data = [b"", b"ends in zeros" + bytes(5000), random_bytes(100_000), bytes(5000)]
        kept = {self.put(each): each for each in data}
        later = self.new()
        for named in (kept, [], list(kept)[::2], kept):
            self.upkeep(*named)
            for module_data, each in kept.items():
                self.assert_holds(module_data, each)
        self.put(b"stored later", later)
        self.upkeep(*kept)
        self.assert_holds(later, b"stored later")

    def test_what_is_stored_during_upkeep_stays(self) -> None:
        """treat what is not among ``kept`` as well as what is: it may be stored just now, or belong to another host."""
        kept, stored = [self.put(b"here before") for _ in range(3)], [self.new() for _ in range(3)]
        writers: list[_Beside] = []

        def named() -> Iterator[str]:
            for old, new in zip(kept, stored, strict=True):
                writers.append(_Beside(partial(self.put, b"meanwhile", new)))
                yield old

        self.module.upkeep(self.context, named())
        for writer, new in zip(writers, stored, strict=False):  # none, if it leaves them unread
            writer.end(self.patience)
            self.assert_holds(new, b"meanwhile")
        for old in kept:
            self.assert_holds(old, b"here before")

    def test_upkeep_leaves_uploads_alone(self) -> None:
        """It takes nothing for garbage that it has not noted as such itself."""
        data, module_data, other = random_bytes(300_000), self.new(), self.put(b"other")
        beside: list[_Beside] = []

        def pieces() -> Iterator[bytes]:
            yield data[:200_000]
            beside.append(_Beside(partial(self.upkeep, other)))
            yield data[200_000:]

        self.put_from(Pieces(pieces()), module_data)
        beside[0].end(self.patience)
        self.assert_holds(module_data, data)

    def test_upkeep_goes_on_after_an_object_that_is_gone(self) -> None:
        """After one object that is not well it goes on to the next."""
        kept = [self.put(b"data") for _ in range(4)]
        self.module.delete(self.context, kept[1])
        read: list[str] = []

        def named() -> Iterator[str]:
            for module_data in kept:
                read.append(module_data)
                yield module_data

        self.module.upkeep(self.context, named())
        self.assertIn(len(read), (0, 4), "of four objects, those that it looked at")

    def test_upkeep_is_told_in_json(self) -> None:
        """what was done, for an administrator to see: what ``json.dumps`` takes."""
        for _ in range(2):
            told = json.loads(json.dumps(self.upkeep(self.put(b"data")), allow_nan=False))
            self.assertIsInstance(told, dict)
            self.assertIs(type(told.get("wrong", 0)), int, "wrong")
            self.assertEqual(told.get("wrong", 0), 0, "wrong, where all is well")

    @requires(Capability.PROCESSES)
    def test_upkeep_by_two_processes_at_once(self) -> None:
        """*Concurrency:* it may be called by several processes at once."""
        kept = [self.put(b"data") for _ in range(3)]

        def work(parent: Parent) -> str:
            def named() -> Iterator[str]:
                yield kept[0]
                parent.tell("in the middle")
                parent.wait()
                yield from kept[1:]

            self.make_module().upkeep(self.context, named())
            return "done"

        with self.fork(work) as child:
            if child.answer() == "in the middle":  # else it leaves them unread, as it may
                mine = _Beside(partial(self.upkeep, *kept))
                child.go_on()
                self.assertEqual(child.answer(), "done")
                mine.end(self.patience)
        for module_data in kept:
            self.assert_holds(module_data, b"data")

    def upkeep(self, *kept: str) -> Mapping[str, Any]:
        """Have the module do its upkeep, with ``kept`` as a host gives them: once."""
        return self.module.upkeep(self.context, iter(kept))
