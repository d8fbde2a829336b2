"""Names and data, tied together, whatever a module or a client does."""

import errno
import io
import threading
from collections.abc import Mapping
from typing import Any
from unittest import mock

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from host import vault
from host.body import Body
from host.database import garbage, pending, reading
from host.errors import Failed, Full, HostError, Invalid, NotFound, TryAgain
from host.node import Node
from host.vault import Facts
from tests.files import objects_in
from tests.host.cloud import CloudTest
from tests.host.vendor import Failing, Memory
from tests.sources import Breaking


class VaultTest(CloudTest):
    def use(self, cls: str) -> Memory:
        """Make ``cls`` the module of alice's new data, and return its instance."""
        self.configure("new", f"tests.host.vendor.{cls}", {})
        self.cloud.accounts.put("alice", policy="new")
        instance = self.cloud.loader.instance("new")
        assert isinstance(instance, Memory)
        return instance

    def store(self, body: Body, name: str = "o") -> tuple[Node, bool]:
        account = self.cloud.accounts.authenticate("alice", "wonder")
        assert account is not None
        root = self.cloud.tree.container(account.root, [])
        return self.cloud.vault.store(account, root, name, body, Facts())

    def left(self) -> tuple[int, int]:
        """Return how many rows there are in pending and on the garbage list."""
        with reading(self.cloud.engine) as connection:
            return len(connection.execute(select(pending)).all()), len(connection.execute(select(garbage)).all())

    def failing(self, errors: Mapping[str, Exception]) -> None:
        self.enterContext(mock.patch.object(Failing, "errors", errors))

    def test_an_object_is_new_once_and_keeps_its_id(self) -> None:
        first, is_new = self.store(Body(io.BytesIO(b"data"), 4))
        second, is_new_again = self.store(Body(io.BytesIO(b"other"), 5))
        self.assertEqual((is_new, is_new_again, first.id == second.id), (True, False, True))
        self.assertEqual(self.left(), (0, 1))

    def test_a_body_that_breaks_leaves_nothing(self) -> None:
        for cls in ("Memory", "Sloppy", "Swallowing"):
            module = self.use(cls)
            for body in (Body(io.BytesIO(b"123"), 10), Body(Breaking(b"123", OSError("chunk")), None)):
                with self.subTest(cls), self.assertRaises(Invalid if cls != "Sloppy" else HostError):
                    self.store(body)
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
                    self.store(Body(io.BytesIO(b"data"), 4))
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
            self.store(Body(io.BytesIO(b"data"), 4))
        self.assertEqual((list(module.objects.values()), self.left()), ([b"data"], (0, 1)))
        with self.assertLogs("host.upkeep", "ERROR"):
            self.assertEqual(self.cloud.upkeep.reap(), (0, 1))
        self.failing({})
        self.assertEqual(self.cloud.upkeep.reap(), (1, 0))
        self.assertEqual((module.objects, self.left()), ({}, (0, 0)))

    def test_a_commit_that_fails_leaves_the_old_object(self) -> None:
        self.store(Body(io.BytesIO(b"old"), 3))
        broken = OperationalError("UPDATE", {}, Exception("disk"))
        with mock.patch.object(vault, "_charge", side_effect=broken), self.assertRaises(OperationalError):
            self.store(Body(io.BytesIO(b"newer"), 5))
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"old")
        self.assertEqual((self.stored(), self.left()), ([b"old"], (0, 0)))

    def test_a_commit_that_happened_although_it_raised_is_kept(self) -> None:
        name = self.cloud.vault._name

        def name_then_raise(*arguments: Any) -> None:
            name(*arguments)
            raise OperationalError("COMMIT", {}, Exception("the connection broke"))

        with mock.patch.object(self.cloud.vault, "_name", name_then_raise), self.assertRaises(OperationalError):
            self.store(Body(io.BytesIO(b"data"), 4))
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"data")

    def test_a_container_that_is_removed_meanwhile_is_not_found(self) -> None:
        account = self.cloud.accounts.authenticate("alice", "wonder")
        assert account is not None
        root = self.cloud.tree.container(account.root, [])
        container = self.cloud.tree.make_container(root, "c", {})
        self.cloud.tree.remove(container)
        with self.assertRaises(NotFound):
            self.cloud.vault.store(account, container, "o", Body(io.BytesIO(b"data"), 4), Facts())
        self.assertEqual((self.stored(), self.left()), ([], (0, 0)))

    def test_an_upload_that_was_given_up_is_not_acknowledged(self) -> None:
        class Slow(io.BytesIO):
            def read(inner, size: int | None = -1, /) -> bytes:  # noqa: N805 (self is the test)
                with mock.patch("host.upkeep._SILENCE", -1):
                    self.cloud.upkeep.reap(grace=0)
                return super().read(size)

        with self.assertRaises(TryAgain):
            self.store(Body(Slow(b"data"), 4))
        self.assert_refused(self.call("GET", "/cdmi/o"), 404)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual((self.stored(), self.left()), ([], (0, 0)))

    def test_many_writers_of_one_name_leave_one_object_whole(self) -> None:
        texts = [bytes([65 + i]) * 200_000 for i in range(6)]
        threads = [threading.Thread(target=self.store, args=(Body(io.BytesIO(t), len(t)),)) for t in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
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
                self.store(Body(io.BytesIO(b"data"), 4))
        with mock.patch.object(module, "new_data", lambda context: 4711):
            self.store(Body(io.BytesIO(b"data"), 4))
        self.assertEqual(module.objects, {"4711": b"data"})

    def test_a_stream_that_ends_early_is_an_error_and_not_a_short_object(self) -> None:
        self.use("Memory")
        self.put("/cdmi/o", b"0123456789")
        with mock.patch.object(Memory, "get_read_stream", lambda *_: io.BytesIO(b"0123")):
            with self.assertRaises(Failed):
                self.call("GET", "/cdmi/o")
            with self.assertRaises(Failed):
                self.cdmi("GET", "/cdmi/o")
