"""Paths, as requests and the fields copy and move have them."""

import re
import unittest
from urllib.parse import quote, unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from host.errors import HostError, Invalid, TooLong
from host.wire import objectid
from host.wire.path import NAME_LIMIT, Path, parse, source

ID = "00007ED90010D891022876A8DE0BC0FD"
LIMIT = 8190

#: Names that may be in a tree, but for the first: some are the system's there.
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.builds(
    lambda names, slash: Path(tuple(names), slash or not names),
    st.lists(NAMES, max_size=5).filter(lambda names: names[:1] not in (["storage_root"], ["cdmi_objectid"])),
    st.booleans(),
)
ID_PATHS = st.builds(
    lambda names, slash: Path(tuple(names), slash, objectid.new()), st.lists(NAMES, max_size=3), st.booleans()
)


def served(url: str) -> str:
    """Return the PATH_INFO that a server makes of a path in a URL."""
    return unquote_to_bytes(url).decode("latin-1")


class RequestPathTest(unittest.TestCase):
    def test_names_and_slash(self) -> None:
        cases = {
            "/cdmi/": ((), True),
            "/cdmi": ((), False),
            "//cdmi//a///b": (("a", "b"), False),
            "/cdmi/a/": (("a",), True),
            "/cdmi/a//": (("a",), True),
            "/cdmi/\xc3\xa4 b": (("ä b",), False),
            "/cdmi/cdmi/a": (("cdmi", "a"), False),
        }
        for text, (names, slash) in cases.items():
            with self.subTest(text):
                self.assertEqual(parse(text, LIMIT), Path(names, slash))

    def test_what_is_not_below_cdmi(self) -> None:
        for text in ("/", "", "//", "/cdmifoo", "/CDMI/", "/other/cdmi", "/%63dmi"):
            self.assertIsNone(parse(text, LIMIT), text)

    def test_names_that_nothing_can_have(self) -> None:
        for text in ("/cdmi/../etc", "/cdmi/.", "/cdmi/a/..", "/cdmi/a\0b", "/cdmi/\xff", "/cdmi/\xed\xa0\x80"):
            with self.subTest(text), self.assertRaises(Invalid):
                parse(text, LIMIT)

    def test_the_limits_count_bytes(self) -> None:
        name = "ä" * (NAME_LIMIT // 2)
        self.assertEqual(parse(served(f"/cdmi/{quote(name)}"), LIMIT), Path((name,), slash=False))
        for text, limit in (
            (served(f"/cdmi/{quote(name)}x"), LIMIT),
            (served(f"/cdmi/cdmi_objectid/{ID}/{quote(name)}x"), LIMIT),
            ("/cdmi/" + "a" * 5, 10),
            ("/" * 11, 10),
        ):
            with self.subTest(text[:30]), self.assertRaises(TooLong) as caught:
                parse(text, limit)
            self.assertEqual(caught.exception.status, 414)
        self.assertIsNotNone(parse("/cdmi/" + "a" * 4, 10))

    def test_the_root_has_a_second_name(self) -> None:
        for text, expected in (
            ("/cdmi/storage_root", Path((), slash=False)),
            ("/cdmi/storage_root/", Path((), slash=True)),
            ("/cdmi/storage_root/a/b", Path(("a", "b"), slash=False)),
            ("/cdmi/storage_root/storage_root/a", Path(("a",), slash=False)),
            ("/cdmi/a/storage_root", Path(("a", "storage_root"), slash=False)),
        ):
            self.assertEqual(parse(text, LIMIT), expected, text)

    def test_paths_by_id(self) -> None:
        for text, expected in (
            (f"/cdmi/cdmi_objectid/{ID}", Path((), slash=False, id=ID)),
            (f"/cdmi/cdmi_objectid/{ID.lower()}/", Path((), slash=True, id=ID)),
            (f"/cdmi/cdmi_objectid/{ID}/a/b", Path(("a", "b"), slash=False, id=ID)),
            ("/cdmi/cdmi_objectid/", Path(("cdmi_objectid",), slash=True)),
            ("/cdmi/a/cdmi_objectid/x", Path(("a", "cdmi_objectid", "x"), slash=False)),
        ):
            self.assertEqual(parse(text, LIMIT), expected, text)

    def test_ids_that_are_none(self) -> None:
        for text in (
            "x",
            ID[:-1],
            ID[:-2] + "00",
            " ".join(re.findall("..", ID)),
            f"\xef\xac\x80{ID[2:]}",
            "\xb2" * 32,
        ):
            with self.subTest(text), self.assertRaises(Invalid):
                parse(f"/cdmi/cdmi_objectid/{text}", LIMIT)

    def test_urls_are_quoted(self) -> None:
        where = Path(("a b", "ä", "?#%;:"), slash=True)
        self.assertEqual(where.url, "/cdmi/a%20b/%C3%A4/%3F%23%25%3B%3A/")
        self.assertEqual(where.parent.parent.url, "/cdmi/a%20b/")
        self.assertEqual(where.parent.parent.parent.url, "/cdmi/")
        self.assertEqual(where.child("c", slash=False).url, where.url + "c")
        self.assertEqual(Path(("a",), slash=False, id=ID).url, f"/cdmi/cdmi_objectid/{ID}/a")

    @given(st.one_of(PATHS, ID_PATHS))
    def test_a_url_leads_to_where_it_is_from(self, where: Path) -> None:
        self.assertEqual(parse(served(where.url), LIMIT), where)
        self.assertTrue(where.url.isascii())

    @given(st.one_of(st.text(st.characters(max_codepoint=255)), st.text()))
    def test_any_path_is_parsed_or_refused(self, text: str) -> None:
        for path in (text, f"/cdmi/{text}", f"/cdmi/cdmi_objectid/{text}"):
            try:
                where = parse(path, 100)
            except HostError as error:
                self.assertIn(error.status, (400, 414))
                self.assertNotIn("\n", str(error))
            else:
                self.assertFalse({"", ".", ".."} & set(() if where is None else where.names))


class SourceTest(unittest.TestCase):
    """What the fields copy and move name."""

    def test_with_and_without_the_prefix(self) -> None:
        for text in (
            "/cdmi/a/o",
            "/a/o",
            "//a//o",
            "/cdmi//a/o",
            "/%61/o",
            "http://host/cdmi/a/o",
            "HTTPS://user@host:8080/a/o",
            "/storage_root/a/o",
            "/cdmi/storage_root/a/o",
        ):
            self.assertEqual(source(text), Path(("a", "o"), slash=False), text)

    def test_names_as_they_are_and_percent_encoded(self) -> None:
        for text, names in (
            ("/a b/ä", ("a b", "ä")),
            ("/a%20b/%C3%A4", ("a b", "ä")),
            ("/a%2Fb", ("a", "b")),
            ("/a%3Fb%23%25", ("a?b#%",)),
            ("/a\tb/c\n", ("a\tb", "c\n")),
            ("/a%", ("a%",)),
            ("/a;b:c", ("a;b:c",)),
            ("/cdmi/cdmi/a", ("cdmi", "a")),
        ):
            self.assertEqual(source(text), Path(names, slash=False), text)

    def test_slashes_and_ids(self) -> None:
        self.assertEqual(source("/cdmi/"), Path((), slash=True))
        self.assertEqual(source("/a/"), Path(("a",), slash=True))
        for text in (f"/cdmi_objectid/{ID}/a", f"/cdmi/cdmi_objectid/{ID.lower()}/a", f"http://h/cdmi_objectid/{ID}/a"):
            self.assertEqual(source(text), Path(("a",), slash=False, id=ID), text)

    def test_what_is_no_source(self) -> None:
        for text in (
            "",
            "a",
            "cdmi/a",
            "http://host",
            "http:///a",
            "ftp://host/a",
            "/a/../b",
            "/%2e%2e/b",
            "/%00",
            "/%FF",
            "/cdmi_objectid/x",
            "http://[",
        ):
            with self.subTest(text), self.assertRaises(Invalid):
                source(text)

    def test_a_part_is_not_copied_as_the_whole(self) -> None:
        for text in ("/a?value:0-4", "/a?", "/a#b", "http://host/a?x"):
            with self.subTest(text), self.assertRaises(Invalid):
                source(text)

    @given(st.one_of(PATHS, ID_PATHS))
    def test_a_url_leads_to_where_it_is_from(self, where: Path) -> None:
        self.assertEqual(source(where.url), where)
        self.assertEqual(source(f"https://host:1{where.url}"), where)
        if where.names[:1] != ("cdmi",):
            self.assertEqual(source(where.url.removeprefix("/cdmi")), where)

    @given(st.text())
    def test_any_text_is_parsed_or_refused(self, text: str) -> None:
        for path in (text, f"/{text}"):
            try:
                where = source(path)
            except HostError as error:
                self.assertIn(error.status, (400, 414))
            else:
                self.assertFalse({"", ".", ".."} & set(where.names))
