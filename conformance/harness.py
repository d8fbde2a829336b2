"""What every test of the kit stands on: the module, its storage, and cleaning up after both."""

import os
import tempfile
import threading
import unittest
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from conformance.interrupts import postponed
from conformance.processes import Child, Parent
from conformance.requirements import Capability, Effort, default_effort, required
from conformance.streams import Pieces
from modules import Context, Source, StorageModule

__all__ = ["Harness", "sentence"]

if TYPE_CHECKING:
    _Case = unittest.TestCase
else:
    _Case = object  # a mixin: a test runner that imports it must not collect it


class Harness(_Case):
    """A mixin for :class:`unittest.TestCase`: override :meth:`make_module`, and what else you need."""

    #: What the module honestly lacks, and why: ``{"durability": "keeps everything in memory"}``. The
    #: names are those of :class:`conformance.requirements.Capability`.
    lacks: ClassVar[Mapping[str, str]] = {}
    #: How much work is done. The environment variable CONFORMANCE_QUICK makes it less.
    effort: ClassVar[Effort] = default_effort()
    #: Seconds after which something that does not return is taken to hang.
    patience: ClassVar[float] = 30.0

    #: What could not be deleted after the tests, by ``module_data``, and why.
    undeleted: ClassVar[dict[str, str]] = {}

    #: An empty directory of this test's own, which is removed with all that is in it.
    directory: str

    def make_module(self) -> StorageModule:
        """Return a new instance of the module under test. All of a test's stand on one storage."""
        raise NotImplementedError(f"{type(self).__name__}: override make_module")

    def peek(self, module_data: str) -> bytes | None:
        """Return the data of an object, None if there is none, without the methods under test.

        A back door, for those who have one: with it a module cannot merely agree with itself.
        """
        raise NotImplementedError

    def get_module(self, name: str) -> StorageModule:
        """Return the module that ``context`` offers as ``name``, for a module that stands on others."""
        raise LookupError(f"no module is configured as {name!r}")

    def places(self) -> Sequence[str]:
        """Return the directories in which leftovers are looked for."""
        return [self.directory]

    def tidy(self) -> None:
        """Do the clean-up that follows a crash, if the module's is more than making an instance."""

    def setUp(self) -> None:
        super().setUp()
        # nose keeps every test to its end, and with it the files that a module has open.
        self.addCleanup(vars(self).pop, "module", None)
        if unknown := self.lacks.keys() - set(Capability):
            raise ValueError(f"lacks: {', '.join(unknown)}: not one of {', '.join(Capability)}")
        for capability in required(getattr(self, self._testMethodName)):
            if capability in self.lacks:
                self.skipTest(f"not claimed: {capability}: {self.lacks[capability]}")
        with postponed():
            outside = tempfile.TemporaryDirectory(prefix="conformance-")
            self._clean_up(outside.cleanup)
        self.outside = outside.name  #: a directory that is no part of the storage
        self.directory = os.path.join(outside.name, "storage")
        os.mkdir(self.directory)
        self.context: Context = {"func": {"getModule": self.get_module}}
        self._made: list[str] = []
        self._clean_up(self._delete_all)
        self.module = self.make_module()

    def shortDescription(self) -> str | None:  # noqa: N802 (the name is unittest's)
        return sentence(getattr(self, self._testMethodName)) or None

    def claims(self, capability: Capability) -> bool:
        """Tell whether the module does not say that it lacks ``capability``."""
        return capability not in self.lacks

    def new(self, module: StorageModule | None = None) -> str:
        """Return a new ``module_data``, whose data is deleted after the test."""
        module_data = str((module or self.module).new_data(self.context))
        self._made.append(module_data)
        return module_data

    def forget(self, module_data: str) -> None:
        """Do not delete ``module_data`` after the test: it is done."""
        self._made.remove(module_data)

    def put(self, data: bytes, module_data: str | None = None, module: StorageModule | None = None) -> str:
        """Assign ``data`` to ``module_data``, by default a new one, and return that."""
        module_data = self.new() if module_data is None else module_data
        self.put_from(Pieces([data]), module_data, module)
        return module_data

    def put_from(self, source: Source, module_data: str, module: StorageModule | None = None) -> None:
        """Assign what ``source`` gives to ``module_data``."""
        (module or self.module).assign(self.context, module_data, source)

    def has_copies(self) -> bool:
        """Tell whether the class of the module has a ``copy_data`` of its own, as it need not."""
        return type(self.module).copy_data is not StorageModule.copy_data

    def require_copies(self) -> None:
        """End a test as one of what is not claimed, unless the class of the module has a ``copy_data``."""
        if not self.has_copies():
            self.skipTest("not claimed: copy_data: the class leaves it out, as it may")

    def copy(self, source: str, module_data: str | None = None) -> str:
        """Copy ``source`` to ``module_data``, by default a new one, and return that.

        If the module says that it does not do it, the test ends as one of what is not claimed.
        """
        self.require_copies()
        module_data = self.new() if module_data is None else module_data
        answer: object = self.module.copy_data(self.context, module_data, source)
        if answer is False:
            self.skipTest("not claimed: copy_data: it returned False, as it may")
        self.assertIs(answer, True, "what copy_data returned")
        return module_data

    def get(self, module_data: str, module: StorageModule | None = None) -> bytes:
        """Return the whole data of an object."""
        stream = (module or self.module).get_read_stream(self.context, module_data)
        try:
            return b"".join(iter(lambda: stream.read(1024 * 1024), b""))
        finally:
            stream.close()

    def assert_holds(self, module_data: str, data: bytes, module: StorageModule | None = None) -> None:
        """Fail unless the object is ``data``, by every way of asking."""
        module = module or self.module
        self.assertIs(module.available(self.context, module_data), True, "available")
        self.assert_same(self.get(module_data, module), data)
        self.assertEqual(module.get_size(self.context, module_data), len(data), "get_size")
        if self._has_back_door():
            self.assert_same(self.peek(module_data), data)

    def assert_gives(self, module_data: str, wanted: Source) -> None:
        """Fail unless a stream of the object gives what ``wanted`` gives, without holding either."""
        stream = self.module.get_read_stream(self.context, module_data)
        self.addCleanup(stream.close)
        while piece := wanted.read(65536):
            got = b""
            while len(got) < len(piece) and (more := stream.read(len(piece) - len(got))):
                got += more
            self.assert_same(got, piece)
        self.assertEqual(stream.read(1), b"", "bytes after the end")

    def assert_absent(self, module_data: str, module: StorageModule | None = None) -> None:
        """Fail unless the object is absent, by every way of asking."""
        module = module or self.module
        self.assertIs(module.available(self.context, module_data), False, "available")
        for method in (module.get_size, module.get_read_stream):
            with self.assertRaises(FileNotFoundError, msg=method.__name__):
                method(self.context, module_data)
        if self._has_back_door():
            self.assertIsNone(self.peek(module_data), "the back door shows data")

    def assert_same(self, got: bytes | None, wanted: bytes) -> None:
        """Fail unless ``got`` is ``wanted``, and say where they differ rather than print both."""
        if got == wanted:
            return
        if not isinstance(got, bytes):
            self.fail(f"{type(got).__name__} instead of bytes")
        where = next(
            (i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted))
        )
        self.fail(f"{len(got)} bytes instead of {len(wanted)}, different from byte {where} on")

    def files(self) -> set[str]:
        """Return the paths of all files in :meth:`places`."""
        return {
            os.path.join(directory, name)
            for place in self.places()
            for directory, _, names in os.walk(place)
            for name in names
        }

    def assert_nothing_new(self, before: set[str]) -> None:
        """Fail if there are files that were not in ``before``, of :meth:`files`."""
        if new := sorted(self.files() - before):
            self.fail(f"{len(new)} files left behind, {new[0]} is one")

    def run_threads(self, *works: Callable[[], object]) -> None:
        """Run all ``works`` at once, each in a thread, and raise the first error of one."""
        errors: list[BaseException] = []

        def run(work: Callable[[], object]) -> None:
            try:
                work()
            except BaseException as error:  # handed on below
                errors.append(error)

        threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
        try:
            with postponed():
                for thread in threads:
                    thread.start()
            for thread in threads:
                thread.join(self.patience)
        except KeyboardInterrupt:
            for thread in threads:
                thread.join(self.patience)  # or they would go on storing while we clean up
            raise
        if any(thread.is_alive() for thread in threads):
            self.fail(f"a thread did not end within {self.patience:g} s: it hangs")
        if errors:
            raise errors[0]

    def fork(self, work: Callable[[Parent], object]) -> Child:
        """Return a forked process that does ``work``, and that the test does not outlive."""
        with postponed():
            child = Child(work, self.patience)
            self._clean_up(child.end)
        return child

    def _clean_up(self, function: Callable[[], object]) -> None:
        """Call ``function`` after the test: twice, as an interrupt may end the first call."""
        for _ in range(2):
            self.addCleanup(function)

    def _has_back_door(self) -> bool:
        return type(self).peek is not Harness.peek

    def _delete_all(self) -> None:
        if not self._made:
            return
        # A new instance, as the test's may be spoilt; but an in-memory module has no other.
        module = self.make_module() if self.claims(Capability.PROCESSES) else self.module
        while self._made:
            module_data = self._made[-1]
            try:
                module.delete(self.context, module_data)
            except Exception as error:  # that delete is broken is for the tests of delete to say
                self.undeleted[module_data] = f"{type(error).__name__}: {error}"
            self._made.pop()


def sentence(test: Callable[..., object]) -> str:
    """Return the sentence of the contract that ``test`` holds: the first paragraph of its docstring."""
    return " ".join((test.__doc__ or "").partition("\n\n")[0].split())
