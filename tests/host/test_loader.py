"""From a name to an instance."""

import shutil
import sys
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from typing import Any

from host.errors import Failed, Invalid
from host.loader import bind, load_class
from tests.host import vendor
from tests.host.cloud import CloudTest
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


class LoaderTest(CloudTest):
    def configure(self, name: str, cls: str, arguments: list[Any] | dict[str, Any] | None = None) -> None:
        self.configure(name, f"tests.host.vendor.{cls}", arguments or {})

    def test_there_is_one_instance_a_process_however_many_threads_want_it(self) -> None:
        self.configure("new", "Memory")
        self.cloud.loader._instances.clear()
        before, found = Memory.instances, []
        threads = [threading.Thread(target=lambda: found.append(self.cloud.loader.instance("new"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(found), len(set(found)), Memory.instances - before), (8, 1, 1))

    def test_nothing_is_loaded_before_it_is_needed(self) -> None:
        self.configure("new", "Memory")
        before = Memory.instances
        other = self.open()
        self.assertEqual(other.registry.names(), ["default", "new"])
        self.assertEqual(Memory.instances, before)
        other.loader.instance("new")
        self.assertEqual(Memory.instances, before + 1)

    def test_a_change_by_another_process_is_seen(self) -> None:
        self.configure("new", "Memory", ["old"])
        other = self.open()
        self.assertEqual(other.loader.instance("new").arguments[0], "old")  # type: ignore[attr-defined]
        self.configure("new", "Memory", ["newer"])
        self.assertEqual(other.loader.instance("new").arguments[0], "newer")  # type: ignore[attr-defined]
        self.cloud.registry.remove("new")
        with self.assertRaises(LookupError):
            other.loader.instance("new")

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
        self.cloud.accounts.put("alice", policy="default")
        self.assertEqual(self.put("/cdmi/o", b"data").status_code, 201)
        away = self.objects.rename(f"{self.objects}.away")
        self.addCleanup(shutil.rmtree, away)
        self.objects.mkdir()  # the place of a disk that is not mounted
        with self.assertRaisesRegex(Invalid, "no storage is there"):
            self.cloud.loader.configure(
                "default", "fsstore.FileStorage", "", {"root": str(self.objects), "read_only": True}
            )
        self.assertEqual(list(self.objects.iterdir()), [])

    def test_a_module_that_asks_the_process_to_exit_is_a_failing_one(self) -> None:
        with self.assertRaisesRegex(Invalid, "SystemExit"):
            self.configure("exiting", "Exiting")
        self.configure("exiting", "Exiting", ["later"])
        self.cloud.accounts.put("alice", policy="exiting")
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.put("/cdmi/o"), 500)
        with self.assertLogs("host.upkeep", "ERROR"):
            self.assertEqual(self.cloud.upkeep.reap(grace=0), (0, 1))
        self.assertIn("no licence", self.cloud.registry.describe("exiting")["statistics"]["error"])

    def test_a_module_keeps_its_data_in_another_one(self) -> None:
        self.configure("keeper", "Keeper", ["default"])
        self.cloud.accounts.put("alice", policy="keeper")
        self.assertEqual(self.put("/cdmi/o", b"data").status_code, 201)
        self.assertEqual(self.stored(), [b"data"])
