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
        path = layout.new_path()
        self.assertEqual("/".join(record.decode(record.encode(path))), path)

    @given(st.text() | JSON.map(json.dumps))
    def test_everything_else_is_a_value_error(self, text: str) -> None:
        with self.assertRaises(ValueError):
            record.decode(text)

    def test_what_is_no_string_is_a_value_error(self) -> None:
        for value in (None, 5, b'{"path": ""}', {"path": ""}):
            with self.subTest(value=value), self.assertRaises(ValueError):
                record.decode(value)  # type: ignore[arg-type]

    def test_a_value_beside_the_path_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            record.decode(json.dumps({"path": layout.new_path(), "more": 1}))
