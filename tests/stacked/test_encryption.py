"""Encryption."""

import contextlib
import errno
import io
import itertools
import json
import multiprocessing
import operator
import os
import tempfile
import threading
import unittest
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.model import Model
from conformance.requirements import QUICK
from conformance.saboteurs.correct import MemoryStorage
from conformance.suite import Promises
from fsstore import FileStorage
from modules import Context, StorageModule
from stacked import keyfile
from stacked.base import StackedModule
from stacked.chunked import sealed_size
from stacked.encryption import EncryptedStorage
from stacked.keyring import Key, dump
from tests.files import objects_in
from tests.host.cloud import MODULES, CloudTest
from tests.sources import Breaking
from tests.stacked.cobblestone import seal, unseal, unwrap, wrap
from tests.stacked.stack import StackCase, file_storage
from tests.stacked.test_keyring import seen_in
from tests.stacked.test_record import JSON

VECTOR = Path(__file__).parent / "vectors/encryption.json"


def opened(ring: str, module_data: str, stored: bytes) -> bytes:
    """Return the data of an object by the second implementation."""
    text = json.loads(module_data)
    inner = text["inner"] if isinstance(text["inner"], str) else json.dumps(text["inner"])
    by = keyfile.load(ring).find(text["key"])
    assert by is not None
    key = unwrap(by.material, by.id, inner, b64decode(text["wrapped"]))
    return unseal(key, b"storage-modules/encryption@v1\0" + inner.encode(), stored)


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK
    ring: str

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.ring = f"{directory.name}/keyring"
        keyfile.add(cls.ring)

    def make_module(self) -> StorageModule:
        return EncryptedStorage(file_storage(self.directory), self.ring)

    def peek(self, module_data: str) -> bytes | None:
        file = Path(self.directory, json.loads(module_data)["inner"]["path"])
        return opened(self.ring, module_data, file.read_bytes()) if file.exists() else None


class KitOnLayersTest(KitTest):
    def make_module(self) -> StorageModule:
        return StackedModule(EncryptedStorage(EncryptedStorage(file_storage(self.directory), self.ring), self.ring))

    def peek(self, module_data: str) -> bytes | None:
        outer = json.dumps(json.loads(module_data)["inner"])
        inner = json.dumps(json.loads(outer)["inner"])
        stored = super().peek(inner)
        return None if stored is None else opened(self.ring, outer, stored)


