"""How much memory an object takes on its way through a stack, in a process that does nothing else.

``python -m bench.stacked.memory DIRECTORY STACK MEBIBYTES`` is that process.
"""

import os
import subprocess
import sys
from pathlib import Path

from bench.memory import peak
from bench.stacked.data import BLOCK
from bench.stacked.stacks import CONTEXT, make
from modules import StorageModule

__all__ = ["growth"]


def growth(directory: Path, stack: str, mebibytes: int) -> float:
    """Return how many MiB more were resident, at most, while an object was put, read and deleted than before.

    :raises subprocess.CalledProcessError: it failed; standard error has the reason.
    """
    command = [sys.executable, "-m", "bench.stacked.memory", str(directory), stack, str(mebibytes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 (ourselves)
    return float(done.stdout)


def main(directory: str, stack: str, mebibytes: str) -> None:
    """Do the work of one process, and print the MiB."""
    module = make(stack, Path(directory))
    _through(module, 8)  # what is made once is there now
    idle = peak(reset=False)
    _through(module, int(mebibytes))
    print((peak(reset=False) - idle) / 1024)


def _through(module: StorageModule, mebibytes: int) -> None:
    module_data = module.new_data(CONTEXT)
    module.assign(CONTEXT, module_data, Fresh(mebibytes))
    stream = module.get_read_stream(CONTEXT, module_data)
    while stream.read(BLOCK):
        pass
    stream.close()
    module.delete(CONTEXT, module_data)


class Fresh:
    """A source of random bytes, made as they are read."""

    def __init__(self, mebibytes: int) -> None:
        self._left = mebibytes * BLOCK

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, at most a block."""
        length = min(self._left, BLOCK) if size < 0 else min(self._left, size, BLOCK)
        self._left -= length
        return os.urandom(length)


if __name__ == "__main__":
    main(*sys.argv[1:])
