"""Accounts and passwords."""

from unittest import mock

from host.accounts import Accounts
from tests.host.cloud import CloudTest


class AccountsTest(CloudTest):
    def test_a_password_is_hashed_once_and_then_known(self) -> None:
        accounts = Accounts(self.cloud.engine)
        with mock.patch.object(accounts, "_hasher", wraps=accounts._hasher) as hasher:
            for _ in range(5):
                self.assertIsNotNone(accounts.authenticate("alice", "wonder"))
            self.assertEqual(hasher.verify.call_count, 1)
            self.assertIsNone(accounts.authenticate("alice", "wrong"))
            self.assertIsNone(accounts.authenticate("nobody", "wonder"))
            self.assertEqual(hasher.verify.call_count, 3)

    def test_a_changed_password_is_not_known_any_more_in_any_process(self) -> None:
        other = Accounts(self.cloud.engine)
        self.assertIsNotNone(other.authenticate("alice", "wonder"))
        self.cloud.accounts.put("alice", password="changed")
        self.assertIsNone(other.authenticate("alice", "wonder"))
        self.assertIsNotNone(other.authenticate("alice", "changed"))

    def test_no_password_is_kept(self) -> None:
        raw = b"".join(path.read_bytes() for path in self.directory.glob("catalogue*"))
        self.assertNotIn(b"wonder", raw)
        self.assertIn(b"$argon2id$", raw)
