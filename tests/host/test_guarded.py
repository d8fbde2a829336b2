"""Modules that hang, and what others still get."""

import io
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

from host import guarded
from host.body import Body
from host.errors import HostError, TryAgain
from host.guarded import Guards
from host.vault import Facts, Stored
from modules import Context
from tests.host.cloud import CloudTest, where
from tests.host.threads import at_once, wait_until
from tests.host.vendor import Memory


class GuardTest(unittest.TestCase):
    def setUp(self) -> None:
        self.guard = Guards(2).of(("name", ""))
        self.go = threading.Event()
        self.order: list[str] = []

    def stay(self, name: str) -> Callable[[], str]:
        """Return a work that stays inside until all may go."""

        def work() -> str:
            with self.guard.inside():
                self.order.append(f"{name} in")
                self.go.wait(60)
                self.order.append(f"{name} out")
            return name

        return work

    def inside(self) -> int:
        return len(self.guard._since)

    def test_what_hangs_gets_no_more_threads_however_many_modules_it_is(self) -> None:
        guards = Guards(6)
        first, second, third = (guards.of((name, "")) for name in "abc")
        with mock.patch.object(guarded, "_PATIENCE", 10.0):
            first._since = dict.fromkeys(range(4), 0.0)  # since long ago
            second._since = dict.fromkeys(range(4, 6), 0.0)
            for guard in (first, second):
                with self.assertRaises(TryAgain), guard.inside():
                    pass
            with third.inside():
                self.assertEqual(len(third._since), 1)
                self.assertTrue(third._is_full())
            second._since = {4: time.monotonic(), 5: time.monotonic()}
            self.assertTrue(second._is_full())
            first._since = {}
            self.assertFalse(second._is_full())

    def test_one_waits_for_a_place_and_gets_it(self) -> None:
        def last() -> str:
            wait_until(lambda: self.inside() == 2)
            threading.Timer(0.01, self.go.set).start()
            return self.stay("c")()

        self.assertEqual(at_once(self.stay("a"), self.stay("b"), last), ["a", "b", "c"])
        self.assertIn("out", self.order[2])
        self.assertEqual(self.inside(), 0)

    def test_one_waits_no_longer_than_for_the_time_in_which_a_module_answers(self) -> None:
        def late() -> str:
            wait_until(lambda: self.inside() == 2)
            try:
                return self.stay("c")()
            finally:
                self.go.set()

        with mock.patch.object(guarded, "_PATIENCE", 0.05):
            outcomes = at_once(self.stay("a"), self.stay("b"), late)
        self.assertEqual(outcomes[:2], ["a", "b"])
        self.assertRegex(str(outcomes[2]), "'name' does not answer")
        self.assertIsInstance(outcomes[2], TryAgain)

    def test_nobody_waits_for_those_that_hang(self) -> None:
        def late() -> str:
            wait_until(lambda: self.inside() == 2)
            try:
                with (
                    mock.patch.object(guarded, "_PATIENCE", -1.0),
                    mock.patch.object(self.guard._left, "wait", side_effect=AssertionError),
                ):
                    return self.stay("c")()
            finally:
                self.go.set()

        self.assertIsInstance(at_once(self.stay("a"), self.stay("b"), late)[2], TryAgain)

    def test_some_go_in_at_once(self) -> None:
        def late() -> str:
            wait_until(lambda: self.inside() == 2)
            self.guard.enter(at_once=True)
            self.go.set()
            self.guard.leave()
            return "c"

        self.assertEqual(at_once(self.stay("a"), self.stay("b"), late), ["a", "b", "c"])

    def test_who_is_outside_for_a_while_has_no_place(self) -> None:
        with self.guard.inside():
            self.assertEqual(self.inside(), 1)
            with self.guard.outside():
                self.assertEqual(self.inside(), 0)
            self.assertEqual(self.inside(), 1)
        self.assertEqual(self.inside(), 0)

    def test_who_raises_leaves(self) -> None:
        for manager in (self.guard.inside, self.guard.inside, self.guard.inside):
            with self.assertRaises(ZeroDivisionError), manager():
                raise ZeroDivisionError
        with self.assertRaises(ZeroDivisionError), self.guard.inside(), self.guard.outside():
            raise ZeroDivisionError
        self.assertEqual(self.inside(), 0)


class Hanging(Memory):
    """Hangs in the method of that name, until it may go on."""

    method = ""
    hung = 0
    go = threading.Event()

    def __init__(self) -> None:
        self._hang("__init__")
        super().__init__()

    def _hang(self, method: str) -> None:
        if method == self.method:
            Hanging.hung += 1
            Hanging.go.wait(60)

    def new_data(self, context: Context) -> str:
        self._hang("new_data")
        return super().new_data(context)

    def assign(self, context: Context, module_data: str, stream: Any) -> None:
        super().assign(context, module_data, stream)
        self._hang("assign")

    def get_read_stream(self, context: Context, module_data: str) -> io.BytesIO:
        self._hang("get_read_stream")
        return super().get_read_stream(context, module_data)

    def get_size(self, context: Context, module_data: str) -> int:
        self._hang("get_size")
        return super().get_size(context, module_data)


