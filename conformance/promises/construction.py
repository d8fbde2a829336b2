"""The constructor, and what a host offers in ``context``."""

import gc
import inspect
import threading
import weakref

from conformance.harness import Harness
from conformance.requirements import Capability, requires
from modules import StorageModule

__all__ = ["Construction"]


class Construction(Harness):
    """Making an instance"""

    def test_unknown_arguments_are_refused(self) -> None:
        """refuse arguments that it does not know, that are missing or that cannot work, with an error that
        names the argument
        """
        cls = type(self.module)
        if cls.__init__ is StorageModule.__init__:
            self.skipTest("a module without a constructor: the host refuses all arguments itself")
        with self.assertRaises(ValueError) as caught:
            cls(no_such_argument=1)
        names = ["no_such_argument", *inspect.signature(cls).parameters]
        self.assertTrue(any(name in str(caught.exception) for name in names), f"names none: {caught.exception}")

    @requires(Capability.PROCESSES)
    def test_stored_data_is_left_as_it_is(self) -> None:
        """leave stored data as it is."""
        module_data = self.put(b"here before")
        self.make_module()
        self.assert_holds(module_data, b"here before", self.make_module())

    def test_no_thread_is_started(self) -> None:
        """take nothing that a ``fork`` would break (a thread, a connection)"""
        before = set(threading.enumerate())
        module = self.make_module()
        self.assertEqual(set(threading.enumerate()) - before, set(), module)


class _Offer(dict[str, object]):
    """A context that can be seen to be forgotten."""

    __slots__ = ("__weakref__",)


class Offered(Harness):
    """The host's context"""

    def test_unknown_entries_are_ignored(self) -> None:
        """A host may offer more; a module ignores what it does not know."""
        functions = {**self.context["func"], "getNothing": None}
        self.context = {"func": functions, "version": 99}
        self.assert_holds(self.put(b"data"), b"data")
        self.module.statistics(self.context)

    def test_nothing_of_the_context_is_kept(self) -> None:
        """keeps nothing of it after the call."""
        kept = _Offer(self.context)
        watch = weakref.ref(kept)
        self.context = kept
        module_data = self.put(b"data")
        self.assert_holds(module_data, b"data")
        self.module.statistics(kept)
        self.module.copy_data(kept, self.new(), module_data)
        self.module.delete(kept, module_data)
        self.context = {**kept}
        del kept
        gc.collect()
        self.assertIsNone(watch(), "the context of a call that has returned is still referred to")
