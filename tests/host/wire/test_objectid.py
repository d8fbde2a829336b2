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

    @given(st.integers(0, 2**24 - 1))
    def test_the_enterprise_number_is_in_it(self, number: int) -> None:
        identity = objectid.new(number)
        self.assertTrue(objectid.is_valid(identity))
        self.assertEqual(int(identity[2:8], 16), number)

    def test_what_is_none(self) -> None:
        valid = "00007ED90010D891022876A8DE0BC0FD"
        for text in (
            "",
            "00",
            valid[:-1],
            valid[:-2],
            valid + "00",
            f" {valid}",
            f"{valid[:2]} {valid[2:]}",
            "0x" + valid,
        ):
            self.assertFalse(objectid.is_valid(text), text)

    def test_a_right_checksum_is_not_enough(self) -> None:
        for head, opaque, expected in (
            ("00007ED9000A", "0102", True),
            ("00007ED90028", "01" * 32, True),
            ("00007ED90008", "", False),  # nothing of one's own
            ("00007ED90029", "01" * 33, False),  # too much of it
            ("00007ED9000B", "0102", False),  # another length
            ("01007ED9000A", "0102", False),
            ("00007ED9010A", "0102", False),
        ):
            crc = objectid.checksum(bytes.fromhex(f"{head}0000{opaque}"))
            self.assertEqual(objectid.is_valid(f"{head}{crc:04X}{opaque}"), expected, head)

    @given(st.integers(0, 47), st.sampled_from("0123456789ABCDEF"))
    def test_a_wrong_digit_is_seen(self, place: int, digit: str) -> None:
        identity = "00007ED90018E07D50900D4C985281A6C44D52C253D29551"
        changed = identity[:place] + digit + identity[place + 1 :]
        self.assertEqual(objectid.is_valid(changed), changed == identity)

    @given(st.text())
    def test_any_text_is_valid_or_not(self, text: str) -> None:
        self.assertIn(objectid.is_valid(text), (True, False))
