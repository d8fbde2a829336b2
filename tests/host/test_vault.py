"""Names and data, tied together, whatever a module or a client does."""

import errno
import io
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from sqlalchemy.exc import OperationalError

from host.body import BLOCK, Body
from host.catalogue import contents
from host.errors import Conflict, Failed, Full, HostError, Invalid, NotFound, PreconditionFailed, TryAgain
from host.vault import Facts, Stored
from host.wire.conditions import Conditions
from tests.files import objects_in
from tests.host.cloud import CloudTest, where
from tests.host.threads import at_once
from tests.host.vendor import Failing, Memory
from tests.sources import Breaking


class VaultTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        # One identity at a time: so what is pending is on its way.
        self.enterContext(mock.patch("host.reservations._MOST", 1))

    def use(self, cls: str) -> Memory:
        """Make ``cls`` the module of alice's new data, and return its instance."""
        self.configure("new", f"tests.host.vendor.{cls}")
        self.cloud.accounts.put("alice", policy="new")
        instance = self.cloud.loader.instance("new")
        assert isinstance(instance, Memory)
        return instance

    def store_body(self, body: Body, path: str = "/cdmi/o") -> Stored:
        return self.cloud.vault.store(self.target(path), body, Facts)

    def left(self) -> tuple[int, int]:
        """Return how many rows of data are pending, and how many are garbage."""
        states = self.states()
        return states.get("pending", 0), states.get("garbage", 0)

    def failing(self, errors: Mapping[str, Exception]) -> None:
        self.enterContext(mock.patch.object(Failing, "errors", errors))

    def test_an_object_is_new_once_and_keeps_its_id(self) -> None:
        first, second = self.store(content=b"data"), self.store(content=b"other")
        self.assertEqual((first.is_new, second.is_new, first.id == second.id), (True, False, True))
        self.assertNotEqual(first.etag, second.etag)
        self.assertEqual(self.left()[1], 1)

    def test_a_body_that_breaks_leaves_nothing(self) -> None:
        for cls in ("Memory", "Sloppy", "Swallowing"):
            module = self.use(cls)
            for body in (Body(io.BytesIO(b"123"), 10), Body(Breaking(b"123", OSError("chunk")), None)):
                with self.subTest(cls), self.assertRaises(Invalid if cls != "Sloppy" else HostError):
                    self.store_body(body)
                self.assertEqual((module.objects, self.left()), ({}, (0, 0)))
        self.assert_refused(self.call("GET", "/cdmi/o"), 404)

    def test_a_module_that_takes_a_short_read_for_the_end_is_found_out(self) -> None:
        module = self.use("Sloppy")
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.put("/cdmi/o", b"0123456789"), 500, "kept 4 bytes")
        self.assertEqual((module.objects, self.left()), ({}, (0, 0)))

    def test_errors_of_a_module_are_told_apart(self) -> None:
        self.use("Failing")
        for error, expected in (
            (OSError(errno.ENOSPC, "/secret/path"), Full),
            (OSError(errno.EDQUOT, "/secret/path"), Full),
            (TimeoutError("/secret/path"), TryAgain),
            (ConnectionResetError("/secret/path"), TryAgain),
            (OSError(errno.EROFS, "/secret/path"), TryAgain),
            (OSError(errno.EIO, "/secret/path"), Failed),
            (ValueError("/secret/path"), Failed),
            (ZeroDivisionError("/secret/path"), Failed),
        ):
            for method in ("new_data", "assign"):
                self.failing({method: error})
                with self.subTest(error=error, method=method), self.assertRaises(expected) as caught:
                    self.store_body(Body(io.BytesIO(b"data"), 4))
                self.assertNotIn("secret", str(caught.exception))
                self.assertEqual(self.left(), (0, 0))

    def test_a_text_of_a_module_reaches_the_log_and_not_the_client(self) -> None:
        self.use("Failing")
        self.failing({"assign": OSError(errno.EIO, "bad sector on /secret/path")})
        with self.assertLogs("host.application", "ERROR") as log:
            refused = self.put("/cdmi/o", b"data")
        self.assert_refused(refused, 500)
        self.assertNotIn("secret", refused.text)
        self.assertIn("/secret/path", log.output[0])
        self.assertIn(refused.json["id"], log.output[0])

    def test_a_status_for_each_kind_of_error(self) -> None:
        self.use("Failing")
        for error, status in ((OSError(errno.ENOSPC, ""), 507), (TimeoutError(), 503), (KeyError(), 500)):
            self.failing({"assign": error})
            with self.assertLogs("host.application", "ERROR"):
                refused = self.put("/cdmi/o", b"data")
            self.assert_refused(refused, status)
            self.assertEqual("retry-after" in refused.headers, status == 503)

    def test_data_that_a_failed_upload_cannot_delete_waits_for_upkeep(self) -> None:
        module = self.use("Failing")
        self.failing({"assign": OSError(errno.EIO, ""), "delete": OSError(errno.EIO, "")})
        with self.assertRaises(Failed):
            self.store_body(Body(io.BytesIO(b"data"), 4))
        self.assertEqual((list(module.objects.values()), self.left()), ([b"data"], (0, 1)))
        with self.assertLogs("host.upkeep", "ERROR"):
            self.assertEqual(self.cloud.upkeep.reap(), (0, 1))
        self.failing({})
        self.assertEqual(self.cloud.upkeep.reap(), (1, 0))
        self.assertEqual((module.objects, self.left()), ({}, (0, 0)))

    def test_a_commit_that_fails_leaves_the_old_object(self) -> None:
        self.store(content=b"old")
        broken = OperationalError("UPDATE", {}, Exception("disk"))
        with mock.patch.object(contents, "charge", side_effect=broken), self.assertRaises(OperationalError):
            self.store(content=b"newer")
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"old")
        self.assertEqual((self.stored(), self.left()), ([b"old"], (0, 0)))

    def ambiguous(self) -> Callable[..., Any]:
        """Return a ``commit`` that happens, and of which nobody hears."""
        commit = self.cloud.catalogue.commit

        def commit_then_raise(*arguments: Any, **more: Any) -> None:
            commit(*arguments, **more)
            raise OperationalError("COMMIT", {}, Exception("the connection broke"))

        return commit_then_raise

    def test_a_commit_that_happened_although_it_raised_is_kept(self) -> None:
        for content in (b"data", b"newer"):
            name = self.cloud.vault._name

            def name_then_raise(*arguments: Any, name: Any = name) -> None:
                with mock.patch.object(self.cloud.catalogue, "commit", self.ambiguous()):
                    name(*arguments)

            with mock.patch.object(self.cloud.vault, "_name", name_then_raise), self.assertRaises(OperationalError):
                self.store(content=content)
            self.assert_sound()
            self.assertEqual(self.call("GET", "/cdmi/o").content, content)

    def test_what_cannot_be_given_up_while_the_catalogue_is_away_is_given_up_later(self) -> None:
        broken = OperationalError("BEGIN", {}, Exception("away"))

        class Leaving(io.BytesIO):
            def read(inner, size: int | None = -1, /) -> bytes:  # noqa: N805 (self is the test)
                away.start()
                raise OSError("and the body broke off")

        away = mock.patch.object(self.cloud.catalogue, "writing", side_effect=broken)
        with self.assertRaises(Invalid):  # and not the catalogue's error
            self.store_body(Body(Leaving(b"data"), 4))
        with self.assertRaises(OperationalError):
            self.store()
        away.stop()
        self.assertEqual(self.left(), (1, 0))
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual((self.stored(), self.left()), ([], (0, 0)))

    def test_two_threads_at_once_give_up_what_could_not_be_given_up_before(self) -> None:
        class Emptied(deque[Any]):
            """By the other thread, after this one looked whether there was anything."""

            def __bool__(self) -> bool:
                return True

        with mock.patch.object(self.cloud.vault, "_unsettled", Emptied()):
            self.assertTrue(self.store().is_new)

    def test_a_module_that_is_gone_after_an_identity_was_taken_leaves_nothing_pending(self) -> None:
        module = self.cloud.loader.guarded("default", "")
        with (
            mock.patch.object(self.cloud.loader, "guarded", side_effect=[module, Failed("gone")]),
            self.assertRaises(Failed),
        ):
            self.store()
        self.assertEqual(self.left(), (0, 1))

    def while_reading(self, work: Callable[[], object]) -> Body:
        """Return a body during which something else happens."""

        class Meanwhile(io.BytesIO):
            def read(inner, size: int | None = -1, /) -> bytes:  # noqa: N805
                if inner.tell() == 0:
                    work()
                return super().read(size)

        return Body(Meanwhile(b"data"), 4)

    def test_a_container_that_is_removed_meanwhile_is_not_found(self) -> None:
        account = self.account()
        self.cloud.names.make_container(account, where("/cdmi/c/"), {})
        with self.assertRaises(NotFound):
            self.store_body(
                self.while_reading(lambda: self.cloud.names.remove(account, where("/cdmi/c/"))), "/cdmi/c/o"
            )
        self.assertEqual((self.stored(), self.left()), ([], (0, 0)))

    def test_an_account_that_is_removed_meanwhile_is_not_found(self) -> None:
        with self.assertRaises(NotFound):
            self.store_body(self.while_reading(lambda: self.cloud.accounts.remove("alice")))
        self.assertEqual((self.stored(), self.left()), ([], (0, 0)))
        self.assert_sound()

    def test_a_container_that_was_made_meanwhile_stands_in_the_way(self) -> None:
        account = self.account()
        with self.assertRaises(Conflict):
            self.store_body(self.while_reading(lambda: self.cloud.names.make_container(account, where("/cdmi/o/"), {})))
        self.assert_sound()

    def test_a_request_takes_place_at_its_commit(self) -> None:
        self.store_body(self.while_reading(lambda: self.store(content=b"quicker")))
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"data")
        self.assert_sound()

    def test_conditions_and_the_state_that_was_seen_must_hold_at_the_commit(self) -> None:
        for condition, error in (("conditions", PreconditionFailed), ("etag", Conflict)):
            etag = self.store(content=b"first").etag
            is_etag = condition == "etag"
            target = self.target(etag=etag) if is_etag else self.target(conditions=Conditions(match=(f'"{etag}"',)))
            self.cloud.vault.look(target)
            body = self.while_reading(lambda: self.store(content=b"quicker"))
            with self.assertRaises(error):
                self.cloud.vault.store(target, body, Facts)
            self.assertEqual(self.call("GET", "/cdmi/o").content, b"quicker")
        for more, error in (
            ({"conditions": Conditions(none_match=("*",))}, PreconditionFailed),
            ({"etag": ""}, Conflict),
        ):
            with self.assertRaises(error):
                self.cloud.vault.store(self.target(**more), Body(io.BytesIO(b"late"), 4), Facts)
        self.assert_sound()

    def test_an_upload_that_was_given_up_is_not_acknowledged(self) -> None:
        class Slow(io.BytesIO):
            def read(inner, size: int | None = -1, /) -> bytes:  # noqa: N805 (self is the test)
                with mock.patch("host.upkeep._SILENCE", -1):
                    self.cloud.upkeep.reap(grace=0)
                return super().read(size)

        with self.assertRaises(TryAgain):
            self.store_body(Body(Slow(b"data"), 4))
        self.assert_refused(self.call("GET", "/cdmi/o"), 404)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual((self.stored(), self.left()), ([], (0, 0)))

    def test_a_process_that_was_taken_for_dead_fails_one_upload_and_no_more(self) -> None:
        with mock.patch("host.reservations._MOST", 32), mock.patch("host.reservations._BUSY", 1e9):
            for _ in range(3):
                self.store()
            self.assertGreater(self.left()[0], 0)
            with mock.patch("host.upkeep._SILENCE", -1):
                self.open().upkeep.reap(grace=0)
            with self.assertRaises(TryAgain):
                self.store(content=b"late")
            self.store(content=b"again")
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"again")
        self.assert_sound()

    def test_many_writers_of_one_name_leave_one_object_whole(self) -> None:
        texts = [bytes([65 + i]) * 200_000 for i in range(6)]
        at_once(*[lambda text=text: self.store(content=text) for text in texts])
        self.assertIn(self.call("GET", "/cdmi/o").content, texts)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual((len(self.stored()), self.left()), (1, (0, 0)))

    def test_data_of_another_size_than_was_stored_is_never_served(self) -> None:
        self.put("/cdmi/o", b"0123456789")
        path = objects_in(self.objects)[0]
        path.chmod(0o600)
        path.write_bytes(b"012")
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.call("GET", "/cdmi/o"), 500)
        path.unlink()
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.call("GET", "/cdmi/o"), 500)

    def test_module_data_that_cannot_be_kept_is_refused(self) -> None:
        module = self.use("Memory")
        for made in ("x" * 4097, "ä" * 2049, "a\0b", "\ud800"):
            with mock.patch.object(module, "new_data", lambda context, made=made: made), self.assertRaises(Failed):
                self.store_body(Body(io.BytesIO(b"data"), 4))
        with mock.patch.object(module, "new_data", lambda context: 4711):
            self.store_body(Body(io.BytesIO(b"data"), 4))
        self.assertEqual(module.objects, {"4711": b"data"})

    def test_a_stream_that_ends_early_is_an_error_and_not_a_short_object(self) -> None:
        self.use("Memory")
        whole = bytes(3 * BLOCK)
        for size, ends in ((10, 4), (len(whole), BLOCK + 1)):
            self.store(content=whole[:size])
            node = self.cloud.names.find(self.account(), where("/cdmi/o"))
            assert node is not None
            with (
                mock.patch.object(Memory, "get_read_stream", lambda *_, ends=ends: io.BytesIO(bytes(ends))),
                self.assertRaises(Failed),
            ):
                self.cloud.vault.open(node.data).read()

    def test_a_configuration_that_changes_while_an_object_is_stored(self) -> None:
        arguments = {"root": str(self.objects)}
        registry = self.cloud.registry
        changed = self.while_reading(
            lambda: registry.configure("default", "fsstore.FileStorage", "new", {"": arguments})
        )
        self.store_body(changed)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"data")
        renamed = self.while_reading(lambda: registry.configure("default", "fsstore.FileStorage", "", {"a": arguments}))
        with self.assertRaisesRegex(TryAgain, "configured anew"):
            self.store_body(renamed, "/cdmi/p")
        self.store_body(Body(io.BytesIO(b"again"), 5), "/cdmi/p")
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"data")
        self.assertEqual(self.call("GET", "/cdmi/p").content, b"again")
        self.assert_sound()


