"""The names of a container, against a sorted list."""

import functools
from typing import Any
from unittest import mock

from hypothesis import settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import Connection, select

from host.catalogue import pages, tree
from host.catalogue.schema import pages as table
from host.wire import objectid
from tests.host.cloud import CloudTest

PAGE = 4
#: Few letters, so that names begin alike and are near each other; among them some that UTF-16 orders otherwise.
NAMES = st.text("ab~é\uffff🐢 ", min_size=1, max_size=3) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=10
)
THOROUGH = settings(max_examples=60, stateful_step_count=30, deadline=None, database=None)
PLACES = st.integers(0, 40)


class PagesMachine(RuleBasedStateMachine):
    """Two containers, and names that come, go, and move between them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.savepoint = connection.begin_nested()
        self.ids = [objectid.new(), objectid.new()]
        self.model: list[dict[str, str]] = [{}, {}]  # by name: the id
        for identity in self.ids:
            tree.insert_node(connection, identity, 0, None, identity, {})

    def teardown(self) -> None:
        self.savepoint.rollback()

    def names(self, which: int) -> list[str]:
        return sorted(self.model[which], key=str.encode)

    @initialize(names=st.sets(NAMES, max_size=30))
    def fill(self, names: set[str]) -> None:
        for name in names:
            self.add(0, name)

    @rule(which=st.integers(0, 1), name=NAMES)
    def add(self, which: int, name: str) -> None:
        if name not in self.model[which]:
            identity = self.model[which][name] = objectid.new()
            tree.insert_node(self.connection, identity, 0, self.ids[which], name, {})

    @precondition(lambda self: self.model[0])
    @rule(place=PLACES, name=NAMES)
    def move(self, place: int, name: str) -> None:
        """Move a name to the other container, under another name; or give it another one where it is."""
        old = self.names(0)[place % len(self.model[0])]
        to = place % 2
        if name not in self.model[to]:
            self.rename(old, to, name)

    @precondition(lambda self: self.model[0])
    @rule(place=PLACES)
    def rename_to_what_it_is(self, place: int) -> None:
        name = self.names(0)[place % len(self.model[0])]
        self.rename(name, 0, name)

    @precondition(lambda self: self.model[0])
    @rule(place=PLACES, number=st.integers(1, 20))
    def remove_some(self, place: int, number: int) -> None:
        for name in self.names(0)[place % len(self.model[0]) :][:number]:
            self.rename(name, None, self.model[0][name])

    def rename(self, old: str, to: int | None, new: str) -> None:
        node = tree.child(self.connection, self.ids[0], old)
        assert node is not None
        del self.model[0][old]
        if to is not None:
            self.model[to][new] = node.id
        tree.rename(self.connection, node, None if to is None else self.ids[to], new)

    @rule(which=st.integers(0, 1), first=PLACES | st.sampled_from([2**31, 2**40, 10**18]), limit=st.integers(1, 50))
    def list_from_a_number(self, which: int, first: int, limit: int) -> None:
        found = pages.names(self.connection, self.ids[which], first, limit)
        assert found == [(name, True) for name in self.names(which)[first : first + limit]], (found, first, limit)

    @rule(which=st.integers(0, 1), after=NAMES, limit=st.integers(1, 50))
    def list_after_a_name(self, which: int, after: str, limit: int) -> None:
        found = pages.names_after(self.connection, self.ids[which], after, limit)
        expected = [name for name in self.names(which) if name.encode() > after.encode()]
        assert found == [(name, True) for name in expected[:limit]], (found, after, limit)

    @invariant()
    def all_are_counted(self) -> None:
        for which, identity in enumerate(self.ids):
            names = self.names(which)
            assert pages.count(self.connection, identity) == len(names)
            query = select(table.c.first, table.c["count"]).where(table.c.parent == identity).order_by(table.c.first)
            found = [(first, count) for first, count in self.connection.execute(query)]
            assert found[0][0] == ""
            for (first, count), (until, _) in zip(found, [*found[1:], ("\U0010ffff" * 9, 0)], strict=True):
                assert count == sum(first.encode() <= name.encode() < until.encode() for name in names), found
                assert count < 2 * PAGE and (count or not first), found


class PagesTest(CloudTest):
    def test_any_names_are_counted_and_listed_from_any_place(self) -> None:
        with mock.patch.object(pages, "PAGE", PAGE), self.cloud.catalogue.writing() as connection:
            machine: Any = functools.partial(PagesMachine, connection)
            stateful.run_state_machine_as_test(
                machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
            )

    def test_a_new_container_has_no_names(self) -> None:
        root = self.account().root
        with self.cloud.catalogue.reading() as connection:
            self.assertEqual(pages.count(connection, root), 0)
            self.assertEqual(pages.names(connection, root, 0, 10), [])
            self.assertEqual(pages.names_after(connection, root, "", 10), [])
            self.assertEqual(pages.names(connection, root, pages.PAGE, 10), [])
