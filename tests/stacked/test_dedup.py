"""The module that keeps chunks once."""

import errno
import io
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import Context, StorageModule
from stacked.base import StackedModule
from stacked.dedup import DedupStorage
from stacked.dedup.tables import metadata
from tests.postgresql import fresh_database, needs_postgresql
from tests.server import ROOT
from tests.sources import Breaking
from tests.stacked.stack import StackCase, file_storage

_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # an index syncs often
LITTLE = QUICK._replace(rounds=40, races=10, examples=8)
MIB = 1024 * 1024


def scratch(case: unittest.TestCase) -> str:
    """Return the path of an index that is still to be made, in a directory that is removed after the test."""
    directory = tempfile.TemporaryDirectory(dir=_MEMORY)
    case.addCleanup(directory.cleanup)
    return str(Path(directory.name) / "index")


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def setUp(self) -> None:
        self.index = self.make_index()  # beside the storage: a file of SQLite has others beside it while it is open
        super().setUp()

    def make_index(self) -> str:
        """Return where the index is to be."""
        return scratch(self)

    def make_module(self) -> StorageModule:
        DedupStorage.prepare(index=self.index)
        return DedupStorage(self.make_store(), self.index)

    def make_store(self) -> StorageModule:
        """Return the module below."""
        return file_storage(self.directory)

    def tidy(self) -> None:
        self.module.upkeep(self.context, [])


class OnALayerTest(KitTest):
    effort = LITTLE

    def make_store(self) -> StorageModule:
        return StackedModule(super().make_store())


@needs_postgresql
class OnPostgresqlTest(KitTest):
    effort = LITTLE

    def make_index(self) -> str:
        return fresh_database(self)


class DedupCase(StackCase):
    """A deduplicating module on the module ``local``."""

    def setUp(self) -> None:
        super().setUp()
        self.index = self.make_index()
        DedupStorage.prepare(index=self.index)
        self.module = DedupStorage("local", self.index)

    def make_index(self) -> str:
        """Return where the index is to be."""
        return scratch(self)

    def put(self, data: bytes) -> str:
        """Store a new object."""
        module_data = self.module.new_data(self.context)
        self.module.assign(self.context, module_data, io.BytesIO(data))
        return module_data

    def get(self, module_data: str) -> bytes:
        """Return the whole data of an object."""
        with self.module.get_read_stream(self.context, module_data) as stream:
            return stream.read()

    def figures(self) -> dict[str, object]:
        """Return what statistics tell of the layer."""
        found = dict(self.module.statistics(self.context))
        return {name: found[name] for name in ("objects", "logical", "chunks", "stored", "garbage", "index")}

    def upkeep(self, *kept: str) -> dict[str, object]:
        """Do the upkeep, and return what was told."""
        return dict(self.module.upkeep(self.context, kept))


