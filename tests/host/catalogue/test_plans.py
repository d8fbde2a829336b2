"""How the databases find what they are asked for: never by looking at all that there is."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from sqlalchemy import Connection, event, insert, text

from host.catalogue import contents, pages, schema, tree
from host.catalogue.prepared import Prepared
from host.vault import Facts
from tests.host.cloud import CloudTest, where

MANY = 5000
#: Tables that grow with what users store. Of the others a database may well read all.
LARGE = ("nodes", "data", "pages", "copies")
#: An index of a few of a table's rows.
SMALL = ("copies_taken",)

_NUMBERS = {
    "sqlite": f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) SELECT {{}} FROM n",
    "postgresql": f"SELECT {{}} FROM generate_series(1, {MANY}) AS n(i)",
}
_FILL = (
    ("data (module, module_data, size, state, since)", "'default', 'kept ' || i, 1, 'kept', i"),
    ("data (module, module_data, size, state, since)", "'default', 'garbage ' || i, 1, 'garbage', i"),
    ("data (module, module_data, size, state, since, process)", "'default', 'p ' || i, 1, 'pending', i, 'alive'"),
    (
        "nodes (id, parent, name, container, owner, metadata, ctime, mtime, etag, mimetype, encoding, data)",
        "'id ' || i, :parent, 'name ' || (100000 + i), false, 2, '{{}}', i, i, 'tag', 'text/plain', 'utf-8', i",
    ),
    (
        "nodes (id, name, container, owner, metadata, ctime, mtime, etag)",
        "'box ' || i, 'box ' || i, true, 2, '{{}}', i, i, 'tag'",
    ),
    ("pages (parent, first, count)", "'box ' || i, '', 0"),
    ("copies (data, location, module, due, attempts)", "i, 'far', 'default', i, 0"),
)


class PlanTest(CloudTest):
    """Has a container with many names, and much of all else."""

    def setUp(self) -> None:
        super().setUp()
        self.store("/cdmi/c")  # its data has the first id
        self.cloud.names.remove(self.account(), where("/cdmi/c"))
        self.cloud.upkeep.reap(grace=0)
        self.container = self.cloud.names.make_container(self.account(), where("/cdmi/c/"), {})
        dialect = self.cloud.catalogue.engine.dialect.name
        with self.cloud.catalogue.writing() as connection:
            connection.execute(text("DELETE FROM data"))
            if dialect == "postgresql":
                connection.execute(text("ALTER SEQUENCE data_id_seq RESTART"))
            else:
                connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'data'"))
            for into, values in _FILL:
                statement = f"INSERT INTO {into} {_NUMBERS[dialect].format(values.replace('{{}}', '{}'))}"
                given = {"parent": self.container.id} if ":parent" in statement else {}
                connection.execute(text(statement), given)
            self.fill_pages(connection)
        with self.cloud.catalogue.reading() as connection:
            connection.execute(text("ANALYZE"))

    def fill_pages(self, connection: Connection) -> None:
        connection.execute(schema.pages.delete().where(schema.pages.c.parent == self.container.id))
        firsts = range(0, MANY, 50)
        rows = [{"parent": self.container.id, "first": f"name {100001 + first}", "count": 50} for first in firsts]
        rows[0]["first"] = ""
        connection.execute(insert(schema.pages), rows)

    @contextmanager
    def recorded(self) -> Iterator[list[tuple[str, str]]]:
        """Give the statements that the block runs, and the plan of each."""
        plans: list[tuple[str, str]] = []
        engine, run = self.cloud.catalogue.engine, Prepared._run
        engines = (engine, self.cloud.catalogue._plain)
        word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"

        def plan(raw: Any, statement: str, parameters: Any) -> None:
            if re.match(r"(SELECT|UPDATE|DELETE|WITH)", statement):
                rows = raw.execute(f"{word} {statement}", parameters).fetchall()
                plans.append((statement, "\n".join(str(row[-1]) for row in rows)))

        def execute(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            plan(connection.connection.driver_connection, statement, parameters)

        def prepared(self: Prepared, connection: Connection, values: dict[str, Any]) -> Any:
            statement, order, constants = self._compile(connection)
            given = {**constants, **values}
            raw = connection.connection.driver_connection
            plan(raw, statement, given if order is None else [given[name] for name in order])
            return run(self, connection, values)

        for each in engines:
            event.listen(each, "before_cursor_execute", execute)
        with mock.patch.object(Prepared, "_run", prepared):
            yield plans
        for each in engines:
            event.remove(each, "before_cursor_execute", execute)

    def assert_quick(self, work: Callable[[], object], *, least: int = 1, sorts: bool = True) -> None:
        """Assert that no statement of ``work`` reads the whole of a large table or index."""
        with self.recorded() as plans:
            work()
        self.assertGreaterEqual(len(plans), least)
        for statement, plan in plans:
            told = f"{statement}\n\n{plan}"
            for table in re.findall(r"(?:Seq Scan on|^SCAN) (\w+)", plan, re.MULTILINE):
                self.assertNotIn(re.sub(r"_\d+$", "", table), LARGE, told)
            for index, table, condition in re.findall(r"Scan using (\w+) on (\w+).*(?:\n\s+(\w+ Cond))?", plan):
                self.assertTrue(condition or table not in LARGE or index in SMALL, told)
            if not sorts:
                self.assertNotRegex(plan, r"Sort|TEMP B-TREE", told)

    def assert_reads(self, function: Callable[..., object], *values: Any, least: int = 1, sorts: bool = True) -> None:
        """Assert the same of a function that reads by a connection, and finds something."""

        def work() -> None:
            with self.cloud.catalogue.reading() as connection:
                self.assertTrue(function(connection, *values))

        self.assert_quick(work, least=least, sorts=sorts)

    def test_a_full_scan_would_be_seen(self) -> None:
        for query in ("SELECT * FROM nodes WHERE etag = 'x'", "UPDATE data SET size = 2 WHERE size = 3"):
            with self.assertRaises(AssertionError):
                self.assert_reads(Connection.execute, text(query))

    def test_the_names_of_a_container_are_listed(self) -> None:
        identity = self.container.id
        for first in (0, 100, 4500):  # the last of them is looked for among the pages, of which there are few
            self.assert_reads(pages.names, identity, first, 100, sorts=first > pages.PAGE // 2)
        self.assert_reads(pages.names_after, identity, "name 104000", 100, sorts=False)

    def test_the_names_of_a_container_are_counted(self) -> None:
        self.assert_reads(pages.count, self.container.id)

    def test_a_path_is_walked(self) -> None:
        account, by_id = self.account(), f"/cdmi/cdmi_objectid/{self.container.id}/name 104000"
        for path in ("/cdmi/", "/cdmi/c/", "/cdmi/c/name 104000", by_id):
            self.assert_reads(tree.locate, account, where(path))
        deep = [f"d{number}" for number in range(12)]
        for number in range(12):
            self.cloud.names.make_container(account, where(f"/cdmi/{'/'.join(deep[: number + 1])}/"), {})
        self.assert_reads(tree.find, account.root, deep, least=2)
        node = self.cloud.names.find(account, where(f"/cdmi/{'/'.join(deep)}/"))
        assert node is not None
        self.assert_quick(lambda: self.cloud.names.path_of(account, node))

    def test_objects_are_stored_replaced_changed_moved_and_removed(self) -> None:
        names, account = self.cloud.names, self.account()
        self.assert_quick(lambda: self.store("/cdmi/c/new"), least=5)
        self.assert_quick(lambda: self.store("/cdmi/c/new", b"newer"), least=5)
        self.assert_quick(lambda: names.change(account, where("/cdmi/c/new"), Facts(metadata={"k": "v"})), least=3)
        self.assert_quick(lambda: names.move(account, where("/cdmi/c/new"), where("/cdmi/c/newer"), Facts()), least=5)
        self.assert_quick(lambda: names.remove(account, where("/cdmi/c/newer")), least=5)

    def test_containers_are_made_moved_and_removed(self) -> None:
        names, account = self.cloud.names, self.account()
        self.assert_quick(lambda: names.make_container(account, where("/cdmi/d/"), {}), least=3)
        self.assert_quick(lambda: names.move(account, where("/cdmi/c/"), where("/cdmi/d/e/"), Facts()), least=5)
        with mock.patch("host.names._AT_ONCE", 100):
            self.assert_quick(lambda: names.remove(account, where("/cdmi/d/e/")), least=6, sorts=False)

    def test_a_container_is_cleared(self) -> None:
        with self.cloud.catalogue.writing() as connection:
            contents.detach(connection, self.container)
        with mock.patch("host.upkeep._BATCH", 1000):
            self.assert_quick(self.cloud.upkeep._clear, least=5)

    def test_garbage_is_found_and_forgotten(self) -> None:
        upkeep = self.cloud.upkeep
        upkeep._process = "alive"
        upkeep.beat()
        self.assert_quick(lambda: upkeep._bury(int(time.time())), least=3)
        with mock.patch("host.upkeep._BATCH", 100):
            self.assert_quick(lambda: self.assertEqual(len(upkeep._garbage("default", 4000, (1000, 0))), 100))

        def forget() -> None:
            with self.cloud.catalogue.writing() as connection:
                contents.forget(connection, list(range(MANY + 1, MANY + 100)))

        self.assert_quick(forget, least=2)

    def test_copies_that_are_due_are_found_and_taken(self) -> None:
        replication = self.cloud.upkeep.replication
        self.assert_quick(
            lambda: self.assertEqual(len(replication._due("default", "far", limit=100)), 100), sorts=False
        )
        self.assert_quick(lambda: self.assertTrue(replication._take(1, "far")))

    def test_copies_of_one_module_are_not_looked_for_among_those_of_others(self) -> None:
        with self.recorded() as plans:
            self.assertEqual(self.cloud.upkeep.replication._due("another", "far", limit=1), [])
        ((_, plan),) = plans
        self.assertRegex(plan, r"module( ?= ?|\).*=).*location")

    def test_an_account_and_its_failures_are_found(self) -> None:
        accounts = self.cloud.accounts
        self.assert_quick(lambda: accounts.authenticate("alice", "wonder"), least=2)
        self.assert_quick(lambda: accounts.authenticate("nobody", "wonder"), least=2)

    def test_what_refers_to_a_row_is_found_when_it_is_deleted(self) -> None:
        for table in schema.metadata.sorted_tables:
            indexed = {next(iter(index.columns.keys())) for index in table.indexes}
            indexed.add(next(iter(table.primary_key.columns.keys())))
            for key in table.foreign_keys:
                if key.column.table is not schema.vendor_modules or table is schema.data:
                    self.assertIn(key.parent.name, indexed, table.name)
