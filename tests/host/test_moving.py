"""Objects that move from one module to another, and what happens to them meanwhile."""

import errno
import io
import itertools
import random
import threading
import unittest
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import Connection, select

from host import moving
from host.catalogue import contents
from host.catalogue.schema import data, nodes
from host.copying import Pace
from host.errors import Invalid
from host.moving import Choice, Moved, Moving, TooManyFailures
from host.vault import Facts
from modules import Context
from tests.files import objects_in
from tests.host.cloud import CloudTest, where
from tests.host.places import Place, PlacesTest
from tests.host.threads import at_once
from tests.host.vendor import Failing, Memory


class Lying(Memory):
    """Gives back other bytes than it was given."""

    def get_read_stream(self, context: Context, module_data: str) -> io.BytesIO:
        return io.BytesIO(bytes(len(self.objects[module_data])))


class MovingTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(moving, "_SETTLE", 0))
        self.other = self.directory / "other"
        self.other.mkdir()
        self.configure("other", "fsstore.FileStorage", {"root": str(self.other)})
        self.told: list[Moved] = []

    def moving(self, to: str = "other", module: str | None = "default", **more: Any) -> Moving:
        rate = more.pop("rate", None)
        return Moving(self.cloud, Choice(to, None if "user" in more else module, **more), rate)

    def move(self, to: str = "other", module: str | None = "default", threads: int = 1, **more: Any) -> dict[str, int]:
        """Move what is to be moved, and return how many of which outcome there were."""
        self.told = []
        self.moving(to, module, **more).run(threads, self.told.append)
        return dict(Counter(each.outcome for each in self.told))

    def rows(self) -> list[Any]:
        """Return all that the catalogue has of names, but which data they point to."""
        columns = [column for column in nodes.c if column.name != "data"]
        with self.cloud.catalogue.reading() as connection:
            return list(connection.execute(select(*columns).order_by(nodes.c.id)))

    def modules(self) -> dict[str, int]:
        """Return how much is kept in each module."""
        with self.cloud.catalogue.reading() as connection:
            return dict(Counter(connection.scalars(select(data.c.module).where(data.c.state == "kept"))))

    def content(self, path: str = "/cdmi/o") -> bytes:
        node = self.cloud.names.find(self.account(), where(path))
        assert node is not None
        with closing(self.cloud.vault.open(node.data)) as window:
            return window.read()

    def in_other(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in objects_in(self.other))

    def test_objects_move_and_nobody_sees_it(self) -> None:
        self.cloud.names.make_container(self.account(), where("/cdmi/c/"), {"k": "v"})
        contents = {"/cdmi/o": b"data", "/cdmi/c/empty": b"", "/cdmi/c/large": random.Random(1).randbytes(3_000_000)}
        for path, content in contents.items():
            self.store(path, content, mimetype="text/x", metadata={"a": 1})
        before, used = self.rows(), self.account().used
        self.assertEqual(self.move(), {"moved": 3})
        self.assertEqual((self.rows(), self.account().used, self.modules()), (before, used, {"other": 3}))
        for path, content in contents.items():
            self.assertEqual(self.content(path), content)
        self.assertEqual(len(self.stored()), 3)  # for those who are reading it still
        self.assert_sound()
        self.assertEqual((self.stored(), self.in_other()), ([], sorted(contents.values())))
        self.assertEqual(self.moving().left(), (0, 0))

    def test_one_users_objects_move_wherever_they_are(self) -> None:
        self.cloud.accounts.put("bob", password="builder", policy="default")
        self.call("PUT", "/cdmi/o", b"of bob", user="bob:builder")
        self.store("/cdmi/o")
        self.configure("third", "tests.host.vendor.Memory")
        self.cloud.accounts.put("alice", policy="third")
        self.store("/cdmi/p")
        self.cloud.accounts.put("alice", policy="other")
        self.store("/cdmi/q")
        self.assertEqual(self.moving(user="alice").left(), (2, 8))
        self.assertEqual(self.move(user="alice"), {"moved": 2})
        self.assertEqual(self.modules(), {"other": 3, "default": 1})

    def test_policies_are_switched_first(self) -> None:
        self.cloud.accounts.put("bob", password="builder", policy="default")
        self.cloud.accounts.put("carol", password="builder", policy="other")
        self.assertEqual(self.moving(user="bob").switch(), ["bob"])
        self.assertEqual(self.moving(user="bob").switch(), [])
        self.assertEqual(self.moving().policies(), ["administrator", "alice"])
        self.assertEqual(self.moving().switch(), ["administrator", "alice"])
        self.assertEqual({self.account(name).policy for name in ("alice", "bob", "administrator")}, {"other"})
        self.assertEqual(self.moving("default", "default").switch(), [])
        self.assertEqual(self.put("/cdmi/o").status_code, 201)
        self.assertEqual(self.modules(), {"other": 1})

    def test_a_module_is_rewritten_in_its_place_and_it_comes_to_an_end(self) -> None:
        for number in range(5):
            self.store(f"/cdmi/o{number}", b"%d" % number)
        self.cloud.vault.close()  # what is noted as to be stored is older than what is not
        rewriting, told = self.moving("default"), []

        def tell(moved: Moved) -> None:
            told.append(moved)
            self.store(f"/cdmi/new{len(told)}")
            if len(told) == 3:
                rewriting.stop()

        rewriting.run(1, tell)
        self.assertEqual((len(told), rewriting.left()[0]), (3, 2))
        self.assertEqual(self.move("default", before=rewriting.before), {"moved": 2})
        self.assertEqual(self.move("default", before=rewriting.before), {})
        self.assertEqual(self.modules(), {"default": 8})
        self.assertEqual([self.content(f"/cdmi/o{number}") for number in range(5)], [b"0", b"1", b"2", b"3", b"4"])
        self.assert_sound()

    def test_a_write_that_comes_in_between_wins(self) -> None:
        self.store()
        with self.meanwhile(lambda: self.store(content=b"newer")):
            self.assertEqual(self.move(), {"changed": 1, "moved": 1})
        self.assertEqual(self.content(), b"newer")
        self.assert_sound()
        self.assertEqual((self.stored(), self.in_other()), ([], [b"newer"]))

    def test_what_is_removed_in_between_stays_away(self) -> None:
        def remove(path: str) -> Callable[[], object]:
            return lambda: self.cloud.names.remove(self.account(), where(path))

        for path, act in (
            ("/cdmi/o", remove("/cdmi/o")),
            ("/cdmi/c/o", remove("/cdmi/c/")),
            ("/cdmi/o", lambda: self.cloud.accounts.remove("alice")),
        ):
            if "c" in path.removeprefix("/cdmi"):
                self.cloud.names.make_container(self.account(), where("/cdmi/c/"), {})
            self.store(path)
            with self.meanwhile(act):
                self.assertEqual(self.move(), {"changed": 1})
            self.assert_sound()
            self.assertEqual((self.stored(), self.in_other()), ([], []))

    def test_what_is_being_cleared_may_move(self) -> None:
        self.cloud.names.make_container(self.account(), where("/cdmi/c/"), {})
        self.store("/cdmi/c/o")
        with mock.patch("host.names._AT_ONCE", 0):
            self.cloud.names.remove(self.account(), where("/cdmi/c/"))
        self.assertEqual(self.move(), {"moved": 1})
        self.assert_sound()
        self.assertEqual((self.stored(), self.in_other()), ([], []))

    def test_what_gets_another_name_or_metadata_in_between_moves_all_the_same(self) -> None:
        self.store()
        with self.meanwhile(lambda: self.cloud.names.move(self.account(), where("/cdmi/o"), where("/cdmi/p"), Facts())):
            self.assertEqual(self.move(), {"moved": 1})
        facts = Facts(metadata={"new": 1})
        with self.meanwhile(lambda: self.cloud.names.change(self.account(), where("/cdmi/p"), facts)):
            self.assertEqual(self.move("default", "other"), {"moved": 1})
        node = self.cloud.names.find(self.account(), where("/cdmi/p"))
        assert node is not None
        self.assertEqual((node.metadata, self.content("/cdmi/p")), ({"new": 1}, b"data"))
        self.assert_sound()

    def test_a_corrupt_object_stays_where_it_is_and_is_told(self) -> None:
        for number in range(3):
            self.store(f"/cdmi/o {number}", b"%d" % number * 5000)
        (file,) = (path for path in objects_in(self.objects) if path.read_bytes()[:1] == b"1")
        self.corrupt(file)
        self.assertEqual(self.move(), {"moved": 2, "failed": 1})
        (failed,) = (each for each in self.told if each.outcome == "failed")
        self.assertRegex(failed.why, r"\Acannot be read: OSError: .*corrupt")
        self.assertEqual(self.moving().path_of(failed.entry), "alice /cdmi/o%201")
        self.assertEqual(self.moving().left()[0], 1)
        self.assertEqual(self.modules(), {"default": 1, "other": 2})
        self.assertEqual(len(self.in_other()), 2)

    def corrupt(self, file: Path) -> None:
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1] + b"?")

    def test_a_target_that_is_full_fails_gets_and_loses_nothing(self) -> None:
        self.configure("full", "tests.host.vendor.Failing")
        self.store()
        full = OSError(errno.ENOSPC, "no space")
        with mock.patch.object(Failing, "errors", {"assign": full}):
            self.assertEqual(self.move("full"), {"failed": 1})
        self.assertRegex(self.told[0].why, r"\Acannot be stored: OSError: .*no space")
        with mock.patch.object(Failing, "errors", {"new_data": full}):
            self.assertEqual(self.open_again("full"), {"failed": 1})
        self.assertEqual((self.content(), self.modules()), (b"data", {"default": 1}))
        module: Any = self.cloud.loader.instance("full")
        self.assertEqual(module.objects, {})
        self.assert_sound()

    def open_again(self, to: str) -> dict[str, int]:
        """Move, with no identities noted before."""
        self.cloud.vault.close()
        return self.move(to)

    def test_a_target_that_gives_back_something_else_gets_nothing(self) -> None:
        self.configure("lying", f"{__name__}.Lying")
        self.store()
        self.assertEqual(self.move("lying"), {"failed": 1})
        self.assertIn("gives back other bytes than it was given", self.told[0].why)
        self.assertEqual((self.content(), self.modules()), (b"data", {"default": 1}))
        self.assert_sound()

    def test_where_nothing_works_it_gives_up(self) -> None:
        self.configure("full", "tests.host.vendor.Failing")
        for number in range(5):
            self.store(f"/cdmi/{number}")
        errors = {"assign": OSError(errno.ENOSPC, "no space")}
        with (
            mock.patch.object(Failing, "errors", errors),
            mock.patch.object(moving, "_IN_A_ROW", 3),
            self.assertRaises(TooManyFailures),
        ):
            self.move("full")
        self.assertEqual(len(self.told), 3)

    def test_what_is_stopped_leaves_nothing_half(self) -> None:
        self.store(content=bytes(100_000))
        stopped = self.moving(rate=1000)
        outcomes = at_once(lambda: stopped.run(2, self.told.append), stopped.stop)
        self.assertEqual((outcomes, self.told), ([None, None], []))
        self.assertEqual(self.modules(), {"default": 1})
        self.assert_sound()
        self.assertEqual(self.in_other(), [])

    def test_names_that_are_not_there_are_told(self) -> None:
        for choice in (Choice("nowhere", "default"), Choice("other", "nowhere"), Choice("other", user="nobody")):
            with self.assertRaisesRegex(Invalid, "nowhere|nobody"):
                Moving(self.cloud, choice)

    def test_moves_while_others_write_and_remove(self) -> None:
        paths = [[f"/cdmi/{writer}.{number}" for number in range(4)] for writer in range(3)]
        last: dict[str, bytes | None] = {}
        done = threading.Event()

        def write(writer: int) -> None:
            chance = random.Random(writer)
            for turn in range(25):
                path = chance.choice(paths[writer])
                if chance.random() < 0.25 and last.get(path) is not None:
                    self.cloud.names.remove(self.account(), where(path))
                    last[path] = None
                else:
                    last[path] = content = b"%d.%d" % (writer, turn) * chance.choice((1, 1000))
                    self.store(path, content)

        def read() -> None:
            while not done.is_set():
                for path in itertools.chain(*paths):
                    if (node := self.cloud.names.find(self.account(), where(path))) is not None:
                        with closing(self.cloud.vault.open(node.data)) as window:
                            self.assertEqual(len(window.read()), node.size)

        def move_to_and_fro() -> None:
            for to, module in [("other", "default"), ("default", "other"), ("default", "default")] * 3:
                Moving(self.cloud, Choice(to, module)).run(2, told.append)

        def all_writes() -> None:
            try:
                self.assertEqual(at_once(*[partial(write, writer) for writer in range(3)]), [None] * 3)
            finally:
                done.set()

        told: list[Moved] = []
        self.assertEqual(at_once(all_writes, move_to_and_fro, read), [None] * 3)
        self.assertEqual([each.why for each in told if each.outcome == "failed"], [])
        self.assertGreater(len(told), 0)
        for path, content in last.items():
            if content is None:
                self.assertIsNone(self.cloud.names.find(self.account(), where(path)))
            else:
                self.assertEqual(self.content(path), content)
        self.assert_sound()
        self.assertEqual(len(self.in_other()), self.modules().get("other", 0))

    def test_what_is_cleared_at_the_same_time_leaves_nothing(self) -> None:
        self.cloud.names.make_container(self.account(), where("/cdmi/c/"), {})
        self.store("/cdmi/c/o")
        with mock.patch("host.names._AT_ONCE", 0):
            self.cloud.names.remove(self.account(), where("/cdmi/c/"))
        give_back = contents._give_back
        mover = threading.Thread(target=self.move)

        class Between:
            """Between what is looked at and what is done a mover comes in, if it can."""

            def change(self, connection: Connection, **values: Any) -> int:
                mover.start()
                mover.join(0.5)
                return give_back.change(connection, **values)

        with mock.patch.object(contents, "_give_back", Between()):
            self.cloud.upkeep._clear()
        mover.join()
        self.assertEqual([each.outcome for each in self.told], ["changed"])
        self.assert_sound()
        self.assertEqual((self.stored(), self.in_other()), ([], []))

    def test_containers_that_are_cleared_meanwhile_leave_nothing(self) -> None:
        for number in range(3):
            self.cloud.names.make_container(self.account(), where(f"/cdmi/c{number}/"), {})
            for name in "abcdef":
                self.store(f"/cdmi/c{number}/{name}")

        def remove() -> None:
            with mock.patch("host.names._AT_ONCE", 1), mock.patch("host.upkeep._BATCH", 2):
                for number in range(3):
                    self.cloud.names.remove(self.account(), where(f"/cdmi/c{number}/"))
                    self.cloud.upkeep._clear()

        told: list[Moved] = []
        self.assertEqual(at_once(lambda: self.moving().run(2, told.append), remove), [None, None])
        self.assertEqual([each.why for each in told if each.outcome == "failed"], [])
        self.assert_sound()
        self.assertEqual((self.stored(), self.in_other()), ([], []))


