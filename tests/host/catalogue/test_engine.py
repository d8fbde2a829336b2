"""Transactions: several acts in one, and what is left of them when one fails, or all do."""

import sqlite3
import subprocess
import sys
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

from sqlalchemy import Connection, event, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from host.catalogue import engine, tree
from host.catalogue.engine import Catalogue, told
from host.catalogue.schema import failures
from host.errors import Full, TryAgain
from tests.host.cloud import CloudTest
from tests.host.postgresql import OnPostgresql
from tests.host.threads import at_once, wait_until
from tests.postgresql import needs_postgresql, server
from tests.server import ROOT, environment

Work = Callable[[Connection], Any]


def adding(name: str, count: int = 1) -> Work:
    """Return an act that writes a row, and returns its name."""

    def work(connection: Connection) -> str:
        connection.execute(insert(failures).values(name=name, address="", count=count, until=0))
        return name

    return work


def raising(error: BaseException) -> Work:
    """Return an act that writes a row, and then raises."""

    def work(connection: Connection) -> None:
        adding("undone")(connection)
        raise error

    return work


class EngineTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.catalogue = self.cloud.catalogue

    def rows(self) -> list[str]:
        with self.catalogue.reading() as connection:
            return list(connection.scalars(select(failures.c.name).order_by(failures.c.name)))

    def together(self, *works: Work, orders: list[int] | None = None) -> list[Any]:
        """Have ``works`` wait in this order for a transaction, and return what came of each."""
        catalogue, numbers = self.catalogue, iter(range(1, len(works) + 1))
        orders = orders or [0] * len(works)
        with catalogue._turn:  # nobody begins before all wait

            def each() -> None:
                number = next(numbers)
                wait_until(lambda: len(catalogue._waiting) == number)
                if number == len(works):
                    catalogue._turn.release()

            def commit(work: Work, order: int) -> Callable[[], Any]:
                return lambda: catalogue.commit(work, order)

            outcomes = at_once(*map(commit, works, orders), each=each)
            catalogue._turn.acquire()
        return outcomes


class GroupCommitTest(EngineTest):
    def setUp(self) -> None:
        super().setUp()
        self.commits = 0
        event.listen(self.catalogue.engine, "commit", self.count)

    def count(self, connection: Connection) -> None:
        self.commits += 1

    def test_what_many_threads_want_is_done_in_one_transaction(self) -> None:
        names = [f"n{number:02}" for number in range(20)]
        self.assertEqual(self.together(*map(adding, names)), names)
        self.assertEqual((self.rows(), self.commits), (names, 1))

    def test_all_is_done_also_if_there_is_more_than_one_transaction_takes(self) -> None:
        names = [f"n{number}" for number in range(7)]
        with mock.patch.object(engine, "_TOGETHER", 2):
            self.assertEqual(self.together(*map(adding, names)), names)
        self.assertEqual((self.rows(), self.commits), (names, 4))

    def test_one_whose_turn_it_is_before_all_that_came_first_are_done_is_done_too(self) -> None:
        def commit(name: str) -> Callable[[], Any]:
            return lambda: self.catalogue.commit(adding(name))

        def first() -> None:
            wait_until(lambda: len(self.catalogue._waiting) == 3)
            self.assertEqual(self.catalogue.commit(adding("first")), "first")
            self.catalogue._turn.release()

        self.catalogue._turn.acquire()
        steps = iter([lambda: None, lambda: None, first])
        with mock.patch.object(engine, "_TOGETHER", 2):
            self.assertEqual(at_once(*map(commit, "abc"), each=lambda: next(steps)()), ["a", "b", "c"])
        self.assertEqual(self.rows(), ["a", "b", "c", "first"])

    def test_each_thread_gets_what_its_own_act_returned_without_being_held_up(self) -> None:
        names = [f"n{number:02}" for number in range(40)]
        works = [lambda name=name: self.catalogue.commit(adding(name)) for name in names]
        self.assertEqual(at_once(*works), names)
        self.assertEqual(self.rows(), names)

    def test_one_that_raises_undoes_its_own_alone(self) -> None:
        error = ZeroDivisionError()
        self.assertEqual(self.together(adding("a"), raising(error), adding("b")), ["a", error, "b"])
        self.assertEqual(self.rows(), ["a", "b"])

    def test_one_that_the_database_refuses_undoes_its_own_alone(self) -> None:
        first, second, third = self.together(adding("a"), adding("a"), adding("b"))
        self.assertEqual((first, type(second), third), ("a", IntegrityError, "b"))
        self.assertEqual(self.rows(), ["a", "b"])

    def test_one_that_raises_when_it_is_alone_undoes_all(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            self.catalogue.commit(raising(ZeroDivisionError()))
        self.assertEqual(self.rows(), [])
        self.catalogue.commit(adding("a"))
        self.assertEqual(self.rows(), ["a"])

    def test_acts_are_done_in_their_order_and_those_of_one_order_as_they_came(self) -> None:
        done: list[str] = []
        works = [lambda connection, name=name: done.append(name) for name in "abcde"]
        self.together(*works, orders=[3, 1, 2, 1, 3])
        self.assertEqual("".join(done), "bdcae")

    def test_a_commit_that_fails_fails_all_but_those_that_have_failed_already(self) -> None:
        error, broken = ZeroDivisionError(), OperationalError("COMMIT", {}, Exception("the disk"))

        def fail(connection: Connection) -> None:
            raise broken

        event.listen(self.catalogue.engine, "commit", fail)
        self.assertEqual(self.together(adding("a"), raising(error), adding("b")), [broken, error, broken])
        event.remove(self.catalogue.engine, "commit", fail)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.catalogue.commit(adding("c")), "c")

    def test_a_transaction_that_cannot_begin_fails_all(self) -> None:
        broken = OperationalError("BEGIN", {}, Exception("the disk"))
        with mock.patch.object(self.catalogue, "writing", side_effect=broken):
            self.assertEqual(self.together(adding("a"), adding("b")), [broken, broken])
        self.assertEqual(self.together(adding("a"), adding("b")), ["a", "b"])

    def test_an_interrupt_of_one_thread_fails_all_and_holds_up_nobody(self) -> None:
        outcomes = self.together(adding("a"), raising(KeyboardInterrupt()), adding("b"))
        self.assertEqual([type(outcome) for outcome in outcomes], [KeyboardInterrupt] * 3)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.catalogue.commit(adding("c")), "c")

    def test_a_catalogue_that_was_closed_opens_again(self) -> None:
        self.catalogue.commit(adding("a"))
        self.catalogue.close()
        self.assertEqual(self.rows(), ["a"])
        self.assertEqual(self.catalogue.commit(adding("b")), "b")


