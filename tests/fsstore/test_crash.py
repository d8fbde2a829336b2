"""The model of a power cut, the recorder and the states made real, each on a few operations."""

import os
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.fsstore.crash import (
    Changed,
    Crashes,
    Disk,
    Entries,
    Event,
    Made,
    Operation,
    Resized,
    Synced,
    SyncedAll,
    Written,
    unseen,
)
from tests.fsstore.disk import MODE, MTIME, Inode, State, Tree, materialise, snapshot, timeless, without
from tests.fsstore.recorder import Recorder

FILE = Inode(b"", ((MODE, 0o600),))
DIRECTORY = Inode(None, ((MODE, 0o700),))
ROOT, OTHER, NEW, OLD = 0, 1, 2, 3  # inodes

#: A root with the directory "d", and in that the file "old".
START = Tree(
    ROOT,
    {ROOT: DIRECTORY, OTHER: DIRECTORY, OLD: Inode(b"OLD!", ((MODE, 0o600),))},
    {ROOT: {"d": OTHER}, OTHER: {"old": OLD}},
)


def named(name: str, inode: int | None, directory: int = ROOT) -> Entries:
    return Entries(directory, ((name, inode),))


def short(state: State) -> str:
    """Return a state in short, less the entry "d": every path, with what is in it."""
    entries = ((path, inode.data) for path, _, inode in state if path != "d")
    return " ".join(path if data is None else f"{path}={data.decode()}" for path, data in entries)


def after(log: Iterable[Operation], start: Tree = START) -> Disk:
    """Return a disk on which ``log`` was done."""
    disk = Disk(start)
    for operation in log:
        disk.apply(operation)
    return disk


def left(log: Iterable[Operation]) -> set[str]:
    """Return in short what a power cut after the whole of ``log`` may leave."""
    states, is_all = after(log).states(4096)
    assert is_all
    return set(map(short, states))


class FilesTest(unittest.TestCase):
    def left_of(self, *log: Operation) -> set[str]:
        """Return what may be in "new", whose name is durable, after ``log``."""
        named_new: list[Operation] = [Made(NEW, FILE), named("new", NEW), Synced(ROOT)]
        return {text.removeprefix("d/old=OLD! new=") for text in left([*named_new, *log])}

    def test_what_is_not_synced_is_missing_whole_or_torn(self) -> None:
        found = self.left_of(Written(NEW, 0, b"abcd"))
        self.assertEqual(found, {"", "abcd", "ab", "\0\0\0\0", "\0\0cd"})

    def test_what_is_written_over_may_be_half_old_and_half_new(self) -> None:
        synced: list[Operation] = [Written(NEW, 0, b"abcd"), Synced(NEW)]
        found = self.left_of(*synced, Written(NEW, 0, b"ABCD"))
        self.assertEqual(found, {"abcd", "ABCD", "AB", "ABcd", "abCD", "\0\0\0\0"})

    def test_what_is_synced_is_whole(self) -> None:
        for sync in (Synced(NEW), Synced(NEW, attributes=False), SyncedAll()):
            self.assertEqual(self.left_of(Written(NEW, 0, b"abcd"), sync), {"abcd"})

    def test_what_was_written_on_the_way_may_be_left(self) -> None:
        found = self.left_of(Written(NEW, 0, b"abcd"), Synced(NEW), Resized(NEW, 0), Written(NEW, 0, b"x"))
        self.assertIn("", found)

    def test_holes_are_zeros(self) -> None:
        self.assertEqual(self.left_of(Written(NEW, 2, b"x"), Resized(NEW, 4), Synced(NEW)), {"\0\0x\0"})

    def test_attributes_need_a_sync_that_is_not_of_data_alone(self) -> None:
        log: list[Operation] = [
            Made(NEW, FILE),
            named("new", NEW),
            Synced(ROOT),
            Changed(NEW, "user.x", b"1"),
            Changed(NEW, MODE, 0o400),
        ]
        both = {(mode, x) for mode in (0o600, 0o400) for x in (None, b"1")}
        for with_attributes, expected in ((False, both), (True, {(0o400, b"1")})):
            disk = after([*log, Synced(NEW, with_attributes)])
            inodes = [dict(state[-1][2].attributes) for state in disk.states(4096)[0]]
            self.assertEqual({(each[MODE], each.get("user.x")) for each in inodes}, expected)

    def test_a_file_without_a_name_is_not_to_be_seen(self) -> None:
        self.assertEqual(left([Made(NEW, FILE), Written(NEW, 0, b"abcd")]), {"d/old=OLD!"})


