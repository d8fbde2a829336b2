"""FileStorage: the methods of the contract, and nothing else."""

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from operator import length_hint
from typing import Any, TypeVar

from fsstore import arguments, counters, duplicate, layout, marker, quarantine, record, scrub, sidecar
from fsstore.checksum import ATTRIBUTE
from fsstore.counters import Counters
from fsstore.durable import Durability, is_gone, is_refusal, open_object, require_file, stat_object
from fsstore.health import Health
from fsstore.newfile import NewFile, Style
from fsstore.reader import ObjectStream
from fsstore.root import Root, open_root
from fsstore.space import Space
from modules import Context, Source, StorageModule

__all__ = ["FileStorage", "make_root"]

_BLOCK = 1024 * 1024  # bytes a read: 1.2 times the rate of 64 KiB on ext4
_FRESH = 1.0  # seconds for which it is believed that the root is where it was
_WRITTEN = 300.0  # seconds after which the kernel has written every name by itself, with much to spare
_COARSE = 0.05  # seconds that a time in a file system may be behind
_WHOLE = 2.0  # seconds, where it keeps whole ones alone, as ext4 with small inodes does, or every other, as FAT does
_TRIES = 100  # how often a directory may be made anew while an object is looked for in it
_QUARANTINED = 100  # objects that one instance takes out of service: where more are corrupt, the memory may be

T = TypeVar("T")


def make_root(root: str) -> None:
    """Make the directory ``root``, which exists and is empty, a storage; one that is one stays as it is.

    :raises OSError: it holds something else, or cannot be written to.
    """
    directory = open_root(root)
    marker.make(root, directory)
    counters.make(directory)