class SqliteTest(EngineTest):
    def test_a_commit_survives_a_power_cut_and_references_hold(self) -> None:
        expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
        catalogue = Catalogue(self.catalogue.url)
        self.addCleanup(catalogue.close)
        with catalogue.writing() as connection:
            connection.execute(select(failures))
        with catalogue.reading() as connection:
            found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in expected}
        self.assertEqual(found, expected)

    def test_a_transaction_that_sqlite_gives_up_as_a_whole_fails_all(self) -> None:
        def give_up(connection: Connection) -> None:
            connection.execute(text("INSERT OR ROLLBACK INTO failures VALUES ('a', '', 1, 0)"))

        outcomes = self.together(adding("a"), give_up, adding("b"))
        self.assertEqual([isinstance(outcome, SQLAlchemyError) for outcome in outcomes], [True] * 3, outcomes)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.together(adding("a"), adding("b")), ["a", "b"])

    def test_what_is_acknowledged_when_the_disk_is_full_is_there(self) -> None:
        with self.catalogue.writing() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
        limit = [pages + 4]
        event.listen(
            self.catalogue.engine,
            "begin",
            lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {limit[0]}"),
        )

        def fill(connection: Connection) -> None:
            connection.execute(text("UPDATE nodes SET metadata = :much"), {"much": "x" * 1_000_000})

        first, second, third = self.together(adding("a"), fill, adding("b"))
        self.assertIsInstance(told(second), Full)
        acknowledged = [outcome for outcome in (first, third) if not isinstance(outcome, Exception)]
        self.assertEqual(self.rows(), acknowledged)
        self.assertTrue(all(isinstance(told(each), Full) for each in (first, third) if each not in acknowledged))
        limit[0] = pages + 1000
        self.assertEqual(self.catalogue.commit(adding("c")), "c")