class DirectoriesTest(unittest.TestCase):
    def test_entries_are_missing_or_present_until_the_directory_is_synced(self) -> None:
        log: list[Operation] = [Made(NEW, FILE), named("a", NEW), named("b", NEW)]
        self.assertEqual(left(log), {"d/old=OLD!", "a= d/old=OLD!", "b= d/old=OLD!", "a= b= d/old=OLD!"})
        self.assertEqual(left([*log, Synced(NEW), Synced(OTHER)]), left(log))
        self.assertEqual(left([*log, Synced(ROOT)]), {"a= b= d/old=OLD!"})

    def test_a_sync_of_data_alone_is_none_of_entries(self) -> None:
        log: list[Operation] = [named("old", None, OTHER), Synced(OTHER, attributes=False)]
        self.assertEqual(left(log), {"", "d/old=OLD!"})

    def test_what_is_removed_may_come_back_until_the_directory_is_synced(self) -> None:
        self.assertEqual(left([named("old", None, OTHER)]), {"", "d/old=OLD!"})
        self.assertEqual(left([named("old", None, OTHER), Synced(OTHER)]), {""})

    def test_a_rename_is_one_step(self) -> None:
        rename = Entries(OTHER, (("new", None), ("old", NEW)))
        log: list[Operation] = [Made(NEW, FILE), named("new", NEW, OTHER), Synced(OTHER), rename]
        self.assertEqual(left(log), {"d/new= d/old=OLD!", "d/old="})
        self.assertEqual(left([*log, Synced(OTHER)]), {"d/old="})

    def test_a_rename_between_directories_is_two_and_loses_nothing_until_one_is_synced(self) -> None:
        log: list[Operation] = [Entries(ROOT, (("moved", OLD),), gone=(OTHER, "old"))]
        self.assertEqual(left(log), {"d/old=OLD!", "moved=OLD!", "d/old=OLD! moved=OLD!"})
        self.assertEqual(left([*log, Synced(ROOT)]), {"moved=OLD!", "d/old=OLD! moved=OLD!"})
        self.assertEqual(left([*log, Synced(OTHER)]), {"", "moved=OLD!"})

    def test_a_directory_without_an_entry_takes_all_with_it(self) -> None:
        log: list[Operation] = [
            Made(4, DIRECTORY),
            named("e", 4),
            Made(NEW, FILE),
            named("new", NEW, 4),
            Synced(NEW),
            Synced(4),
        ]
        self.assertEqual(left(log), {"d/old=OLD!", "d/old=OLD! e e/new="})
        self.assertEqual(left([*log, Synced(ROOT)]), {"d/old=OLD! e e/new="})

    def test_a_directory_that_is_removed_may_come_back_with_what_was_in_it(self) -> None:
        log: list[Operation] = [named("old", None, OTHER), named("d", None)]
        self.assertEqual(left(log), {"", "d/old=OLD!"})
        disk = after(log)
        self.assertEqual(len(set(disk.states(4096)[0])), 3)  # with and without "d" when "old" is gone


