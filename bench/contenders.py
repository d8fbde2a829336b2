"""The one place where contenders are put together, each in an empty directory of its own."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from bench import lines
from bench.hand import Hand, Linked, Verified
from bench.ours import Ours
from bench.peer_swift import Swift
from bench.peers import Django, Fsspec, Minimalkv, Obstore
from bench.stores import Store, Unavailable

__all__ = ["Contenders"]

_POPULATION = 1000  # objects of 4 KiB that stay: nobody's directories are new, or empty, when the clock runs
_KINDS: dict[str, Callable[[Path], Store]] = {
    lines.RENAMED: Hand,
    lines.LINKED: Linked,
    lines.READ: Hand,
    lines.VERIFIED: Verified,
    lines.AS_IT_COMES: Ours,
    lines.UNCHECKED: partial(Ours, checksum="none"),
    lines.CRC32: partial(Ours, checksum="crc32"),
    lines.XXH3: partial(Ours, checksum="xxh3"),
    lines.FULL: partial(Ours, durability="full"),
    lines.DATA: partial(Ours, durability="data"),
    lines.NONE: partial(Ours, durability="none"),
    **dict(zip(lines.PEERS, (Obstore, Fsspec, Minimalkv, Django, Swift), strict=True)),
}


class Contenders:
    """Makes contenders when they are first asked for.

    :param directory: where they keep what they keep; whoever made it removes it.
    :param population: objects that each has from the start.
    """

    def __init__(self, directory: Path, population: int = _POPULATION) -> None:
        self._directory = directory
        self._population = population
        self._made: dict[tuple[str, int], Store] = {}
        self.unavailable: dict[str, str] = {}  #: contenders that cannot be had, and why

    def choose(self, names: Iterable[str], operation: str, tree: int) -> dict[str, Store]:
        """Return those of the contenders that can be had and can do ``operation``.

        :param tree: which of their directories they are to use, as each may have several.
        """
        stores = {name: self._get(name, tree) for name in names}
        return {name: store for name, store in stores.items() if store is not None and hasattr(store, operation)}

    def _get(self, name: str, tree: int) -> Store | None:
        if (name, tree) not in self._made and name not in self.unavailable:
            place = self._directory / str(len(self._made) + len(self.unavailable))
            place.mkdir()
            try:
                store = _KINDS[name](place)
                store.put(store.names(self._population), 4096)
                self._made[name, tree] = store
            except Unavailable as error:
                self.unavailable[name] = str(error)
        return self._made.get((name, tree))
