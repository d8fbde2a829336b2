"""A process that dies between any two steps loses nothing and leaves nothing behind."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

from sqlalchemy import Connection

from host.body import Body
from host.cloud import Cloud
from host.guarded import Guard, GuardedModule, _Calling
from host.moving import Choice, Moving
from host.streams import Window
from host.vault import Facts
from tests.host.cloud import CloudTest, where

Act = Callable[[Cloud], object]


class Dead(BaseException):
    """What a process that has died does."""


class Life:
    """Counts the steps of a process, and ends with the one of number ``last``."""

    def __init__(self, last: int) -> None:
        self._left = last
        self.is_over = False

    def step(self) -> None:
        """Do one more step, or die. Whatever a process wants to do after its death, it does not."""
        self._left -= 1
        self.is_over = self.is_over or self._left < 0
        if self.is_over:
            raise Dead


class Stepping(GuardedModule):
    """A module each of whose calls is two steps: what went before the call, and the way back."""

    life: Life

    def live(self, life: Life) -> None:
        """Let each call be steps of ``life``."""
        self.life = life
        self._calling = SteppingCall(self._guard, life)

    def open(self, *arguments: Any, **more: Any) -> Window:
        self.life.step()  # and none on the way back, where nobody would close the stream
        return GuardedModule(self._module, self._guard, self._context).open(*arguments, **more)


class SteppingCall(_Calling):
    """Around a call that is two steps."""

    def __init__(self, guard: Guard, life: Life) -> None:
        super().__init__(guard)
        self._life = life

    def __enter__(self) -> None:
        self._life.step()
        super().__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, at: Any) -> None:
        super().__exit__(kind, error, at)
        if error is None:
            self._life.step()


class Dying(io.BytesIO):
    """A body whose reads are steps."""

    def __init__(self, data: bytes, life: Life) -> None:
        super().__init__(data)
        self._life = life

    def read(self, size: int | None = -1, /) -> bytes:
        self._life.step()
        return super().read(size)


class CrashTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.life = Life(0)

    @contextmanager
    def living(self, cloud: Cloud, life: Life) -> Iterator[None]:
        """Let what ``cloud`` does be steps: each transaction's begin, what comes before its commit, and its end."""
        writing, guarded = cloud.catalogue.writing, cloud.loader.guarded

        @contextmanager
        def stepping() -> Iterator[Connection]:
            life.step()
            with writing() as connection:
                yield connection
                life.step()
            life.step()

        def stepping_module(name: str, location: str) -> GuardedModule:
            module = guarded(name, location)
            made = Stepping(module._module, module._guard, module._context)
            made.live(life)
            return made

        with (
            mock.patch.object(cloud.catalogue, "writing", stepping),
            mock.patch.object(cloud.loader, "guarded", stepping_module),
        ):
            yield

    def tree(self) -> dict[str, Any]:
        """Return what alice sees: the content of each object by its path, None for containers."""
        found: dict[str, Any] = {}

        def walk(path: str) -> None:
            node = self.cloud.names.find(self.account(), where(path))
            assert node is not None
            for page in self.cloud.names.pages(node):
                for name in page:
                    inner = f"{path}{name}"
                    found[inner] = None if name.endswith("/") else self.call("GET", inner).content
                    if name.endswith("/"):
                        walk(inner)

        walk("/cdmi/")
        return found

    def assert_all_or_nothing(self, prepare: Act, act: Act, steps: int) -> None:
        """Assert that an act that ends after any of its steps, of which there are at least ``steps``, is done as a
        whole or not at all, and that nothing is left of it."""
        number, seen = 0, set()
        while True:
            self.begin(prepare)
            before = self.tree()
            victim, life = self.open(), Life(number)
            self.life = life
            with self.living(victim, life), suppress(Dead):
                act(victim)
            self.assert_sound()
            after = self.tree()
            if not life.is_over:
                break
            seen.add(after == before)
            if after != before:
                self.assert_whole(prepare, act, after)
            number += 1
            victim.close()
        self.assertGreaterEqual(number, steps)
        self.assertEqual(seen, {True, False} if after != before else {True})

    def begin(self, prepare: Act) -> None:
        """Give alice nothing but what ``prepare`` makes."""
        for name in list(self.tree()):
            if name.count("/") == 2 + name.endswith("/"):
                self.cloud.names.remove(self.account(), where(name))
        prepare(self.cloud)

    def assert_whole(self, prepare: Act, act: Act, after: dict[str, Any]) -> None:
        """Assert that it looks as it does when nothing goes wrong."""
        self.begin(prepare)
        self.life = Life(10**9)
        act(self.cloud)
        self.assertEqual(self.tree(), after)

    def some(self, cloud: Cloud) -> None:
        self.store("/cdmi/o", b"old")
        cloud.names.make_container(self.account(), where("/cdmi/c/"), {})
        self.store("/cdmi/c/p", b"in c")
        cloud.names.make_container(self.account(), where("/cdmi/c/d/"), {})
        self.store("/cdmi/c/d/q", b"in d")

    def storing(self, path: str) -> Act:
        def act(cloud: Cloud) -> None:
            body = Body(Dying(b"newer", self.life), 5)
            cloud.vault.store(self.target(path), body, Facts)

        return act

    def test_an_object_is_stored(self) -> None:
        self.assert_all_or_nothing(self.some, self.storing("/cdmi/new"), 10)

    def test_an_object_is_replaced(self) -> None:
        self.assert_all_or_nothing(self.some, self.storing("/cdmi/o"), 10)

    def test_an_object_is_stored_under_an_id(self) -> None:
        def act(cloud: Cloud) -> None:
            body = Body(Dying(b"newer", self.life), 5)
            cloud.vault.store(self.target("/cdmi/c/", is_inside=True), body, Facts)

        # The id is another one each time, so it is not compared.
        with mock.patch.object(self, "assert_whole"):
            self.assert_all_or_nothing(self.some, act, 10)

    def test_an_upload_that_fails(self) -> None:
        def act(cloud: Cloud) -> None:
            body = Body(Dying(b"new", self.life), 5)  # less than it says
            with self.assertRaisesRegex(Exception, "the body ended"):
                cloud.vault.store(self.target("/cdmi/new"), body, Facts)

        self.assert_all_or_nothing(self.some, act, 10)

    def test_an_object_is_copied(self) -> None:
        def act(cloud: Cloud) -> None:
            node = cloud.names.find(self.account(), where("/cdmi/c/p"))
            assert node is not None
            cloud.vault.copy(self.target("/cdmi/o"), node, Facts())

        self.assert_all_or_nothing(self.some, act, 10)

    def test_objects_are_moved(self) -> None:
        def act(cloud: Cloud) -> None:
            Moving(cloud, Choice("default", "default")).run(1, lambda moved: None)

        self.assert_all_or_nothing(self.some, act, 30)

    def test_a_container_is_copied(self) -> None:
        def act(cloud: Cloud) -> None:
            node = cloud.names.find(self.account(), where("/cdmi/c/"))
            assert node is not None
            cloud.names.copy_container(self.account(), node, where("/cdmi/copy/"), None)

        self.assert_all_or_nothing(self.some, act, 30)

    def test_a_container_is_made_moved_and_removed(self) -> None:
        def make(cloud: Cloud) -> None:
            cloud.names.make_container(self.account(), where("/cdmi/new/"), {})

        def move(cloud: Cloud) -> None:
            cloud.names.move(self.account(), where("/cdmi/c/"), where("/cdmi/moved/"), Facts())

        def remove(cloud: Cloud) -> None:
            cloud.names.remove(self.account(), where("/cdmi/c/"))

        for act in (make, move, remove):
            with self.subTest(act.__name__):
                self.assert_all_or_nothing(self.some, act, 3)

    def test_an_object_is_moved_over_another_one_and_removed(self) -> None:
        def move(cloud: Cloud) -> None:
            cloud.names.move(self.account(), where("/cdmi/c/p"), where("/cdmi/o"), Facts())

        def remove(cloud: Cloud) -> None:
            cloud.names.remove(self.account(), where("/cdmi/o"))

        for act in (move, remove):
            with self.subTest(act.__name__):
                self.assert_all_or_nothing(self.some, act, 3)

    def test_upkeep_itself(self) -> None:
        def prepare(cloud: Cloud) -> None:
            self.some(cloud)
            with mock.patch("host.names._AT_ONCE", 1):
                cloud.names.remove(self.account(), where("/cdmi/c/"))
            self.store("/cdmi/o", b"newer")

        self.assert_all_or_nothing(prepare, lambda cloud: cloud.upkeep.reap(grace=0), 10)

    def test_an_account_is_removed(self) -> None:
        number = 0
        while True:
            self.cloud.accounts.put("bob", password="builder", policy="default")
            self.call("PUT", "/cdmi/o", b"of bob", user="bob:builder")
            victim, life = self.open(), Life(number)
            with self.living(victim, life), suppress(Dead):
                victim.accounts.remove("bob")
            self.assert_sound()
            is_there = "bob" in self.cloud.accounts.names()
            self.assertEqual(len(self.stored()), int(is_there))
            if not life.is_over:
                break
            number += 1
        self.assertEqual((number, is_there), (3, False))
