"""A user's tree against one of dictionaries, with quotas, and what the module holds of it."""

import functools
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest import mock

from hypothesis import settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from host.body import Body
from host.catalogue.account import Account
from host.catalogue.node import Node
from host.errors import Conflict, Full, HostError
from host.vault import Facts, Target
from host.wire.path import Path
from tests.host.cloud import CloudTest
from tests.host.consistency import faults
from tests.host.vendor import Memory

NAMES = st.sampled_from(["a", "b", "é", "\uffff", "🐢"])
CONTENTS = st.binary(max_size=20)
INDEX = st.integers(0, 30)
THOROUGH = settings(max_examples=30, stateful_step_count=25, deadline=None, database=None)


@dataclass
class Entry:
    """A container, or an object if there is ``content``."""

    id: str
    content: bytes | None = None
    children: dict[str, "Entry"] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def below(self) -> Iterator["Entry"]:
        """Give it and all below it."""
        yield self
        for child in self.children.values():
            yield from child.below()

    def contents(self) -> list[bytes]:
        return sorted(entry.content for entry in self.below() if entry.content is not None)


Found = tuple[tuple[str, ...], Entry]


class NamesMachine(RuleBasedStateMachine):
    """One account."""

    numbers = count()

    def __init__(self, test: CloudTest) -> None:
        super().__init__()
        self.test, self.cloud = test, test.cloud
        self.name = f"user{next(self.numbers)}"
        self.cloud.accounts.put(self.name, password="p", policy="new")
        self.root = Entry(self.account.root)
        self.quotas: dict[str, int | None] = {"quota": None, "quota_objects": None}

    def teardown(self) -> None:
        self.cloud.accounts.remove(self.name)
        self.cloud.vault.close()
        self.test.assert_sound()
        assert self.memory.objects == {}

    @property
    def account(self) -> Account:
        return self.test.account(self.name)

    @property
    def memory(self) -> Memory:
        instance = self.cloud.loader.instance("new")
        assert isinstance(instance, Memory)
        return instance

    # The model

    def all(self) -> list[Found]:
        """Return all entries and the names that lead to them, the root first."""

        def walk(names: tuple[str, ...], entry: Entry) -> Iterator[Found]:
            yield names, entry
            for name in sorted(entry.children):
                yield from walk((*names, name), entry.children[name])

        return list(walk((), self.root))

    def pick(self, index: int, *, container: bool = False, root: bool = True) -> Found:
        found = [each for each in self.all() if (root or each[0]) and (not container or each[1].content is None)]
        return found[index % len(found)]

    def path(self, names: tuple[str, ...], begin: int, *, slash: bool = False) -> Path:
        """Return the path of names, which may begin with the id of one of the containers on its way."""
        begin %= len(names) + 1
        entry = self.root
        for name in names[:begin]:
            if name not in entry.children:
                return Path(names, slash)
            entry = entry.children[name]
        if begin == len(names) and entry.content is None and names:
            return Path(names, slash)
        return Path(names[begin:], slash, entry.id) if begin else Path(names, slash)

    def expected(self, size: int, number: int) -> type[HostError] | None:
        """Return what becomes of it when so much more is stored."""
        used, objects = sum(map(len, self.root.contents())), len(self.root.contents())
        quota, most = self.quotas["quota"], self.quotas["quota_objects"]
        too_large = quota is not None and size > 0 and used + size > quota
        too_many = most is not None and number > 0 and objects + number > most
        return Full if too_large or too_many else None

    def attempt(self, error: type[HostError] | None, work: Callable[[], Any]) -> Any:
        """Do it, and return what it returns, or None if it is refused as it must be."""
        if error is None:
            return work()
        try:
            work()
        except error:
            return None
        raise AssertionError(f"{error.__name__} was expected")

    def node(self, path: Path) -> Node:
        node = self.cloud.names.find(self.account, path)
        assert node is not None, path
        return node

    # What users do

    @rule(index=INDEX, name=NAMES, content=CONTENTS, begin=INDEX)
    def store(self, index: int, name: str, content: bytes, begin: int) -> None:
        names, parent = self.pick(index, container=True)
        old = parent.children.get(name)
        if old is not None and old.content is None:
            error: type[HostError] | None = Conflict
        elif old is not None:
            error = self.expected(len(content) - len(old.content or b""), 0)
        else:
            error = self.expected(len(content), 1)
        target = Target(self.account, self.path((*names, name), begin))
        stored = self.attempt(error, lambda: self.cloud.vault.store(target, self.body(content), Facts))
        if stored is not None:
            assert stored.is_new == (old is None) and (old is None or stored.id == old.id)
            parent.children[name] = Entry(stored.id, content, metadata={} if old is None else old.metadata)

    def body(self, content: bytes) -> Body:
        return Body(io.BytesIO(content), len(content))

    @rule(index=INDEX, content=CONTENTS, begin=INDEX)
    def store_under_an_id(self, index: int, content: bytes, begin: int) -> None:
        names, parent = self.pick(index, container=True)
        target = Target(self.account, self.path(names, begin), is_inside=True)
        error = self.expected(len(content), 1)
        stored = self.attempt(error, lambda: self.cloud.vault.store(target, self.body(content), Facts))
        if stored is not None:
            parent.children[stored.id] = Entry(stored.id, content)

    @rule(index=INDEX, name=NAMES, begin=INDEX)
    def make_container(self, index: int, name: str, begin: int) -> None:
        names, parent = self.pick(index, container=True)
        error = Conflict if name in parent.children else None
        path = self.path((*names, name), begin, slash=True)
        if error and path.names == ():
            return
        made = self.attempt(error, lambda: self.cloud.names.make_container(self.account, path, {"made": name}))
        if made is not None:
            parent.children[name] = Entry(made.id, metadata={"made": name})

    @precondition(lambda self: self.root.children)
    @rule(index=INDEX, value=st.integers(0, 9), begin=INDEX)
    def change(self, index: int, value: int, begin: int) -> None:
        names, entry = self.pick(index, root=False)
        entry.metadata = {"k": value}
        self.cloud.names.change(self.account, self.path(names, begin), Facts(metadata=entry.metadata))

    @precondition(lambda self: self.root.children)
    @rule(source=INDEX, to=INDEX, name=NAMES, begin=INDEX, begin_to=INDEX)
    def move(self, source: int, to: int, name: str, begin: int, begin_to: int) -> None:
        names, entry = self.pick(source, root=False)
        to_names, parent = self.pick(to, container=True)
        old = parent.children.get(name)
        is_taken = old is not None and old is not entry and (old.content is None or entry.content is None)
        error = Conflict if is_taken or parent in entry.below() else None
        path = self.path((*to_names, name), begin_to)
        if path.names == ():
            path = Path((*to_names, name), slash=False)
        is_new = self.attempt(
            error, lambda: self.cloud.names.move(self.account, self.path(names, begin), path, Facts())
        )
        if is_new is not None:
            assert is_new == (old is None)
            above = self.root
            for each in names[:-1]:
                above = above.children[each]
            del above.children[names[-1]]
            parent.children[name] = entry

    @precondition(lambda self: self.root.children)
    @rule(source=INDEX, to=INDEX, name=NAMES, begin=INDEX)
    def copy(self, source: int, to: int, name: str, begin: int) -> None:
        names, entry = self.pick(source, root=False)
        to_names, parent = self.pick(to, container=True)
        old = parent.children.get(name)
        path, node = Path((*to_names, name), slash=False), self.node(self.path(names, begin))
        if entry.content is not None:
            self.copy_object(entry, parent, name, node, path)
            return
        sizes = [len(content) for content in entry.contents()]
        error = Conflict if old is not None else self.expected(sum(sizes), len(sizes))
        made = self.attempt(error, lambda: self.cloud.names.copy_container(self.account, node, path, None))
        if made is not None:
            parent.children[name] = self.copied(entry, made)
        self.cloud.upkeep._clear()  # what was too much of a copy that failed; its pages are not counted any more

    def copy_object(self, entry: Entry, parent: Entry, name: str, node: Node, path: Path) -> None:
        old, content = parent.children.get(name), entry.content or b""
        if old is not None and old.content is None:
            error: type[HostError] | None = Conflict
        else:
            before = 0 if old is None else len(old.content or b"")
            error = self.expected(len(content) - before, int(old is None))
        facts = Facts(node.mimetype, node.encoding, node.metadata)
        work = functools.partial(self.cloud.vault.copy, Target(self.account, path), node, facts)
        stored = self.attempt(error, work)
        if stored is not None:
            parent.children[name] = Entry(stored.id, content, metadata=entry.metadata)

    def copied(self, entry: Entry, made: Node) -> Entry:
        """Return a copy of an entry, with the ids that the copy has."""
        with self.cloud.catalogue.reading():
            children = {
                name: self.copied(child, self.node(Path((name,), slash=False, id=made.id)))
                for name, child in list(entry.children.items())
            }
        return Entry(made.id, entry.content, children, entry.metadata)

    @precondition(lambda self: self.root.children)
    @rule(index=INDEX, begin=INDEX)
    def remove(self, index: int, begin: int) -> None:
        names, _ = self.pick(index, root=False)
        self.cloud.names.remove(self.account, self.path(names, begin))
        above = self.root
        for each in names[:-1]:
            above = above.children[each]
        del above.children[names[-1]]
        self.cloud.upkeep._clear()  # what was too much for one transaction

    @rule(quota=st.none() | st.integers(0, 60), objects=st.none() | st.integers(0, 6))
    def limit(self, quota: int | None, objects: int | None) -> None:
        self.quotas = {"quota": quota, "quota_objects": objects}
        self.cloud.accounts.put(self.name, **self.quotas)

    @rule()
    def keep_up(self) -> None:
        self.cloud.vault.close()
        self.test.bury()
        assert sorted(self.memory.objects.values()) == self.root.contents()

    # What must hold

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        found: list[Any] = []

        def walk(names: tuple[str, ...]) -> None:
            node = self.node(Path(names, slash=False))
            content = None if node.container else self.cloud.vault.open(node.data).read()
            found.append((names, node.id, content, node.metadata))
            assert self.cloud.names.path_of(self.account, node).names == names
            listed = [name for page in self.cloud.names.pages(node) for name in page]
            assert len(listed) == self.cloud.names.count(node)
            for name in sorted(each.removesuffix("/") for each in listed):
                walk((*names, name))

        walk(())
        expected = [(names, entry.id, entry.content, entry.metadata) for names, entry in self.all()]
        assert found == expected, (found, expected)

    @invariant()
    def the_quota_is_exact(self) -> None:
        shown = self.cloud.accounts.describe(self.name)
        contents = self.root.contents()
        assert (shown["used"], shown["objects"]) == (sum(map(len, contents)), len(contents))
        with self.cloud.catalogue.reading() as connection:
            assert faults(connection) == []


class NamesModelTest(CloudTest):
    def test_a_tree_agrees_with_dictionaries(self) -> None:
        self.configure("new", "tests.host.vendor.Memory")
        for name, small in (
            ("host.catalogue.pages.PAGE", 3),
            ("host.names.LISTED", 2),
            ("host.names._AT_ONCE", 2),
            ("host.upkeep._BATCH", 3),
            ("host.catalogue.tree._STEPS", 2),
        ):
            self.enterContext(mock.patch(name, small))
        machine: Any = functools.partial(NamesMachine, self)
        stateful.run_state_machine_as_test(machine, settings=THOROUGH)
