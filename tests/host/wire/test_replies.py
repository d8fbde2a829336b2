"""Objects and containers in JSON."""

import json
import re
import unittest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from host.catalogue.node import Node
from host.wire.fields import Selection, selection
from host.wire.path import Path
from host.wire.replies import container_json, listing_json, object_json, timestamp

DAY = 86400


def node(**more: Any) -> Node:
    """Return an object, or what else is said."""
    metadata = more.pop("metadata", {"k": "v", "n": 2})
    usual: dict[str, Any] = {
        "id": "ID",
        "parent": "PARENT",
        "name": "o",
        "container": False,
        "owner": 1,
        "metadata_text": json.dumps(metadata),
        "ctime": 0,
        "mtime": DAY,
        "etag": "e",
        "mimetype": "text/plain",
        "encoding": "utf-8",
        "data_id": 1,
        "module": "default",
        "module_data": "{}",
        "bytes": 2,
    }
    return Node(**{**usual, **more})


CONTAINER = node(name="a", container=True, mimetype=None, encoding=None, data_id=None, bytes=None)
COMMON = {
    "objectID": "ID",
    "parentID": "PARENT",
    "domainURI": "/cdmi/cdmi_domains/system_domain/",
    "completionStatus": "Complete",
}
SYSTEM = {
    "cdmi_ctime": "1970-01-01T00:00:00.000000Z",
    "cdmi_mtime": "1970-01-02T00:00:00.000000Z",
    "cdmi_atime": "1970-01-02T00:00:00.000000Z",
    "cdmi_owner": "alice",
}


class ObjectTest(unittest.TestCase):
    WHERE = Path(("a b", "o"), slash=False)

    def test_all_fields(self) -> None:
        expected = {
            **COMMON,
            "objectType": "application/cdmi-object",
            "objectName": "o",
            "parentURI": "/cdmi/a%20b/",
            "capabilitiesURI": "/cdmi/cdmi_capabilities/dataobject/",
            "mimetype": "text/plain",
            "metadata": {"k": "v", "n": 2, "cdmi_size": 2, **SYSTEM},
        }
        self.assertEqual(object_json(node(), self.WHERE, "alice"), expected)

    def test_the_size_is_a_number_and_numbers_stay_numbers(self) -> None:
        metadata = object_json(node(bytes=0), self.WHERE, "alice")["metadata"]
        self.assertEqual((metadata["cdmi_size"], metadata["n"]), (0, 2))

    def test_metadata_of_the_user_never_stands_for_the_systems(self) -> None:
        metadata = object_json(node(metadata={"cdmi_size": 99, "cdmi_owner": "eve"}), self.WHERE, "alice")["metadata"]
        self.assertEqual((metadata["cdmi_size"], metadata["cdmi_owner"]), (2, "alice"))

    def test_without_a_name_there_is_no_parent_either(self) -> None:
        fields = object_json(node(), Path((), slash=False, id="ID"), "alice")
        self.assertFalse(fields.keys() & {"objectName", "parentURI", "parentID"})
        self.assertEqual(fields["objectID"], "ID")

    def test_selected_fields(self) -> None:
        for query, expected in (
            ("objectID", {"objectID": "ID"}),
            ("mimetype;objectName", {"objectName": "o", "mimetype": "text/plain"}),
            ("value:0-1", {}),
            ("children;exports", {}),
            ("metadata:k", {"metadata": {"k": "v"}}),
            ("metadata:cdmi_s;metadata:n", {"metadata": {"n": 2, "cdmi_size": 2}}),
            ("metadata:nothing", {"metadata": {}}),
        ):
            self.assertEqual(object_json(node(), self.WHERE, "alice", selection(query)), expected, query)

    @given(st.dictionaries(st.text(), st.text()), st.text(min_size=1))
    def test_a_prefix_selects_what_begins_with_it(self, metadata: dict[str, str], prefix: str) -> None:
        selected = Selection(frozenset(["metadata"]), metadata=(prefix,))
        found = object_json(node(metadata=metadata), self.WHERE, "alice", selected)["metadata"]
        everything = object_json(node(metadata=metadata), self.WHERE, "alice")["metadata"]
        self.assertEqual(found, {key: item for key, item in everything.items() if key.startswith(prefix)})


class ContainerTest(unittest.TestCase):
    def test_all_fields_but_the_children(self) -> None:
        expected = {
            **COMMON,
            "objectType": "application/cdmi-container",
            "objectName": "a/",
            "parentURI": "/cdmi/",
            "capabilitiesURI": "/cdmi/cdmi_capabilities/container/",
            "metadata": {"k": "v", "n": 2, **SYSTEM},
        }
        for slash in (True, False):
            self.assertEqual(container_json(CONTAINER, Path(("a",), slash=slash), "alice"), expected)

    def test_a_root_has_no_name_and_no_parent(self) -> None:
        fields = container_json(CONTAINER._replace(parent=None), Path((), slash=True), "alice")
        self.assertFalse(fields.keys() & {"objectName", "parentURI", "parentID"})
        self.assertNotIn(None, fields.values())

    def test_selected_fields(self) -> None:
        fields = container_json(CONTAINER, Path(("a",), slash=True), "alice", selection("objectName;children"))
        self.assertEqual(fields, {"objectName": "a/"})


class ListingTest(unittest.TestCase):
    def test_what_the_system_lists(self) -> None:
        self.assertEqual(
            listing_json(Path(("system_configuration", "vendor_modules"), slash=True), ["a", "b"]),
            {
                "objectType": "application/cdmi-container",
                "objectName": "vendor_modules/",
                "parentURI": "/cdmi/system_configuration/",
                "domainURI": "/cdmi/cdmi_domains/system_domain/",
                "childrenrange": "0-1",
                "children": ["a", "b"],
            },
        )

    def test_nothing_has_no_range(self) -> None:
        fields = listing_json(Path(("a",), slash=True), [], "application/cdmi-domain")
        self.assertEqual((fields["children"], fields["objectType"]), ([], "application/cdmi-domain"))
        self.assertNotIn("childrenrange", fields)


class TimestampTest(unittest.TestCase):
    @given(st.integers(0, 2**37))
    def test_whole_seconds_in_six_digits(self, seconds: int) -> None:
        self.assertTrue(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z", timestamp(seconds)))
