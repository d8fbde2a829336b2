"""Accounts and passwords."""

import hmac
import time
from typing import Any
from unittest import mock

import argon2
from sqlalchemy import select, text

from host import accounts as room
from host.accounts import ADMINISTRATOR, Accounts
from host.catalogue.schema import accounts as table
from host.errors import Conflict, Forbidden, Invalid, NotFound
from tests.host.cloud import CloudTest, where
from tests.host.threads import at_once


class PasswordsTest(CloudTest):
    def other(self) -> Accounts:
        """Return the accounts as another process has them."""
        return Accounts(self.cloud.catalogue, 0)

    def test_a_password_is_hashed_once_and_then_known(self) -> None:
        accounts = self.other()
        with mock.patch.object(accounts, "_hasher", wraps=accounts._hasher) as hasher:
            for _ in range(5):
                self.assertIsNotNone(accounts.authenticate("alice", "wonder"))
            self.assertEqual(hasher.verify.call_count, 1)
            self.assertIsNone(accounts.authenticate("alice", "wrong"))
            self.assertIsNone(accounts.authenticate("nobody", "wonder"))
            self.assertEqual(hasher.verify.call_count, 3)

    def test_a_password_is_hashed_as_owasp_has_it(self) -> None:
        with mock.patch.object(room, "PasswordHasher", argon2.PasswordHasher):
            hashed = self.other()._hasher.hash("wonder")
        parameters = argon2.extract_parameters(hashed)
        self.assertEqual(parameters.type, argon2.Type.ID)
        self.assertEqual((parameters.memory_cost, parameters.time_cost, parameters.parallelism), (19 * 1024, 2, 1))

    def test_a_wrong_password_is_never_known_nor_one_that_is_like_it(self) -> None:
        for number, wrong in enumerate(("", "wonde", "wonder ", "WONDER", "wonder\0", "ẃonder")):
            self.assertIsNone(self.cloud.accounts.authenticate("alice", "wrong" + wrong, f"192.0.2.{number}"))
            self.assertIsNone(self.cloud.accounts.authenticate("alice", wrong, f"192.0.2.{number}"))
            self.assertIsNotNone(self.cloud.accounts.authenticate("alice", "wonder"))

    def test_a_name_that_is_unknown_costs_what_a_wrong_password_costs(self) -> None:
        accounts = self.other()
        seen = []
        for name in ("alice", "nobody", "x" * 1000, "ü" * 100):
            with mock.patch.object(accounts, "_hasher", wraps=accounts._hasher) as hasher:
                self.assertIsNone(accounts.authenticate(name, "wrong"))
            seen.append([argon2.extract_parameters(call.args[0]) for call in hasher.verify.call_args_list])
        self.assertEqual(len(seen[0]), 1)
        self.assertEqual(seen, [seen[0]] * 4)

    def test_digests_are_compared_in_constant_time(self) -> None:
        self.cloud.accounts.authenticate("alice", "wonder")
        with mock.patch("hmac.compare_digest", wraps=hmac.compare_digest) as compare:
            self.cloud.accounts.authenticate("alice", "wonder")
            self.cloud.accounts.authenticate("alice", "wrong")
        self.assertEqual(compare.call_count, 2)

    def test_a_changed_password_is_not_known_any_more_in_any_process(self) -> None:
        self.assertLess(room._FRESH, 1)
        other = self.other()
        for accounts in (other, self.cloud.accounts):
            self.assertIsNotNone(accounts.authenticate("alice", "wonder"))
        self.cloud.accounts.put("alice", password="changed")
        self.assertIsNone(self.cloud.accounts.authenticate("alice", "wonder"))  # at once, where it was changed
        now = time.monotonic()
        with mock.patch("time.monotonic", lambda: now + 1):
            self.assertIsNone(other.authenticate("alice", "wonder"))
            self.assertIsNotNone(other.authenticate("alice", "changed"))

    def test_an_account_is_read_once_in_a_while_and_no_more(self) -> None:
        accounts = self.other()
        accounts.authenticate("alice", "wonder")
        with mock.patch.object(self.cloud.catalogue, "reading", side_effect=AssertionError):
            self.assertIsNotNone(accounts.authenticate("alice", "wonder"))

    def test_a_removed_account_is_not_known_any_more_in_any_process(self) -> None:
        other = self.other()
        for accounts in (other, self.cloud.accounts):
            self.assertIsNotNone(accounts.authenticate("alice", "wonder"))
        self.cloud.accounts.remove("alice")
        self.assertIsNone(self.cloud.accounts.authenticate("alice", "wonder"))
        now = time.monotonic()
        with mock.patch("time.monotonic", lambda: now + 1):
            self.assertIsNone(other.authenticate("alice", "wonder"))

    def test_memory_is_bounded_whoever_asks(self) -> None:
        accounts = self.other()
        with mock.patch.object(room, "_MOST", 5):
            for number in range(20):
                accounts.authenticate(f"nobody{number}", "wrong")
        self.assertLessEqual(len(accounts._read), 5)
        self.assertEqual(accounts._verified, {})

    def test_no_password_is_kept(self) -> None:
        with self.cloud.catalogue.reading() as connection:
            kept = "".join(connection.scalars(select(table.c.password)))
        self.assertNotIn("wonder", kept)
        self.assertEqual(kept.count("$argon2id$"), 2)


