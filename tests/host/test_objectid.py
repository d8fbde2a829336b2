"""CDMI object ids."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from host.wire import objectid


class ObjectIdTest(unittest.TestCase):
    def test_the_check_value_of_crc_16_arc(self) -> None:
        self.assertEqual(objectid.checksum(b"123456789"), 0xBB3D)

    def test_the_examples_of_the_standard_are_valid(self) -> None:
        for identity in ("00007ED90010D891022876A8DE0BC0FD", "00007E7F00104BE66AB53A9572F9F51E"):
            self.assertTrue(objectid.is_valid(identity))
            self.assertTrue(objectid.is_valid(identity.lower()))

    def test_ours_are_valid_and_all_different(self) -> None:
        made = {objectid.new() for _ in range(1000)}
        self.assertEqual(len(made), 1000)
        self.assertTrue(all(objectid.is_valid(identity) and len(identity) == 48 for identity in made))

    @given(st.integers(0, 47), st.sampled_from("0123456789ABCDEF"))
    def test_a_wrong_digit_is_seen(self, place: int, digit: str) -> None:
        identity = "00007ED90018E07D50900D4C985281A6C44D52C253D29551"
        changed = identity[:place] + digit + identity[place + 1 :]
        self.assertEqual(objectid.is_valid(changed), changed == identity)

    @given(st.text())
    def test_any_text_is_valid_or_not(self, text: str) -> None:
        self.assertIn(objectid.is_valid(text), (True, False))
