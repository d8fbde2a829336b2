"""Identities that are noted before they are used."""

import threading
from unittest import mock

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from host import reservations
from host.catalogue import contents
from host.catalogue.schema import data
from host.errors import Failed
from host.reservations import Reservation, Reservations
from modules import Context
from tests.host.cloud import MODULES, CloudTest
from tests.host.threads import at_once
from tests.host.vendor import Failing, Memory


class ReservationsTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.configure("new", "tests.host.vendor.Failing")
        self.reservations = Reservations(self.cloud.catalogue, self.cloud.loader, "this")
        self.addCleanup(self.reservations.release)
        module = self.cloud.loader.instance("new")
        assert isinstance(module, Memory)
        self.module = module

    def noted(self, state: str = "pending") -> list[str]:
        """Return the module_data of the rows in a state."""
        query = select(data.c.module_data).where(data.c.state == state).order_by(data.c.id)
        with self.cloud.catalogue.reading() as connection:
            return list(connection.scalars(query))

    def take(self, count: int = 1) -> list[Reservation]:
        return [self.reservations.take("new") for _ in range(count)]

    def test_an_identity_is_pending_before_it_is_used(self) -> None:
        (taken,) = self.take()
        self.assertEqual((taken.module, taken.location, taken.others, taken.module_data), ("new", "", (), "1"))
        self.assertEqual(self.noted(), ["1"])
        with self.cloud.catalogue.reading() as connection:
            row = connection.execute(select(data).where(data.c.id == taken.id)).one()
        self.assertEqual((row.module, row.module_data, row.process, row.size), ("new", "1", "this", 0))

    def test_who_is_busy_notes_more_and_more_at_a_time(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9), mock.patch.object(reservations, "_MOST", 4):
            self.take(20)
            noted = self.noted()
        self.assertEqual(len(noted), 2 + 5 * 4)

    def test_who_is_not_busy_notes_one(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 0.0):
            self.take(5)
        self.assertEqual(len(self.noted()), 5)

    def test_no_identity_is_given_twice(self) -> None:
        outcomes = at_once(*[lambda: self.take(10)] * 8)
        taken = [each.id for outcome in outcomes for each in outcome]
        self.assertEqual((len(taken), len(set(taken))), (80, 80))

    def test_what_was_not_used_is_given_up(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9):
            used = {each.module_data for each in self.take(4)}
        unused = set(self.noted()) - used
        self.assertGreater(len(unused), 0)
        with mock.patch.object(Failing, "delete", autospec=True) as delete:
            self.reservations.release()
        self.assertEqual((set(self.noted()), self.noted("garbage")), (used, []))
        self.assertEqual({call.args[2] for call in delete.call_args_list}, unused)
        self.assertNotIn(self.take()[0].module_data, unused)

    def test_what_cannot_be_deleted_when_it_is_given_up_waits_for_upkeep(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9):
            self.take(4)
        with mock.patch.object(Failing, "errors", {"delete": OSError()}):
            self.reservations.release()
        self.assertEqual((len(self.noted()), len(self.noted("garbage"))), (4, 2))
        self.cloud.upkeep.reap()
        self.assertEqual(self.noted("garbage"), [])

    def test_what_nobody_uses_for_a_while_is_given_up(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9):
            self.take(4)
        noted = self.noted()
        self.reservations.give_up_idle()
        self.assertEqual(self.noted(), noted)
        with mock.patch.object(reservations, "_IDLE", -1.0):
            self.reservations.give_up_idle()
        self.assertEqual(len(self.noted()), 4)
        self.assertNotIn(self.take()[0].module_data, noted)

    def test_what_cannot_be_given_up_now_is_so_the_next_time(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9):
            self.take(4)
        with mock.patch.object(contents, "abandon", side_effect=OperationalError("", {}, Exception("away"))):
            self.reservations.release()
        self.assertGreater(len(self.noted()), 4)
        self.reservations.give_up_idle()
        self.assertEqual(len(self.noted()), 4)

    def test_a_module_that_is_used_no_more_can_be_removed(self) -> None:
        self.cloud.accounts.put("alice", policy="new")
        with mock.patch.object(reservations, "_BUSY", 1e9):
            for name in "abc":
                self.put(f"/cdmi/{name}")
                self.call("DELETE", f"/cdmi/{name}")
        self.cloud.accounts.put("alice", policy="default")
        self.cloud.upkeep.reap(grace=0)
        self.assert_refused(self.admin("DELETE", f"{MODULES}/new"), 409)
        with mock.patch.object(reservations, "_IDLE", -1.0):
            self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.admin("DELETE", f"{MODULES}/new").status_code, 204)

    def test_a_change_of_the_configuration_gives_up_what_was_noted_under_the_old_one(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9):
            old = self.take(4)
            unused = set(self.noted()) - {each.module_data for each in old}
            self.cloud.registry.configure("new", "tests.host.vendor.Failing", "", {"far": {}, "near": {}})
            (taken,) = self.take()
        self.assertNotEqual(taken.edition, old[0].edition)
        self.assertEqual((taken.location, taken.others), ("far", ("near",)))
        self.assertFalse(unused & set(self.noted()))

    def test_what_a_thread_notes_while_the_configuration_changes_is_used_once_and_kept_for_nobody(self) -> None:
        new_data = Failing.new_data
        others: list[Reservation] = []

        def change(module: Failing, context: Context) -> str:
            with mock.patch.object(Failing, "new_data", new_data):
                if not others:
                    self.cloud.registry.configure("new", "tests.host.vendor.Failing", "changed", {"": {}})
                    others.extend(self.take())
                return new_data(module, context)

        with mock.patch.object(reservations, "_BUSY", 1e9):
            first = self.take(2)
            with mock.patch.object(Failing, "new_data", change):
                second = self.take()
        self.assertEqual([each.edition == first[0].edition for each in (*second, *others)], [True, False])
        self.reservations.release()
        used = sorted(each.module_data for each in (*first, *second, *others))
        self.assertEqual(sorted(self.noted()), used)

    def test_a_thread_that_hangs_holds_up_no_other(self) -> None:
        hangs, goes_on = threading.Event(), threading.Event()
        new_data = Failing.new_data

        def hang(module: Failing, context: object) -> str:
            if not hangs.is_set():
                hangs.set()
                goes_on.wait(60)
            return new_data(module, {"func": {}})

        def others() -> list[Reservation]:
            hangs.wait(60)
            try:
                return self.take(5)
            finally:
                goes_on.set()

        with mock.patch.object(Failing, "new_data", hang):
            first, second = at_once(self.take, others)
        self.assertEqual((len(first), len(second)), (1, 5))

    def test_a_module_that_gives_none_or_is_not_there_notes_nothing(self) -> None:
        with mock.patch.object(Failing, "errors", {"new_data": KeyError()}), self.assertRaises(Failed):
            self.take()
        with self.assertRaisesRegex(Failed, "not configured"):
            self.reservations.take("none")
        self.assertEqual(self.noted(), [])

    def test_what_a_dead_process_had_noted_is_deleted(self) -> None:
        with mock.patch.object(reservations, "_BUSY", 1e9):
            self.take(4)
        self.assertGreater(len(self.noted()), 4)
        self.bury()
        self.assertEqual((self.noted(), self.noted("garbage")), ([], []))
