"""The survey, on real files."""

import errno
import io
import json
import os
import random
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, make_root, quarantine
from fsstore.checksum import ATTRIBUTE
from fsstore.mend import Mender
from fsstore.report import CORRUPT, FOREIGN, LEFTOVER, LISTED, UNREADABLE, Finding, Report, floor
from fsstore.scrub import Pace
from fsstore.survey import Options, Survey, TooMuchWrong
from tests.files import CONTEXT, open_files

SIDECAR_TIME = 0x6543210


class SurveyCase(unittest.TestCase):
    def setUp(self) -> None:
        self.addCleanup(vars(self).pop, "storage", None)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name, "storage")
        self.root.mkdir()
        make_root(str(self.root))
        self.storage = FileStorage(root=str(self.root), durability="none", reserve=0)

    def store(self, data: bytes = b"data") -> Path:
        return self.path_of(self.store_data(data))

    def store_data(self, data: bytes = b"data") -> str:
        module_data = self.storage.new_data(CONTEXT)
        self.storage.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def path_of(self, module_data: str) -> Path:
        return Path(self.root, json.loads(module_data)["path"])

    def survey(self, options: Options = Options(), **others: Any) -> Report:  # noqa: B008
        survey = Survey(str(self.root), options, **others)
        for _ in survey:
            pass
        self.assertEqual(survey.done, 1.0)
        return survey.report

    def mend(self, **options: Any) -> Report:
        return self.survey(Options(mend=True, **options))

    def rot(self, path: Path, change: Callable[[bytearray], object]) -> None:
        """Change a file as a bad disk does: in place, its attributes stay."""
        data = bytearray(path.read_bytes())
        change(data)
        path.chmod(0o644)
        path.write_bytes(data)

    def flip(self, path: Path) -> None:
        def change(data: bytearray) -> None:
            data[len(data) // 2] ^= 1

        self.rot(path, change)

    def found(self, report: Report) -> dict[str, str]:
        return {finding.path: finding.kind for finding in report.found}

    def below(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def tree(self) -> set[tuple[str, int, bytes]]:
        paths = [path for path in self.root.rglob("*") if path.name != "counters"]
        return {(str(path), path.lstat().st_ino, path.read_bytes() if path.is_file() else b"") for path in paths}


class CountTest(SurveyCase):
    def test_an_empty_storage_is_well(self) -> None:
        report = self.survey()
        self.assertTrue(report.is_complete and report.is_well)
        self.assertEqual((report.objects, report.directories), (0, 0))

    def test_objects_bytes_and_histograms(self) -> None:
        for size in (0, 1, 1023, 1024, 1025, 3_000_000):
            self.store(b"x" * size)
        report = self.survey()
        self.assertEqual((report.objects, report.bytes, report.read), (6, 3_003_073, 3_003_073))
        self.assertEqual(report.sizes, {0: 1, 1: 1, 512: 1, 1024: 2, 2097152: 1})
        self.assertEqual((report.directories, report.files), (1, {4: 1}))
        self.assertTrue(report.is_well)

    def test_objects_of_the_first_layout_are_counted(self) -> None:
        module_data = json.dumps({"path": "ab/ab" + "0" * 30})
        self.storage.assign(CONTEXT, module_data, io.BytesIO(b"old"))
        self.store()
        report = self.survey()
        self.assertEqual((report.objects, report.directories, report.wrong), (2, 2, 0))

    def test_nothing_is_changed_unless_told(self) -> None:
        self.flip(self.store())
        self.root.joinpath("0000/000", f".{'0' * 32}.new").touch()
        self.root.joinpath("0000/001").mkdir()
        self.root.joinpath("foreign").touch()
        before = self.tree(), self.root.joinpath("counters").read_bytes()
        report = self.survey(Options(grace=0))
        self.assertEqual((report.corrupt, report.leftover, report.foreign, report.empty), (1, 1, 1, 1))
        self.assertEqual((self.tree(), self.root.joinpath("counters").read_bytes()), before)

    def test_a_directory_that_is_no_storage_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as directory, self.assertRaisesRegex(OSError, "no storage"):
            Survey(directory)

    def test_few_descriptors_are_open(self) -> None:
        for upper in range(5):
            for leaf in range(20):
                self.root.joinpath(f"{upper:04x}/{leaf:03x}").mkdir(parents=True)
        self.store(b"x" * 3_000_000)
        survey = Survey(str(self.root))
        before = open_files()
        most = max(len(os.listdir("/proc/self/fd")) for _ in survey)
        self.assertLessEqual(most - before, 5)


class WrongTest(SurveyCase):
    def assert_corrupt(
        self,
        path: Path,
        reason: str,
        options: Options = Options(),  # noqa: B008
        kind: str = CORRUPT,
    ) -> None:
        self.store(b"another one")
        report = self.survey(options)
        self.assertEqual(self.found(report), {self.below(path): kind})
        self.assertRegex(report.found[0].reason, reason)
        self.assertFalse(report.is_well)

    def test_a_flipped_bit(self) -> None:
        for size in (1, 100_000, 5_000_000):
            with self.subTest(size):
                path = self.store(os.urandom(size))
                self.flip(path)
                self.assert_corrupt(path, "its crc32 is")
                path.unlink()

    def test_a_truncated_object(self) -> None:
        path = self.store(b"x" * 5000)
        self.rot(path, lambda data: data.pop())
        self.assert_corrupt(path, "it has 4999 bytes, and had 5000")
        self.assert_corrupt(path, "it has 4999 bytes, and had 5000", Options(scrub=False))

    def test_an_object_that_cannot_be_read(self) -> None:
        path = self.store(b"x" * 5000)
        real, inode = os.read, path.stat().st_ino

        def read(descriptor: int, size: int) -> bytes:
            if os.fstat(descriptor).st_ino == inode:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(descriptor, size)

        with mock.patch.object(os, "read", read):
            self.assert_corrupt(path, "cannot be read: Input/output error", Options(mend=True), UNREADABLE)
        self.assertTrue(path.exists())  # it may be the cable

    def test_an_object_that_cannot_be_opened(self) -> None:
        path = self.store()
        real = os.open

        def refuse(name: Any, *arguments: Any, **others: Any) -> int:
            if name == path.name:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(name, *arguments, **others)

        with mock.patch.object(os, "open", refuse):
            self.assert_corrupt(path, "cannot be opened: Input/output error", kind=UNREADABLE)

    def test_what_is_replaced_while_it_looks_wrong_is_well(self) -> None:
        module_data = self.store_data(b"x" * 3_000_000)
        self.flip(self.path_of(module_data))
        steps = len(list(Survey(str(self.root))))
        for step in range(steps - 1):  # after the last one it was wrong when it was looked at
            survey = Survey(str(self.root))
            for number, _ in enumerate(survey):
                if number == step:
                    self.storage.assign(CONTEXT, module_data, io.BytesIO(b"x" * 3_000_000))
            self.assertEqual((survey.report.objects, survey.report.wrong), (1, 0))
            self.flip(self.path_of(module_data))

    def test_what_was_wrong_in_memory_alone_is_well(self) -> None:
        self.store(b"x" * 5000)
        real, blocks = os.read, [b"y" * 5000]

        def read(descriptor: int, size: int) -> bytes:
            return blocks.pop() if size == 5001 and blocks else real(descriptor, size)

        with mock.patch.object(os, "read", read):
            self.assertTrue(self.survey().is_well)
        self.assertEqual(blocks, [])

    def test_objects_without_a_known_checksum_are_well_and_counted(self) -> None:
        missing, unknown, garbage = self.store(), self.store(), self.store()
        for path in (missing, unknown, garbage):
            path.chmod(0o644)
        os.removexattr(missing, ATTRIBUTE)
        os.setxattr(unknown, ATTRIBUTE, b"sha999 0123456789abcdef 4")
        os.setxattr(garbage, ATTRIBUTE, b"\0\xff")
        self.store()
        report = self.survey()
        self.assertEqual((report.objects, report.unverified, report.wrong), (4, 3, 0))

    def test_foreign_things_are_reported_and_not_touched(self) -> None:
        self.store()
        shard = self.root / "0000/000"
        paths = [
            "foreign",
            "0000/foreign",
            "0000/000/foreign",
            "0000/000/.hidden",
            "00/" + "11" * 16,
            "0000/" + "0" * 32,
        ]
        for name in paths:
            self.root.joinpath(name).parent.mkdir(exist_ok=True)
            self.root.joinpath(name).touch()
        os.mkfifo(shard / ("1" * 32))
        self.root.joinpath("0000/400").mkdir()
        self.root.joinpath("quarantine").mkdir()
        self.root.joinpath("quarantine/note").touch()
        self.root.joinpath("quarantine", f"{'1' * 32}-{'2' * 8}.json").write_text("[]")
        before = self.tree()
        report = self.mend(grace=0, share=1)
        self.assertEqual((report.foreign, report.wrong, report.mended), (10, 10, 0))
        self.assertEqual(
            set(self.found(report)), {*paths, f"0000/000/{'1' * 32}", "0000/400", *self.names("quarantine")}
        )
        self.assertEqual(self.tree(), before)

    def names(self, directory: str) -> list[str]:
        return [f"{directory}/{name}" for name in os.listdir(self.root / directory)]

    def test_links_are_not_followed(self) -> None:
        path = self.store()
        outside = self.root.parent / "outside"
        path.parent.parent.rename(outside)
        self.root.joinpath("0000").symlink_to(outside)
        inside = self.root / "0001/000"
        inside.mkdir(parents=True)
        inside.joinpath(path.name).symlink_to(outside / "000" / path.name)
        self.root.joinpath("0001/001").symlink_to(outside / "000")
        report = self.mend()
        self.assertEqual(set(self.found(report)), {"0000", f"0001/000/{path.name}", "0001/001"})
        self.assertEqual((report.objects, report.foreign), (0, 3))
        self.assertEqual(outside.joinpath("000", path.name).read_bytes(), b"data")

    def test_leftovers_are_wrong_once_they_are_old(self) -> None:
        path = self.store()
        shard = path.parent
        leftovers = [
            shard / f".{'a' * 32}.new",
            self.root / f".{'b' * 32}.new",
            shard / f"{'c' * 32}.{SIDECAR_TIME:x}.sum",
            shard / f"{path.name}.{SIDECAR_TIME:x}.sum",
        ]
        for leftover in leftovers:
            leftover.touch()
        report = self.mend()
        self.assertEqual((report.young, report.wrong, report.mended), (4, 0, 0))
        later = time.time_ns() + 86401 * 10**9
        with mock.patch.object(time, "time_ns", lambda: later):
            report = self.survey()
            self.assertEqual(self.found(report), {self.below(leftover): LEFTOVER for leftover in leftovers})
            self.assertFalse(report.is_well)
            report = self.mend()
        self.assertEqual((report.young, report.leftover, report.mended, report.is_well), (0, 4, 4, True))
        self.assertEqual([path for path in leftovers if path.exists()], [])
        self.assertTrue(path.exists())

    def test_a_sidecar_with_its_object_is_used(self) -> None:
        path = self.store()
        text = os.getxattr(path, ATTRIBUTE)
        path.chmod(0o644)
        os.removexattr(path, ATTRIBUTE)
        os.utime(path, (SIDECAR_TIME, SIDECAR_TIME))
        path.with_name(f"{path.name}.{SIDECAR_TIME:x}.sum").write_bytes(text + b"\n")
        report = self.mend(grace=0)
        self.assertEqual((report.objects, report.unverified, report.wrong, report.young), (1, 0, 0, 0))
        data = bytearray(b"dota")
        path.write_bytes(data)
        os.utime(path, (SIDECAR_TIME, SIDECAR_TIME))
        self.assertEqual(self.found(self.mend()), {self.below(path): CORRUPT})
        [entry] = self.entries()
        Mender(*self.parts()).restore(entry.name)
        self.assertEqual(set(os.listdir(path.parent)), {path.name, f"{path.name}.{SIDECAR_TIME:x}.sum"})

    def parts(self) -> Any:
        return self.storage._root, self.storage._durability

    def entries(self) -> list[quarantine.Entry]:
        return quarantine.entries(self.storage._root)

    def test_only_so_many_are_listed(self) -> None:
        report = Report()
        for number in range(LISTED + 5):
            report.note(Finding(FOREIGN, str(number), ""))
        self.assertEqual((len(report.found), report.foreign), (LISTED, LISTED + 5))


class MendTest(SurveyCase):
    def test_corrupt_objects_go_to_quarantine_and_come_back(self) -> None:
        wrong, well = self.store_data(b"x" * 1000), self.store_data()
        path = self.path_of(wrong)
        self.flip(path)
        rotten = path.read_bytes()
        self.storage.statistics(CONTEXT)  # adds to the counters what was not yet added
        report = self.mend()
        self.assertEqual((report.corrupt, report.mended, report.quarantined, report.is_well), (1, 1, 1, False))
        self.assertFalse(self.storage.available(CONTEXT, wrong))
        self.assertTrue(self.storage.available(CONTEXT, well))
        self.assert_counters(1, 4, 1)
        [entry] = quarantine.entries(self.storage._root)
        self.assertEqual(entry.path, self.below(path))
        self.assertTrue(self.survey().is_well)
        Mender(self.storage._root, self.storage._durability).restore(entry.name)
        self.assertEqual(path.read_bytes(), rotten)
        self.assertEqual(self.found(self.survey()), {self.below(path): CORRUPT})
        self.assert_counters(2, 1004, 0)

    def assert_counters(self, objects: int, size: int, quarantined: int) -> None:
        said = self.storage.statistics(CONTEXT)
        self.assertEqual((said["objects"], said["bytes"], said["quarantined"]), (objects, size, quarantined))

    def test_an_object_that_was_stored_anew_is_not_replaced_by_a_restore(self) -> None:
        module_data = self.store_data()
        self.flip(self.path_of(module_data))
        self.mend()
        self.storage.assign(CONTEXT, module_data, io.BytesIO(b"anew"))
        [entry] = quarantine.entries(self.storage._root)
        with self.assertRaises(FileExistsError):
            Mender(self.storage._root, self.storage._durability).restore(entry.name)
        self.assertEqual(self.path_of(module_data).read_bytes(), b"anew")
        self.assertEqual(len(quarantine.entries(self.storage._root)), 1)

    def test_what_was_replaced_after_it_was_found_stays(self) -> None:
        module_data = self.store_data()
        self.flip(self.path_of(module_data))
        self.store_data()
        survey = Survey(str(self.root), Options(mend=True))
        for _ in survey:
            if survey.wrong:
                self.storage.assign(CONTEXT, module_data, io.BytesIO(b"anew"))
        self.assertEqual(self.path_of(module_data).read_bytes(), b"anew")
        self.assertEqual(quarantine.entries(self.storage._root), [])

    def test_empty_directories_are_removed(self) -> None:
        self.store()
        for name in ("0000/001", "0001/000", "0002", "ab"):
            self.root.joinpath(name).mkdir(parents=True)
        report = self.survey()
        self.assertEqual((report.empty, report.pruned, report.wrong), (4, 0, 0))
        report = self.mend()
        self.assertEqual((report.empty, report.pruned), (4, 0))  # they may be in use
        report = self.mend(grace=0)
        self.assertEqual((report.empty, report.pruned), (4, 4))
        self.assertEqual(sorted(os.listdir(self.root)), ["0000", "counters", "fsstore.json"])

    def test_a_description_without_an_object_is_left_over(self) -> None:
        self.flip(self.store())
        self.mend()
        [entry] = quarantine.entries(self.storage._root)
        self.root.joinpath("quarantine", entry.name).unlink()
        report = self.mend(grace=0)
        self.assertEqual((report.leftover, report.mended, report.quarantined), (1, 1, 0))

    def test_counters_are_corrected(self) -> None:
        for size in (1, 10, 100):
            self.store(b"x" * size)
        self.storage.statistics(CONTEXT)
        for line in ("", "0" * 84, " ".join(["9".zfill(20)] * 4) + "\n"):
            with self.subTest(line):
                self.root.joinpath("counters").write_text(line)
                self.mend()
                self.assert_counters(3, 111, 0)
                self.assertGreaterEqual(int(self.root.joinpath("counters").read_text().split()[3]), 3)

    def test_counters_stay_right_when_a_server_writes_while_it_counts(self) -> None:
        kept = [self.store_data() for _ in range(20)]
        self.storage.statistics(CONTEXT)
        self.root.joinpath("counters").write_text(" ".join(["9".zfill(20)] * 4) + "\n")
        mender = Mender(self.storage._root, self.storage._durability)
        for number, _ in enumerate(mender.recount()):
            if number % 5 == 4:
                kept.append(self.store_data())
        self.assert_counters(len(kept), 4 * len(kept), 0)


class StopTest(SurveyCase):
    def spoil(self, wrong: int, well: int) -> list[Path]:
        paths = [self.store() for _ in range(wrong + well)]
        for path in paths[:wrong]:
            self.flip(path)
        return paths[:wrong]

    def test_nothing_is_mended_where_too_much_looks_wrong(self) -> None:
        self.spoil(11, 20)
        before = self.tree()
        with self.assertRaisesRegex(TooMuchWrong, "11 things look wrong, 35%"):
            self.mend()
        self.assertEqual(self.tree(), before)

    def test_it_asks_once_and_obeys(self) -> None:
        self.spoil(11, 20)
        asked = []

        def ask(report: Report) -> bool:
            asked.append(report.wrong)
            return len(asked) > 1

        with self.assertRaises(TooMuchWrong):
            self.survey(Options(mend=True), ask=ask)
        report = self.survey(Options(mend=True), ask=ask)
        self.assertEqual(asked, [11, 11])
        self.assertEqual((report.mended, report.quarantined), (11, 11))

    def test_after_a_stop_it_goes_on_with_the_answer(self) -> None:
        self.spoil(11, 20)
        survey = Survey(str(self.root), Options(mend=True))
        with self.assertRaises(TooMuchWrong):
            list(survey)
        report = self.survey(Options(mend=True), state=survey.state(), ask=lambda report: True)
        self.assertEqual((report.objects, report.corrupt, report.mended), (31, 11, 11))

    def test_a_few_or_a_small_share_do_not_stop_it(self) -> None:
        self.spoil(9, 0)
        self.assertEqual(self.mend().mended, 9)
        self.spoil(10, 90)
        self.assertEqual(self.mend().mended, 10)


class ResumeTest(SurveyCase):
    def fill(self) -> None:
        for number in range(30):
            path = self.store(os.urandom(number * 100))
            if number % 15 == 7:
                self.flip(path)
        self.store(os.urandom(4_000_000))
        self.root.joinpath("0000/005").mkdir()
        self.root.joinpath("0000/foreign").touch()
        self.root.joinpath("0000/000", f".{'0' * 32}.new").touch()
        self.storage.assign(CONTEXT, json.dumps({"path": "ab/ab" + "0" * 30}), io.BytesIO(b"old"))

    def interrupted(self, options: Options, after: int) -> Report:
        """Survey with a new process every few steps, in so far as a state that was JSON makes one."""
        state = None
        while True:
            survey = Survey(str(self.root), options, state=state)
            for number, _ in enumerate(survey):
                if number == after:
                    break
            else:
                return survey.report
            state = json.loads(json.dumps(survey.state()))

    def test_the_report_is_that_of_an_uninterrupted_one(self) -> None:
        self.fill()
        options = Options(grace=0)
        whole = self.survey(options)
        self.assertEqual((whole.corrupt, whole.leftover, whole.foreign, whole.objects), (2, 1, 1, 32))
        for after in (6, 7, 20):
            self.assertEqual(self.interrupted(options, after), whole)

    def test_also_when_it_mends(self) -> None:
        self.fill()
        self.storage.statistics(CONTEXT)
        report = self.interrupted(Options(mend=True, grace=0), 60)
        self.assertEqual((report.corrupt, report.leftover, report.foreign, report.objects), (2, 1, 1, 32))
        self.assertEqual((report.mended, report.pruned, report.quarantined), (3, 1, 2))
        self.assertEqual(self.storage.statistics(CONTEXT)["objects"], 30)

    def test_a_state_of_something_else_is_refused(self) -> None:
        state = Survey(str(self.root)).state()
        wrong: list[dict[str, Any]] = [
            {},
            state | {"identity": "0" * 32},
            state | {"mend": True},
            state | {"report": {}},
            state | {"report": state["report"] | {"objects": "5"}},
            state | {"found": [[1]]},
        ]
        for one in wrong:
            with self.subTest(one), self.assertRaisesRegex(ValueError, "state"):
                Survey(str(self.root), state=one)
        self.assertEqual(self.survey(state=state).wrong, 0)


class User(threading.Thread):
    """Somebody who stores, replaces and deletes objects of his own until he is told to stop."""

    def __init__(self, storage: FileStorage, seed: int) -> None:
        super().__init__()
        self.kept: dict[str, bytes] = {}
        self.failed: BaseException | None = None
        self.is_over = threading.Event()
        self._storage = storage
        self._chance = random.Random(seed)

    def run(self) -> None:
        try:
            while not self.is_over.is_set():
                if self.kept and self._chance.random() < 0.5:
                    self._remove_one()
                else:
                    self._store_one()
        except BaseException as error:
            self.failed = error

    def _remove_one(self) -> None:
        module_data = self._chance.choice(list(self.kept))
        del self.kept[module_data]
        self._storage.delete(CONTEXT, module_data)

    def _store_one(self) -> None:
        is_new = not self.kept or self._chance.random() < 0.7
        module_data = self._storage.new_data(CONTEXT) if is_new else self._chance.choice(list(self.kept))
        data = self._chance.randbytes(self._chance.choice((0, 100, 100_000)))
        self._storage.assign(CONTEXT, module_data, io.BytesIO(data))
        self.kept[module_data] = data


class BesideServersTest(SurveyCase):
    def test_nothing_of_theirs_is_wrong_and_nothing_is_lost(self) -> None:
        for durability in ("full", "none"):
            with self.subTest(durability):
                self.beside_users(FileStorage(root=str(self.root), durability=durability, reserve=0))

    def test_nor_where_the_file_system_has_neither_attributes_nor_files_without_a_name(self) -> None:
        storage = FileStorage(root=str(self.root), durability="none", reserve=0)
        storage._durability.weaker |= {"attributes": "", "unnamed files": ""}
        self.beside_users(storage)

    def beside_users(self, storage: FileStorage) -> None:
        users = [User(storage, seed) for seed in range(4)]
        for user in users:
            user.start()
        try:
            deadline, reports = time.monotonic() + 1.0, []
            while time.monotonic() < deadline:
                reports.append(self.mend(grace=60))
        finally:
            for user in users:
                user.is_over.set()
                user.join()
        self.assertEqual([user.failed for user in users if user.failed], [])
        self.assertEqual([report.found for report in reports if report.wrong], [])
        kept = {module_data: data for user in users for module_data, data in user.kept.items()}
        for module_data, data in kept.items():
            with storage.get_read_stream(CONTEXT, module_data) as stream:
                self.assertEqual(stream.read(), data)
        self.assert_counted(storage, kept)
        for module_data in kept:
            storage.delete(CONTEXT, module_data)

    def assert_counted(self, storage: FileStorage, kept: dict[str, bytes]) -> None:
        storage.statistics(CONTEXT)  # adds to the counters what was not yet added
        report, said = self.mend(), storage.statistics(CONTEXT)
        expected = (len(kept), sum(map(len, kept.values())))
        self.assertEqual((report.objects, report.bytes), expected)
        self.assertEqual((said["objects"], said["bytes"]), expected)
        self.assertEqual((report.unverified, report.young), (0, 0))

    def test_an_object_that_is_removed_while_it_is_read_is_not_counted(self) -> None:
        module_data = self.store_data(b"x" * 5_000_000)
        survey = Survey(str(self.root))
        read = 0
        for _ in survey:
            read += 1
            self.storage.delete(CONTEXT, module_data)
        self.assertGreater(read, 2)
        self.assertEqual((survey.report.objects, survey.report.wrong), (0, 0))


class PaceTest(SurveyCase):
    def test_no_more_is_read_than_the_rate_allows(self) -> None:
        now, read = 0.0, 0
        too_much: list[float] = []
        real = os.read

        def sleep(seconds: float) -> None:
            nonlocal now
            self.assertLessEqual(seconds, 0.5)
            now += seconds

        def counted(descriptor: int, size: int) -> bytes:
            nonlocal read
            block = real(descriptor, size)
            if os.fstat(descriptor).st_size >= 5000:
                read += len(block)
                too_much.append(read - 100_000 * now)
            return block

        for _ in range(100):
            self.store(b"x" * 5000)
        self.store(b"x" * 3_000_000)
        with mock.patch.object(os, "read", counted):
            report = self.survey(pace=Pace(100_000, lambda: now, sleep))
        self.assertEqual(report.read, 3_500_000)
        self.assertEqual(read, report.read)
        self.assertLessEqual(max(too_much), 1024 * 1024 + 1)  # a block, and it is paid for before the next one
        self.assertAlmostEqual(now, 35, delta=11)

    def test_a_small_object_costs_a_page(self) -> None:
        now = 0.0
        pace = Pace(4096, lambda: now, lambda seconds: None)
        pace.took(1)
        self.assertTrue(pace.is_early())
        now = 1.0
        self.assertFalse(pace.is_early())


class HistogramTest(unittest.TestCase):
    def test_the_floor_is_the_power_of_two_below(self) -> None:
        self.assertEqual([floor(number) for number in (0, 1, 2, 3, 4, 1023, 1024)], [0, 1, 2, 2, 4, 512, 1024])