class SqliteFileTest(CloudTest):
    def test_no_password_is_in_the_file(self) -> None:
        raw = b"".join(path.read_bytes() for path in self.directory.glob("catalogue*"))
        self.assertNotIn(b"wonder", raw)
        self.assertIn(b"$argon2id$", raw)


class AccountsTest(CloudTest):
    def test_one_is_made_changed_and_shown_without_its_password(self) -> None:
        accounts = self.cloud.accounts
        self.assertTrue(accounts.put("bob", password="p", policy="default", quota=5, quota_objects=2))
        shown = {"name": "bob", "role": "user", "policy": "default", "used": 0, "objects": 0}
        self.assertEqual(accounts.describe("bob"), {**shown, "quota": 5, "quota_objects": 2})
        self.assertFalse(accounts.put("bob", quota=None, role=ADMINISTRATOR))
        self.assertEqual(accounts.describe("bob"), {**shown, "role": ADMINISTRATOR, "quota_objects": 2})
        self.assertFalse(accounts.put("bob"))
        self.assertEqual(accounts.names(), ["administrator", "alice", "bob"])

    def test_what_is_refused_changes_nothing(self) -> None:
        accounts = self.cloud.accounts
        calls: list[tuple[type[Exception], Any]] = [
            (Invalid, lambda: accounts.put("bob")),
            (Invalid, lambda: accounts.put("bob", password="p")),
            (Invalid, lambda: accounts.put("bob", policy="default")),
            (Invalid, lambda: accounts.put("bob", password="p", policy="none")),
            (Invalid, lambda: accounts.put("alice", policy="none")),
            (Forbidden, lambda: accounts.put(ADMINISTRATOR, role="user")),
            (Forbidden, lambda: accounts.remove(ADMINISTRATOR)),
            (NotFound, lambda: accounts.remove("bob")),
            (NotFound, lambda: accounts.describe("bob")),
        ]
        before = [accounts.describe(name) for name in accounts.names()]
        for error, call in calls:
            with self.assertRaises(error):
                call()
        self.assertEqual([accounts.describe(name) for name in accounts.names()], before)
        self.assert_sound()

    def test_a_state_that_is_half_a_second_old_can_be_asked_anew(self) -> None:
        account = self.cloud.accounts.authenticate("alice", "wonder")
        assert account is not None
        self.store(content=b"data")
        self.assertEqual((account.used, self.cloud.accounts.now(account).used), (0, 4))
        self.cloud.accounts.remove("alice")
        with self.assertRaises(NotFound):
            self.cloud.accounts.now(account)

    def test_one_that_is_made_again_has_nothing_of_the_old_one(self) -> None:
        self.store(content=b"secret")
        old = self.account()
        self.cloud.accounts.remove("alice")
        self.cloud.accounts.put("alice", password="wonder", policy="default")
        new = self.account()
        self.assertFalse({old.id, old.root, old.unnamed} & {new.id, new.root, new.unnamed})
        self.assertIsNone(self.cloud.names.find(new, where("/cdmi/o")))
        self.assertEqual((new.used, self.cloud.accounts.describe("alice")["objects"]), (0, 0))
        self.assert_sound()
        self.assertEqual(self.stored(), [])

    def test_administrators_at_the_same_time(self) -> None:
        for turn in range(3):
            clouds = [self.open() for _ in range(4)]
            works = [
                lambda cloud=cloud, turn=turn: cloud.accounts.put(f"bob{turn}", password="p", policy="default")
                for cloud in clouds
            ]
            outcomes = at_once(*works)
            self.assertEqual(outcomes.count(True), 1, outcomes)
            self.assertLessEqual({type(outcome) for outcome in outcomes}, {bool, Conflict}, outcomes)
        self.assert_sound()

    def test_the_unnamed_and_the_root_are_the_accounts_own(self) -> None:
        with self.cloud.catalogue.reading() as connection:
            query = text("SELECT owner FROM nodes WHERE id IN (:root, :unnamed)")
            account = self.account()
            owners = connection.scalars(query, {"root": account.root, "unnamed": account.unnamed}).all()
        self.assertEqual(owners, [account.id, account.id])