class MovingToPlacesTest(PlacesTest):
    def test_what_is_moved_comes_to_all_locations(self) -> None:
        self.cloud.accounts.put("alice", policy="default")
        self.store(content=b"data")
        Moving(self.cloud, Choice("new", "default")).run(1, lambda moved: None)
        self.assertEqual((self.there(), len(self.queue())), ({"a": [b"data"], "b": [], "c": []}, 2))
        self.work()
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})
        self.assert_sound()

    def test_what_is_at_another_location_alone_is_read_there(self) -> None:
        self.store(content=b"data")
        self.work()
        self.kept["a"].clear()
        Moving(self.cloud, Choice("default", "new")).run(1, lambda moved: None)
        self.assertEqual(self.stored(), [b"data"])
        self.bury()
        self.assertEqual(self.there(), {"a": [], "b": [], "c": []})

    def test_what_breaks_off_at_one_location_is_read_at_another(self) -> None:
        self.store(content=b"data")
        self.work()

        def broken(place: Place, context: Context, module_data: str) -> io.BytesIO:
            return io.BytesIO(b"da" if place.name != "c" else b"data")

        told: list[Moved] = []
        with mock.patch.object(Place, "get_read_stream", broken):
            Moving(self.cloud, Choice("default", "new")).run(1, told.append)
        self.assertEqual(([each.outcome for each in told], self.stored()), (["moved"], [b"data"]))


class PaceTest(unittest.TestCase):
    def test_so_many_bytes_a_second_pass(self) -> None:
        waited: list[float] = []
        with mock.patch("host.copying.time.monotonic", return_value=100.0):
            pace = Pace(1000, waited.append)
            for size in (500, 500, 2000, 1):
                pace.let_pass(size)
        self.assertEqual(waited, [0.5, 1.0, 3.0])
        self.assertEqual((pace.most, Pace(None, waited.append).most), (100, 1024 * 1024))
