"""Conditional requests."""

import os
import time
import unittest
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from host.errors import PreconditionFailed
from host.wire.conditions import NONE, Conditions, State, conditions, http_date, if_range

NOW = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@dataclass
class Kept:
    """An object as it is."""

    etag: str = "abc"
    mtime: int = NOW


def of(**headers: str) -> Conditions:
    """Return the conditions in headers, by their names with underscores."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return conditions(given.get)


def holds(found: Conditions, state: State | None, *, to_write: bool = False) -> bool:
    """Tell whether a request may go on."""
    try:
        if to_write:
            found.require_to_write(state)
        else:
            found.require(state)
    except PreconditionFailed as error:
        assert error.status == 412
        return False
    return True


class TagsTest(unittest.TestCase):
    def test_if_match_is_strong(self) -> None:
        for header, expected in (
            ('"abc"', True),
            ('"x", "abc"', True),
            ('"x","abc" , "y"', True),
            ("*", True),
            (" * ", True),
            ('W/"abc"', False),
            ('"x"', False),
            ('"ABC"', False),
            ('""', False),
            ("abc", False),
            ("", False),
            ('"*"', False),
            ('"W/abc"', False),
            ('"abc', False),
        ):
            self.assertEqual(holds(of(If_Match=header), Kept()), expected, header)
            self.assertEqual(holds(of(If_Match=header), Kept(), to_write=True), expected, header)

    def test_if_match_of_nothing_never_holds(self) -> None:
        for header in ("*", '"abc"', ""):
            self.assertFalse(holds(of(If_Match=header), None, to_write=True), header)

    def test_if_none_match_is_weak(self) -> None:
        for header, expected in (
            ('"abc"', True),
            ('W/"abc"', True),
            ('"x", W/"abc"', True),
            ("*", True),
            ('"x"', False),
            ('"*"', False),
            ('"W/abc"', False),
            ("abc", False),
            ("", False),
        ):
            found = of(If_None_Match=header)
            self.assertEqual(found.is_known(Kept()), expected, header)
            self.assertEqual(holds(found, Kept(), to_write=True), not expected, header)
            self.assertTrue(holds(found, Kept()), "a GET is answered 304, and not 412")
            self.assertTrue(holds(found, None, to_write=True), "what is not there is excluded by nothing")

    @given(st.text(st.characters(max_codepoint=255)))
    def test_any_header_is_parsed(self, text: str) -> None:
        for header in (text, f'"{text}"', f'W/"{text}", "abc"'):
            self.assertIsInstance(of(If_Match=header).match, tuple)


class DatesTest(unittest.TestCase):
    def test_modified_since(self) -> None:
        for mtime, is_known in ((NOW - 1, True), (NOW, True), (NOW + 1, False)):
            self.assertEqual(of(If_Modified_Since=DATE).is_known(Kept(mtime=mtime)), is_known)
            self.assertEqual(holds(of(If_Unmodified_Since=DATE), Kept(mtime=mtime)), is_known)
            self.assertEqual(holds(of(If_Unmodified_Since=DATE), Kept(mtime=mtime), to_write=True), is_known)

    def test_the_three_forms_wherever_the_server_is(self) -> None:
        before = os.environ.get("TZ")
        self.addCleanup(self._set_zone, before)
        for zone in ("UTC", "XXX-05:30", "XXX+08"):
            self._set_zone(zone)
            for text in (DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"):
                self.assertEqual(of(If_Modified_Since=text).modified_since, NOW, (zone, text))

    @staticmethod
    def _set_zone(zone: str | None) -> None:
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    def test_what_is_malformed_is_ignored(self) -> None:
        for text in (
            "",
            "yesterday",
            "784111777",
            "1994-11-06T08:49:37Z",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 99999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +9999",
        ):
            found = of(If_Modified_Since=text, If_Unmodified_Since=text)
            self.assertEqual((found.modified_since, found.unmodified_since), (None, None), text)
            self.assertFalse(found.is_known(Kept()))
            self.assertTrue(holds(found, Kept(), to_write=True))

    def test_an_object_that_is_gone_is_not_unmodified(self) -> None:
        """So that what somebody deleted meanwhile is not made again; RFC 9110 would ignore the date."""
        self.assertFalse(holds(of(If_Unmodified_Since=DATE), None, to_write=True))

    @given(st.integers(0, 2**33))
    def test_our_dates_are_understood(self, seconds: int) -> None:
        self.assertEqual(of(If_Modified_Since=http_date(seconds)).modified_since, seconds)

    def test_our_dates_are_as_http_has_them(self) -> None:
        self.assertEqual(http_date(NOW), DATE)
        self.assertEqual(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT")

    @given(st.text(st.one_of(st.characters(max_codepoint=255), st.sampled_from("0123456789:,-+ "))))
    def test_any_date_is_parsed_or_ignored(self, text: str) -> None:
        for header in (text, f"Sun, 06 Nov {text}", f"Sun, 06 Nov 1994 {text}", f"{text} Nov 1994 08:49:37 GMT"):
            self.assertIsInstance(of(If_Modified_Since=header).modified_since, (int, type(None)))


class PrecedenceTest(unittest.TestCase):
    """RFC 9110, section 13.2.2: tags count before dates."""

    def test_if_match_before_if_unmodified_since(self) -> None:
        later = Kept(mtime=NOW + 1)
        self.assertTrue(holds(of(If_Match='"abc"', If_Unmodified_Since=DATE), later))
        self.assertFalse(holds(of(If_Match='"x"', If_Unmodified_Since=DATE), Kept()))

    def test_if_none_match_before_if_modified_since(self) -> None:
        self.assertFalse(of(If_None_Match='"x"', If_Modified_Since=DATE).is_known(Kept()))
        self.assertTrue(of(If_None_Match='"abc"', If_Modified_Since=DATE).is_known(Kept(mtime=NOW + 1)))

    def test_if_modified_since_is_for_reading_alone(self) -> None:
        self.assertTrue(holds(of(If_Modified_Since=DATE), Kept(), to_write=True))

    def test_all_must_hold(self) -> None:
        self.assertFalse(holds(of(If_Match="*", If_None_Match='"abc"'), Kept(), to_write=True))
        self.assertTrue(holds(of(If_Match="*", If_None_Match='"x"'), Kept(), to_write=True))

    def test_no_header_is_no_condition(self) -> None:
        self.assertIs(of(Range="bytes=0-"), NONE)
        self.assertTrue(holds(NONE, None, to_write=True))
        self.assertTrue(holds(NONE, Kept(), to_write=True))
        self.assertFalse(NONE.is_known(Kept()))


class CdmiTest(unittest.TestCase):
    """Headers of CDMI 1.0, of a PUT."""

    def put(self, **headers: str) -> Conditions:
        return conditions({name.replace("_", "-"): value for name, value in headers.items()}.get, is_put=True)

    def test_they_mean_what_http_has_a_star_for(self) -> None:
        for text in ("true", " TRUE "):
            self.assertEqual(self.put(X_CDMI_MustExist=text), of(If_Match="*"))
            self.assertEqual(self.put(X_CDMI_NoClobber=text), of(If_None_Match="*"))
        for text in ("false", "", "1", "yes"):
            self.assertIs(self.put(X_CDMI_MustExist=text, X_CDMI_NoClobber=text), NONE, text)

    def test_they_count_beside_the_headers_of_http(self) -> None:
        self.assertEqual(self.put(X_CDMI_MustExist="true", If_Match='"abc"'), of(If_Match='"abc"'))
        self.assertEqual(self.put(X_CDMI_NoClobber="true", If_None_Match='"abc"'), of(If_None_Match="*"))
        self.assertEqual(self.put(X_CDMI_NoClobber="true", If_Match='"x"'), of(If_None_Match="*", If_Match='"x"'))

    def test_they_are_for_a_put_alone(self) -> None:
        self.assertIs(of(X_CDMI_MustExist="true", X_CDMI_NoClobber="true"), NONE)


class IfRangeTest(unittest.TestCase):
    def test_a_range_counts_for_the_same_object_alone(self) -> None:
        for header, expected in (
            (None, True),
            ('"abc"', True),
            (DATE, True),
            ('W/"abc"', False),
            ('"x"', False),
            ('"*"', False),
            ("*", False),
            ("abc", False),
            ("", False),
            ("yesterday", False),
            (http_date(NOW - 1), False),
            (http_date(NOW + 1), False),
        ):
            self.assertEqual(if_range(header, Kept()), expected, header)
