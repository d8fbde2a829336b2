"""Names: what is moved, copied and removed, also while others do so."""

import io
from collections.abc import Callable
from contextlib import closing
from typing import Any
from unittest import mock

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from host.body import Body
from host.catalogue import contents
from host.catalogue.node import Node
from host.catalogue.schema import detached
from host.errors import Conflict, Forbidden, Full, NotFound, PreconditionFailed
from host.names import Names
from host.vault import Facts, Target
from host.wire.conditions import Conditions
from host.wire.path import Path
from tests.host.cloud import CloudTest, where
from tests.host.threads import at_once


class NamesTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.names = self.cloud.names
        self.alice = self.account()

    def container(self, path: str, *objects: str) -> Node:
        """Make a container with objects, whose data is their names."""
        made = self.names.make_container(self.alice, where(path), {})
        for name in objects:
            self.store(f"{path}{name}", name.encode())
        return made

    def listed(self, path: str = "/cdmi/") -> list[str]:
        return [name for page in self.names.pages(self.found(path)) for name in page]

    def found(self, path: str) -> Node:
        node = self.names.find(self.alice, where(path))
        assert node is not None, path
        return node

    def content(self, path: str) -> bytes:
        with closing(self.cloud.vault.open(self.found(path).data)) as window:
            return window.read()

    def move(self, source: str, to: str, facts: Facts | None = None, **more: Any) -> bool:
        return self.names.move(self.alice, where(source), where(to), facts or Facts(), **more)

    def copy(self, source: str, to: str) -> Node:
        return self.names.copy_container(self.alice, self.found(source), where(to), None)

    def by_id(self, identity: str, *names: str) -> Path:
        return Path(names, slash=False, id=identity)

    def hidden(self) -> list[Any]:
        """Return the containers that no name leads to."""
        with self.cloud.catalogue.reading() as connection:
            return list(connection.execute(select(detached)))

    def count(self, path: str = "/cdmi/") -> int:
        return self.names.count(self.found(path))


class MoveTest(NamesTest):
    def test_a_container_is_moved_with_all_below_it_and_no_data_is(self) -> None:
        self.container("/cdmi/a/", "o")
        self.container("/cdmi/a/b/", "p")
        self.container("/cdmi/c/")
        before = self.found("/cdmi/a/b/p")
        with mock.patch.object(self.cloud.loader, "guarded", side_effect=AssertionError):
            self.assertTrue(self.move("/cdmi/a/", "/cdmi/c/d/"))
            self.assertEqual(self.found("/cdmi/c/d/b/p").id, before.id)
        self.assertEqual(self.found("/cdmi/c/d/b/p"), before)
        self.assertEqual((self.listed(), self.listed("/cdmi/c/")), (["c/"], ["d/"]))
        self.assert_sound()

    def test_an_object_takes_the_place_of_another_one_and_a_container_does_not(self) -> None:
        self.container("/cdmi/a/", "o", "p")
        self.container("/cdmi/b/", "o")
        self.assertFalse(self.move("/cdmi/a/o", "/cdmi/a/p"))
        self.assertEqual((self.content("/cdmi/a/p"), self.listed("/cdmi/a/")), (b"o", ["p"]))
        for source, to in (("/cdmi/a/", "/cdmi/b/"), ("/cdmi/a/", "/cdmi/b/o"), ("/cdmi/a/p", "/cdmi/b/")):
            with self.assertRaises(Conflict):
                self.move(source, to)
        self.assertEqual(self.cloud.accounts.describe("alice")["objects"], 2)
        self.assert_sound()
        self.assertEqual(self.stored(), [b"o", b"o"])

    def test_a_container_is_not_moved_into_itself(self) -> None:
        outer = self.container("/cdmi/a/")
        inner = self.container("/cdmi/a/b/")
        for to in (where("/cdmi/a/x/"), where("/cdmi/a/b/x/"), self.by_id(outer.id, "x"), self.by_id(inner.id, "x")):
            for source in (where("/cdmi/a/"), self.by_id(outer.id)):
                with self.assertRaisesRegex(Conflict, "into itself"):
                    self.names.move(self.alice, source, to, Facts())
        self.assert_sound()

    def test_what_is_moved_to_where_it_is_stays(self) -> None:
        self.container("/cdmi/a/", "o")
        for path in ("/cdmi/a/", "/cdmi/a/o"):
            before = self.found(path)
            self.assertFalse(self.move(path, path))
            self.assertEqual(self.found(path), before)
        self.assert_sound()

    def test_two_that_are_moved_into_each_other_make_no_circle(self) -> None:
        for _ in range(5):
            self.container("/cdmi/a/")
            self.container("/cdmi/b/")
            outcomes = at_once(
                lambda: self.move("/cdmi/a/", "/cdmi/b/x/"),
                lambda: self.move("/cdmi/b/", "/cdmi/a/x/"),
            )
            self.assertEqual(sum(outcome is True for outcome in outcomes), 1, outcomes)
            (top,) = self.listed()
            self.names.remove(self.alice, where(f"/cdmi/{top}"))
        self.assert_sound()

    def test_what_is_said_of_it_changes_with_the_move(self) -> None:
        self.store("/cdmi/o")
        self.move("/cdmi/o", "/cdmi/p", Facts(mimetype="text/plain", metadata={"k": "v"}))
        node = self.found("/cdmi/p")
        self.assertEqual((node.mimetype, node.metadata), ("text/plain", {"k": "v"}))

    def test_conditions_are_of_the_place(self) -> None:
        self.store("/cdmi/o")
        etag = self.store("/cdmi/p").etag
        with self.assertRaises(PreconditionFailed):
            self.move("/cdmi/o", "/cdmi/p", conditions=Conditions(none_match=("*",)))
        with self.assertRaises(PreconditionFailed):
            self.move("/cdmi/o", "/cdmi/q", conditions=Conditions(match=(etag,)))
        self.move("/cdmi/o", "/cdmi/p", conditions=Conditions(match=(etag,)))
        self.assertEqual(self.listed(), ["p"])

    def test_what_is_not_there_or_is_the_root_is_not_moved(self) -> None:
        self.container("/cdmi/a/", "o")
        for source, to, error in (
            ("/cdmi/none", "/cdmi/x", NotFound),
            ("/cdmi/a/", "/cdmi/none/x/", NotFound),
            ("/cdmi/a/", "/cdmi/a/o/x/", Conflict),
            ("/cdmi/", "/cdmi/a/x/", Forbidden),
        ):
            with self.subTest(source=source, to=to), self.assertRaises(error):
                self.move(source, to)
        with self.assertRaises(Forbidden):
            self.names.move(self.alice, self.by_id(self.alice.unnamed), where("/cdmi/x/"), Facts())


