"""Keyrings: what is read, what is refused, what is told, and how they change."""

import errno
import json
import multiprocessing
import os
import stat
import tempfile
import threading
import traceback
import unittest
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from stacked import keyfile
from stacked.keyring import Key, Keyring, Ring, dump, parse
from tests.stacked.test_record import JSON

SECRET = bytes(range(100, 132))
CREATED = "2026-01-31T12:00:00Z"


def item(**changed: Any) -> dict[str, Any]:
    text = json.loads(dump([Key("one", CREATED, SECRET)]))["keys"][0]
    return {name: value for name, value in {**text, **changed}.items() if value is not None}


def text_of(*items: Any, **changed: Any) -> str:
    return json.dumps({"version": 1, "keys": list(items), **changed})


class ParseTest(unittest.TestCase):
    def test_what_is_written_is_read(self) -> None:
        keys = [
            Key("one", CREATED, SECRET, is_retired=True),
            Key("two-2.x_", CREATED, bytes(32)),
            Key("3", CREATED, SECRET),
        ]
        ring = parse(dump(keys))
        assert isinstance(ring, Ring)
        found = [(key.id, key.created, key.material, key.state) for key in ring.keys]
        self.assertEqual(found, [(key.id, key.created, key.material, key.state) for key in keys])
        self.assertEqual([key.state for key in ring.keys], ["retired", "active", "active"])

    def test_the_newest_is_the_last_that_is_not_retired(self) -> None:
        one, two, three = (Key(name, CREATED, SECRET, is_retired=name == "3") for name in "123")
        self.assertIs(Ring((one, two, three)).newest, two)
        self.assertIs(Ring((one, two, three)).find("3"), three)
        self.assertIsNone(Ring((three,)).newest)

    def test_what_is_no_keyring_is_told_in_one_line(self) -> None:
        for text, reason in (
            ("", "no JSON"),
            ("\x00", "no JSON"),
            ("[" * 100_000, "no JSON"),
            ("9" * 10_000, "no JSON"),
            ("[]", "no JSON object of version and keys"),
            (json.dumps({"version": 1, "keys": [item()], "more": 1}), "no JSON object of version and keys"),
            (text_of(item(), version=2), "of another version than 1"),
            (text_of(item(), version=True), "of another version than 1"),
            (text_of(item(), version="1"), "of another version than 1"),
            (text_of(), "no keys"),
            (text_of(keys={"one": 1}), "no keys"),
            (text_of(item(), item()), "two keys have one id"),
        ):
            with self.subTest(text[:60]):
                self.assertIn(reason, str(parse(text)))

    def test_what_is_no_key_is_told_by_its_number(self) -> None:
        for wrong in (
            {"id": None},
            {"more": "x"},
            {"id": ""},
            {"id": "../x"},
            {"id": "x" * 65},
            {"id": "a\n"},
            {"id": 7},
            {"created": "yesterday"},
            {"created": CREATED + "\n"},
            {"state": "new"},
            {"key": "AAAA"},
            {"key": "*" * 44},
            {"key": "ä" * 44},
            {"key": [1]},
        ):
            with self.subTest(wrong):
                self.assertIn("key 2 is not", str(parse(text_of(item(id="other"), item(**wrong)))))
        self.assertIn("key 1 is not", str(parse(text_of("x"))))

    @given(st.binary(max_size=100) | st.text(max_size=100) | JSON.map(json.dumps))
    def test_any_text_is_read_or_told_about(self, text: bytes | str) -> None:
        self.assertIsInstance(parse(text), (Ring, str))

    @given(st.data())
    def test_a_keyring_that_was_changed_is_read_or_told_about(self, data: st.DataObject) -> None:
        whole = dump([Key("one", CREATED, SECRET), Key("two", CREATED, SECRET)])
        at, length = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 60))
        found = parse(whole[:at] + data.draw(st.binary(max_size=20)) + whole[at + length :])
        self.assertTrue(isinstance(found, Ring) or (found.isascii() and "\n" not in found))


def seen_in(error: BaseException | None) -> str:
    """Return what an error shows, and those behind it, with the variables of our functions that they came through."""
    shown = ""
    while error is not None:
        shown += f"{error} {vars(error)}"
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        shown += "".join(repr(frame.f_locals) for frame in frames if "/stacked/test_" not in frame.f_code.co_filename)
        error = error.__context__
    return shown