class CrashesTest(unittest.TestCase):
    def test_every_point_is_crashed_and_each_state_comes_once_between_events(self) -> None:
        log: list[Operation] = [Event("begin"), Made(NEW, FILE), named("new", NEW), Synced(ROOT), Event("end")]
        crashes = Crashes(START, log)
        found = [(crash.point, crash.events, "new" in short(crash.state)) for crash in crashes]
        begun, ended = ("begin",), ("begin", "end")
        self.assertEqual(found, [(0, (), False), (1, begun, False), (3, begun, True), (5, ended, True)])
        self.assertEqual((crashes.points, crashes.points_cut_short), (6, 0))

    def test_an_explosion_is_cut_short_and_counted(self) -> None:
        log: list[Operation] = [Made(NEW, FILE), *(named(f"n{number}", NEW) for number in range(12))]
        crashes = Crashes(START, log, limit=1024)
        counts = {len(crash.state) - 2 for crash in crashes}
        self.assertEqual(counts, set(range(13)))
        self.assertEqual(crashes.points_cut_short, 2)  # 2 ** 11 and 2 ** 12 combinations
        disk = after(log)
        states, is_all = disk.states(1024)
        self.assertFalse(is_all)
        near = {0, 1, 2, 3, 9, 10, 11, 12}
        self.assertEqual({len(state) - 2 for state in states}, near)

    def test_nothing_is_cut_shorter_than_one_deviation(self) -> None:
        names: list[Operation] = [named(f"n{number}", NEW) for number in range(40)]
        states, _ = after([Made(NEW, FILE), *names]).states(100)
        self.assertEqual(len(set(states)), 2 + 2 * 40)

    def test_a_file_can_be_left_out(self) -> None:
        log: list[Operation] = [
            Made(NEW, FILE),
            named(".tmp", NEW),
            Written(NEW, 0, b"x"),
            Entries(ROOT, ((".tmp", None), ("c", NEW))),
        ]
        kept: list[Operation] = [named("old", None, OTHER), SyncedAll(), Event("x")]
        self.assertEqual(unseen(START, [*log, *kept, named("c", None)], "c"), kept)


class RecorderTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name, "root")
        (self.root / "d").mkdir(parents=True)
        (self.root / "d" / "old").write_bytes(b"old")

    def recorded(self, work: Callable[[int], object]) -> list[Operation]:
        """Record what ``work`` does, given a descriptor of the root, and fail if it is not what came of it."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, descriptor)
        with Recorder(self.root) as recorder:
            work(descriptor)
        self.assertEqual(timeless(after(recorder.log, recorder.start).now()), timeless(snapshot(self.root)[0].state()))
        return recorder.log

    def test_a_nameless_file_is_written_linked_and_synced(self) -> None:
        def work(root: int) -> None:
            file = os.open(".", os.O_WRONLY | os.O_TMPFILE, 0o444, dir_fd=root)
            os.write(file, b"abc")
            os.writev(file, [b"de", b"f"])
            os.fdatasync(file)
            os.link(f"/proc/self/fd/{file}", "new", dst_dir_fd=root, follow_symlinks=True)
            os.close(file)
            os.fsync(root)

        made, *rest = self.recorded(work)
        assert isinstance(made, Made)
        number = made.inode
        written: list[Operation] = [Written(number, 0, b"abc"), Written(number, 3, b"def")]
        synced = Synced(number, attributes=False)
        self.assertEqual(rest, [*written, synced, named("new", number), Synced(0)])

    def test_all_that_changes_a_file_is_seen(self) -> None:
        def work(root: int) -> None:
            with_sync = os.O_RDWR | os.O_CREAT | os.O_DSYNC
            file = os.open("d/new", with_sync, 0o644, dir_fd=root)
            os.pwrite(file, b"abc", 2)
            os.pwritev(file, [b"x", b"y"], 0)
            os.copy_file_range(file, file, 2, 0, 5)
            os.ftruncate(file, 3)
            os.posix_fallocate(file, 0, 10)
            os.fchmod(file, 0o640)
            os.chmod("d/old", 0o600, dir_fd=root)
            os.utime("d/old", (0, 0), dir_fd=root)
            os.fchown(file, -1, -1)
            os.close(file)
            os.close(os.open("d/old", os.O_WRONLY | os.O_TRUNC, dir_fd=root))
            os.truncate(self.root / "d/old", 2)

        log = self.recorded(work)
        names = [type(operation).__name__ for operation in log]
        expected = "Made Entries " + 3 * "Written Synced " + "Resized Resized Changed Changed Changed Touched Resized"
        self.assertEqual(names, [*expected.split(), "Resized"])

    def test_all_that_changes_a_directory_is_seen(self) -> None:
        def work(root: int) -> None:
            os.makedirs(self.root / "e" / "f")
            os.rename("d/old", "d/older", src_dir_fd=root, dst_dir_fd=root)
            os.link("d/older", "e/f/other", src_dir_fd=root, dst_dir_fd=root)
            os.rename("d/older", "e/f/other", src_dir_fd=root, dst_dir_fd=root)  # one file: nothing is done
            os.unlink("e/f/other", dir_fd=root)
            os.replace(self.root / "d" / "older", self.root / "e" / "moved")
            os.rmdir("e/f", dir_fd=root)
            Path(self.root / "e" / "moved").unlink()
            os.sync()

        log = self.recorded(work)
        self.assertEqual(sum(isinstance(operation, Entries) for operation in log), 8)
        self.assertEqual(log[-1], SyncedAll())

    def test_attributes_are_seen(self) -> None:
        old = self.root / "d" / "old"
        try:
            os.setxattr(old, "user.try", b"")
        except OSError as error:
            self.skipTest(f"extended attributes: {error}")

        def work(root: int) -> None:
            os.setxattr(old, "user.new", b"1")
            os.removexattr(old, "user.try")

        names = [operation.name for operation in self.recorded(work) if isinstance(operation, Changed)]
        self.assertEqual(names, ["user.new", "user.try"])

    def test_an_inode_number_that_comes_again_is_another_inode(self) -> None:
        def work(root: int) -> None:
            for _ in range(5):
                os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=root))
                os.unlink("new", dir_fd=root)

        self.assertEqual(len({each.inode for each in self.recorded(work) if isinstance(each, Made)}), 5)

    def test_what_fails_and_what_is_done_elsewhere_is_not_noted(self) -> None:
        def work(root: int) -> None:
            with self.assertRaises(FileNotFoundError):
                os.unlink("missing", dir_fd=root)
            with self.assertRaises(FileExistsError):
                os.mkdir("d", dir_fd=root)
            elsewhere = self.root.parent / "elsewhere"
            file = os.open(elsewhere, os.O_CREAT | os.O_WRONLY)
            os.write(file, b"x")
            os.fsync(file)
            os.close(file)
            elsewhere.unlink()

        self.assertEqual(self.recorded(work), [])

    def test_threads_are_noted_in_the_order_in_which_they_worked(self) -> None:
        def work(root: int) -> None:
            def one(name: str) -> None:
                for _ in range(50):
                    os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=root))
                    os.rename(name, "same", src_dir_fd=root, dst_dir_fd=root)

            threads = [threading.Thread(target=one, args=(f"t{number}",)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        self.assertEqual(len(self.recorded(work)), 4 * 50 * 3)

    def test_what_comes_from_elsewhere_is_an_error(self) -> None:
        (self.root.parent / "elsewhere").write_bytes(b"")
        with Recorder(self.root), self.assertRaises(LookupError):
            os.rename(self.root.parent / "elsewhere", self.root / "new")


class MaterialiseTest(unittest.TestCase):
    def test_a_state_is_made_real(self) -> None:
        shared = Inode(b"data", ((MODE, 0o444), (MTIME, 0)))
        state: State = (
            ("a", "a", Inode(None, ((MODE, 0o750),))),
            ("a/one", "a/one", shared),
            ("a/two", "a/one", shared),
            ("b", "b", Inode(b"", ((MODE, 0o600), (MTIME, 10**18), ("user.x", b"1")))),
        )
        with tempfile.TemporaryDirectory() as directory:
            try:
                materialise(state, Path(directory))
                found = snapshot(Path(directory))[0].state()
            finally:
                os.chmod(Path(directory, "a"), 0o700)
            self.assertEqual(os.stat(Path(directory, "a/one")).st_nlink, 2)
        self.assertEqual(without(found, {"b"}), without(state, {"b"}))
        self.assertIn(found[-1], [state[-1], ("b", "b", Inode(b"", ((MODE, 0o600), (MTIME, 10**18))))])