class Kept(MemoryStorage):
    """Objects in memory, with names that the test chooses."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = list(names)

    def make_identity(self) -> str:
        return self._names.pop(0) if self._names else super().make_identity()


class EncryptionCase(StackCase):
    def setUp(self) -> None:
        super().setUp()
        self.ring = str(self.directory / "keyring")
        self.first, _ = keyfile.add(self.ring)
        self.module = EncryptedStorage("local", self.ring)

    def put(self, data: bytes, module_data: str | None = None) -> str:
        module_data = self.module.new_data(self.context) if module_data is None else module_data
        self.module.assign(self.context, module_data, io.BytesIO(data))
        return module_data

    def get(self, module_data: str, module: EncryptedStorage | None = None) -> bytes:
        with contextlib.closing((module or self.module).get_read_stream(self.context, module_data)) as stream:
            return stream.read()

    def refused(self, module_data: str, expected: str, number: int = errno.EIO) -> None:
        """See that an object cannot be read."""
        with self.assertRaisesRegex(OSError, expected) as raised:
            self.get(module_data)
        self.assertEqual(raised.exception.errno, number)
        self.assertNotIn(b64encode(self.first.material).decode(), str(raised.exception))


class EncryptedStorageTest(EncryptionCase):
    def test_nothing_of_the_data_is_below(self) -> None:
        self.put(b"plain text " * 5000)
        (file,) = self.objects()
        self.assertNotIn(b"plain", file.read_bytes())
        self.assertEqual(file.stat().st_size, sealed_size(55_000))

    def test_what_is_stored_twice_is_not_the_same_below(self) -> None:
        module_data = self.put(b"data")
        first = self.objects()[0].read_bytes()
        self.put(b"data", module_data)
        self.assertNotEqual(self.objects()[0].read_bytes()[:72], first[:72])

    def test_there_is_no_secret_in_module_data(self) -> None:
        made = [json.loads(self.module.new_data(self.context)) for _ in range(50)]
        self.assertEqual({tuple(sorted(text)) for text in made}, {("inner", "key", "layer", "wrapped")})
        self.assertEqual({text["key"] for text in made}, {self.first.id})
        self.assertEqual(len({text["wrapped"] for text in made}), 50)

    def test_the_wrapped_key_and_the_data_are_those_of_the_second_implementation(self) -> None:
        text = json.loads(self.put(b"some data"))
        inner, key = json.dumps(text["inner"]), bytes(range(32))
        wrapped = b64encode(wrap(self.first.material, self.first.id, inner, key)).decode()
        context = b"storage-modules/encryption@v1\0" + inner.encode()
        file = self.objects()[0]
        file.chmod(0o600)
        file.write_bytes(seal(key, context, bytes(24), b"other data"))
        self.assertEqual(self.get(json.dumps({**text, "wrapped": wrapped})), b"other data")

    def test_what_was_stored_in_2026_is_still_read(self) -> None:
        vector = json.loads(VECTOR.read_text())
        ring = self.directory / "old"
        ring.touch(mode=0o600)
        ring.write_text(json.dumps(vector["keyring"]))
        below = Kept()
        below.assign({}, vector["inner"], io.BytesIO(bytes.fromhex(vector["stored"])))
        module = EncryptedStorage(below, str(ring))
        self.assertEqual(self.get(vector["module_data"], module), vector["data"].encode())
        self.assertEqual(module.get_size({}, vector["module_data"]), len(vector["data"]))

    def test_a_key_is_wrapped_by_the_newest_and_an_old_one_still_reads(self) -> None:
        old = self.put(b"old")
        second, _ = keyfile.add(self.ring)
        self.module = EncryptedStorage("local", self.ring)
        new = self.put(b"new")
        keyfile.retire(self.ring, self.first.id)
        keyfile.add(self.ring)
        self.module = EncryptedStorage("local", self.ring)
        self.assertEqual((self.get(old), self.get(new)), (b"old", b"new"))
        self.assertEqual([json.loads(text)["key"] for text in (old, new)], [self.first.id, second.id])
        self.put(b"stored anew", old)
        self.assertEqual(self.get(old), b"stored anew")

    def test_another_process_reads_what_a_new_key_protects_at_once(self) -> None:
        other = EncryptedStorage("local", self.ring)
        keyfile.add(self.ring)
        self.module = EncryptedStorage("local", self.ring)
        self.assertEqual(self.get(self.put(b"new"), other), b"new")

    def test_a_key_that_is_gone_is_named(self) -> None:
        module_data = self.put(b"data")
        self.get(module_data)
        other = str(self.directory / "other")
        keyfile.add(other)
        os.replace(other, self.ring)
        self.module._keyring._kept = None  # a second later
        for call in (
            self.get,
            lambda text: self.module.available(self.context, text),
            lambda text: self.put(b"", text),
        ):
            with self.assertRaisesRegex(OSError, f"has no key {self.first.id}") as raised:
                call(module_data)
            self.assertEqual(raised.exception.errno, errno.ENOKEY)
        self.assertEqual(self.module.get_size(self.context, module_data), 4)
        self.module.delete(self.context, module_data)
        self.assertEqual(self.objects(), [])

    def test_a_keyring_that_is_gone_is_no_missing_object(self) -> None:
        module_data = self.put(b"data")
        os.unlink(self.ring)
        self.module._keyring._kept = None  # a second later
        self.refused(module_data, "keyring: .*No such file", errno.ENOKEY)
        with self.assertRaises(OSError):
            self.module.new_data(self.context)
        self.assertIn("No such file", self.module.statistics(self.context)["error"])

    def test_arguments(self) -> None:
        for arguments, name in (
            ({"keyring": self.ring}, "store"),
            ({"store": "local"}, "keyring"),
            ({"store": "local", "keyring": self.ring, "level": 1}, "level"),
        ):
            with self.subTest(name), self.assertRaisesRegex(ValueError, f"^{name}: "):
                EncryptedStorage(**arguments)

    def test_what_it_makes_no_sense_on(self) -> None:
        for layer in ("dedup", "compression"):
            below = type("Below", (StackedModule,), {"layer": layer})
            self.modules["below"] = below("local")
            with self.assertRaisesRegex(ValueError, f"^store: encryption on {layer}: .*: put {layer} on top of it"):
                EncryptedStorage("below", self.ring).stands_on(self.context)
        self.assertEqual(self.module.stands_on(self.context), ["local"])

    def test_statistics(self) -> None:
        keyfile.add(self.ring)
        newest, _ = keyfile.add(self.ring)
        keyfile.retire(self.ring, self.first.id)
        found = EncryptedStorage("local", self.ring).statistics(self.context)
        self.assertEqual((found["layer"], found["newest_key"]), ("encryption", newest.id))
        self.assertEqual((found["active_keys"], found["retired_keys"]), (2, 1))

    def test_upkeep_counts_the_objects_of_each_key(self) -> None:
        kept = [self.module.new_data(self.context) for _ in range(3)]
        second, _ = keyfile.add(self.ring)
        module = EncryptedStorage("local", self.ring)
        kept += [module.new_data(self.context) for _ in range(2)]
        found = module.upkeep(self.context, iter([*kept[:1], "nonsense", *kept[1:]]))
        self.assertEqual(found, {"keys": {self.first.id: 3, second.id: 2}, "wrong": 1})

    def test_upkeep_below_gets_its_own_objects(self) -> None:
        kept = [self.module.new_data(self.context) for _ in range(3)]
        seen: list[str] = []

        def upkeep(context: Context, kept: Iterable[str]) -> dict[str, Any]:
            seen.extend(itertools.islice(kept, 2))
            return {"wrong": 5, "repaired": 2}

        with mock.patch.object(self.modules["local"], "upkeep", upkeep):
            found = self.module.upkeep(self.context, iter(kept))
        self.assertEqual(found, {"keys": {self.first.id: 3}, "wrong": 5, "repaired": 2})
        self.assertEqual(seen, [json.dumps(json.loads(text)["inner"]) for text in kept[:2]])

    def test_the_size_that_is_to_come_is_told_below(self) -> None:
        seen: list[int] = []
        with mock.patch.object(FileStorage, "assign", lambda *given: seen.append(operator.length_hint(given[-1]))):
            for data in (b"", b"x" * 16383, b"x" * 16384):
                with self.assertRaises(OSError):  # it was not read
                    self.module.assign(self.context, self.module.new_data(self.context), Told(data))
        self.assertEqual(seen, [sealed_size(size) for size in (0, 16383, 16384)])

    def test_threads_that_share_a_key(self) -> None:
        objects = {self.put(bytes([number]) * 70_000): bytes([number]) * 70_000 for number in range(4)}
        wrong: list[str] = []

        def work() -> None:
            for _ in range(25):
                for module_data, data in objects.items():
                    self.module._known.clear()
                    if self.get(module_data) != data:
                        wrong.append(module_data)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(wrong, [])

    def test_keys_in_memory_are_few(self) -> None:
        made = [self.module.new_data(self.context) for _ in range(600)]
        for module_data in made:
            self.module.available(self.context, module_data)
        self.assertLessEqual(len(self.module._known), 256)


class EnemyTest(EncryptionCase):
    """One who can write whatever is below, and ``module_data``."""

    def test_objects_that_were_swapped(self) -> None:
        ours, theirs = self.put(b"ours"), self.put(b"not ours")
        first, second = self.objects()
        contents = first.read_bytes(), second.read_bytes()
        for file, content in zip((second, first), contents, strict=True):
            file.chmod(0o600)
            file.write_bytes(content)
        for module_data in (ours, theirs):
            self.refused(module_data, "not encrypted with this key as this object")

    def test_module_data_that_leads_to_another_object(self) -> None:
        ours, theirs = json.loads(self.put(b"ours")), json.loads(self.put(b"theirs"))
        self.refused(json.dumps({**ours, "inner": theirs["inner"]}), "is not the one that wrapped its key")
        self.refused(json.dumps({**theirs, "inner": ours["inner"]}), "is not the one that wrapped its key")
        self.refused(json.dumps({**ours, "wrapped": theirs["wrapped"]}), "is not the one that wrapped its key")

    def test_a_key_under_the_id_of_another(self) -> None:
        module_data = self.put(b"data")
        second, _ = keyfile.add(self.ring)
        self.refused(json.dumps({**json.loads(module_data), "key": second.id}), "is not the one that wrapped")
        ring = keyfile.load(self.ring)
        changed = [Key(ring.keys[0].id, ring.keys[0].created, ring.keys[1].material)]
        with open(self.ring, "wb") as file:
            file.write(dump(changed))
        self.module._keyring._kept = None  # a second later
        self.refused(module_data, "is not the one that wrapped")

    def test_an_old_version_of_the_same_object_is_what_cannot_be_told(self) -> None:
        below = Kept()
        self.module = EncryptedStorage(below, self.ring)
        module_data = self.put(b"old")
        inner = json.loads(module_data)["inner"]
        with contextlib.closing(below.get_read_stream({}, inner)) as stream:
            old = stream.read()
        self.put(b"new", module_data)
        below.assign({}, inner, io.BytesIO(old))
        self.assertEqual(self.get(module_data), b"old")

    def test_module_data_of_this_layer_that_is_none(self) -> None:
        text = json.loads(self.module.new_data(self.context))
        for changed in (
            {"key": 5},
            {"key": ""},
            {"key": "a b"},
            {"key": "../x"},
            {"wrapped": 5},
            {"wrapped": ""},
            {"wrapped": text["wrapped"][:-4]},
            {"wrapped": text["wrapped"] + "AAAA"},
            {"wrapped": "*" * 64},
            {"wrapped": "ä" * 64},
            {"more": 1},
        ):
            with self.subTest(changed):
                for call in (self.get, lambda text: self.module.delete(self.context, text)):
                    with self.assertRaisesRegex(ValueError, "^module_data: "):
                        call(json.dumps({**text, **changed}))

    @settings(max_examples=200)
    @given(JSON, JSON, JSON)
    def test_any_module_data_is_refused(self, key: object, wrapped: object, inner: object) -> None:
        text = json.dumps({"layer": "encryption", "key": key, "wrapped": wrapped, "inner": inner})
        module = EncryptedStorage(Kept(), self.ring)
        for call in (
            module.available,
            module.get_read_stream,
            module.get_size,
            lambda context, text: module.assign(context, text, io.BytesIO()),
        ):
            with self.assertRaises((ValueError, OSError)):
                call({}, text)

    @given(st.data())
    def test_module_data_that_was_changed_reads_nothing_else(self, data: st.DataObject) -> None:
        module = EncryptedStorage(Kept(), self.ring)
        texts = [module.new_data({}) for _ in range(2)]
        for number, text in enumerate(texts):
            module.assign({}, text, io.BytesIO(b"data %d" % number))
        at, length = data.draw(st.integers(0, len(texts[0]))), data.draw(st.integers(0, 40))
        part = data.draw(st.text(max_size=10) | st.just(texts[1][at : at + length]))
        changed = texts[0][:at] + part + texts[0][at + length :]
        try:
            read = self.get(changed, module)
        except (ValueError, OSError):
            self.assertNotEqual(changed, texts[0])
        else:
            self.assertEqual(read, b"data 1" if json.loads(changed) == json.loads(texts[1]) else b"data 0")


class FailingTest(EncryptionCase):
    def test_no_secret_is_in_a_variable_of_what_raised(self) -> None:
        module_data = self.put(b"data" * 10_000)
        key = self.module._known[module_data].key._secret
        text = json.loads(module_data)
        file = self.objects()[0]
        file.chmod(0o600)
        calls: list[Callable[[], object]] = [
            lambda: self.module.assign(self.context, module_data, Breaking(b"x" * 600_000, ConnectionError("gone"))),
            lambda: self.get(json.dumps({**text, "wrapped": text["wrapped"][::-1]})),
            lambda: file.write_bytes(file.read_bytes()[:-1] + b"?") and self.get(module_data),
            lambda: file.write_bytes(b"?" * 40_000) and self.get(module_data),
        ]
        for number, call in enumerate(calls):
            with self.subTest(number), self.assertRaises((OSError, ValueError)) as raised:
                call()
            shown = seen_in(raised.exception)
            for secret in (key, self.first.material):
                self.assertNotIn(repr(secret)[2:-1], shown)
                self.assertNotIn(secret.hex(), shown)

    def test_what_the_source_raises_goes_out_and_the_old_data_stays(self) -> None:
        module_data = self.put(b"old")
        for begin in (b"", b"x" * 100, b"x" * 600_000):
            with self.assertRaisesRegex(ConnectionError, "gone"):
                self.module.assign(self.context, module_data, Breaking(begin, ConnectionError("gone")))
            self.assertEqual(self.get(module_data), b"old")
        self.assertEqual(len(self.objects()), 1)

    def test_a_stream_that_cannot_be_opened_is_closed_below(self) -> None:
        below = Kept()
        module = EncryptedStorage(below, self.ring)
        module_data = module.new_data({})
        below.assign({}, json.loads(module_data)["inner"], io.BytesIO(b"?" * 100))
        opened: list[Any] = []
        real = below.get_read_stream

        def noted(context: Context, module_data: str) -> Any:
            opened.append(real(context, module_data))
            return opened[-1]

        with mock.patch.object(below, "get_read_stream", noted), self.assertRaises(OSError):
            module.get_read_stream({}, module_data)
        self.assertEqual([stream.closed for stream in opened], [True])


class Told(io.BytesIO):
    """A source that tells how much it has."""

    def __length_hint__(self) -> int:
        return len(self.getbuffer())


class KilledTest(EncryptionCase):
    def test_who_is_killed_while_an_object_is_replaced_leaves_the_old_or_the_new(self) -> None:
        module_data = self.put(b"old" * 100_000)
        new = b"new" * 100_000
        for pause in (0.0, 0.002, 0.01, 0.05):
            child = multiprocessing.get_context("fork").Process(target=self._store_for_ever, args=(module_data, new))
            child.start()
            child.join(0.05 + pause)
            child.kill()
            child.join()
            child.close()
            self.assertIn(self.get(module_data), (b"old" * 100_000, new))
        self.module.delete(self.context, module_data)
        self.assertFalse(self.module.available(self.context, module_data))

    def _store_for_ever(self, module_data: str, data: bytes) -> None:
        while True:
            self.put(data, module_data)


class InTheCloudTest(CloudTest):
    def test_an_administrator_configures_it_and_a_user_notices_nothing(self) -> None:
        ring = str(self.directory / "keyring")
        body = {"module": "stacked.EncryptedStorage", "description": "", "args": {"store": "default", "keyring": ring}}
        refused = self.admin("PUT", f"{MODULES}/secret", body)
        self.assertEqual(refused.status_code, 400)
        self.assertIn(f"keyring: {ring}: No such file", refused.text)
        key, _ = keyfile.add(ring)
        self.assertEqual(self.admin("PUT", f"{MODULES}/secret", body).status_code, 204)
        shown = self.admin("GET", f"{MODULES}/secret").json
        self.assertEqual((shown["args"]["keyring"], shown["statistics"]["newest_key"]), (ring, key.id))
        self.cloud.accounts.put("alice", policy="secret")
        data = b"plain text " * 9000
        self.assertEqual(self.put("/cdmi/o", data).status_code, 201)
        self.assertEqual(self.call("GET", "/cdmi/o").content, data)
        part = self.call("GET", "/cdmi/o", headers={"Range": "bytes=70000-70010"})
        self.assertEqual((part.status_code, part.content), (206, data[70000:70011]))
        (file,) = objects_in(self.objects)
        self.assertNotIn(b"plain", file.read_bytes())
