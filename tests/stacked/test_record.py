"""``module_data`` of stacked modules: nested, within its limit, and read as if it came from an enemy."""

import errno
import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from fsstore import layout
from fsstore import record as of_files
from modules import MODULE_DATA_LIMIT
from stacked.record import decode, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)


class RecordTest(unittest.TestCase):
    @given(st.text(max_size=200) | JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value, indent=1)))
    def test_the_text_of_the_module_below_comes_back_to_the_letter(self, inner: str) -> None:
        self.assertEqual(decode("plain", encode("plain", inner)).inner, inner)

    @given(st.text(max_size=20), JSON)
    def test_what_the_layer_keeps_comes_back(self, inner: str, value: object) -> None:
        found = decode("plain", encode("plain", inner, value=value), "value")
        self.assertEqual(json.dumps(found.fields["value"]), json.dumps(value))

    def test_a_stack_of_four_on_files_is_far_from_the_limit(self) -> None:
        text = of_files.encode(layout.new_path(0))
        for layer in ("encryption", "compression", "dedup", "mirror"):
            text = encode(layer, text, key="k" * 200)
        self.assertLess(len(text), MODULE_DATA_LIMIT / 3)
        self.assertNotIn("\\", text)

    def test_a_text_that_is_no_json_is_quoted_once_and_no_more(self) -> None:
        text = 'a "quoted" name'
        for _ in range(4):
            text = encode("plain", text)
        self.assertEqual(text.count("\\"), 2)

    def test_what_a_host_would_not_keep_is_refused(self) -> None:
        room = MODULE_DATA_LIMIT - len(encode("plain", ""))
        self.assertEqual(len(encode("plain", "x" * room)), MODULE_DATA_LIMIT)
        with self.assertRaisesRegex(OSError, "4097 bytes.*too high") as raised:
            encode("plain", "x" * (room + 1))
        self.assertEqual(raised.exception.errno, errno.ENAMETOOLONG)

    def test_what_this_layer_did_not_make_is_refused(self) -> None:
        for text in (
            "",
            "plain",
            "[]",
            "{}",
            '{"layer": "plain"}',
            '{"inner": "x"}',
            '{"layer": "other", "inner": "x"}',
            '{"layer": "plain", "inner": "x", "more": 1}',
            '{"layer": "plain", "inner": ["x"]}',
            '{"layer": "plain", "inner": 1}',
            '{"layer": "plain", "inner": null}',
            "[" * 4000,
            '{"layer": "plain", "inner": "' + "x" * 5000 + '"}',
            '{"layer": "plain", "inner": ' + "9" * 4050 + "}",
        ):
            with self.subTest(text[:60]), self.assertRaisesRegex(ValueError, "^module_data: "):
                decode("plain", text)

    @given(st.text(max_size=100) | JSON.map(json.dumps))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            decode("plain", text)
        except ValueError as error:
            self.assertRegex(str(error), "^module_data: ")
