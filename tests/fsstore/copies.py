"""A storage with one object that tests copy."""

import io
import json
import os
import tempfile
import unittest
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from fsstore import FileStorage, duplicate, make_root
from fsstore.checksum import ATTRIBUTE
from tests.files import CONTEXT, objects_in, open_files
from tests.fsstore.sabotage import clones, no_clones
from tests.fsstore.system import System, recorded

__all__ = ["LARGE", "MIB", "WAYS", "CopyTest"]

MIB = 2**20
LARGE = 3 * MIB + 5
#: Each of the two ways, on whatever file system the tests are run.
WAYS: list[Callable[[], AbstractContextManager[object]]] = [clones, no_clones]


class CopyTest(unittest.TestCase):
    """A root with one object."""

    arguments: dict[str, Any] = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.addCleanup(vars(self).pop, "module", None)
        directory = tempfile.TemporaryDirectory(prefix="root")
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        make_root(str(self.root))
        self.module = self.open()
        self.data = os.urandom(LARGE)
        self.source = self.store(self.data)

    def open(self, **arguments: Any) -> FileStorage:
        return FileStorage(root=str(self.root), **self.arguments, **arguments)

    def reopen(self, **arguments: Any) -> None:
        """Go on with another instance, which has the directory open already."""
        self.module = self.open(**arguments)
        self.module.available(CONTEXT, self.source)

    def store(self, data: bytes) -> str:
        module_data = self.module.new_data(CONTEXT)
        self.module.assign(CONTEXT, module_data, io.BytesIO(data))
        return module_data

    def copy(self, source: str = "") -> str:
        """Copy the object, or ``source``, and return the new one."""
        module_data = self.module.new_data(CONTEXT)
        self.assertIs(self.module.copy_data(CONTEXT, module_data, source or self.source), True)
        return module_data

    def path_of(self, module_data: str) -> Path:
        return Path(self.root, json.loads(module_data)["path"])

    def read(self, module_data: str) -> bytes:
        with self.module.get_read_stream(CONTEXT, module_data) as stream:
            return stream.read()

    def kept(self, module_data: str) -> bytes | None:
        """Return the checksum that is kept of an object."""
        try:
            return os.getxattr(self.path_of(module_data), ATTRIBUTE)
        except OSError:
            texts = [path.read_bytes() for path in self.path_of(module_data).parent.glob(f"{self.name(module_data)}.*")]
            return texts[0].rstrip(b"\n") if texts else None

    def name(self, module_data: str) -> str:
        return self.path_of(module_data).name

    def change(self, path: Path, change: Callable[[io.BufferedRandom], object]) -> None:
        """Change a file as a disk may, behind the storage's back: its times stay."""
        status = path.stat()
        path.chmod(0o600)
        with path.open("r+b") as file:
            change(file)
        path.chmod(0o444)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def flip(self, module_data: str, place: int) -> None:
        byte = self.path_of(module_data).read_bytes()[place] ^ 1
        self.change(self.path_of(module_data), lambda file: os.pwrite(file.fileno(), bytes([byte]), place))

    @contextmanager
    def failing(self, error: int, at: int = 0) -> Iterator[None]:
        """Let the kernel fail to clone, and fail to copy after so many pieces."""
        with no_clones(), mock.patch.object(duplicate, "_PIECE", MIB), recorded(System("copy_file_range", error, at)):
            yield

    def statistics(self, *names: str) -> list[Any]:
        found = self.module.statistics(CONTEXT)
        return [found[name] for name in names]

    def assert_refused(self, errors: dict[str, int] | None = None) -> None:
        """Fail unless a stream is asked for, and nothing is left or held against the device."""
        before, descriptors = objects_in(self.root), open_files()
        module_data = self.module.new_data(CONTEXT)
        self.assertIs(self.module.copy_data(CONTEXT, module_data, self.source), False)
        self.assertFalse(self.module.available(CONTEXT, module_data))
        self.assertEqual(objects_in(self.root), before)
        self.assertEqual(open_files(), descriptors)
        self.assertEqual(self.statistics("errors", "read_only"), [errors or {}, None])

    def assert_raises(self, error: int, source: str = "") -> OSError:
        """Fail unless copying raises ``error`` and leaves nothing."""
        before, descriptors = objects_in(self.root), open_files()
        module_data = self.module.new_data(CONTEXT)
        with self.assertRaises(OSError) as caught:
            self.module.copy_data(CONTEXT, module_data, source or self.source)
        self.assertEqual(caught.exception.errno, error)
        self.assertFalse(self.module.available(CONTEXT, module_data))
        self.assertEqual(objects_in(self.root), before)
        self.assertEqual(open_files(), descriptors)
        return caught.exception
