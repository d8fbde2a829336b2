"""Modules on modules: configured, refused, and not taken from below each other."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar
from unittest import mock

from sqlalchemy import select

from host import registry
from host.catalogue import stacks
from host.catalogue.schema import vendor_modules
from host.errors import Conflict, Invalid
from modules import Context
from tests.host.cloud import MODULES, CloudTest
from tests.host.threads import at_once
from tests.host.vendor import Memory

PLAIN = "stacked.StackedModule"


class Mirror(Memory):
    """Stands on several modules, and does not look at them; or fails, as it is told to."""

    error: ClassVar[BaseException | None] = None
    answer: ClassVar[Any] = None

    def __init__(self, stores: Sequence[str] = (), api_key: str = "") -> None:
        super().__init__()
        self.stores = stores

    def stands_on(self, context: Context) -> Sequence[str]:
        if self.error is not None:
            raise self.error
        return self.stores if self.answer is None else self.answer


class StackingTest(CloudTest):
    def stack(self, name: str, *stores: str) -> None:
        """Configure a module that stands on others."""
        if len(stores) == 1:
            self.configure(name, PLAIN, {"store": stores[0]})
        else:
            self.mirror(name, *stores)

    def mirror(self, name: str, *stores: str) -> None:
        self.configure(name, f"{__name__}.Mirror", {"stores": list(stores)})

    def assert_invalid(self, text: str, name: str, *stores: str) -> None:
        before = self.configured()
        with self.assertRaises(Invalid) as caught:
            self.stack(name, *stores)
        self.assertEqual(str(caught.exception), text)
        self.assertEqual(self.configured(), before)

    def configured(self) -> tuple[Any, Any]:
        """Return what is in the catalogue of modules."""
        with self.cloud.catalogue.reading() as connection:
            return connection.execute(select(vendor_modules)).all(), stacks.read(connection)

    def test_what_stands_on_what_is_noted_and_renewed(self) -> None:
        self.stack("a", "default")
        self.stack("b", "a", "default")
        self.assertEqual(self.configured()[1], {"a": ["default"], "b": ["a", "default"]})
        self.stack("b", "default")
        self.configure("a", "tests.host.vendor.Memory")
        self.assertEqual(self.configured()[1], {"b": ["default"]})

    def test_objects_are_kept_below(self) -> None:
        self.stack("a", "default")
        self.stack("b", "a")
        self.cloud.accounts.put("alice", policy="b")
        self.assertEqual(self.put("/cdmi/o", b"data").status_code, 201)
        self.assertEqual((self.call("GET", "/cdmi/o").content, self.stored()), (b"data", [b"data"]))
        self.assertEqual(self.cloud.registry.describe("b")["statistics"]["below"]["a"]["below"].keys(), {"default"})

    def test_all_locations_count(self) -> None:
        locations: Any = {"north": {"store": "default"}, "south": {"store": "other"}}
        self.configure("other", "tests.host.vendor.Memory")
        self.cloud.registry.configure("both", PLAIN, "", locations)
        self.assertEqual(self.configured()[1], {"both": ["default", "other"]})

    def test_a_module_that_is_not_there_is_refused(self) -> None:
        self.assert_invalid(
            "args: Mirror stands on 'nowhere', which is no vendor module: PUT it first", "a", "nowhere", "x"
        )
        error = "LookupError: no storage module is configured as 'nowhere'"
        self.assert_invalid(f"args: StackedModule refuses them: {error}", "a", "nowhere")
        answer = self.admin("PUT", f"{MODULES}/a", {"module": PLAIN, "args": {"store": "nowhere"}})
        self.assert_refused(answer, 400, error)

    def test_circles_of_any_length_are_refused(self) -> None:
        self.assert_invalid("args: a module would stand on itself: a -> a", "a", "a")
        self.assert_invalid("args: a module would stand on itself: a -> a", "a", "default", "a")
        self.stack("a", "default")
        self.stack("b", "a")
        self.stack("c", "default", "b")
        self.stack("d", "c")
        self.assert_invalid("args: a module would stand on itself: a -> b -> a", "a", "b")
        self.assert_invalid("args: a module would stand on itself: a -> d -> c -> b -> a", "a", "d")
        self.assert_invalid("args: a module would stand on itself: a -> c -> b -> a", "a", "default", "c")
        self.assert_invalid("args: a module would stand on itself: default -> a -> default", "default", "a")

    def test_what_it_says_against_them_is_told_without_secrets(self) -> None:
        given: Any = {"": {"stores": ["default"], "api_key": "hunter2"}}
        self.configure("other", "tests.host.vendor.Memory", {"api_key": "hunter3"})
        self.cloud.loader.configuration("other")
        for error in (ValueError("stores: no\nhunter2, hunter3"), SystemExit("hunter2 hunter3"), LookupError()):
            with mock.patch.object(Mirror, "error", error), self.assertRaises(Invalid) as caught:
                self.cloud.registry.configure("a", f"{__name__}.Mirror", "", given)
            self.assertRegex(str(caught.exception), r"\Aargs: Mirror refuses them: \w+:.*\Z")
            self.assertNotIn("hunter", str(caught.exception))

    def test_an_answer_that_is_no_list_of_names_is_refused(self) -> None:
        for answer in ("default", [1], 7):
            with mock.patch.object(Mirror, "answer", answer), self.assertRaisesRegex(Invalid, "TypeError"):
                self.mirror("a", "default")

    def test_what_another_one_stands_on_is_not_removed(self) -> None:
        self.configure("low", "tests.host.vendor.Memory")
        self.stack("a", "low")
        self.stack("b", "low", "default")
        text = "vendor module 'low' is in use: the data of 'a' and 'b' is in it"
        self.assert_refused(self.admin("DELETE", f"{MODULES}/low"), 409, text)
        self.cloud.registry.remove("a")
        self.stack("b", "default")
        self.cloud.registry.remove("low")
        self.assertEqual(self.cloud.registry.names(), ["b", "default"])

    def test_a_storage_below_one_that_keeps_data_is_not_prepared_again(self) -> None:
        self.configure("low", "tests.host.vendor.Memory", {"first": "1"})
        self.stack("middle", "low")
        self.stack("high", "middle", "default")
        with mock.patch.object(registry, "prepare") as prepare:
            self.configure("low", "tests.host.vendor.Memory", {"first": "2"})
            self.assertEqual(prepare.call_count, 1)
            self.cloud.accounts.put("alice", policy="high")
            self.store()
            self.configure("low", "tests.host.vendor.Memory", {"first": "3"})
            self.assertEqual(prepare.call_count, 1)

    def test_administrators_at_the_same_time_make_no_circle(self) -> None:
        for turn in range(5):
            a, b = f"a{turn}", f"b{turn}"
            self.mirror(a, "default")
            self.mirror(b, "default")
            outcomes = at_once(partial(self.other, a, b), partial(self.other, b, a))
            self.assertEqual(sorted(type(outcome).__name__ for outcome in outcomes), ["Invalid", "NoneType"], outcomes)

    def test_administrators_at_the_same_time_take_nothing_from_below(self) -> None:
        for turn in range(5):
            low, high = f"low{turn}", f"high{turn}"
            self.configure(low, "tests.host.vendor.Memory")
            remove = self.open().registry.remove
            removed, put = at_once(partial(remove, low), partial(self.other, high, low))
            expected = (Conflict, type(None)) if isinstance(removed, Conflict) else (type(None), Invalid)
            self.assertEqual((type(removed), type(put)), expected, (removed, put))

    def other(self, name: str, *stores: str) -> None:
        """Configure a module, as another process does."""
        self.open().registry.configure(name, f"{__name__}.Mirror", "", {"": {"stores": list(stores)}})
