"""The user's names: containers made, listed, moved, copied and removed, and what is said of objects."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection

from host.catalogue import contents, pages, tree
from host.catalogue.account import Account
from host.catalogue.engine import Catalogue
from host.catalogue.node import Node
from host.errors import Conflict, Forbidden, Invalid, NotFound
from host.vault import Facts, Target, Vault
from host.wire.conditions import NONE, Conditions
from host.wire.path import Path

__all__ = ["LISTED", "Names"]

#: Children of a container that are read at a time.
LISTED = 1000
#: What one transaction removes of a container; the rest is left for upkeep.
_AT_ONCE = 1000


class Names:
    """The names of all accounts. Each account has a root of its own, and sees nothing beside it."""

    def __init__(self, catalogue: Catalogue, vault: Vault, new_id: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._vault = vault
        self._new_id = new_id

    def find(self, account: Account, path: Path) -> Node | None:
        """Return what lies at a path, or None."""
        with self._catalogue.reading() as connection:
            return tree.locate(connection, account, path)

    def path_of(self, account: Account, node: Node) -> Path:
        """Return the path of names that leads to ``node``, or of its id if it has no name."""
        with self._catalogue.reading() as connection:
            return tree.path_of(connection, account, node)

    def count(self, container: Node) -> int:
        """Return how many names there are in ``container``."""
        with self._catalogue.reading() as connection:
            return pages.count(connection, container.id)

    def pages(self, container: Node, first: int = 0, limit: int = 2**62) -> Iterator[list[str]]:
        """Give up to ``limit`` names in ``container`` in order, some at a time; those of containers end in a slash.

        :param first: the number of the first name.
        """
        after: str | None = None
        while limit > 0:
            some = min(limit, LISTED)
            with self._catalogue.reading() as connection:
                if after is None:
                    found = pages.names(connection, container.id, first, some)
                else:
                    found = pages.names_after(connection, container.id, after, some)
            if found:
                yield [f"{name}/" if is_container else name for name, is_container in found]
                after = found[-1][0]
            limit = limit - some if len(found) == some else 0

    def make_container(
        self, account: Account, path: Path, metadata: dict[str, Any], *, is_inside: bool = False
    ) -> Node:
        """Make a container at a path, or inside the one at the path under a name of the host's choice.

        :raises Conflict: the name is taken.
        :raises NotFound: there is no container above.
        """

        def work(connection: Connection) -> Node | None:
            tree.lock(connection, account.id)
            identity = self._new_id()
            parent = tree.container(connection, account, path if is_inside else path.parent)
            name = identity if is_inside else path.names[-1]
            if tree.child(connection, parent.id, name) is not None:
                raise Conflict(f"{name!r} exists already")
            tree.insert_node(connection, identity, account.id, parent.id, name, metadata)
            return tree.by_id(connection, identity)

        return _found(self._catalogue.commit(work, order=account.id))

    def change(self, account: Account, path: Path, facts: Facts, conditions: Conditions = NONE) -> Node:
        """Change what is said of an object or a container, and keep its data.

        :raises NotFound: there is none.
        :raises PreconditionFailed: it is another one than the conditions ask for.
        :raises Invalid: it is an object that reads back in another encoding than is said.
        """

        def work(connection: Connection) -> Node | None:
            tree.lock(connection, account.id)
            node = _found(tree.locate(connection, account, path), path)
            conditions.require_to_write(node)
            if facts.encoding is not None and facts.encoding != (node.encoding or "base64"):
                raise Invalid("valuetransferencoding: it changes only together with the value")
            values: dict[str, Any] = {} if facts.mimetype is None else {"mimetype": facts.mimetype}
            if facts.metadata is not None or facts.items is not None:
                values["metadata"] = facts.merged(node.metadata)
            tree.update_node(connection, node, **values)
            return tree.by_id(connection, node.id)

        return _found(self._catalogue.commit(work, order=account.id))

    def remove(self, account: Account, path: Path, conditions: Conditions = NONE) -> None:
        """Remove what lies at a path and all below it; its data becomes garbage.

        :raises NotFound: there is nothing.
        :raises Forbidden: it is the root.
        """

        def work(connection: Connection) -> None:
            tree.lock(connection, account.id)
            node = _found(tree.locate(connection, account, path), path)
            conditions.require_to_write(node)
            if node.id in (account.root, account.unnamed):
                raise Forbidden("the root cannot be deleted")
            if not node.container:
                if path.slash:
                    raise NotFound(f"nothing at {path.url}")
                contents.discard(connection, node)
                return
            contents.detach(connection, node)
            contents.clear(connection, node.id, _AT_ONCE)

        self._catalogue.commit(work, order=account.id)

    def move(self, account: Account, source: Path, path: Path, facts: Facts, conditions: Conditions = NONE) -> bool:
        """Give what lies at ``source`` the place ``path``, with all below it; no data is moved.

        An object takes the place of another one; a container does not.

        :returns: whether the place is new.
        :raises NotFound: there is no source, or no container above the place.
        :raises Conflict: the place is taken, or lies inside of what is moved.
        """

        def work(connection: Connection) -> bool:
            tree.lock(connection, account.id)
            node = _found(tree.locate(connection, account, source), source)
            if node.id in (account.root, account.unnamed):
                raise Forbidden("the root cannot be moved")
            parent = tree.container(connection, account, path.parent)
            if node.container and node.id in {parent.id, *(upper.id for upper in tree.above(connection, parent))}:
                raise Conflict("a container cannot be moved into itself")
            name = path.names[-1]
            old = tree.child(connection, parent.id, name)
            conditions.require_to_write(old)
            if old is not None and old.id != node.id:
                if old.container or node.container:
                    raise Conflict(f"{name!r} exists already")
                contents.discard(connection, old)
            tree.rename(connection, node, parent.id, name)
            values: dict[str, Any] = {} if facts.mimetype is None else {"mimetype": facts.mimetype}
            if facts.metadata is not None:
                values["metadata"] = facts.metadata
            if values:
                tree.update_node(connection, node, **values)
            return old is None

        return self._catalogue.commit(work, order=account.id)

    def copy_container(
        self,
        account: Account,
        source: Node,
        path: Path,
        metadata: dict[str, Any] | None,
        conditions: Conditions = NONE,
    ) -> Node:
        """Copy a container and all below it to a place that is not taken.

        It gets its name once it is whole. A copy that fails leaves nothing.

        :raises NotFound: there is no container above the place.
        :raises Conflict: the place is taken.
        :raises PreconditionFailed: the conditions do not hold for the place.
        """
        with self._catalogue.reading() as connection:
            _require_free(connection, account, path, conditions)
        top = self._new_id()

        def begin(connection: Connection) -> None:
            if not tree.lock(connection, account.id):
                raise NotFound("the account was removed")
            tree.insert_node(connection, top, account.id, account.unnamed, top, metadata or source.metadata)
            contents.detach(connection, _found(tree.by_id(connection, top)), self._vault.process)

        def end(connection: Connection) -> Node | None:
            tree.lock(connection, account.id)
            parent = _require_free(connection, account, path, conditions)
            if not contents.attach(connection, top, self._vault.process):
                raise NotFound("the copy was given up, its server was not heard of for too long: try again")
            tree.rename(connection, _found(tree.by_id(connection, top)), parent.id, path.names[-1])
            return tree.by_id(connection, top)

        self._catalogue.commit(begin, order=account.id)
        try:
            self._copy_children(account, source, top)
            return _found(self._catalogue.commit(end, order=account.id))
        except BaseException:
            with self._catalogue.writing() as connection:
                if contents.release(connection, top):  # else it has its name, for the commit happened all the same
                    contents.clear(connection, top, _AT_ONCE)
            raise

    def _copy_children(self, account: Account, source: Node, container: str) -> None:
        """Copy what is in ``source``; a container in it after its own objects, and not by recursion."""
        waiting = [(source, container)]
        while waiting:
            old, new = waiting.pop()
            for names in self.pages(old):
                for name in names:
                    made = self._copy_child(account, old, new, name.removesuffix("/"))
                    waiting += [] if made is None else [made]

    def _copy_child(self, account: Account, old: Node, new: str, name: str) -> tuple[Node, str] | None:
        """Copy what has ``name``; of a container return it and the id of its copy, which is empty still."""
        with self._catalogue.reading() as connection:
            node = tree.child(connection, old.id, name)
        if node is None:
            return None  # it was removed meanwhile
        if not node.container:
            facts = Facts(node.mimetype, node.encoding, node.metadata)
            self._vault.copy(Target(account, Path((name,), slash=False), container=new), node, facts)
            return None
        identity = self._new_id()

        def work(connection: Connection) -> None:
            tree.lock(connection, account.id)
            tree.insert_node(connection, identity, account.id, new, name, node.metadata)

        self._catalogue.commit(work, order=account.id)
        return node, identity


def _found(node: Node | None, path: Path | None = None) -> Node:
    if node is None:
        raise NotFound("it was removed meanwhile" if path is None else f"nothing at {path.url}")
    return node


def _require_free(connection: Connection, account: Account, path: Path, conditions: Conditions) -> Node:
    """Return the container in which ``path`` is to be made."""
    parent = tree.container(connection, account, path.parent)
    old = tree.child(connection, parent.id, path.names[-1])
    conditions.require_to_write(old)
    if old is not None:
        raise Conflict(f"{path.names[-1]!r} exists already")
    return parent