HOLDING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO failures VALUES ('other', '', 1, 0)")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("committed", flush=True)
sys.stdin.readline()
"""


class ClosingSqliteTest(EngineTest):
    """The last one who has the file open is closing it, for which it locks it."""

    def test_who_opens_it_waits(self) -> None:
        self.catalogue.close()
        self.cloud.catalogue.close()
        other = sqlite3.connect(str(self.catalogue.url.database), check_same_thread=False)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        end = threading.Timer(0.3, other.close)
        end.start()
        with self.catalogue.writing() as connection:
            adding("a")(connection)
        end.join()
        self.assertEqual(self.rows(), ["a"])


class BusySqliteTest(EngineTest):
    """Another process has a transaction."""

    def setUp(self) -> None:
        super().setUp()
        command = [sys.executable, "-c", HOLDING, str(self.catalogue.url.database)]
        self.other = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.end)
        assert self.other.stdout is not None
        self.assertEqual(self.other.stdout.readline(), "held\n")

    def end(self) -> None:
        self.other.kill()
        self.other.communicate()

    def let_go(self) -> None:
        assert self.other.stdin is not None
        self.other.stdin.write("\n")
        self.other.stdin.flush()

    def test_a_transaction_waits_for_that_of_another_process(self) -> None:
        asked = threading.Event()
        wait = time.sleep

        def sleep(seconds: float) -> None:
            asked.set()
            wait(seconds)

        def release() -> str:
            asked.wait(60)
            self.assertEqual(self.rows(), [])  # and nobody who reads waits
            self.let_go()
            return "released"

        with mock.patch.object(time, "sleep", sleep):
            self.assertEqual(at_once(lambda: self.catalogue.commit(adding("a")), release), ["a", "released"])
        self.assertEqual(self.rows(), ["a", "other"])

    def test_one_that_waits_for_too_long_is_told_to_try_again(self) -> None:
        with mock.patch.object(engine, "_BUSY", 0.05), self.assertRaises(OperationalError) as caught:
            self.catalogue.commit(adding("a"))
        answer = told(caught.exception)
        self.assertIsInstance(answer, TryAgain)
        self.assertEqual(str(answer), "the catalogue is busy: try again")
        self.assertIs(answer.__cause__, caught.exception)
        self.let_go()
        self.assertEqual(self.catalogue.commit(adding("a")), "a")

    def test_what_another_process_committed_is_seen_at_once(self) -> None:
        self.assertEqual(self.rows(), [])
        self.let_go()
        assert self.other.stdout is not None
        self.assertEqual(self.other.stdout.readline(), "committed\n")
        self.assertEqual(self.rows(), ["other"])


@needs_postgresql
class LostConnectionTest(OnPostgresql, EngineTest):
    def end_all(self) -> None:
        """End every other connection to the database, as a server does that is restarted."""
        other = Catalogue(self.catalogue.url)
        self.addCleanup(other.close)
        every = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with other.writing() as connection:
            connection.execute(text(f"{every} AND pid <> pg_backend_pid()"))

    def test_a_connection_that_is_lost_fails_all(self) -> None:
        def lose(connection: Connection) -> None:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        outcomes = self.together(adding("a"), lose, adding("b"))
        self.assertEqual([type(told(outcome)) for outcome in outcomes], [TryAgain] * 3, outcomes)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.together(adding("a"), adding("b")), ["a", "b"])

    def test_a_connection_that_is_lost_in_a_prepared_statement_fails_all(self) -> None:
        def lose(connection: Connection) -> None:
            self.end_all()
            tree.lock(connection, 1)

        outcomes = self.together(adding("a"), lose, adding("b"))
        self.assertEqual([type(told(outcome)) for outcome in outcomes], [TryAgain] * 3, outcomes)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.together(adding("a"), adding("b")), ["a", "b"])

    def test_a_server_that_was_away_is_noticed_once_and_not_by_each_connection(self) -> None:
        barrier = threading.Barrier(8)

        def connect() -> None:
            with self.catalogue.reading():
                barrier.wait(60)

        at_once(*[connect] * 8)
        self.end_all()
        outcomes = [self.attempt() for _ in range(8)]
        self.assertLessEqual(sum(isinstance(outcome, Exception) for outcome in outcomes), 1, outcomes)

    def attempt(self) -> Any:
        try:
            return self.account()
        except DBAPIError as error:
            self.assertIsInstance(told(error), TryAgain)
            return error


class ToldTest(unittest.TestCase):
    def test_what_a_client_is_told_of_an_error(self) -> None:
        for code, kind in (
            (sqlite3.SQLITE_FULL, Full),
            (sqlite3.SQLITE_BUSY, TryAgain),
            (sqlite3.SQLITE_BUSY_SNAPSHOT, TryAgain),
            (sqlite3.SQLITE_LOCKED, TryAgain),
            (sqlite3.SQLITE_CORRUPT, OperationalError),
        ):
            cause = sqlite3.OperationalError("secret path")
            cause.sqlite_errorcode = code
            self.assert_told(cause, kind)

    def test_what_a_client_is_told_of_an_error_of_postgresql(self) -> None:
        for state, kind in (
            ("53100", Full),
            ("53300", TryAgain),
            ("40001", TryAgain),
            ("40P01", TryAgain),
            ("55P03", TryAgain),
            ("57P01", TryAgain),
            ("08006", TryAgain),
            ("XX001", OperationalError),
        ):
            cause = Exception("secret path")
            cause.sqlstate = state  # type: ignore[attr-defined]
            self.assert_told(cause, kind)

    def test_what_is_no_error_of_a_database_stays_what_it_is(self) -> None:
        for error in (ZeroDivisionError(), TryAgain("later")):
            self.assertIs(told(error), error)

    def assert_told(self, cause: Exception, kind: type[Exception]) -> None:
        error = OperationalError("INSERT", {}, cause)
        answer = told(error)
        self.assertIsInstance(answer, kind)
        if kind is not OperationalError:
            self.assertNotIn("secret", str(answer))
            self.assertIs(answer.__cause__, error)


@needs_postgresql
class UnreachableTest(unittest.TestCase):
    def test_a_server_or_a_database_that_is_not_there_is_tried_again(self) -> None:
        there = server().database()
        self.addCleanup(server().drop, there)
        for url in (there.replace("port=5432", "port=1"), there.replace("test_", "none_")):
            catalogue = Catalogue(url)
            with self.assertRaises(DBAPIError) as caught, catalogue.reading():
                self.fail("it is there")
            self.assertIsInstance(told(caught.exception), TryAgain)