class FileCase(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / "keyring"
        self.now = 1000.0
        clock = mock.patch("stacked.keyring.time", SimpleNamespace(monotonic=lambda: self.now))
        clock.start()
        self.addCleanup(clock.stop)

    def write(self, text: str | bytes, mode: int = 0o600) -> None:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.path.chmod(mode)

    def refused(self, expected: str, call: Callable[[], object]) -> None:
        """See that a call fails with no name of an error but ENOKEY, and without a secret."""
        with self.assertRaisesRegex(OSError, expected) as raised:
            call()
        self.assertIs(type(raised.exception), OSError)
        self.assertEqual(raised.exception.errno, errno.ENOKEY)
        self.assertTrue(str(raised.exception.strerror).startswith(f"keyring: {self.path}: "))


class KeyringTest(FileCase):
    def test_an_argument_that_is_none_is_refused_without_being_shown(self) -> None:
        for wrong in (None, "", "keyring", "./keyring", "/a\0b", "env:", "env:a b", "env:1", 5, ["x"], text_of(item())):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "^keyring: give the absolute path") as raised:
                Keyring(wrong)
            self.assertNotIn(item()["key"], str(raised.exception))

    def test_what_is_not_there_is_refused_when_it_is_configured(self) -> None:
        with self.assertRaisesRegex(ValueError, f"^keyring: {self.path}: No such file"):
            Keyring(str(self.path))
        with self.assertRaisesRegex(ValueError, r"^keyring: env:NO_SUCH_RING: there is no such environment variable$"):
            Keyring("env:NO_SUCH_RING")

    def test_a_file_that_others_can_reach_is_refused(self) -> None:
        for mode in (0o640, 0o604, 0o620, 0o644, 0o700, 0o4600):
            self.write(text_of(item()), mode)
            with self.subTest(oct(mode)), self.assertRaisesRegex(ValueError, f"its mode is {mode:04o}: .*chmod 600"):
                Keyring(str(self.path))
        for mode in (0o600, 0o400):
            self.path.chmod(mode)
            self.assertEqual(Keyring(str(self.path)).newest().id, "one")

    def test_a_file_of_somebody_else_is_refused(self) -> None:
        self.write(text_of(item()))
        us = os.geteuid()
        with mock.patch("stacked.keyring.os.geteuid", return_value=us + 1):
            if us == 0:
                Keyring(str(self.path))  # root's may be used
                os.chown(self.path, 12345, -1)
            with self.assertRaisesRegex(ValueError, "it belongs to user"):
                Keyring(str(self.path))

    def test_what_is_no_file_is_refused_and_does_not_hang(self) -> None:
        os.mkfifo(self.path, 0o600)
        with self.assertRaisesRegex(ValueError, "it is no file"):
            Keyring(str(self.path))
        with self.assertRaisesRegex(ValueError, "it is no file"):
            Keyring(str(self.directory))
        self.path.unlink()
        self.write(b" " * (1024 * 1024 + 1))
        with self.assertRaisesRegex(ValueError, "that is no keyring"):
            Keyring(str(self.path))

    def test_no_secret_is_in_an_error_nor_in_a_variable_of_what_raised_it(self) -> None:
        secret = item()["key"][5:20]
        for text in (text_of(item(), item()), text_of(item(more=1)), text_of(item())[:-1], f'"{item()["key"]}"'):
            self.write(text)
            with self.assertRaises(ValueError) as raised:
                Keyring(str(self.path))
            shown = seen_in(raised.exception)
            self.assertIn("keyring: ", shown)
            self.assertNotIn(secret, shown)
            self.assertNotIn(repr(SECRET)[4:20], shown)
        self.assertNotIn(repr(SECRET)[4:20], repr(Ring((Key("one", CREATED, SECRET),))))

    def test_a_change_is_seen_within_a_second(self) -> None:
        self.write(text_of(item()))
        ring = Keyring(str(self.path))
        keyfile.add(str(self.path))
        self.assertEqual(ring.newest().id, "one")
        self.now += 1.1
        self.assertNotEqual(ring.newest().id, "one")

    def test_a_file_that_has_not_changed_is_not_read_again(self) -> None:
        self.write(text_of(item()))
        ring = Keyring(str(self.path))
        first = ring.newest()
        with mock.patch("stacked.keyring.read_file", side_effect=AssertionError):
            for _ in range(3):
                self.now += 1.1
                self.assertIs(ring.newest(), first)

    def test_an_id_that_is_not_known_is_looked_for_at_once_and_then_named(self) -> None:
        self.write(text_of(item()))
        ring = Keyring(str(self.path))
        made, _ = keyfile.add(str(self.path))
        self.assertEqual(ring.find(made.id).material, made.material)
        self.refused("it has no key other-1$", lambda: ring.find("other-1"))

    def test_what_cannot_be_read_any_more_is_an_error_until_it_can(self) -> None:
        self.write(text_of(item()))
        ring = Keyring(str(self.path))
        self.now += 1.1
        self.path.chmod(0o644)
        self.refused("its mode is 0644", ring.newest)
        self.path.unlink()
        self.refused("No such file", lambda: ring.find("one"))
        self.write("{")
        self.refused("it is no JSON", ring.newest)
        self.write(text_of(item(state="retired")))
        self.refused("all its keys are retired", ring.newest)
        self.write(text_of(item()))
        self.now += 1.1
        self.assertEqual(ring.newest().id, "one")

    def test_an_environment_variable(self) -> None:
        with mock.patch.dict(os.environ, {"RING": text_of(item())}):
            ring = Keyring("env:RING")
            self.assertEqual(ring.newest().material, SECRET)
            os.environ["RING"] = "nonsense"
            self.now += 1.1
            with self.assertRaisesRegex(OSError, "keyring: env:RING: it is no JSON") as raised:
                ring.newest()
            self.assertNotIn("nonsense", str(raised.exception))


