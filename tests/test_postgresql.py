"""The server that the tests have for themselves."""

import unittest

import sqlalchemy as sa

from tests import postgresql
from tests.guard import left_behind
from tests.postgresql import Postgresql, fresh_database, needs_postgresql

MAKE = sa.text("CREATE TABLE words (word text)")
ADD = sa.text("INSERT INTO words VALUES (:word)")
READ = sa.text("SELECT word FROM words")


@needs_postgresql
class PostgresqlTest(unittest.TestCase):
    def connect(self, url: str) -> sa.Connection:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        connection = engine.connect()
        self.addCleanup(connection.invalidate)  # without a ROLLBACK, for which a server would have to be there
        return connection

    def test_each_database_is_new_and_empty_and_holds_all_characters(self) -> None:
        for _ in range(2):
            connection = self.connect(fresh_database(self))
            connection.execute(MAKE)  # it is not there yet
            connection.execute(ADD, {"word": "żółw 🐢"})
            self.assertEqual(connection.scalars(READ).all(), ["żółw 🐢"])
            connection.commit()

    def test_a_database_can_be_a_copy_of_another_one(self) -> None:
        first = fresh_database(self)
        connection = self.connect(first)
        connection.execute(MAKE)
        connection.execute(ADD, {"word": "copied"})
        connection.commit()
        connection.invalidate()
        second = postgresql.server().database(like=first)
        self.addCleanup(postgresql.server().drop, second)
        copy = self.connect(second)
        copy.execute(ADD, {"word": "more"})
        self.assertEqual(copy.scalars(READ).all(), ["copied", "more"])
        self.assertEqual(self.connect(first).scalars(READ).all(), ["copied"])

    def test_a_database_is_dropped_with_its_test_even_if_it_is_in_use(self) -> None:
        class InnerTest(unittest.TestCase):
            def runTest(self) -> None:  # noqa: N802 (the name is unittest's)
                self.url = fresh_database(self)

        inner = InnerTest()
        with self.subTest("in use"):
            url = fresh_database(inner)
            self.connect(url)
            inner.doCleanups()
            self.assertRaisesRegex(sa.exc.OperationalError, "does not exist", self.connect, url)
        with self.subTest("not in use"):
            result = unittest.TestResult()
            inner.run(result)
            self.assertTrue(result.wasSuccessful(), result.errors)
            self.assertRaisesRegex(sa.exc.OperationalError, "does not exist", self.connect, inner.url)

    def test_what_was_committed_outlives_a_kill_and_nothing_else_does(self) -> None:
        server = Postgresql()
        self.addCleanup(server.stop)
        url = server.database()
        connection = self.connect(url)
        connection.execute(MAKE)
        connection.execute(ADD, {"word": "committed"})
        connection.commit()
        connection.execute(ADD, {"word": "not yet"})
        server.kill()
        self.assertRaises(sa.exc.OperationalError, self.connect, url)
        server.start()
        self.assertEqual(self.connect(url).scalars(READ).all(), ["committed"])
        self.assertIn("automatic recovery in progress", server.log())

    def test_no_server_outlives_its_process_and_each_process_has_its_own(self) -> None:
        ours = postgresql.server()
        self.assertEqual(left_behind("from tests import postgresql\nserver = postgresql.server()"), [])
        self.assertIs(postgresql.server(), ours)
        self.assertEqual(self.connect(fresh_database(self)).scalar(sa.text("SELECT 1")), 1)
