"""Header fields of requests."""

import base64
import unittest

from hypothesis import given
from hypothesis import strategies as st

from host.errors import HostError, Invalid, NotAcceptable
from host.wire.headers import (
    CONTAINER,
    OBJECT,
    client_address,
    credentials,
    encoding_of,
    media_type,
    mimetype,
    require_acceptable,
    version,
)

#: What a server can hand over of a header.
HEADERS = st.text(st.characters(max_codepoint=255))


class VersionTest(unittest.TestCase):
    def test_the_version_asked_for_is_answered(self) -> None:
        for asked in ("1.0", "1.0.1", "1.0.1h", "1.0.2", "1.1", "1.1.0", "1.1.1"):
            self.assertEqual(version(asked), asked)
            self.assertEqual(version(f"  {asked}\t"), asked)

    def test_the_highest_of_a_list_is_taken(self) -> None:
        for header, expected in (
            ("1.0.2, 1.1", "1.1"),
            ("1.1,1.1.1,1.0", "1.1.1"),
            ("3.0,1.0.1", "1.0.1"),
            ("2.0, , 1.0.1h", "1.0.1h"),
        ):
            self.assertEqual(version(header), expected, header)

    def test_none_in_common_is_refused(self) -> None:
        for header in ("2.0", "", ",", "x", "1", "1.0.2.1", "1.0 1.1", "1.1.1;q=1"):
            with self.subTest(header), self.assertRaises(Invalid):
                version(header)

    def test_no_header_is_plain_http(self) -> None:
        self.assertIsNone(version(None))


class CredentialsTest(unittest.TestCase):
    def test_name_and_password(self) -> None:
        self.assertEqual(credentials("Basic YWxpY2U6YTpi"), ("alice", "a:b"))
        self.assertEqual(credentials("basic  w6Q6w7Y="), ("ä", "ö"))

    def test_anything_else_is_none(self) -> None:
        for header in (
            None,
            "",
            "Basic",
            "Basic !",
            "Basic YWxpY2U=",
            "Basic YWxpY2U6YTpi!",
            "Digest YWxpY2U6YTpi",
            "Basic /w==",
            "Basic AGE6Yg==",
            "Basic Y\xe4",
        ):
            self.assertIsNone(credentials(header), header)

    @given(st.text(st.characters(exclude_characters=":\0", exclude_categories=["Cs"])), st.text())
    def test_every_name_and_password_comes_through(self, name: str, password: str) -> None:
        coded = base64.b64encode(f"{name}:{password}".encode()).decode()
        self.assertEqual(credentials(f"Basic {coded}"), (name, password))

    @given(HEADERS)
    def test_any_header_is_parsed_or_none(self, text: str) -> None:
        for header in (text, f"Basic {text}"):
            self.assertIsInstance(credentials(header), (tuple, type(None)))


class TypeTest(unittest.TestCase):
    def test_a_media_type_is_in_small_letters_and_alone(self) -> None:
        self.assertEqual(media_type("Application/CDMI-Object ; charset=utf-8"), OBJECT)
        self.assertEqual(media_type(None), "")
        self.assertEqual(media_type(";"), "")

    def test_what_can_be_sent_back_is_a_mimetype(self) -> None:
        for text in ("text/plain", 'text/plain; charset="utf-8"', "x", "a" * 255):
            self.assertEqual(mimetype(text), text)
        self.assertIsNone(mimetype(None))

    def test_what_cannot_is_none(self) -> None:
        for text in (
            "",
            " ",
            " text/plain",
            "text/plain\r\nX-Evil: 1",
            "text/plain\n",
            "tëxt/plain",
            "a" * 256,
            "a\x7f",
        ):
            with self.subTest(text), self.assertRaises(Invalid):
                mimetype(text)

    def test_a_type_with_the_charset_utf_8_reads_back_as_text(self) -> None:
        for text in (
            "text/plain;charset=utf-8",
            'text/plain; Charset="UTF-8"',
            "text/plain; a=b ; charset = utf-8; c=d",
        ):
            self.assertEqual(encoding_of(text), "utf-8", text)

    def test_any_other_reads_back_as_base64(self) -> None:
        for text in ("text/plain", "", "text/plain; charset=latin-1", "charset=utf-8", "a/b; charset=utf-80"):
            self.assertEqual(encoding_of(text), "base64", text)


