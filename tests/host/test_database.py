"""Transactions."""

from sqlalchemy import text

from host.database import reading
from tests.host.cloud import CloudTest


class SqliteTest(CloudTest):
    def test_a_commit_survives_a_power_cut_and_references_hold(self) -> None:
        expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        with reading(self.cloud.engine) as connection:
            found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in expected}
        self.assertEqual(found, expected)
