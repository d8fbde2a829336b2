"""Roots of a FileStorage for the tests: made, opened at each level of durability, and looked over."""

import json
import re
import secrets
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import fsstore
from fsstore import FileStorage
from fsstore.survey import Options, Survey
from modules import StorageModule
from tests.files import CONTEXT

__all__ = [
    "COUNTERS",
    "beside",
    "clean_up",
    "elsewhere",
    "look",
    "make_root",
    "open_storage",
    "strangers",
]

#: The store's figures about itself. It is never synced: after a crash anything may be in it.
COUNTERS = "counters"
#: What lies in a root beside objects: files by name, and a directory.
_OWN = re.compile(r"fsstore\.json|counters|quarantine/.*")


def make_root(directory: Path) -> None:
    """Make ``directory`` a root, once."""
    directory.mkdir(exist_ok=True)
    fsstore.make_root(str(directory))


def open_storage(root: Path, level: str = "full") -> FileStorage:
    """Return a FileStorage as a new process has it."""
    return FileStorage(root=str(root), durability=level)


def look(module: StorageModule, module_data: str) -> bytes | None:
    """Return the object, None if it is absent; of that the methods must be of one mind."""
    is_there = module.available(CONTEXT, module_data)
    data, size = b"", 0
    try:
        size = module.get_size(CONTEXT, module_data)
        with closing(module.get_read_stream(CONTEXT, module_data)) as stream:
            while block := stream.read(1024 * 1024):
                data += block
    except FileNotFoundError:
        if is_there:
            raise
        return None
    if not is_there or size != len(data):
        raise AssertionError(f"available: {is_there}, get_size: {size}, get_read_stream: {len(data)} bytes")
    return data


def beside(module_data: str) -> str:
    """Return the identity of a new object that lies in the same directory as another one."""
    record = json.loads(module_data)
    record["path"] = record["path"][:-30] + secrets.token_hex(15)
    return json.dumps(record)


def elsewhere(module_data: str) -> str:
    """Return the identity of an object that lies in the next directory.

    There none that is new comes by itself, so that a store has no reason to keep it when it is empty.
    """
    record = json.loads(module_data)
    directory, _, name = record["path"].rpartition("/")
    following = f"{directory[:-1]}{(int(directory[-1], 16) + 1) % 16:x}"
    if name.startswith(directory):  # a layout in which an identity tells its directory
        name = following + name[len(following) :]
    record["path"] = f"{following}/{name}"
    return json.dumps(record)


def clean_up(root: Path) -> None:
    """Remove what crashes left in ``root``, as an administrator does who knows that nobody uses it."""
    for _ in Survey(str(root), Options(mend=True, grace=0, share=1)):
        pass


def strangers(root: Path, module_data: Iterable[str]) -> list[str]:
    """Return the files below ``root`` that are neither one of those objects nor the store's own."""
    objects = {json.loads(each)["path"] for each in module_data}
    paths = (str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())
    return sorted(
        path
        for path in paths
        if path.partition(".")[0] not in objects  # what is kept beside an object has a name that begins alike
        and not _OWN.fullmatch(path)
    )
