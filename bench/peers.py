"""The work by other Python libraries that keep objects as files, each as it comes.

They are installed for this alone (the extra ``bench``), and loaded by name so that none of them is needed.
"""

import io
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.hand import shards
from bench.sources import BLOCK, block, source
from bench.stores import Unavailable

__all__ = ["Django", "Fsspec", "Minimalkv", "Obstore", "Sharded", "load"]


def load(name: str) -> Any:
    """Import a module of a peer.

    :raises Unavailable: it is not there.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(f"not installed: {error}") from error


class Sharded:
    """Names in 256 directories that are there already, as by hand."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._shards = [path.rpartition("/")[2] for path in shards(directory)]
        self._made = 0

    def names(self, count: int) -> list[str]:
        numbers = range(self._made, self._made + count)
        self._made += count
        return [f"{self._shards[number * 37 % 256]}/{number:032x}" for number in numbers]


class Obstore(Sharded):
    """obstore: LocalStore, of the Rust crate object_store."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._obstore = load("obstore")
        self._store = load("obstore.store").LocalStore(str(directory))

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._obstore.put(self._store, name, block(size) if size <= BLOCK else _blocks(size))

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            result = self._obstore.get(self._store, name)
            if size <= BLOCK:
                result.bytes()
            else:
                for _ in result.stream(min_chunk_size=BLOCK):
                    pass

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._obstore.head(self._store, name)

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._obstore.delete(self._store, name)


class Fsspec(Sharded):
    """fsspec: the local file system."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._fs = load("fsspec").filesystem("file")

    def names(self, count: int) -> list[str]:
        return [f"{self._directory}/{name}" for name in super().names(count)]

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            with self._fs.open(name, "wb") as file:
                for data in _blocks(size):
                    file.write(data)

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            with self._fs.open(name, "rb") as file:
                while file.read(BLOCK):
                    pass

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._fs.exists(name)

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._fs.rm_file(name)


class Minimalkv:
    """minimalkv: FilesystemStore, one flat directory."""

    def __init__(self, directory: Path) -> None:
        self._store = load("minimalkv.fs").FilesystemStore(str(directory))
        self._made = 0

    def names(self, count: int) -> list[str]:
        numbers = range(self._made, self._made + count)
        self._made += count
        return [f"{number:032x}" for number in numbers]

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            if size <= BLOCK:
                self._store.put(name, block(size))
            else:
                self._store.put_file(name, source(size))

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            with self._store.open(name) as file:
                while file.read(BLOCK):
                    pass

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            _ = name in self._store

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._store.delete(name)


class Django(Sharded):
    """Django: FileSystemStorage."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        settings = load("django.conf").settings
        if not settings.configured:
            settings.configure()
        self._file = load("django.core.files.base").File
        self._storage = load("django.core.files.storage").FileSystemStorage(location=str(directory))

    def put(self, names: Sequence[str], size: int) -> None:
        for name in names:
            data: Any = io.BytesIO(block(size)) if size <= BLOCK else source(size)
            self._storage.save(name, self._file(data, name))

    def get(self, names: Sequence[str], size: int) -> None:
        for name in names:
            with self._storage.open(name) as file:
                while file.read(BLOCK):
                    pass

    def available(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._storage.exists(name)

    def delete(self, names: Sequence[str], size: int) -> None:
        for name in names:
            self._storage.delete(name)


def _blocks(size: int) -> Iterator[bytes]:
    for start in range(0, size, BLOCK):
        yield block(min(BLOCK, size - start))