class CopyTest(NamesTest):
    def test_a_copy_is_whole_and_of_its_own(self) -> None:
        self.container("/cdmi/a/", *"pqrs")
        self.container("/cdmi/a/b/", "o")
        self.names.change(self.alice, where("/cdmi/a/b/"), Facts(metadata={"k": "v"}))
        with mock.patch("host.names.LISTED", 2):
            made = self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual(made, self.found("/cdmi/c/"))
        self.names.remove(self.alice, where("/cdmi/a/"))
        self.assertEqual(self.listed("/cdmi/c/"), ["b/", *"pqrs"])
        self.assertEqual((self.content("/cdmi/c/b/o"), self.found("/cdmi/c/b/").metadata), (b"o", {"k": "v"}))
        self.assertEqual(self.cloud.accounts.describe("alice")["objects"], 5)
        self.assert_sound()

    def test_a_container_can_be_copied_into_itself(self) -> None:
        self.container("/cdmi/a/", "o")
        self.container("/cdmi/a/b/")
        for _ in range(2):
            self.copy("/cdmi/a/", "/cdmi/a/b/copy/")
            self.assertEqual(self.listed("/cdmi/a/b/copy/"), ["b/", "o"])
            self.move("/cdmi/a/b/copy/", "/cdmi/kept/")
            self.names.remove(self.alice, where("/cdmi/kept/"))
        self.assert_sound()

    def test_the_place_must_be_free_before_and_after(self) -> None:
        self.container("/cdmi/a/", "o")
        for to, error in (("/cdmi/a/", Conflict), ("/cdmi/a/o", Conflict), ("/cdmi/none/x/", NotFound)):
            with self.subTest(to), self.assertRaises(error):
                self.copy("/cdmi/a/", to)
        self.meanwhile(lambda: self.store("/cdmi/c"))
        with self.assertRaises(Conflict):
            self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual(self.hidden(), [])
        self.assert_sound()
        self.assertEqual(self.stored(), [b"data", b"o"])

    def meanwhile(self, work: Callable[[], object]) -> None:
        """Have something happen once all is copied, and before the copy gets its name."""
        copy = Names._copy_children

        def copy_then_work(*arguments: Any) -> None:
            copy(*arguments)
            work()

        self.enterContext(mock.patch.object(Names, "_copy_children", copy_then_work))

    def test_a_copy_that_fails_leaves_nothing(self) -> None:
        self.container("/cdmi/a/", *"opqr")
        self.container("/cdmi/a/b/", "s")
        self.cloud.accounts.put("alice", quota=8)
        with self.assertRaises(Full), mock.patch("host.names._AT_ONCE", 2):
            self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual((self.listed(), self.count()), (["a/"], 1))
        self.assert_sound()
        self.assertEqual(len(self.stored()), 5)

    def test_a_copy_is_seen_by_nobody_before_it_is_whole(self) -> None:
        self.container("/cdmi/a/", "o")

        def look() -> None:
            (row,) = self.hidden()
            self.assertIsNone(self.names.find(self.alice, where("/cdmi/c/")))
            with self.assertRaises(NotFound):
                self.names.find(self.alice, self.by_id(row.node))
            with self.assertRaises(NotFound):
                self.names.find(self.alice, self.by_id(row.node, "o"))

        self.meanwhile(look)
        self.copy("/cdmi/a/", "/cdmi/c/")

    def test_a_copy_that_was_given_up_is_not_taken_for_whole(self) -> None:
        self.container("/cdmi/a/", *"opqr")

        def give_up() -> None:
            self.cloud.upkeep._bury(2**40)
            (row,) = self.hidden()
            with self.cloud.catalogue.writing() as connection:
                self.assertEqual(contents.clear(connection, row.node, 2), 2)

        self.meanwhile(give_up)
        with self.assertRaisesRegex(NotFound, "given up"):
            self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual(self.listed(), ["a/"])
        self.assert_sound()

    def test_a_copy_whose_name_was_given_although_that_raised_stays(self) -> None:
        self.container("/cdmi/a/", "o")
        commit = self.cloud.catalogue.commit

        def commit_then_raise(*arguments: Any, **more: Any) -> None:
            commit(*arguments, **more)
            raise OperationalError("COMMIT", {}, Exception("the connection broke"))

        self.meanwhile(mock.patch.object(self.cloud.catalogue, "commit", commit_then_raise).start)
        self.addCleanup(mock.patch.stopall)
        with self.assertRaises(OperationalError):
            self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual(self.content("/cdmi/c/o"), b"o")
        self.assertEqual(self.count(), 2)
        self.assert_sound()

    def test_what_is_removed_while_it_is_copied_is_left_out(self) -> None:
        self.container("/cdmi/a/", "o", "p")
        copy = self.cloud.vault.copy

        def copy_after_a_removal(*arguments: Any) -> Any:
            if "p" in self.listed("/cdmi/a/"):
                self.names.remove(self.alice, where("/cdmi/a/p"))
            return copy(*arguments)

        with mock.patch.object(self.cloud.vault, "copy", copy_after_a_removal):
            self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual(self.listed("/cdmi/c/"), ["o"])
        self.assert_sound()

    def test_the_container_above_is_removed_meanwhile(self) -> None:
        self.container("/cdmi/a/", "o")
        self.container("/cdmi/b/")
        self.meanwhile(lambda: self.names.remove(self.alice, where("/cdmi/b/")))
        with self.assertRaises(NotFound):
            self.copy("/cdmi/a/", "/cdmi/b/c/")
        self.assert_sound()

    def test_the_account_is_removed_meanwhile(self) -> None:
        self.container("/cdmi/a/", "o")
        source = self.found("/cdmi/a/")
        self.cloud.accounts.remove("alice")
        with self.assertRaises(NotFound):
            self.names.copy_container(self.alice, source, where("/cdmi/c/"), None)
        self.assert_sound()
        self.assertEqual(self.stored(), [])