class FileStorage(StorageModule):
    """Objects as plain files under a sharded tree in one directory.

    Several processes, and several machines on a file system that they share, may use one root.

    :param root: the absolute path of the directory, once :meth:`prepare` or :func:`make_root` has
        made it a storage. A directory that is none is refused: its disk may not be mounted.
    :param durability: ``full``, ``data`` or ``none``; :data:`fsstore.durable.LEVELS` says what each keeps.
    :param reserve: what writes leave free: a part of the file system such as ``"1%"``, or bytes such as
        ``"10 GiB"`` or a number. Deletions need no space and are never refused.
    :param checksum: ``crc32``, ``xxh3`` (with the package xxhash) or ``none``.
    :param read_only: whether to refuse writes; deletions are none.
    :param file_mode: of objects, in octal digits; the umask is taken off.
    :param directory_mode: of directories that are made, likewise.
    :param group: the name or number of the group of what is made; None: as the file system has it.
    :raises ValueError: an argument is missing, unknown or wrong.
    :raises OSError: no storage is there, or one of a newer format, or it cannot be written to.
    """

    def __init__(
        self,
        root: str | None = None,
        durability: str = "full",
        reserve: str | int = "1%",
        checksum: str = "crc32",
        read_only: bool = False,
        file_mode: str = "0444",
        directory_mode: str = "0777",
        group: str | int | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: FileStorage knows no such argument")
        checked = arguments.check(root, durability, reserve, checksum, read_only, file_mode, directory_mode, group)
        self._durability = Durability(checked.durability)
        self._style = Style(self._durability, checked.file_mode, checked.group, checked.checksum)
        self._root = Root(checked.root, self._durability, checked.directory_mode, checked.group)
        if not checked.read_only and not os.access(checked.root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"root: {root} is not writable")
        counted = os.path.join(checked.root, counters.NAME)
        if not checked.read_only and os.path.exists(counted) and not os.access(counted, os.R_OK | os.W_OK):
            raise PermissionError(f"root: {counted} is not writable: give it to the user of this server")
        self._space = Space(self._root.directory, checked.reserve)
        self._health = Health(checked.read_only)
        self._counters = Counters(self._root.directory)
        self._quarantined = 0

    @classmethod
    def prepare(cls, root: str | None = None, **others: Any) -> None:
        arguments.check_root(root)
        make_root(str(root))

    def new_data(self, context: Context) -> str:
        return record.encode(layout.new_path(self._counters.slot()))

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        shard, name = record.decode(module_data)
        self._health.require_writable()
        length = length_hint(stream)
        is_ours = True  # whether an error is the storage's, and not the source's
        try:
            self._root.require(_FRESH)
            self._space.require(length)
            with NewFile(lambda: self._root.make_shard(shard), self._style, length) as file:
                while True:
                    is_ours = False
                    block = stream.read(_BLOCK)
                    is_ours = True
                    if not block:
                        break
                    file.write(block)
                    self._space.require(0)
                replaced = file.publish(name)
        except OSError as error:
            if is_ours:
                self._health.note_write(error)
            raise
        self._counters.add(int(replaced is None), file.size - (replaced or 0))

    def available(self, context: Context, module_data: str) -> bool:
        shard, name = record.decode(module_data)
        try:
            status = self._find(shard, name, stat_object)
        except FileNotFoundError:
            return False
        self._settle(shard, status.st_ctime)
        return True

    def get_read_stream(self, context: Context, module_data: str) -> ObjectStream:
        shard, name = record.decode(module_data)
        descriptor = self._find(shard, name, open_object)
        text: bytes | None
        try:
            text = os.getxattr(descriptor, ATTRIBUTE)
        except OSError as error:  # no attributes here, or stored before there were checksums
            text = self._text_beside(shard, name, descriptor, error)
        return ObjectStream(self, module_data, descriptor, text)

    def delete(self, context: Context, module_data: str) -> None:
        shard, name = record.decode(module_data)
        try:
            size = self._remove(shard, name)
        except OSError as error:
            self._health.note_write(error)
            raise
        if size is not None:
            self._counters.add(-1, -size)
            if shard != layout.shard_of(self._counters.last_slot):  # there the next object will be
                self._root.prune(shard)

    def get_size(self, context: Context, module_data: str) -> int:
        shard, name = record.decode(module_data)
        return self._find(shard, name, stat_object).st_size

    def statistics(self, context: Context) -> dict[str, Any]:
        self._root.require()
        counts = self._counters.read()
        return self._space.statistics() | {
            "objects": counts.objects,
            "bytes": counts.bytes,
            "quarantined": counts.quarantined,
            "durability": self._durability.level,
            "weaker": sorted(self._durability.weaker.values()),
            "checksum": self._style.algorithm,
            "read_only": self._health.read_only,
            "errors": dict(self._health.errors),
            "identity": self._root.marker.identity,
            "layout": self._root.marker.layout,
        }

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        shard, name = record.decode(module_data)
        with self.get_read_stream(context, source) as stream:
            self._health.require_writable()
            original = stream.original()
            if original is None:
                return False
            try:
                self._root.require(_FRESH)
                self._space.require(0)
                style = self._style._replace(algorithm="")  # the copy is held to what was kept of the original
                with NewFile(lambda: self._root.make_shard(shard), style, text=original.text) as file:
                    if not duplicate.copy(original, file, self._space):
                        return False
                    replaced = file.publish(name)
            except OSError as error:
                self._health.note_write(error)
                raise
        self._counters.add(int(replaced is None), file.size - (replaced or 0))
        return True

    def corrupt(self, module_data: str, descriptor: int, reason: str) -> OSError:
        """Take an object that is not what was stored out of service, for a stream that found it so.

        :returns: the error for the stream to raise.
        """
        shard, name = record.decode(module_data)
        try:
            where = self._quarantine(shard, name, descriptor, reason)
        except OSError as failed:  # it was moved by somebody else, or nothing can be moved: it is corrupt all the same
            self._health.note(failed)
            where = "it stays where it is"
        error = OSError(errno.EIO, f"{shard}/{name} is corrupt: {reason}: {where}")
        self._health.note(error)
        return error

    def failed(self, error: OSError) -> None:
        """Note what went wrong while a stream was read."""
        self._health.note(error)

    def _quarantine(self, shard: str, name: str, descriptor: int, reason: str) -> str:
        """Move an object into quarantine if it is corrupt on the disk, too, and say what was done."""
        if self._health.read_only is not None or self._quarantined >= _QUARANTINED:
            return "it stays where it is"
        status, directory = os.fstat(descriptor), self._root.shard(shard)
        seen = scrub.confirm(directory, name)
        if seen is None or seen.inode != status.st_ino or not seen.is_readable:
            return "it stays where it is"
        if not seen.reason:
            return "it is whole on the disk: read it again, and test the memory"
        self._quarantined += 1
        entry = quarantine.put(self._root, self._style, shard, name, descriptor, reason)
        if entry is None:
            return "it stays where it is"
        self._counters.add(-1, -status.st_size, 1)
        return f"it is in {self._root.path}/{quarantine.NAME}/{entry}"

    def _find(self, shard: str, name: str, look: Callable[[int, str], T]) -> T:
        """Look for an object.

        :raises FileNotFoundError: it is not there, and the storage is.
        """
        for _ in range(_TRIES):
            directory = None
            try:
                directory = self._root.shard(shard)  # held, so that nobody closes it meanwhile
                return look(directory.descriptor, name)
            except OSError as error:
                if not is_gone(error):
                    raise
                if directory is None or directory.is_in_place():
                    self._root.require()
                    raise
            self._root.forget(shard)
        raise TimeoutError(f"{shard}: it is removed and made again all the time")

    def _settle(self, shard: str, named: float) -> None:
        """Make sure that an object is durable which got its name at ``named``, in seconds since 1970.

        Who stored it, another process or thread, may not have come to that yet, and may never.
        """
        if self._durability.level != "full":
            return
        latest = named + (_COARSE if named % 1 else _WHOLE)
        directory = self._root.shard(shard)
        if (directory.is_settled and latest < directory.synced) or named < time.time() - _WRITTEN:
            return
        self._root.forget(shard)
        directory = self._root.make_shard(shard)
        if latest >= directory.synced:
            self._durability.sync_directory(directory)

    def _text_beside(self, shard: str, name: str, descriptor: int, error: OSError) -> bytes | None:
        try:
            if error.errno != errno.ENODATA and not is_refusal(error):
                self._health.note(error)
                raise error
            status = require_file(os.fstat(descriptor), name)
            directory = self._root.shard(shard)
            text = sidecar.get(directory.descriptor, name, status)
            is_there = os.path.samestat(status, stat_object(directory.descriptor, name))
            return text if is_there else None  # it was replaced meanwhile, and the text may be of what came after
        except FileNotFoundError:  # it was deleted meanwhile, and its directory removed
            return None
        except BaseException:
            os.close(descriptor)
            raise

    def _remove(self, shard: str, name: str) -> int | None:
        """Remove the file of an object durably, and return its size; None if there was none."""
        self._root.require(_FRESH)
        try:
            directory = self._root.current(shard)
        except FileNotFoundError:
            self._root.require()
            self._root.sync_above(shard)
            return None
        status, is_ours = None, False  # whether this call is the one that removes it, of several at once
        with suppress(FileNotFoundError):
            status = stat_object(directory.descriptor, name)
            os.unlink(name, dir_fd=directory.descriptor)
            is_ours = True
        if status is None:
            self._root.require()
            self._durability.sync_directory(directory)  # an earlier call may have come to an end before it
            return None
        self._durability.remove(directory, sidecar.name_of(name, status))
        return status.st_size if is_ours else None