class HangingTest(CloudTest):
    """Eight threads, as many as a server has, want something of a module that hangs."""

    def setUp(self) -> None:
        super().setUp()
        self.configure("hanging", "tests.host.test_guarded.Hanging")
        self.cloud.accounts.put("bob", password="builder", policy="hanging")
        self.assertEqual(self.of_bob("PUT", b"old"), 201)
        Hanging.go, Hanging.hung = threading.Event(), 0
        self.addCleanup(Hanging.go.set)

    def of_bob(self, method: str, body: bytes | None = None) -> int:
        status: int = self.call(method, "/cdmi/o", body, user="bob:builder").status_code
        return status

    def eight(self, hangs: str, work: Callable[[], int]) -> list[int]:
        """Return the statuses that eight threads got, of which some hang for as long as others are served."""

        def alice() -> int:
            guard = self.cloud.loader._guards.of(("hanging", ""))
            wait_until(lambda: len(guard._since) == 6)
            with mock.patch.object(guarded, "_PATIENCE", -1.0):
                with self.assertLogs("host.application", "ERROR"):
                    self.assertEqual([work(), work()], [503, 503])  # these, too, come back
                self.assertEqual(self.put("/cdmi/a", b"of alice").status_code // 100, 2)
                self.assertEqual(self.call("GET", "/cdmi/a").content, b"of alice")
            Hanging.go.set()
            return 0

        with mock.patch.object(Hanging, "method", hangs):
            *statuses, others = at_once(*[work] * 6, alice)
        self.assertEqual(others, 0)
        return statuses

    def test_others_are_served_and_all_recovers(self) -> None:
        for method in ("new_data", "assign", "get_size"):
            with self.subTest(method):
                Hanging.go, Hanging.hung = threading.Event(), 0
                self.cloud.vault.close()  # so that new identities are needed
                with mock.patch("host.reservations._MOST", 1):
                    self.assertEqual(self.eight(method, lambda: self.of_bob("PUT", b"newer")), [204] * 6)
                self.assertGreaterEqual(Hanging.hung, 1)
                self.assertEqual(self.of_bob("GET"), 200)
        self.assert_sound()

    def test_readers_of_others_are_served_and_all_recovers(self) -> None:
        for method in ("get_read_stream", "get_size"):
            with self.subTest(method):
                Hanging.go, Hanging.hung = threading.Event(), 0
                self.assertEqual(self.eight(method, lambda: self.of_bob("GET")), [200] * 6)
                self.assertEqual(Hanging.hung, 6)

    def test_a_constructor_that_hangs_holds_no_more(self) -> None:
        kept = self.cloud.loader.instance("hanging")
        self.cloud.loader._instances.clear()

        def construct(module: Hanging) -> None:
            module._hang("__init__")
            module.__dict__.update(kept.__dict__)

        with mock.patch.object(Hanging, "__init__", construct):
            self.assertEqual(self.eight("__init__", lambda: self.of_bob("GET")), [200] * 6)
        self.assertEqual(Hanging.hung, 1)

    def test_clients_that_are_slow_do_not_count(self) -> None:
        slow, go = threading.Semaphore(0), threading.Event()

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                slow.release()
                go.wait(60)
                return super().read(size)

        def upload(number: int) -> Stored:
            target = self.target(f"/cdmi/s{number}")
            return self.cloud.vault.store(target, Body(Slow(b"slow"), 4), Facts)

        def quick() -> Any:
            for _ in range(12):
                slow.acquire(timeout=60)
            try:
                with mock.patch.object(guarded, "_PATIENCE", -1.0):
                    self.store("/cdmi/quick")
                    return self.call("GET", "/cdmi/quick").content
            finally:
                go.set()

        outcomes = at_once(*[lambda n=n: upload(n) for n in range(12)], quick)
        self.assertEqual([type(outcome) for outcome in outcomes], [Stored] * 12 + [bytes], outcomes)
        self.assert_sound()

    def test_a_copy_within_one_module_needs_no_second_place(self) -> None:
        self.store(content=b"data")
        node = self.cloud.names.find(self.account(), where("/cdmi/o"))
        assert node is not None
        with mock.patch.object(self.cloud.loader._guards, "most", 1):
            self.cloud.vault.copy(self.target("/cdmi/p"), node, Facts())
        self.assertEqual(self.call("GET", "/cdmi/p").content, b"data")

    def test_a_stream_that_hangs_is_closed_all_the_same(self) -> None:
        self.store(content=b"data")
        node = self.cloud.names.find(self.account(), where("/cdmi/o"))
        assert node is not None
        window = self.cloud.vault.open(node.data)
        guard = self.cloud.loader._guards.of(("default", ""))
        with mock.patch.object(self.cloud.loader._guards, "most", 1), mock.patch.object(guarded, "_PATIENCE", -1.0):
            with mock.patch.object(guard, "_since", {0: 0.0}), self.assertRaises(HostError):
                self.cloud.vault.open(node.data)
            window.close()
