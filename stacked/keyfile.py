"""Changing the file of a keyring: one at a time, in one step, durably, and for its owner alone."""

import datetime
import errno
import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import suppress

from stacked.keyring import KEY_SIZE, Key, Ring, dump, open_safely, read_file

__all__ = ["add", "load", "retire"]

_MODE = 0o600


def load(path: str) -> Ring:
    """Return the keyring in the file ``path``.

    :raises OSError: it cannot be read; the text says why without a part of it.
    """
    return _opened(path)[0]


def add(path: str) -> tuple[Key, int]:
    """Make a key, the newest from now on, and the file if there is none.

    :returns: the key, and how many there are now.
    :raises OSError: the file cannot be read or written; it is as it was.
    """
    ring = _changed(path, lambda old: Ring((*old.keys, _new_key(old))), is_made=True)
    return ring.keys[-1], len(ring.keys)


def retire(path: str, identity: str) -> Key:
    """Retire a key: it reads what it protects, and is never used for a new object.

    :returns: the newest key now.
    :raises LookupError: there is no key of that id.
    :raises ValueError: there would be no key for new objects.
    :raises OSError: the file cannot be read or written; it is as it was.
    """

    def retired(old: Ring) -> Ring:
        if old.find(identity) is None:
            raise LookupError(f"there is no key {identity}")
        keys = (
            Key(key.id, key.created, key.material, is_retired=key.is_retired or key.id == identity) for key in old.keys
        )
        ring = Ring(tuple(keys))
        if ring.newest is None:
            raise ValueError(f"there is no other key than {identity} for new objects: make one before")
        return ring

    newest = _changed(path, retired, is_made=False).newest
    assert newest is not None  # noqa: S101 (retired() has seen to it)
    return newest


def _new_key(old: Ring) -> Key:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    while old.find(identity := secrets.token_hex(8)):
        pass
    return Key(identity, now, secrets.token_bytes(KEY_SIZE))


def _opened(path: str) -> tuple[Ring, os.stat_result]:
    descriptor = open_safely(path, is_any_owner=os.geteuid() == 0)
    try:
        status = os.fstat(descriptor)
        found = read_file(descriptor)
    finally:
        os.close(descriptor)
    if isinstance(found, str):
        raise OSError(errno.EBADMSG, found)
    return found, status


def _changed(path: str, change: Callable[[Ring], Ring], *, is_made: bool) -> Ring:
    """Put what ``change`` makes of a keyring in its place, while nobody else changes it.

    The lock is on the directory, since the file is another one afterwards.
    """
    path = os.path.realpath(path)  # of a link, what it leads to is replaced
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        try:
            old, status = _opened(path)
        except FileNotFoundError:
            if not is_made:
                raise
            old, status = Ring(()), None
        ring = change(old)
        _replace(directory, os.path.basename(path), ring, status)
        return ring
    finally:
        os.close(directory)


def _replace(directory: int, name: str, ring: Ring, status: os.stat_result | None) -> None:
    """Write a keyring under another name, sync it, rename it, sync the directory.

    Who is killed leaves a file of that name, which holds keys; the next one removes it.

    :param status: of the file that it replaces: root makes one that the server's user still can read.
    """
    temporary = f".{name}.new"  # one is enough: the directory is locked
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)  # whatever the umask says
            if status is not None and status.st_uid != os.geteuid():
                os.fchown(descriptor, status.st_uid, status.st_gid)
            file.write(dump(ring.keys))
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)