class RemoveTest(NamesTest):
    def test_what_is_too_much_for_one_transaction_is_removed_bit_by_bit(self) -> None:
        self.container("/cdmi/a/", *"opqrs")
        self.container("/cdmi/a/b/", *"op")
        inner = self.found("/cdmi/a/b/o")
        with mock.patch("host.names._AT_ONCE", 2):
            self.names.remove(self.alice, where("/cdmi/a/"))
        self.assertEqual((self.listed(), self.count()), ([], 0))
        with self.assertRaises(NotFound):
            self.names.find(self.alice, self.by_id(inner.id))
        self.assertGreater(self.cloud.accounts.describe("alice")["objects"], 0)
        with mock.patch("host.upkeep._BATCH", 3):
            self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.cloud.accounts.describe("alice")["objects"], 0)
        self.assertEqual((self.stored(), self.hidden()), ([], []))
        self.assert_sound()

    def test_what_is_below_gives_back_its_part_of_the_quota_at_once(self) -> None:
        self.container("/cdmi/a/", "o")
        self.container("/cdmi/a/b/", "p")
        self.container("/cdmi/a/b/c/", "q")
        self.names.remove(self.alice, where("/cdmi/a/"))
        self.assertEqual((self.account().used, self.hidden()), (0, []))
        self.assert_sound()

    def test_what_is_large_is_cleared_in_few_transactions_and_what_is_flat_in_small_ones(self) -> None:
        for number in range(7):
            self.container(f"/cdmi/{number}/", "o")
            self.names.remove(self.alice, where(f"/cdmi/{number}/"))
        self.container("/cdmi/a/")
        for number in range(9):
            self.container(f"/cdmi/a/{number}/")
        with mock.patch("host.names._AT_ONCE", 1):
            self.names.remove(self.alice, where("/cdmi/a/"))
        with (
            mock.patch("host.upkeep._BATCH", 4),
            mock.patch.object(self.cloud.catalogue, "writing", wraps=self.cloud.catalogue.writing) as writing,
        ):
            self.cloud.upkeep._clear()
        self.assertLess(writing.call_count, 9)
        self.assertEqual(self.hidden(), [])

    def test_the_roots_are_not_removed(self) -> None:
        for path in (where("/cdmi/"), self.by_id(self.alice.root), self.by_id(self.alice.unnamed)):
            with self.assertRaises(Forbidden):
                self.names.remove(self.alice, path)

    def test_what_was_removed_is_not_found_by_its_id(self) -> None:
        made = self.container("/cdmi/a/", "o")
        node = self.found("/cdmi/a/o")
        with mock.patch("host.names._AT_ONCE", 0):
            self.names.remove(self.alice, where("/cdmi/a/"))
        for path in (self.by_id(made.id), self.by_id(made.id, "o"), self.by_id(node.id)):
            for work in (self.names.find, self.names.remove):
                with self.assertRaises(NotFound):
                    work(self.alice, path)
        with self.assertRaises(NotFound):
            self.names.make_container(self.alice, self.by_id(made.id, "c"), {})
        with self.assertRaises(NotFound):
            self.names.move(self.alice, self.by_id(node.id), where("/cdmi/p"), Facts())
        self.assert_sound()

    def test_conditions_and_a_slash_after_an_object(self) -> None:
        etag = self.store("/cdmi/o").etag
        with self.assertRaises(PreconditionFailed):
            self.names.remove(self.alice, where("/cdmi/o"), Conditions(match=("other",)))
        with self.assertRaises(NotFound):
            self.names.remove(self.alice, where("/cdmi/o/"))
        self.names.remove(self.alice, where("/cdmi/o"), Conditions(match=(etag,)))
        self.assertEqual(self.listed(), [])

    def test_many_at_once_leave_all_that_is_counted_right(self) -> None:
        self.container("/cdmi/a/")

        def work(number: int) -> None:
            for turn in range(4):
                try:
                    self.store(f"/cdmi/a/o{(number + turn) % 3}", b"data")
                    self.names.remove(self.alice, where(f"/cdmi/a/o{number % 3}"))
                    self.move(f"/cdmi/a/o{(number + 1) % 3}", f"/cdmi/a/o{number % 3}")
                except NotFound:
                    continue

        outcomes = at_once(*[lambda n=n: work(n) for n in range(6)])
        self.assertEqual(outcomes, [None] * 6)
        self.assert_sound()


