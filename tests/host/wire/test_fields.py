"""Queries that name fields."""

import unittest
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from host.errors import HostError, Invalid
from host.wire.fields import ALL, Selection, selection


def selected(*names: str, **more: Any) -> Selection:
    return Selection(frozenset(names), **more)


class SelectionTest(unittest.TestCase):
    def test_fields_by_name(self) -> None:
        for query in (
            "objectID;metadata",
            "objectID&metadata",
            "objectID=&metadata=",
            "objectID;;metadata;",
            "object%49D;%6detadata",
            "objectID;metadata;objectID",
            "objectID;other;metadata;time=5",
        ):
            self.assertEqual(selection(query), selected("objectID", "metadata"), query)

    def test_all_of_them(self) -> None:
        for query in ("", ";", "&", "other", "_=1234", "objectid", "=value", ":"):
            self.assertEqual(selection(query), ALL, query)
            self.assertIn("anything", selection(query))

    def test_names_that_are_not_named_are_not_in_it(self) -> None:
        found = selection("objectName;value:0-1")
        self.assertIn("objectName", found)
        self.assertIn("value", found)
        self.assertNotIn("metadata", found)

    def test_fields_that_ours_never_have_are_fields(self) -> None:
        for name in ("exports", "snapshots", "percentComplete"):
            self.assertEqual(selection(name), selected(name))

    def test_ranges(self) -> None:
        for text in (
            "value:0-4",
            "value=0-4",
            "value%3A0-4",
            "value%3a0%2D4",
            "value%3D0-4",
            "value%3A0-4=",
            "value:00-04",
        ):
            self.assertEqual(selection(text), selected("value", value=(0, 4)), text)
        self.assertEqual(
            selection("children:10-19;value=3-3&mimetype"),
            selected("children", "value", "mimetype", value=(3, 3), children=(10, 19)),
        )
        self.assertEqual(selection("value:;children="), selected("value", "children"))

    def test_malformed_ranges_are_refused(self) -> None:
        for text in ("a-b", "4-2", "0-", "-4", "0", "0-1-2", "0-1,4-5", " 0-1", "0-1x", "\xb2-\xb3", "0-" + "9" * 19):
            for name in ("value", "children"):
                with self.subTest(name + text), self.assertRaises(Invalid):
                    selection(f"{name}:{text}")
        for text in ("value:0-1;value:0-1", "children:0-1;children:5-6"):
            with self.subTest(text), self.assertRaises(Invalid):
                selection(text)

    def test_metadata_by_prefix(self) -> None:
        for query, prefixes in (
            ("metadata:k", ("k",)),
            ("metadata=k", ("k",)),
            ("metadata%3Ak", ("k",)),
            ("metadata:a;metadata:b", ("a", "b")),
            ("metadata:a:b=c", ("a:b=c",)),
            ("metadata:a%3Bb%26c", ("a;b&c",)),
            ("metadata:%C3%A4", ("ä",)),
            ("metadata:\xc3\xa4", ("ä",)),
            ("metadata:a+b", ("a+b",)),
        ):
            self.assertEqual(selection(query), selected("metadata", metadata=prefixes), query)

    def test_all_metadata_is_more_than_some(self) -> None:
        for query in ("metadata;metadata:k", "metadata:k;metadata", "metadata:k&metadata="):
            self.assertEqual(selection(query), selected("metadata"), query)

    def test_what_is_no_text_names_nothing(self) -> None:
        found = selection("metadata:%FF").metadata
        assert found is not None
        for name in ("\ufffd", "ÿ", ""):
            self.assertNotIn(name, found)

    @given(st.text(min_size=1), st.sampled_from([":", "=", "%3A", "%3d"]), st.sampled_from(";&"))
    def test_every_name_can_be_asked_for(self, name: str, colon: str, mark: str) -> None:
        query = f"objectID{mark}metadata{colon}{quote(name, safe='')}"
        self.assertEqual(selection(query), selected("objectID", "metadata", metadata=(name,)))

    @given(st.text(st.characters(max_codepoint=255)))
    def test_any_query_is_parsed_or_refused(self, text: str) -> None:
        for query in (text, f"value:{text}", f"metadata:{text}", f"children{text}"):
            try:
                self.assertIsInstance(selection(query), Selection)
            except HostError as error:
                self.assertEqual(error.status, 400)