class SavingTest(DedupCase):
    def test_the_same_data_is_stored_once(self) -> None:
        data = random.Random(1).randbytes(3 * MIB)
        first = self.put(data)
        stored = self.figures()["stored"]
        second = self.put(data)
        self.assertEqual(self.figures(), self.figures() | {"objects": 2, "logical": 6 * MIB, "stored": stored})
        self.module.delete(self.context, first)
        self.assertEqual(self.get(second), data)
        self.module.delete(self.context, second)
        self.assertEqual(self.objects(), [])

    def test_an_insertion_in_each_mebibyte_costs_less_than_a_tenth(self) -> None:
        data = random.Random(2).randbytes(16 * MIB)
        self.put(data)
        before = self.figures()["stored"]
        changed = b"".join(
            data[at : at + 500_000] + b"+" + data[at + 500_000 : at + MIB] for at in range(0, len(data), MIB)
        )
        self.assertEqual(self.get(self.put(changed)), changed)
        self.assertLess(int(str(self.figures()["stored"])) - int(str(before)), len(changed) / 10)

    def test_what_repeats_within_an_object_is_stored_once(self) -> None:
        data = bytes(5 * MIB)
        self.assertEqual(self.get(self.put(data)), data)
        self.assertLess(int(str(self.figures()["stored"])), MIB)

    def test_an_object_of_many_leaves_is_read_from_any_place(self) -> None:
        data = random.Random(3).randbytes(2 * MIB)
        with mock.patch("stacked.dedup.upload.LEAF_CHUNKS", 7), mock.patch("stacked.dedup.upload._PACK", MIB // 4):
            module_data = self.put(data)
        self.assertEqual(self.get(module_data), data)
        with self.module.get_read_stream(self.context, module_data) as stream:
            for place in (0, MIB, 5, 2 * MIB - 1, MIB + 77_777, 2 * MIB):
                stream.seek(place)
                self.assertEqual(stream.read(1000)[:1], data[place : place + 1])
        copy = self.module.new_data(self.context)
        self.assertTrue(self.module.copy_data(self.context, copy, module_data))
        self.module.delete(self.context, module_data)
        self.assertEqual(self.get(copy), data)
        self.assertTrue(self.module.available(self.context, copy))

    def test_a_copy_stores_nothing_but_a_manifest(self) -> None:
        source, copy = self.put(random.Random(4).randbytes(MIB)), self.module.new_data(self.context)
        before = self.figures()
        self.module.copy_data(self.context, copy, source)
        self.assertEqual(self.figures(), before | {"objects": 2, "logical": 2 * MIB})

    def test_what_was_replaced_is_kept_for_a_while_and_goes_with_the_object(self) -> None:
        module_data = self.put(random.Random(5).randbytes(8 * MIB + 1))
        stream = self.module.get_read_stream(self.context, module_data)
        self.module.assign(self.context, module_data, io.BytesIO(b"new"))
        self.assertEqual(len(stream.read()), 8 * MIB + 1)
        stream.close()
        self.module.delete(self.context, module_data)
        self.assertEqual(self.objects(), [])


class ArgumentsTest(DedupCase):
    def test_an_index_that_is_none_is_refused(self) -> None:
        for wrong, says in (
            (None, "^index: give the path"),
            ("relative/path", "^index: neither"),
            ("/a\0b", "^index: give"),
            ("mysql://host/name", "^index: mysql is not PostgreSQL"),
            ("sqlite:////tmp/x", "^index: sqlite is not PostgreSQL; of a file of SQLite give the path"),
            ("postgresql+psycopg://me:secret@host/name", r"^index: a password.*\.pgpass$"),
        ):
            for call in (
                lambda wrong=wrong: DedupStorage("local", wrong),
                lambda wrong=wrong: DedupStorage.prepare(index=wrong),
            ):
                with self.subTest(wrong), self.assertRaisesRegex(ValueError, says) as raised:
                    call()
                self.assertNotIn("secret", str(raised.exception))
        with self.assertRaisesRegex(ValueError, "^more: "):
            DedupStorage("local", self.index, more=1)

    def test_an_index_in_a_directory_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(OSError, "index: there is no directory /nowhere"):
            DedupStorage.prepare(index="/nowhere/index")

    def test_an_index_that_is_there_stays(self) -> None:
        module_data = self.put(b"data")
        DedupStorage.prepare(index=self.index)
        self.assertEqual((self.get(module_data), self.figures()["objects"]), (b"data", 1))

    def test_the_file_is_for_the_server_alone(self) -> None:
        self.assertEqual(os.stat(self.index).st_mode & 0o777, 0o600)


class CorruptTest(DedupCase):
    def test_a_chunk_that_is_not_what_was_stored_is_an_error_and_not_used_again(self) -> None:
        data = random.Random(6).randbytes(200_000)
        module_data = self.put(data)
        (pack,) = [path for path in self.objects() if path.stat().st_size == len(data)]
        changed = bytearray(data)
        changed[100_000] ^= 1
        self.rewrite(pack, bytes(changed))
        with self.assertRaises(OSError) as raised:
            self.get(module_data)
        self.assertEqual(raised.exception.errno, errno.EIO)
        self.assertEqual(self.get(self.put(data)), data)
        self.assertEqual(self.figures()["stored"], 2 * len(data))

    def test_a_manifest_of_another_object_is_an_error(self) -> None:
        first, second = self.put(b"first"), self.put(b"second")
        one, other = [path for path in self.objects() if path.read_bytes().startswith(b"dedup")]
        text = one.read_bytes()
        self.rewrite(one, other.read_bytes())
        self.rewrite(other, text)
        for call in (self.get, lambda text: self.module.get_size(self.context, text)):
            for module_data in (first, second):
                with self.assertRaisesRegex(OSError, "of another object"):
                    call(module_data)

    def test_a_missing_pack_is_found_by_whoever_asks(self) -> None:
        data = random.Random(7).randbytes(200_000)
        module_data, well = self.put(data), self.put(b"well")
        (pack,) = [path for path in self.objects() if path.stat().st_size == len(data)]
        pack.unlink()
        self.assertFalse(self.module.available(self.context, module_data))
        with self.assertRaisesRegex(OSError, "missing"):
            self.get(module_data)
        told = self.upkeep(module_data, well)
        self.assertEqual((told["wrong"], told["missing"]), (1, 1))
        self.module.assign(self.context, module_data, io.BytesIO(data))  # as a host does that asks available
        self.assertEqual(self.get(module_data), data)

    def test_a_missing_manifest_is_told_and_what_it_had_is_kept(self) -> None:
        module_data = self.put(b"data")
        (manifest,) = [path for path in self.objects() if path.read_bytes().startswith(b"dedup")]
        away = manifest.rename(self.directory / "away")
        for _ in range(2):
            self.assertEqual(self.upkeep(module_data, "nonsense")["wrong"], 2)
        away.rename(manifest)
        self.assertEqual((self.upkeep(module_data)["wrong"], self.get(module_data)), (0, b"data"))

    def test_a_deletion_that_the_index_could_not_note_is_found_by_upkeep(self) -> None:
        module_data = self.put(b"data")
        full = OSError(errno.ENOSPC, "full")
        with mock.patch.object(self.module._index.waste, "bury", side_effect=full), self.assertLogs("stacked"):
            self.module.delete(self.context, module_data)
        self.assertFalse(self.module.available(self.context, module_data))
        DedupStorage("local", self.index).upkeep(self.context, [])
        self.assertEqual(self.objects(), [])

    def test_what_an_upload_writes_while_the_object_is_deleted_is_whole(self) -> None:
        module_data, local = self.put(b"old"), self.modules["local"]
        delete = local.delete

        def delete_and_store(context: Context, text: str) -> None:
            delete(context, text)
            if not is_stored:  # packs are deleted as well
                is_stored.append(True)
                self.module.assign(self.context, module_data, io.BytesIO(b"new"))

        is_stored: list[bool] = []
        with mock.patch.object(local, "delete", delete_and_store):
            self.module.delete(self.context, module_data)
        self.assertEqual(self.get(module_data), b"new")
        self.module.delete(self.context, module_data)
        self.upkeep()
        self.assertEqual(self.objects(), [])

    def rewrite(self, path: Path, data: bytes) -> None:
        """Replace the file of an object, which has no checksum then."""
        path.unlink()
        path.write_bytes(data)


class LostTest(DedupCase):
    """The index is lost."""

    def lose(self) -> None:
        """Lose the index."""
        for path in Path(self.index).parent.iterdir():
            path.unlink()

    def test_reading_goes_on_and_nothing_else_until_upkeep_has_made_it_anew(self) -> None:
        data = random.Random(8).randbytes(MIB)
        first, second = self.put(data), self.put(data + b"more")
        before = self.figures()
        self.lose()
        self.assertEqual((self.get(first), self.get(second)), (data, data + b"more"))
        self.assertEqual(self.module.get_size(self.context, first), MIB)
        self.assertTrue(self.module.available(self.context, first))
        self.assertIn("upkeep makes the index anew", str(self.module.statistics(self.context)["index"]))
        calls: list[Callable[[], object]] = [
            lambda: self.put(b"new"),
            lambda: self.module.delete(self.context, first),
            lambda: self.module.copy_data(self.context, self.module.new_data(self.context), first),
        ]
        for call in calls:
            with self.assertRaisesRegex(OSError, "^.*index: it is not there") as raised:
                call()
            self.assertEqual(raised.exception.errno, errno.EROFS)
        told = self.upkeep(first, second)
        self.assertEqual((told["adopted"], told["wrong"]), (2, 0))
        self.assertEqual(self.figures(), before)
        third = self.put(data)
        self.assertEqual(self.figures()["stored"], before["stored"])
        for module_data in (first, second):
            self.module.delete(self.context, module_data)
        self.assertEqual(self.get(third), data)

    def test_packs_of_a_new_index_wait_for_a_week(self) -> None:
        first, second = self.put(b"shared"), self.put(b"shared")
        self.lose()
        self.assertEqual(self.upkeep(first)["adopted"], 1)  # another one stands on this module, too
        self.module.delete(self.context, first)
        self.upkeep()
        self.assertEqual(self.get(second), b"shared")
        self.assertEqual(self.upkeep(second)["adopted"], 1)
        with mock.patch("stacked.dedup.waste.ADOPTED", -10), mock.patch("stacked.dedup.books.ADOPTED", -10):
            self.upkeep(second)
            self.assertEqual(self.get(second), b"shared")
            self.module.delete(self.context, second)
            self.upkeep()
        self.assertEqual(self.objects(), [])

    def test_one_that_comes_to_no_end_leaves_the_index_unready(self) -> None:
        first = self.put(b"data")
        self.lose()
        with (
            mock.patch.object(self.modules["local"], "get_read_stream", side_effect=ConnectionError("away")),
            self.assertRaises(ConnectionError),
        ):
            self.upkeep(first)
        with self.assertRaisesRegex(OSError, "being made anew"):
            self.put(b"more")
        self.upkeep(first)
        self.assertEqual(self.get(self.put(b"data")), b"data")

    def test_an_index_that_was_made_anew_is_noticed_by_others(self) -> None:
        data = random.Random(9).randbytes(100_000)
        other, first = DedupStorage("local", self.index), self.put(data)
        self.lose()
        other.upkeep(self.context, [first])
        self.put(data)
        self.assertEqual(other.statistics(self.context)["objects"], 2)


class KillTest(DedupCase):
    def test_nothing_is_lost_and_nothing_left_however_often_a_process_is_killed(self) -> None:
        keep = self.put(random.Random(10).randbytes(300_000))
        before = self.figures()
        for turn in range(4):
            for module_data in self.kill_one(0.1 + 0.13 * turn):
                self.module.delete(self.context, module_data)
        self.assertEqual(self.upkeep(keep)["wrong"], 0)
        self.assertEqual(len(self.get(keep)), 300_000)
        self.assertEqual((self.figures(), len(self.objects())), (before, 2))

    def kill_one(self, seconds: float) -> list[str]:
        """Let a process store and delete what is alike, kill it, and return the objects that it knew."""
        command = [sys.executable, "-m", "tests.stacked.dedup_worker", str(self.directory / "local"), self.index]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()  # it has begun
            time.sleep(seconds)
            process.kill()
            return [first.strip(), *map(str.strip, process.stdout)]


class SourceTest(DedupCase):
    def test_a_source_that_breaks_off_late_leaves_nothing(self) -> None:
        data = random.Random(11).randbytes(20 * MIB)
        module_data = self.module.new_data(self.context)
        with self.assertRaisesRegex(ConnectionError, "gone"):
            self.module.assign(self.context, module_data, Breaking(data, ConnectionError("gone")))
        self.assertEqual((self.objects(), self.figures()["stored"]), ([], 0))

    def test_a_pack_that_cannot_be_written_is_an_error_and_leaves_nothing(self) -> None:
        data = random.Random(12).randbytes(20 * MIB)
        local, calls = self.modules["local"], []
        assign = local.assign

        def fail(*arguments: object) -> None:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(errno.ENOSPC, "full")
            assign(*arguments)  # type: ignore[arg-type]

        with mock.patch.object(local, "assign", fail), self.assertRaisesRegex(OSError, "full"):
            self.put(data)
        self.assertEqual((self.objects(), self.figures()["stored"]), ([], 0))


@needs_postgresql
class SavingOnPostgresqlTest(SavingTest):
    def make_index(self) -> str:
        return fresh_database(self)


@needs_postgresql
class LostOnPostgresqlTest(LostTest):
    def make_index(self) -> str:
        return fresh_database(self)

    def lose(self) -> None:
        self.module._index._database.commit(metadata.drop_all, durable=True)


@needs_postgresql
class KillOnPostgresqlTest(KillTest):
    def make_index(self) -> str:
        return fresh_database(self)