class OthersTest(NamesTest):
    """Nobody sees another's tree."""

    def test_neither_by_path_nor_by_id(self) -> None:
        self.container("/cdmi/a/", "o")
        self.cloud.accounts.put("bob", password="p", policy="default", role="administrator")
        bob = self.account("bob")
        self.assertIsNone(self.names.find(bob, where("/cdmi/a/")))
        ids = [self.alice.root, self.alice.unnamed, self.found("/cdmi/a/").id, self.found("/cdmi/a/o").id]
        calls: list[Callable[[Path], object]] = [
            lambda path: self.names.find(bob, path),
            lambda path: self.names.remove(bob, path),
            lambda path: self.names.change(bob, path, Facts(metadata={})),
            lambda path: self.names.move(bob, path, where("/cdmi/x"), Facts()),
            lambda path: self.names.make_container(bob, path, {}, is_inside=True),
            lambda path: self.names.make_container(bob, path.child("c", slash=True), {}),
        ]
        for identity in ids:
            for call in calls:
                with self.assertRaises(NotFound):
                    call(self.by_id(identity))
        self.store("/cdmi/x")
        with self.assertRaises(NotFound):
            self.names.move(self.alice, where("/cdmi/x"), self.by_id(bob.root, "x"), Facts())
        self.assert_sound()

    def test_a_removed_account_leaves_nothing(self) -> None:
        self.container("/cdmi/a/", "o", "p")
        self.cloud.vault.store(self.target("/cdmi/", is_inside=True), self.body(), Facts)
        self.cloud.accounts.put("bob", password="p", policy="default")
        self.cloud.accounts.remove("alice")
        with self.assertRaises(NotFound):
            self.cloud.vault.store(Target(self.alice, where("/cdmi/o")), self.body(), Facts)
        self.assert_sound()
        self.assertEqual(self.stored(), [])

    def body(self) -> Body:
        return Body(io.BytesIO(b"data"), 4)