class QuotaTest(CloudTest):
    def test_bytes_and_objects_are_held_by_many_writers(self) -> None:
        self.cloud.accounts.put("alice", quota=1000, quota_objects=7)
        outcomes = at_once(*[lambda n=n: self.store(f"/cdmi/o{n}", bytes(100)) for n in range(20)])
        self.assertEqual(sorted({type(outcome) for outcome in outcomes}, key=str), [Full, Stored])
        self.assertEqual(sum(isinstance(outcome, Stored) for outcome in outcomes), 7)
        self.cloud.accounts.put("alice", quota_objects=None)
        outcomes = at_once(*[lambda n=n: self.store(f"/cdmi/p{n}", bytes(100)) for n in range(20)])
        self.assertEqual(sum(isinstance(outcome, Stored) for outcome in outcomes), 3)
        shown = self.cloud.accounts.describe("alice")
        self.assertEqual((shown["used"], shown["objects"]), (1000, 10))
        self.assert_sound()

    def test_what_is_replaced_counts_by_its_difference(self) -> None:
        self.cloud.accounts.put("alice", quota=10, quota_objects=1)
        self.store(content=bytes(6))
        self.store(content=bytes(10))
        with self.assertRaises(Full):
            self.store(content=bytes(11))
        self.cloud.accounts.put("alice", quota=5, quota_objects=0)
        self.store(content=bytes(9))  # less than it was is less over the quota
        with self.assertRaises(Full):
            self.store("/cdmi/new", b"")
        self.assert_sound()

    def test_sizes_beyond_32_bits_are_counted(self) -> None:
        stored = self.store(content=b"data")
        large = 5 * 2**40
        with self.cloud.catalogue.writing() as connection:
            contents.charge(connection, self.account().id, large, 0)
        self.assertEqual(self.account().used, large + 4)
        self.assertEqual(self.account().room, None)
        self.cloud.accounts.put("alice", quota=large + 10)
        self.assertEqual(self.account().room, 6)
        with self.assertRaises(Full), self.cloud.catalogue.writing() as connection:
            contents.charge(connection, self.account().id, large, 0)
        with self.cloud.catalogue.writing() as connection:
            contents.charge(connection, self.account().id, -large, 0)
        self.assertTrue(stored.is_new)
        self.assert_sound()
