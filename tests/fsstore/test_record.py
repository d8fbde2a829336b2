"""module_data, which comes back from outside."""

import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from fsstore import layout, record

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("path"), inner),
)


class RecordTest(unittest.TestCase):
    def test_what_is_encoded_is_decoded(self) -> None:
        for slot in (0, 123_456_789):
            path = layout.new_path(slot)
            self.assertEqual("/".join(record.decode(record.encode(path))), path)

    def test_it_is_json_that_tells_the_layout_and_the_path(self) -> None:
        path = layout.new_path(0)
        self.assertEqual(json.loads(record.encode(path)), {"layout": 2, "path": path})

    def test_another_spelling_of_the_same_json_is_decoded(self) -> None:
        path = layout.new_path(0)
        for text in (json.dumps({"path": path, "layout": 2}), json.dumps({"layout": 2, "path": path}, indent=1)):
            self.assertEqual("/".join(record.decode(text)), path)

    def test_what_the_first_layout_wrote_is_decoded(self) -> None:
        name = "ab" + "0" * 30
        self.assertEqual(record.decode(json.dumps({"path": f"ab/{name}"})), ("ab", name))

    @given(st.text() | JSON.map(json.dumps))
    def test_everything_else_is_a_value_error(self, text: str) -> None:
        with self.assertRaises(ValueError):
            record.decode(text)

    def test_what_is_no_string_is_a_value_error(self) -> None:
        for value in (None, 5, b'{"path": ""}', {"path": ""}):
            with self.subTest(value=value), self.assertRaises(ValueError):
                record.decode(value)  # type: ignore[arg-type]

    def test_other_values_are_refused(self) -> None:
        path = layout.new_path(0)
        more: list[dict[str, object]] = [{"more": 1}, {"layout": 3}, {"layout": "2"}, {"layout": 2.0}, {"layout": True}]
        for fields in more:
            with self.subTest(fields), self.assertRaises(ValueError):
                record.decode(json.dumps({"layout": 2, "path": path, **fields}))
        with self.assertRaises(ValueError):
            record.decode(json.dumps({"path": path}))  # without a layout it would be the first
