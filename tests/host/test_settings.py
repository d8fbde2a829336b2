"""What an operator may set."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from host.settings import CATALOGUE, CATALOGUE_VARIABLE, FILE, Limits, Server, Settings, SettingsError, load

POSTGRESQL = "postgresql+psycopg://cloud:geheim@db/cloud"


class SettingsTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name).resolve()
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop(CATALOGUE_VARIABLE, None)

    def load(self, text: str) -> Settings:
        (self.directory / FILE).write_text(text, "utf-8")
        return load(self.directory)

    def assert_refused(self, text: str, *words: str) -> None:
        with self.assertRaises(SettingsError) as caught:
            self.load(text)
        for word in words:
            self.assertIn(word, str(caught.exception), text)
        self.assertNotIn("\n", str(caught.exception))

    def test_everything_has_a_default(self) -> None:
        for settings in (load(self.directory), self.load(""), self.load("# nothing\n[limits]\n[server]\n")):
            self.assertEqual(settings.directory, self.directory)
            self.assertEqual(settings.catalogue.database, str(self.directory / CATALOGUE))
            self.assertTrue(settings.is_embedded)
            self.assertEqual((settings.limits, settings.server), (Limits(), Server()))
            self.assertEqual((settings.proxies, settings.location), (frozenset(), ""))
            self.assertEqual((settings.access_log, settings.audit_log), ("access.log", "audit.log"))

    def test_everything_can_be_set(self) -> None:
        settings = self.load(
            f"""
            catalogue = "{POSTGRESQL}"
            location = "east"
            proxies = ["10.0.0.1", "::1", ""]
            access_log = ""
            audit_log = "-"
            enterprise_number = 16777215
            limits = {{ path = 1, headers = 2, value = 3, object = 4 }}
            [server]
            processes = 5
            threads = 6
            stop = 7
            """
        )
        self.assertEqual(settings.catalogue.render_as_string(hide_password=False), POSTGRESQL)
        self.assertFalse(settings.is_embedded)
        self.assertEqual(settings.proxies, {"10.0.0.1", "::1", ""})
        self.assertEqual((settings.location, settings.access_log, settings.audit_log), ("east", "", "-"))
        self.assertEqual(settings.enterprise_number, 2**24 - 1)
        self.assertEqual((settings.limits, settings.server), (Limits(1, 2, 3, 4), Server(5, 6, 7)))

    def test_what_is_unknown_is_refused_by_its_name(self) -> None:
        self.assert_refused("colour = 1", FILE, "unknown: colour")
        self.assert_refused("zoo = 1\nant = 2", "unknown: ant, zoo")
        self.assert_refused("[limits]\npaths = 1", "unknown: limits.paths")
        self.assert_refused("[server]\nport = 1", "unknown: server.port")
        self.assert_refused("[loggers]\na = 1", "unknown: loggers")

    def test_what_is_of_another_kind_is_refused_by_its_name(self) -> None:
        for name in ("catalogue", "location", "access_log", "audit_log"):
            for value in ("5", "true", "[]", "{}"):
                self.assert_refused(f"{name} = {value}", f"{FILE}: {name}: not a text")
        for value in ('"5"', "true", "1.5", "[]"):
            self.assert_refused(f"enterprise_number = {value}", "enterprise_number: not a whole number")
            self.assert_refused(f"[limits]\nobject = {value}", "limits.object: not a whole number")
            self.assert_refused(f"[server]\nthreads = {value}", "server.threads: not a whole number")
        for name in ("limits", "server"):
            self.assert_refused(f"{name} = 5", f"{name}: not a table")
        self.assert_refused('proxies = "10.0.0.1"', "proxies: not a list")

    def test_numbers_are_in_their_bounds(self) -> None:
        for value in (0, -1, 2**24):
            self.assert_refused(f"enterprise_number = {value}", "enterprise_number: not between 1 and 16777215")
        for value in (0, -5, 2**62 + 1):
            for name in ("path", "headers", "value", "object"):
                self.assert_refused(f"[limits]\n{name} = {value}", f"limits.{name}: not between 1 and")
            for name in ("processes", "threads", "stop"):
                self.assert_refused(f"[server]\n{name} = {value}", f"server.{name}: not between 1 and")

    def test_proxies_are_addresses(self) -> None:
        for value in ('"proxy.example"', '"10.0.0.0/8"', '"10.0.0.1:80"', "5", "true", '" "', '["::1"]'):
            self.assert_refused(f'proxies = ["10.0.0.1", {value}]', f"{FILE}: proxies:", "not the address")

    def test_a_file_that_cannot_be_read(self) -> None:
        self.assert_refused("a =", FILE)
        self.assert_refused("location = 1\nlocation = 2", FILE)
        (self.directory / FILE).write_bytes(b'location = "\xff"')
        self.assertRaises(SettingsError, load, self.directory)
        (self.directory / FILE).unlink()
        (self.directory / FILE).mkdir()
        self.assertRaises(SettingsError, load, self.directory)

    def test_a_catalogue_in_a_file_is_below_the_directory(self) -> None:
        for text, expected in (
            ("sqlite:///other.sqlite", str(self.directory / "other.sqlite")),
            ("sqlite:////srv/other.sqlite", "/srv/other.sqlite"),
            (f"sqlite:///{CATALOGUE}", str(self.directory / CATALOGUE)),
            ("", str(self.directory / CATALOGUE)),
        ):
            settings = self.load(f'catalogue = "{text}"')
            self.assertEqual(settings.catalogue.database, expected)
            self.assertEqual(settings.is_embedded, expected.endswith(CATALOGUE))

    def test_a_catalogue_that_is_none(self) -> None:
        for text, word in (
            ("geheim", "not a URL"),
            ("postgresql://u:geheim@host:port/x", "not a URL"),
            ("mysql://u:geheim@host/x", "mysql is not served"),
            ("postgresql+geheime://u@host/x", "postgresql+geheime is not known"),
            ("nosuch://u:geheim@host/x", "nosuch is not known"),
            ("sqlite://", "no file"),
            ("sqlite:///:memory:", "no file"),
        ):
            self.assert_refused(f'catalogue = "{text}"', f"{FILE}: catalogue: ", word)
            os.environ[CATALOGUE_VARIABLE] = text
            self.assert_refused("", f"{CATALOGUE_VARIABLE}: ", word)
            with self.assertRaises(SettingsError) as caught:
                self.load("")
            self.assertNotIn("geheim@", str(caught.exception))
            del os.environ[CATALOGUE_VARIABLE]

    def test_the_environment_comes_before_the_file(self) -> None:
        os.environ[CATALOGUE_VARIABLE] = POSTGRESQL
        for text in ("", 'catalogue = "sqlite:///other.sqlite"'):
            self.assertEqual(self.load(text).catalogue.password, "geheim")
        self.assert_refused("catalogue = 5", "catalogue: not a text")
        os.environ[CATALOGUE_VARIABLE] = ""
        self.assertTrue(self.load("").is_embedded)

    def test_a_password_is_not_in_what_is_shown(self) -> None:
        self.assertNotIn("geheim", repr(self.load(f'catalogue = "{POSTGRESQL}"')))
