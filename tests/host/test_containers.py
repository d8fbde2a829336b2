"""Containers that are copied, also while others change what is copied."""

from collections.abc import Callable
from typing import Any
from unittest import mock

from sqlalchemy.exc import OperationalError

from host.catalogue import contents
from host.errors import Conflict, Full, NotFound
from host.names import Names
from host.vault import Facts
from tests.host.cloud import where
from tests.host.named import NamesTest


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
        self.while_copying(lambda: self.store("/cdmi/c"))
        with self.assertRaises(Conflict):
            self.copy("/cdmi/a/", "/cdmi/c/")
        self.assertEqual(self.hidden(), [])
        self.assert_sound()
        self.assertEqual(self.stored(), [b"data", b"o"])

    def while_copying(self, work: Callable[[], object]) -> None:
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

        self.while_copying(look)
        self.copy("/cdmi/a/", "/cdmi/c/")

    def test_a_copy_that_was_given_up_is_not_taken_for_whole(self) -> None:
        self.container("/cdmi/a/", *"opqr")

        def give_up() -> None:
            self.cloud.upkeep._bury(2**40)
            (row,) = self.hidden()
            with self.cloud.catalogue.writing() as connection:
                self.assertEqual(contents.clear(connection, row.node, 2), 2)

        self.while_copying(give_up)
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

        self.while_copying(mock.patch.object(self.cloud.catalogue, "commit", commit_then_raise).start)
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
        self.while_copying(lambda: self.names.remove(self.alice, where("/cdmi/b/")))
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
