"""What clients are told that works."""

import unittest

from host.wire.capabilities import capabilities

PARTS = ("container", "dataobject", "domain")


class CapabilitiesTest(unittest.TestCase):
    def test_the_root_names_its_parts(self) -> None:
        fields = capabilities((), "1.1.1")
        assert fields is not None
        self.assertEqual(fields["objectType"], "application/cdmi-capability")
        self.assertEqual((fields["objectName"], fields["parentURI"]), ("cdmi_capabilities/", "/cdmi/"))
        self.assertEqual((fields["children"], fields["childrenrange"]), ([f"{part}/" for part in PARTS], "0-2"))

    def test_the_parts(self) -> None:
        for part in PARTS:
            fields = capabilities((part,), None)
            assert fields is not None
            self.assertEqual((fields["objectName"], fields["parentURI"]), (f"{part}/", "/cdmi/cdmi_capabilities/"))
            self.assertEqual(fields["children"], [])
            self.assertNotIn("childrenrange", fields)

    def test_values_are_strings(self) -> None:
        for names in ((), *((part,) for part in PARTS)):
            fields = capabilities(names, "1.1.1")
            assert fields is not None
            self.assertTrue(fields["capabilities"])
            self.assertEqual(set(fields["capabilities"].values()), {"true"})

    def test_the_root_is_of_the_version_that_was_asked_for(self) -> None:
        for version, is_new in (
            ("1.0", False),
            ("1.0.1h", False),
            ("1.0.2", False),
            ("1.1", True),
            ("1.1.1", True),
            (None, True),
        ):
            fields = capabilities((), version)
            assert fields is not None
            self.assertEqual("cdmi_dataobjects" in fields["capabilities"], is_new, version)
            self.assertIn("cdmi_domains", fields["capabilities"])

    def test_what_is_known_of_an_object_is_told_with_the_object(self) -> None:
        for part, is_there in (("dataobject", True), ("container", False), ("domain", False)):
            fields = capabilities((part,), "1.1.1")
            assert fields is not None
            self.assertEqual("cdmi_size" in fields["capabilities"], is_there, part)
        root = capabilities((), "1.1.1")
        assert root is not None
        self.assertNotIn("cdmi_size", root["capabilities"])

    def test_what_is_left_out_is_not_announced(self) -> None:
        told = {
            key
            for names in ((), *((part,) for part in PARTS))
            for key in (capabilities(names, "1.1.1") or {})["capabilities"]
        }
        for word in (
            "queue",
            "quer",
            "notif",
            "serial",
            "snapshot",
            "export",
            "reference",
            "acl",
            "remote",
            "multipart",
        ):
            self.assertEqual([key for key in told if word in key], [], word)

    def test_there_are_no_others(self) -> None:
        for names in (("queue",), ("dataobject", "x"), ("dataobject/",), ("",)):
            self.assertIsNone(capabilities(names, "1.1.1"), names)