class AcceptTest(unittest.TestCase):
    def test_what_is_acceptable(self) -> None:
        for accept, kind, is_cdmi in (
            (None, OBJECT, True),
            ("", OBJECT, True),
            ("*/*", OBJECT, True),
            ("application/*", CONTAINER, True),
            ("text/html, Application/CDMI-Object ; q=0.5", OBJECT, True),
            ("application/cdmi-container,application/cdmi-object", OBJECT, True),
            (f"{OBJECT};q=0.001", OBJECT, True),
            (f"{OBJECT}", OBJECT, False),
            ("text/html", OBJECT, False),
            ("image/png, application/cdmi-container", OBJECT, False),
            ("text/html;q=0", OBJECT, False),
            (f"{CONTAINER};q=0", OBJECT, False),
        ):
            with self.subTest(accept):
                require_acceptable(accept, kind, is_cdmi)

    def test_what_is_not(self) -> None:
        for accept, kind, is_cdmi in (
            (CONTAINER, OBJECT, False),
            (f"{CONTAINER};q=0.5 , {CONTAINER}", OBJECT, False),
            (OBJECT, CONTAINER, False),
            (OBJECT, CONTAINER, True),
            ("text/html", OBJECT, True),
            (f"{OBJECT};q=0", OBJECT, True),
            (f"*/*; q=0.000, {CONTAINER}", OBJECT, True),
        ):
            with self.subTest(accept), self.assertRaises(NotAcceptable) as caught:
                require_acceptable(accept, kind, is_cdmi)
            self.assertEqual(caught.exception.status, 406)

    @given(HEADERS, st.booleans())
    def test_any_header_is_acceptable_or_not(self, text: str, is_cdmi: bool) -> None:
        try:
            require_acceptable(text, OBJECT, is_cdmi)
        except HostError as error:
            self.assertEqual(error.status, 406)


class ClientAddressTest(unittest.TestCase):
    PROXIES = frozenset(["10.0.0.1", "10.0.0.2"])

    def test_a_header_of_nobody_we_know_is_not_believed(self) -> None:
        self.assertEqual(client_address("9.9.9.9", "1.1.1.1", self.PROXIES), "9.9.9.9")
        self.assertEqual(client_address("9.9.9.9", "10.0.0.1", self.PROXIES), "9.9.9.9")
        self.assertEqual(client_address("9.9.9.9", None, frozenset()), "9.9.9.9")

    def test_what_our_proxies_saw_is(self) -> None:
        for forwarded, expected in (
            ("1.1.1.1", "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1", "1.1.1.1"),
            ("6.6.6.6,1.1.1.1 , 10.0.0.2", "1.1.1.1"),
            ("6.6.6.6, 10.0.0.2, 1.1.1.1", "1.1.1.1"),
            ("10.0.0.2", "10.0.0.2"),
            ("::1", "::1"),
            ("1.1.1.1,,", "1.1.1.1"),
        ):
            self.assertEqual(client_address("10.0.0.1", forwarded, self.PROXIES), expected, forwarded)

    def test_without_a_header_the_proxy_is_the_client(self) -> None:
        for forwarded in (None, "", " , "):
            self.assertEqual(client_address("10.0.0.1", forwarded, self.PROXIES), "10.0.0.1")

    def test_a_proxy_at_a_socket_in_the_file_system_has_no_address(self) -> None:
        self.assertEqual(client_address("", "1.1.1.1", frozenset([""])), "1.1.1.1")
        self.assertEqual(client_address("", "1.1.1.1", self.PROXIES), "")

    def test_it_is_never_long(self) -> None:
        self.assertEqual(client_address("10.0.0.1", "x" * 10_000, self.PROXIES), "x" * 64)

    @given(st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "1.1.1.1", "6.6.6.6"]), max_size=6), st.booleans())
    def test_nobody_can_pretend_behind_our_proxies(self, forged: list[str], is_through_two: bool) -> None:
        seen = [*forged, "9.9.9.9", *(["10.0.0.2"] if is_through_two else [])]
        self.assertEqual(client_address("10.0.0.1", ", ".join(seen), self.PROXIES), "9.9.9.9")
