"""A module that stands on another one, as such."""

import errno
import io
import unittest
from collections.abc import Iterable, Mapping
from typing import Any
from unittest import mock

import stacked
from conformance.model import Model
from conformance.requirements import QUICK
from conformance.suite import Promises
from modules import Context, StorageModule
from stacked.base import StackedModule
from tests.stacked.stack import StackCase, context_of, file_storage


class KitTest(Promises, Model, unittest.TestCase):
    effort = QUICK

    def make_module(self) -> StorageModule:
        return StackedModule(store=StackedModule(store=file_storage(self.directory)))


class Upper(StackedModule):
    layer = "upper"
    defeats = {"lower": "it has nothing to do there"}  # noqa: RUF012


class Lower(StackedModule):
    layer = "lower"


class StackedModuleTest(StackCase):
    def test_the_module_below_is_had_by_its_name(self) -> None:
        module = StackedModule("local")
        module_data = module.new_data(self.context)
        module.assign(self.context, module_data, io.BytesIO(b"data"))
        self.assertEqual([path.read_bytes() for path in self.objects()], [b"data"])
        self.assertEqual(list(module.stands_on(self.context)), ["local"])
        self.assertEqual(list(StackedModule(self.modules["local"]).stands_on({})), [])

    def test_an_argument_that_is_no_module_is_refused(self) -> None:
        for wrong in (None, "", 1, ["local"], StackedModule):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "^store: "):
                StackedModule(wrong)

    def test_a_module_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(LookupError, "'away'"):
            StackedModule("away").new_data(self.context)
        with self.assertRaisesRegex(LookupError, "getModule"):
            StackedModule("local").new_data({})
        nonsense: dict[str, Any] = {"func": {"getModule": lambda name: 5}}
        with self.assertRaisesRegex(LookupError, "no storage module"):
            StackedModule("local").new_data(nonsense)

    def test_a_circle_is_refused_wherever_it_is_called(self) -> None:
        first, second = StackedModule("second"), StackedModule("first")
        context = context_of({"first": first, "second": second})
        text = '{"layer": "plain", "inner": {"layer": "plain", "inner": {"layer": "plain", "inner": "x"}}}'
        for call in (
            lambda: first.new_data(context),
            lambda: first.assign(context, text, io.BytesIO()),
            lambda: first.available(context, text),
            lambda: first.get_read_stream(context, text),
            lambda: first.delete(context, text),
            lambda: first.get_size(context, text),
            lambda: first.statistics(context),
            lambda: first.stands_on(context),
            lambda: first.upkeep(context, []),
        ):
            with self.assertRaisesRegex(OSError, "stands on itself") as raised:
                call()
            self.assertEqual(raised.exception.errno, errno.ELOOP)

    def test_two_that_stand_on_one_are_no_circle(self) -> None:
        self.modules.update(first=StackedModule("local"), second=StackedModule("first"))
        for module in self.modules.values():
            module.new_data(self.context)

    def test_a_layer_that_another_one_defeats_is_refused_with_the_reason(self) -> None:
        self.modules.update(lower=Lower("local"), between=StackedModule("lower"))
        for below in ("lower", "between"):
            with self.assertRaisesRegex(ValueError, "^store: upper on lower: it has nothing to do there"):
                Upper(below).stands_on(self.context)
        self.modules["upper"] = Upper("local")
        self.assertEqual(Lower("upper").stands_on(self.context), ["upper"])

    def test_statistics_show_the_layers(self) -> None:
        self.modules["lower"] = Lower("local")
        found = Upper("lower").statistics(self.context)
        self.assertEqual((found["layer"], found["below"]["lower"]["layer"]), ("upper", "lower"))
        self.assertEqual(found["capacity"], found["below"]["lower"]["below"]["local"]["capacity"])

    def test_upkeep_reaches_the_lowest_with_its_own_module_data(self) -> None:
        module = Upper(Lower("local"))
        kept = [module.new_data(self.context) for _ in range(3)]
        seen: list[str] = []

        def upkeep(context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
            seen.extend(kept)
            return {"done": len(seen)}

        with mock.patch.object(self.modules["local"], "upkeep", upkeep):
            self.assertEqual(module.upkeep(self.context, iter(kept)), {"done": 3})
        self.assertEqual(len(seen), 3)
        self.assertTrue(all(text.startswith('{"layout"') for text in seen), seen)


class PackageTest(unittest.TestCase):
    def test_a_class_is_had_by_its_name(self) -> None:
        self.assertIs(stacked.StackedModule, StackedModule)
        for name in stacked.__all__:
            self.assertTrue(issubclass(getattr(stacked, name), StorageModule))
        with self.assertRaises(AttributeError):
            stacked.Nothing  # noqa: B018

    def test_a_library_that_is_missing_is_one_clear_line(self) -> None:
        classes = {"Needy": ("stacked.needy", "needy")}
        error = ModuleNotFoundError("No module named 'lib'", name="lib")
        with (
            mock.patch.dict(stacked._CLASSES, classes),
            mock.patch("importlib.import_module", side_effect=error),
            self.assertRaisesRegex(ImportError, r"^stacked\.Needy needs the package lib.*\[needy\]'$"),
        ):
            stacked.Needy  # noqa: B018
