"""module_data that the module never made."""

import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from conformance.harness import Harness
from conformance.streams import Pieces

__all__ = ["Hostile"]

_SECRET = b"a file outside the storage"


class Hostile(Harness):
    """hostile module_data"""

    def test_assign_refuses_what_it_never_made(self) -> None:
        """``module_data`` that this module never made."""
        self._assert_refused(lambda text: self.put_from(Pieces([b"hostile"]), text))

    def test_available_refuses_what_it_never_made(self) -> None:
        """``module_data`` that this module never made."""
        self._assert_refused(lambda text: self.module.available(self.context, text))

    def test_get_read_stream_refuses_what_it_never_made(self) -> None:
        """``module_data`` that this module never made."""
        self._assert_refused(lambda text: self.module.get_read_stream(self.context, text).close())

    def test_delete_refuses_what_it_never_made(self) -> None:
        """``module_data`` that this module never made."""
        self._assert_refused(lambda text: self.module.delete(self.context, text))

    def test_get_size_refuses_what_it_never_made(self) -> None:
        """``module_data`` that this module never made."""
        self._assert_refused(lambda text: self.module.get_size(self.context, text))

    def test_copy_data_refuses_what_it_never_made(self) -> None:
        """``module_data`` or ``source`` that this module never made."""
        source, copy = self.put(b"source"), self.new()
        self.copy(source, copy)
        self._assert_refused(lambda text: self.module.copy_data(self.context, text, source))
        self._assert_refused(lambda text: self.module.copy_data(self.context, copy, text))
        self.assert_holds(copy, b"source")

    def test_nothing_outside_the_storage_is_touched(self) -> None:
        """It comes back through databases, backups and other people's hands: check it before you use it."""
        canary, genuine = os.path.join(self.outside, "canary"), self.put(b"genuine")
        for text in self._paths_in_disguise(canary):
            with open(canary, "wb") as file:
                file.write(_SECRET)
            self._try_all(text, genuine)
            with open(canary, "rb") as file:
                self.assertEqual(file.read(), _SECRET, f"overwritten by {text[:80]!r}")
            self.assertEqual(sorted(os.listdir(self.outside)), ["canary", "storage"], f"after {text[:80]!r}")

    def _assert_refused(self, call: Callable[[str], object]) -> None:
        genuine = self.put(b"genuine")
        before = self.files()
        # No path here leads to anything but the kit's own directory: a broken module follows them.
        canary = os.path.join(self.outside, "canary")
        for text in (*_malformed(), *self._paths_in_disguise(canary), *_altered(genuine, self.outside)):
            with self.subTest(module_data=text[:80]), self.assertRaises(ValueError), _uncollected():
                call(text)
        self.assert_nothing_new(before)
        self.assert_holds(genuine, b"genuine")

    def _try_all(self, text: str, genuine: str) -> None:
        module, context, copy = self.module, self.context, self.new()
        with suppress(ValueError, OSError):  # as it should
            if module.copy_data(context, copy, text):
                self.assertNotEqual(self.get(copy), _SECRET, f"copied by {text[:80]!r}")
        try:
            stream = module.get_read_stream(context, text)
        except (ValueError, OSError):
            pass  # as it should: which of both is for other tests
        else:
            got = stream.read()
            stream.close()
            self.assertNotEqual(got, _SECRET, f"read by {text[:80]!r}")
        calls: list[Callable[[], object]] = [
            lambda: module.get_size(context, text),
            lambda: module.available(context, text),
            lambda: module.assign(context, text, Pieces([b"hostile"])),
            lambda: module.copy_data(context, text, genuine),
            lambda: module.delete(context, text),
        ]
        for call in calls:
            try:
                call()
            except (ValueError, OSError):
                continue  # as it should

    def _paths_in_disguise(self, target: str) -> Iterator[str]:
        """Yield ``module_data`` that lead to ``target`` if any string in it is taken as a path."""
        genuine = self.new()
        relative = [os.path.relpath(target, place) for place in self.places()]
        ups = [os.path.join("..", path) for path in relative]  # where objects lie a directory deeper
        for path in (target, f"file://{target}", *relative, *ups):
            yield path
            yield json.dumps(path)
            yield from _with_strings_replaced(genuine, partial(_replaced, path))
            yield from _with_strings_replaced(genuine, partial(_followed, path))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: where a text nests too deeply for Python, no finalizer of anybody's can run."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _replaced(path: str, text: str) -> str:
    return path


def _followed(path: str, text: str) -> str:
    return f"{text}/../{path}"


def _malformed() -> Iterator[str]:
    yield from ("", " ", "\0", "null", "true", "0", "-1", "[]", "{}", '""', '"no"', "{", "[[]]", "not JSON", "\ud800")
    yield "[" * 4000
    yield "x" * 1_000_000


def _altered(genuine: str, outside: str) -> Iterator[str]:
    yield genuine + "x"
    yield from _with_strings_replaced(genuine, lambda text: "")
    yield from _with_strings_replaced(genuine, lambda text: ".")
    yield from _with_strings_replaced(genuine, lambda text: f"{text}\0")
    yield from _with_strings_replaced(genuine, lambda text: f"{text}\n")
    yield from _with_strings_replaced(genuine, lambda text: f"{outside}/{text}")
    yield from _with_strings_replaced(genuine, lambda text: f"{text}/.")
    yield from _with_strings_replaced(genuine, lambda text: "\ud800")


def _with_strings_replaced(genuine: str, change: Callable[[str], str]) -> Iterator[str]:
    """Yield ``genuine``, if it is JSON, once for each string value in it, with that value changed."""
    try:
        value = json.loads(genuine)
    except ValueError:
        return
    for changed in _changes(value, change):
        yield json.dumps(changed)


def _changes(value: Any, change: Callable[[str], str]) -> Iterator[Any]:
    if isinstance(value, str):
        yield change(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: changed} for changed in _changes(inner, change))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in _changes(inner, change))