class KeyfileTest(FileCase):
    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def test_keys_are_added_and_retired(self) -> None:
        first, count = keyfile.add(str(self.path))
        self.assertEqual((count, stat.S_IMODE(self.path.stat().st_mode)), (1, 0o600))
        second, count = keyfile.add(str(self.path))
        self.assertEqual((count, [key.id for key in keyfile.load(str(self.path)).keys]), (2, [first.id, second.id]))
        self.assertEqual(keyfile.retire(str(self.path), second.id).id, first.id)
        self.assertEqual([key.state for key in keyfile.load(str(self.path)).keys], ["active", "retired"])
        third, _ = keyfile.add(str(self.path))
        newest = keyfile.load(str(self.path)).newest
        self.assertEqual((newest and newest.id, self.names()), (third.id, ["keyring"]))
        self.assertEqual(len({key.material for key in keyfile.load(str(self.path)).keys}), 3)

    def test_the_last_key_is_not_retired(self) -> None:
        key, _ = keyfile.add(str(self.path))
        before = self.path.read_bytes()
        with self.assertRaisesRegex(ValueError, "no other key than"):
            keyfile.retire(str(self.path), key.id)
        with self.assertRaisesRegex(LookupError, "there is no key other"):
            keyfile.retire(str(self.path), "other")
        self.assertEqual((self.path.read_bytes(), self.names()), (before, ["keyring"]))

    def test_what_is_no_keyring_is_never_replaced(self) -> None:
        self.write("precious")
        for call in (lambda: keyfile.add(str(self.path)), lambda: keyfile.retire(str(self.path), "x")):
            with self.assertRaisesRegex(OSError, "it is no JSON"):
                call()
        self.assertEqual(self.path.read_text(), "precious")
        with self.assertRaises(FileNotFoundError):
            keyfile.retire(str(self.directory / "none"), "x")
        self.assertEqual(self.names(), ["keyring"])

    def test_a_failure_leaves_the_old_one_and_nothing_else(self) -> None:
        keyfile.add(str(self.path))
        before = self.path.read_bytes()
        for call in ("os.fsync", "os.rename", "os.fchmod"):
            with mock.patch(call, side_effect=OSError(errno.EIO, "broken")), self.assertRaisesRegex(OSError, "broken"):
                keyfile.add(str(self.path))
            self.assertEqual((self.path.read_bytes(), self.names()), (before, ["keyring"]))

    def test_it_is_durable_before_it_is_told(self) -> None:
        calls: list[str] = []

        def noted(name: str, real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: Any, **kwargs: Any) -> object:
                calls.append(name)
                return real(*args, **kwargs)

            return call

        with (
            mock.patch("os.fsync", noted("fsync", os.fsync)),
            mock.patch("os.rename", noted("rename", os.rename)),
        ):
            keyfile.add(str(self.path))
        self.assertEqual(calls, ["fsync", "rename", "fsync"])

    def test_a_link_stays_one(self) -> None:
        keyfile.add(str(self.path))
        link = self.directory / "link"
        link.symlink_to(self.path)
        keyfile.add(str(link))
        self.assertTrue(link.is_symlink())
        self.assertEqual(len(keyfile.load(str(self.path)).keys), 2)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_root_leaves_it_to_its_owner(self) -> None:
        keyfile.add(str(self.path))
        os.chown(self.path, 12345, 54321)
        keyfile.add(str(self.path))
        status = self.path.stat()
        self.assertEqual((status.st_uid, status.st_gid), (12345, 54321))

    def test_many_at_once_lose_no_key(self) -> None:
        fork = multiprocessing.get_context("fork")
        children = [fork.Process(target=_add_five, args=(str(self.path),)) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        self.assertEqual([child.exitcode for child in children], [0] * 4)
        self.assertEqual((len(keyfile.load(str(self.path)).keys), self.names()), (20, ["keyring"]))

    def test_who_is_killed_leaves_a_whole_one_and_the_next_one_tidies_up(self) -> None:
        keyfile.add(str(self.path))
        for pause in (0.0, 0.003, 0.01, 0.03):
            child = multiprocessing.get_context("fork").Process(target=_add_for_ever, args=(str(self.path),))
            child.start()
            child.join(0.05 + pause)
            child.kill()
            child.join()
            child.close()
            self.assertGreaterEqual(len(keyfile.load(str(self.path)).keys), 1)
        (self.directory / ".keyring.new").write_text("left over")
        keyfile.add(str(self.path))
        self.assertEqual(self.names(), ["keyring"])

    def test_who_reads_meanwhile_sees_a_whole_one(self) -> None:
        keyfile.add(str(self.path))
        done = threading.Event()
        seen: list[int] = []

        def read() -> None:
            while not done.is_set():
                seen.append(len(keyfile.load(str(self.path)).keys))

        thread = threading.Thread(target=read)
        thread.start()
        for _ in range(20):
            keyfile.add(str(self.path))
        done.set()
        thread.join(60)
        self.assertEqual(seen, sorted(seen))


def _add_five(path: str) -> None:
    for _ in range(5):
        keyfile.add(path)


def _add_for_ever(path: str) -> None:
    while True:
        keyfile.add(path)
