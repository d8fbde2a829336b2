"""Catalogues of every version, and what becomes of them."""

import json
import re
import subprocess
import sys
from typing import Any
from unittest import mock

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from falcon import testing
from sqlalchemy import Connection, MetaData, inspect, text

from host.application import create
from host.catalogue import pages, schema, tree, upgrade, version
from host.catalogue.engine import Catalogue
from host.settings import SettingsError, load
from tests.host.catalogue.old import MANY, OldCatalogue
from tests.host.cloud import MEMBERS, CloudTest
from tests.host.consistency import faults
from tests.server import ROOT, environment

NEWEST = "0003"


def differences(connection: Connection) -> list[Any]:
    """Return in what the tables differ from those of the schema, as far as Alembic sees it."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    found: list[Any] = compare_metadata(context, schema.metadata)
    return found


def description(connection: Connection) -> list[Any]:
    """Return all that the database says of its tables and indexes."""
    if connection.dialect.name == "sqlite":
        made = connection.scalars(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return sorted(re.sub(r"\s+", " ", re.sub(r"\s*([(),])\s*", r"\1", statement)) for statement in made)
    columns = """SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length, collation_name,
        is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public'"""
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    constraints = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace"""
    return [sorted(map(repr, connection.execute(text(query)))) for query in (columns, indexes, constraints)]


class UpgradeTest(CloudTest):
    """Begins with an empty database."""

    def setUp(self) -> None:
        self.prepare()
        self.catalogue = Catalogue(load(self.directory).catalogue)
        self.addCleanup(self.catalogue.close)
        self.drop()

    def drop(self) -> None:
        with self.catalogue.writing() as connection:
            found = MetaData()
            found.reflect(connection)
            found.drop_all(connection)

    def run_sql(self, statement: str) -> None:
        with self.catalogue.writing() as connection:
            connection.execute(text(statement))

    def begin(self) -> None:
        """Open the cloud, and serve it."""
        self.cloud = self.open()
        self.client = testing.TestClient(create(self.cloud))

    def old(self) -> OldCatalogue:
        with self.catalogue.writing() as connection:
            return OldCatalogue(connection, str(self.objects))

    def test_the_migrations_make_the_tables_of_the_schema(self) -> None:
        self.assertEqual(upgrade.upgrade(self.catalogue), (None, NEWEST))
        with self.catalogue.writing() as connection:
            self.assertEqual(differences(connection), [])
            migrated = description(connection)
        self.drop()
        self.assertTrue(version.make(self.catalogue))
        with self.catalogue.writing() as connection:
            self.assertEqual(differences(connection), [])
            self.assertEqual(description(connection), migrated)

    def test_a_server_needs_the_newest_of_the_migrations_and_no_alembic(self) -> None:
        self.assertEqual(version.NEWEST, ScriptDirectory(str(upgrade._SCRIPTS)).get_current_head())
        program = "import sys, host.wsgi; print('alembic' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True
        )
        self.assertEqual(done.stdout, "False\n", done.stderr)

    def test_a_difference_would_be_seen(self) -> None:
        version.make(self.catalogue)
        self.run_sql("ALTER TABLE failures ADD COLUMN more TEXT")
        self.run_sql("DROP INDEX copies_module_location_due")
        with self.catalogue.writing() as connection:
            self.assertEqual(len(differences(connection)), 2)

    def test_a_new_catalogue_is_made_once_and_is_of_the_newest_version(self) -> None:
        self.assertTrue(version.make(self.catalogue))
        self.assertFalse(version.make(self.catalogue))
        version.require_current(self.catalogue)
        self.assertEqual(upgrade.upgrade(self.catalogue), (NEWEST, NEWEST))

    def test_an_empty_an_older_and_a_newer_one_are_refused(self) -> None:
        with self.assertRaisesRegex(SettingsError, "empty"):
            version.require_current(self.catalogue)
        self.old()
        with self.assertRaisesRegex(SettingsError, "version 0001.*wants 0003.*vsm upgrade"):
            version.require_current(self.catalogue)
        upgrade.upgrade(self.catalogue)
        self.run_sql("UPDATE alembic_version SET version_num = '9999'")
        with self.assertRaisesRegex(SettingsError, "version 9999"):
            version.require_current(self.catalogue)
        with self.assertRaisesRegex(SettingsError, "version 9999, and this program is older"):
            upgrade.upgrade(self.catalogue)

    def test_a_catalogue_of_0_1_0_gets_the_tables_of_the_schema(self) -> None:
        self.old()
        self.assertEqual(upgrade.upgrade(self.catalogue), ("0001", NEWEST))
        with self.catalogue.writing() as connection:
            self.assertEqual(differences(connection), [])
            self.assertEqual(faults(connection), [])
            upgraded = description(connection)
        self.drop()
        version.make(self.catalogue)
        with self.catalogue.writing() as connection:
            self.assertEqual(upgraded, description(connection))

    def test_what_is_in_a_catalogue_of_0_1_0_reads_back(self) -> None:
        old = self.old()
        upgrade.upgrade(self.catalogue)
        self.begin()
        for user, path, content in (
            ("alice", "c/text", b"data in c"),
            ("alice", "empty", b""),
            ("bob", "o", b"of bob"),
        ):
            self.assertEqual(self.call("GET", f"/cdmi/{path}", user=f"{user}:{user}'s").content, content)
        for path in ("c/text", "c/", "empty", "c/many/", "c/many/🐢"):
            with self.cloud.catalogue.reading() as connection:
                node = tree.by_id(connection, old.ids[f"alice/{path}"])
            assert node is not None
            self.assertEqual((node.ctime, node.mtime), (1_600_000_000, 1_700_000_000))
            found = self.cloud.names.find(self.account(), self.cloud.names.path_of(self.account(), node))
            self.assertEqual(found, node)
        with self.cloud.catalogue.reading() as connection:
            text_node = tree.by_id(connection, old.ids["alice/c/text"])
            container = tree.by_id(connection, old.ids["alice/c/"])
        assert text_node is not None and container is not None
        self.assertEqual((text_node.mimetype, text_node.encoding), ("text/plain", "utf-8"))
        self.assertEqual(text_node.metadata, {"k": "v"})
        self.assertEqual(container.metadata, {"colour": "blue", "ü": [1, {"a": None}]})

    def test_many_names_of_a_catalogue_of_0_1_0_are_counted_and_listed(self) -> None:
        old = self.old()
        upgrade.upgrade(self.catalogue)
        names = sorted(MANY, key=str.encode)
        many = old.ids["alice/c/many/"]
        with self.catalogue.writing() as connection:
            self.assertEqual(pages.count(connection, many), len(names))
            for first in (0, 1, 1023, 1024, 1025, 2047, 2048, 2504, 2505):
                expected = [(name, False) for name in names[first : first + 3]]
                self.assertEqual(pages.names(connection, many, first, 3), expected)

    def test_an_old_cloud_goes_on(self) -> None:
        self.old()
        upgrade.upgrade(self.catalogue)
        self.begin()
        shown = self.call("GET", f"{MEMBERS}/bob", user="administrator:administrator's").json
        self.assertEqual(
            {key: shown[key] for key in ("used", "quota", "objects")}, {"used": 6, "quota": 100, "objects": 1}
        )
        self.assertEqual(self.stored(), sorted([b"", b"data in c", b"of bob", b"garbage", b"pending"]))
        self.cloud.upkeep.reap()
        self.assertEqual(self.stored(), sorted([b"", b"data in c", b"of bob"]))
        self.assertEqual(self.call("PUT", "/cdmi/c/text", b"newer", user="alice:alice's").status_code, 204)
        self.assertEqual(self.call("PUT", "/cdmi/c/many/0000", b"first", user="alice:alice's").status_code, 201)
        self.cloud.accounts.put("carol", password="carol's", policy="default")
        self.assertEqual(self.call("PUT", "/cdmi/o", b"of carol", user="carol:carol's").status_code, 201)
        self.assertEqual(self.call("DELETE", "/cdmi/c/", user="alice:alice's").status_code, 204)
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual(self.stored(), sorted([b"", b"of bob", b"of carol"]))
        with self.catalogue.writing() as connection:
            self.assertEqual(faults(connection), [])

    def test_an_upgrade_that_fails_changes_nothing(self) -> None:
        self.old()
        with self.catalogue.writing() as connection:
            before = description(connection)
        with mock.patch("json.dumps", side_effect=ZeroDivisionError), self.assertRaises(ZeroDivisionError):
            upgrade.upgrade(self.catalogue)
        with self.catalogue.writing() as connection:
            self.assertEqual(description(connection), before)
            arguments = connection.scalar(text("SELECT arguments FROM vendor_modules"))
            self.assertFalse(inspect(connection).has_table("alembic_version"))
        self.assertEqual(json.loads(arguments), {"root": str(self.objects)})
        self.assertEqual(upgrade.upgrade(self.catalogue), ("0001", NEWEST))
