"""From a name to an instance."""

import json
import shutil
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

from host import loader
from host.errors import Failed, Invalid
from host.loader import MASK, Loader, bind, load_class, masked, secrets_in, without
from tests.host import vendor
from tests.host.cloud import CloudTest
from tests.host.threads import at_once
from tests.host.vendor import Memory


class LoadClassTest(unittest.TestCase):
    def test_a_class_is_found_by_its_dotted_name(self) -> None:
        self.assertIs(load_class("tests.host.vendor.Memory"), Memory)

    def test_an_import_that_raises_is_told_in_one_line(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "broken_vendor.py").write_text("raise OSError('no\\nlibrary')")
            sys.path.insert(0, directory)
            self.addCleanup(sys.path.remove, directory)
            with self.assertRaisesRegex(Invalid, "broken_vendor.Store does not import: OSError: no library"):
                load_class("broken_vendor.Store")

    def test_an_egg_of_another_python_is_told(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            egg = str(Path(directory, "old-1.0-py2.6.egg"))
            with zipfile.ZipFile(egg, "w") as archive:
                archive.writestr("old_vendor.pyc", b"\xd1\xf2\r\n" + bytes(100))
            sys.path.insert(0, egg)
            self.addCleanup(sys.path.remove, egg)
            with self.assertRaisesRegex(Invalid, "built for another Python"):
                load_class("old_vendor.Store")


class BindTest(unittest.TestCase):
    def test_a_list_goes_to_the_declared_parameters_in_order(self) -> None:
        self.assertEqual(bind(Memory, ["a", 2]), {"first": "a", "second": 2})
        self.assertEqual(bind(Memory, []), {})

    def test_a_constructor_of_any_arguments_takes_them_by_name(self) -> None:
        self.assertEqual(bind(vendor.Old, {"address": "192.0.2.1"}), {"address": "192.0.2.1"})
        with self.assertRaisesRegex(Invalid, "too many"):
            bind(vendor.Old, ["192.0.2.1"])

    def test_a_class_without_a_constructor_takes_none(self) -> None:
        self.assertEqual(bind(vendor.Plain, {}), {})
        with self.assertRaisesRegex(Invalid, "unknown address: Plain takes none"):
            bind(vendor.Plain, {"address": "192.0.2.1"})


class SecretsTest(unittest.TestCase):
    def test_secrets_are_masked_at_any_depth(self) -> None:
        arguments = {"user": "u", "login": {"password": "p", "host": "h"}, "list": [{"token": "t"}], "api_key": ""}
        self.assertEqual(
            masked(arguments),
            {"user": "u", "login": {"password": MASK, "host": "h"}, "list": [{"token": MASK}], "api_key": MASK},
        )

    def test_a_keyring_is_the_name_of_a_file_and_no_secret(self) -> None:
        arguments = {"keyring": "/etc/cloud/keyring", "Keyring": "env:RING"}
        self.assertEqual(masked(arguments), arguments)
        self.assertEqual(list(secrets_in(arguments)), [])
        for name in ("keyring_password", "key", "keys", "api_key", "keyring_key", "key_of_the_keyring"):
            self.assertEqual(masked({name: "x"}), {name: MASK})

    def test_no_form_of_a_secret_is_left_in_a_text(self) -> None:
        arguments = {"password": "it's ünsafe", "login": {"credentials": {"user": "inner", "codes": ["c0de", 7]}}}
        secrets = list(secrets_in(arguments))
        for text in (
            "with it's ünsafe",
            f"with {json.dumps(arguments)}",
            f"with {arguments!r}",
            "with inner and c0de",
        ):
            told = without(text, secrets)
            for secret in ("ünsafe", "\\u00fcnsafe", "inner", "c0de"):
                self.assertNotIn(secret, told, text)

    def test_what_is_no_secret_stays(self) -> None:
        arguments = {"root": "/srv/a", "size": 5, "password": "", "token": None}
        self.assertEqual(masked(arguments)["root"], "/srv/a")
        self.assertEqual(without("at /srv/a of 5", secrets_in(arguments)), "at /srv/a of 5")


class LoaderTest(CloudTest):
    def use(self, name: str, cls: str, arguments: list[Any] | dict[str, Any] | None = None) -> None:
        self.configure(name, f"tests.host.vendor.{cls}", arguments or {})

    def test_there_is_one_instance_a_process_however_many_threads_want_it(self) -> None:
        self.use("new", "Memory")
        self.cloud.loader._instances.clear()
        before = Memory.instances
        found = at_once(*[lambda: self.cloud.loader.instance("new")] * 8)
        self.assertEqual((len(found), len(set(found)), Memory.instances - before), (8, 1, 1))

    def test_nothing_is_loaded_before_it_is_needed(self) -> None:
        self.use("new", "Memory")
        before = Memory.instances
        other = self.open()
        self.assertEqual(other.registry.names(), ["default", "new"])
        self.assertEqual(Memory.instances, before)
        other.loader.instance("new")
        self.assertEqual(Memory.instances, before + 1)

    def first(self, loader: Loader) -> Any:
        """Return the first argument of an instance."""
        instance = loader.instance("new")
        assert isinstance(instance, Memory)
        return instance.arguments[0]

    def test_a_change_by_another_process_is_seen(self) -> None:
        self.use("new", "Memory", ["old"])
        other = self.open()
        with mock.patch.object(loader, "FRESH", 0):
            self.assertEqual(self.first(other.loader), "old")
            self.use("new", "Memory", ["newer"])
            self.assertEqual(self.first(other.loader), "newer")
            self.cloud.registry.remove("new")
            with self.assertRaises(LookupError):
                other.loader.instance("new")

    def test_a_change_by_this_process_is_seen_at_once(self) -> None:
        with mock.patch.object(loader, "FRESH", 1e9):
            self.use("new", "Memory", ["old"])
            before = Memory.instances
            self.assertEqual(self.first(self.cloud.loader), "old")
            self.assertEqual(Memory.instances, before)  # the instance is the one that was tried
            self.use("new", "Memory", ["newer"])
            self.assertEqual(self.first(self.cloud.loader), "newer")
            self.cloud.registry.remove("new")
            with self.assertRaises(LookupError):
                self.cloud.loader.instance("new")

    def test_a_configuration_is_read_once_in_a_while_and_no_more(self) -> None:
        self.assertLess(loader.FRESH, 1)
        with (
            mock.patch.object(loader, "FRESH", 1e9),
            mock.patch.object(self.cloud.loader, "_read", wraps=self.cloud.loader._read) as read,
        ):
            self.cloud.loader.changed("default")
            for name in ("default", "none", "default", "none"):
                self.cloud.loader.configuration(name)
        self.assertEqual([call.args for call in read.call_args_list], [("default",), ("none",)])

    def test_get_module_gives_the_instance_of_a_name(self) -> None:
        get = self.cloud.loader.context["func"]["getModule"]
        self.assertIs(get("default"), self.cloud.loader.instance("default"))
        with self.assertRaises(LookupError):
            get("none")

    def test_a_module_that_no_longer_loads_is_a_failure(self) -> None:
        self.cloud.loader._instances.clear()
        shutil.rmtree(self.objects)
        with self.assertRaises(Failed):
            self.cloud.loader.instance("default")
        with self.assertRaises(LookupError):  # the contract's word for it
            self.cloud.loader.context["func"]["getModule"]("default")

    def test_a_storage_that_has_data_is_not_made_anew_when_its_arguments_change(self) -> None:
        self.assertEqual(self.put("/cdmi/o", b"data").status_code, 201)
        away = self.objects.rename(f"{self.objects}.away")
        self.objects.mkdir()  # the place of a disk that is not mounted
        with self.assertRaisesRegex(Invalid, "no storage is there"):
            self.configure("default", "fsstore.FileStorage", {"root": str(self.objects), "read_only": True})
        self.assertEqual(list(self.objects.iterdir()), [])
        self.objects.rmdir()
        away.rename(self.objects)

    def test_a_module_that_asks_the_process_to_exit_is_a_failing_one(self) -> None:
        with self.assertRaisesRegex(Invalid, "SystemExit"):
            self.use("exiting", "Exiting")
        self.use("exiting", "Exiting", ["later"])
        self.cloud.accounts.put("alice", policy="exiting")
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.put("/cdmi/o"), 500)
        with self.assertLogs("host.upkeep", "ERROR"):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (0, 1))
        self.assertIn("no licence", self.cloud.registry.describe("exiting")["statistics"]["error"])

    def test_a_module_keeps_its_data_in_another_one(self) -> None:
        self.use("keeper", "Keeper", ["default"])
        self.cloud.accounts.put("alice", policy="keeper")
        self.assertEqual(self.put("/cdmi/o", b"data").status_code, 201)
        self.assertEqual(self.stored(), [b"data"])

    def test_the_location_of_the_server_comes_first(self) -> None:
        every: dict[str, Any] = {name: {"first": name} for name in ("a", "b", "c")}
        self.cloud.registry.configure("new", "tests.host.vendor.Memory", "", every)
        for location, order in (("", "abc"), ("b", "bac"), ("c", "cab"), ("elsewhere", "abc")):
            here = Loader(self.cloud.catalogue, location)
            self.assertEqual("".join(here.locations("new")), order)
            self.assertEqual(self.first(here), order[0])
        self.assertIsNot(self.cloud.loader.instance("new", "b"), self.cloud.loader.instance("new", "c"))
        with self.assertRaises(LookupError):
            self.cloud.loader.instance("new", "d")
        with self.assertRaisesRegex(Failed, "not configured"):
            self.cloud.loader.guarded("new", "d")
        with self.assertRaises(LookupError):
            self.cloud.loader.locations("none")

    def test_the_secrets_that_a_process_knows_of(self) -> None:
        self.use("new", "Memory", {"api_key": "hunter2"})
        self.cloud.loader.configuration("new")
        self.assertIn("hunter2", self.cloud.loader.secrets())
