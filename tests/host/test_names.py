"""Names that are moved and removed, also while others do so, and who sees them."""

import functools
from collections.abc import Callable
from unittest import mock

from host.catalogue.account import Account
from host.cloud import Cloud
from host.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from host.vault import Facts, Target
from host.wire.conditions import Conditions
from host.wire.path import Path
from tests.host.cloud import where
from tests.host.named import NamesTest
from tests.host.threads import at_once


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
            self.move("/cdmi/o", "/cdmi/q", conditions=Conditions(match=(f'"{etag}"',)))
        self.move("/cdmi/o", "/cdmi/p", conditions=Conditions(match=(f'"{etag}"',)))
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
            self.names.remove(self.alice, where("/cdmi/o"), Conditions(match=('"other"',)))
        with self.assertRaises(NotFound):
            self.names.remove(self.alice, where("/cdmi/o/"))
        self.names.remove(self.alice, where("/cdmi/o"), Conditions(match=(f'"{etag}"',)))
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

    def test_two_processes_and_upkeep_at_once_wait_for_each_other_in_no_circle(self) -> None:
        self.cloud.accounts.put("bob", password="p", policy="default")
        accounts = [self.alice, self.account("bob")]
        clouds = [self.cloud, self.open()]
        for account in accounts:
            self.names.make_container(account, where("/cdmi/a/"), {})

        def user(cloud: Cloud, account: Account) -> None:
            for number in range(6):
                try:
                    target = Target(account, where(f"/cdmi/a/o{number % 2}"))
                    cloud.vault.store(target, self.body(), Facts)
                    inner = cloud.names.make_container(account, where("/cdmi/a/"), {}, is_inside=True)
                    cloud.vault.store(Target(account, self.by_id(inner.id, "o")), self.body(), Facts)
                    cloud.names.move(account, self.by_id(inner.id), where("/cdmi/b/"), Facts())
                    cloud.names.copy_container(account, inner, where(f"/cdmi/c{number}/"), None)
                    cloud.names.remove(account, where("/cdmi/b/"))
                except (Conflict, NotFound):
                    continue

        def upkeep(cloud: Cloud) -> None:
            for _ in range(6):
                cloud.upkeep.reap(grace=0)

        users = [functools.partial(user, cloud, account) for cloud in clouds for account in accounts]
        with mock.patch("host.names._AT_ONCE", 1):
            outcomes = at_once(*users, *users, *[functools.partial(upkeep, cloud) for cloud in clouds])
        self.assertEqual(outcomes, [None] * 10)
        clouds[1].vault.close()
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
