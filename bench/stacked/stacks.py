"""FileStorage, and each of the stacked modules on one: each has a directory of its own, and all lie side by side."""

from collections.abc import Callable
from pathlib import Path

from fsstore import FileStorage
from modules import Context, StorageModule
from stacked.compression import CompressedStorage
from stacked.dedup import DedupStorage
from stacked.encryption import EncryptedStorage
from stacked.keyfile import add
from stacked.mirror import MirroredStorage

__all__ = ["CONTEXT", "PLAIN", "STACKS", "make"]

PLAIN = "FileStorage"  #: what the others are compared with

CONTEXT: Context = {"func": {}}  # the modules below are given, and not named


def _plain(directory: Path) -> StorageModule:
    directory.mkdir(exist_ok=True)
    FileStorage.prepare(str(directory))
    return FileStorage(str(directory))


def _encrypted(directory: Path) -> StorageModule:
    keyring = directory.with_suffix(".keyring")
    if not keyring.exists():
        add(str(keyring))
    return EncryptedStorage(_plain(directory), str(keyring))


def _compressed(directory: Path) -> StorageModule:
    return CompressedStorage(_plain(directory))


def _dedup(directory: Path) -> StorageModule:
    return _dedup_on(_plain(directory), directory)


def _dedup_on(below: StorageModule, directory: Path) -> StorageModule:
    index = str(directory.with_suffix(".index"))
    DedupStorage.prepare(below, index)
    return DedupStorage(below, index)


def _all_three(directory: Path) -> StorageModule:
    return _dedup_on(CompressedStorage(_encrypted(directory)), directory)


def _mirror(directory: Path) -> StorageModule:
    return MirroredStorage([_encrypted(Path(f"{directory}-{number}")) for number in (1, 2)])


STACKS: dict[str, Callable[[Path], StorageModule]] = {
    PLAIN: _plain,
    "encryption": _encrypted,
    "compression": _compressed,
    "dedup": _dedup,
    "dedup on compression on encryption": _all_three,
    "mirror of two encrypted": _mirror,
}


def make(name: str, directory: Path) -> StorageModule:
    """Return the stack ``name`` in ``directory``, new or as an earlier call left it."""
    return STACKS[name](directory / name.replace(" ", "-"))
