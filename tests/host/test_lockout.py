"""Pauses after wrong passwords."""

import time
from unittest import mock

from sqlalchemy import select

from host.accounts import Accounts
from host.catalogue.schema import failures
from host.errors import TooMany
from tests.host.cloud import CloudTest
from tests.host.threads import at_once

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class LockoutTest(CloudTest):
    """Time stands still, but for what the tests let pass."""

    def setUp(self) -> None:
        super().setUp()
        self.now = float(int(time.time()))
        self.enterContext(mock.patch("time.time", lambda: self.now))
        self.enterContext(mock.patch("time.monotonic", lambda: self.now))
        self.accounts = self.cloud.accounts

    def other(self) -> Accounts:
        """Return the accounts as another process has them."""
        return Accounts(self.cloud.catalogue, 0)

    def guess(self, times: int = 1, name: str = "alice", address: str = HERE) -> None:
        for _ in range(times):
            self.assertIsNone(self.accounts.authenticate(name, "wrong", address))

    def lock_out(self, name: str = "alice", address: str = HERE) -> None:
        """Guess until there is a pause of four seconds."""
        self.guess(5, name, address)
        for pause in (1, 2):
            self.now += pause
            self.guess(1, name, address)

    def pause(self, name: str = "alice", address: str = HERE) -> int:
        """Return for how many seconds no password is looked at; 0 if one is."""
        with mock.patch.object(self.accounts, "_verify", side_effect=ZeroDivisionError):
            try:
                self.accounts.authenticate(name, "neither right nor wrong", address)
            except TooMany as refused:
                seconds = int(refused.headers["Retry-After"])
                self.assertIn(f"{seconds} seconds", str(refused))
                return seconds
            except ZeroDivisionError:
                return 0
        raise AssertionError("it was known")

    def test_some_wrong_passwords_are_free_and_then_pauses_grow(self) -> None:
        pauses = []
        for _ in range(20):
            self.guess()
            pauses.append(self.pause())
            self.now += max(0, pauses[-1] - 1)
        # What is left of a pause is rounded up to the next second, so that nobody comes too early.
        self.assertEqual(pauses, [0] * 4 + [min(2**number, 300) + 1 for number in range(16)])

    def test_in_a_pause_the_right_password_is_not_looked_at_either(self) -> None:
        self.guess(5)
        self.assertGreater(self.pause(), 0)
        self.now += 2
        self.assertIsNotNone(self.accounts.authenticate("alice", "wonder", HERE))

    def test_who_is_known_already_is_paused_with_the_others_from_there(self) -> None:
        self.assertIsNotNone(self.accounts.authenticate("alice", "wonder", HERE))
        self.lock_out()
        with self.assertRaises(TooMany):
            self.accounts.authenticate("alice", "wonder", HERE)

    def test_another_address_and_another_name_are_not_locked_out(self) -> None:
        self.lock_out()
        self.assertGreater(self.pause(), 0)
        self.assertIsNotNone(self.accounts.authenticate("alice", "wonder", ELSEWHERE))
        self.assertIsNotNone(self.accounts.authenticate("administrator", "root", HERE))

    def test_a_right_password_forgives(self) -> None:
        self.guess(4)
        self.assertIsNotNone(self.accounts.authenticate("alice", "wonder", HERE))
        self.guess(4)
        self.assertEqual(self.pause(), 0)
        with self.cloud.catalogue.reading() as connection:
            self.assertEqual(connection.scalar(select(failures.c.count)), 4)

    def test_one_that_is_known_does_not_forgive_what_is_not_asked(self) -> None:
        self.accounts.authenticate("alice", "wonder", ELSEWHERE)
        self.guess(4)
        self.assertIsNotNone(self.accounts.authenticate("alice", "wonder", ELSEWHERE))
        self.guess()
        self.assertGreater(self.pause(), 0)

    def test_all_processes_know(self) -> None:
        other = self.other()
        other.authenticate("alice", "wonder", HERE)
        self.lock_out()
        self.now += 1
        with self.assertRaises(TooMany):
            other.authenticate("alice", "wonder", HERE)

    def test_guesses_at_the_same_time_are_all_counted(self) -> None:
        processes = [self.other() for _ in range(4)]
        works = [lambda each=each: each.authenticate("alice", "wrong", HERE) for each in processes]
        self.assertEqual(at_once(*works), [None] * 4)
        with self.cloud.catalogue.reading() as connection:
            self.assertEqual(connection.scalar(select(failures.c.count)), 4)

    def test_guesses_at_the_same_time_in_one_process_wait_for_each_other(self) -> None:
        outcomes = at_once(*[lambda: self.accounts.authenticate("alice", "wrong", HERE)] * 12)
        looked_at = [outcome for outcome in outcomes if outcome is None]
        self.assertEqual(len(looked_at), 5, outcomes)
        self.assertEqual(sum(isinstance(outcome, TooMany) for outcome in outcomes), 7)

    def test_unknown_names_behave_the_same(self) -> None:
        for name in ("nobody", "x" * 1000, "ü" * 100):
            self.guess(4, name)
            self.assertEqual(self.pause(name), 0)
            self.guess(1, name)
            self.assertGreater(self.pause(name), 0)
            self.now += 10

    def test_a_name_that_comes_to_be_is_paused_like_any_other(self) -> None:
        self.lock_out("bob")
        self.accounts.put("bob", password="p", policy="default")
        with self.assertRaises(TooMany):
            self.accounts.authenticate("bob", "p", HERE)

    def test_what_was_long_ago_is_forgotten(self) -> None:
        self.lock_out()
        self.now += 3600
        self.cloud.upkeep.reap()
        self.guess()
        self.assertGreater(self.pause(), 2)
        self.now += 2 * 3600
        self.cloud.upkeep.reap()
        self.guess(4)
        self.assertEqual(self.pause(), 0)
