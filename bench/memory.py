"""How much memory an object takes on its way through, in a process that does nothing else.

``python -m bench.memory put ROOT BYTES`` and ``python -m bench.memory get ROOT MODULE_DATA`` are those
processes.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Bound
from bench.ours import CONTEXT, make_storage
from bench.sources import BLOCK, Repeated
from modules import StorageModule

__all__ = ["REQUIRED", "Peak", "measure", "peak"]

REQUIRED = Bound(8, at_most=True)  #: MiB above idle


@dataclass(frozen=True)
class Peak:
    """What one operation needed."""

    work: str
    mebibytes: float  #: the most that was resident, above what was while the storage was there and idle
    rate: float  #: MiB a second


def measure(directory: Path, size: int) -> list[Peak]:
    """Put an object of ``size`` bytes in a store in ``directory``, read it through, and delete it.

    :raises subprocess.CalledProcessError: it failed; standard error has the reason.
    """
    root = directory / "memory"
    root.mkdir()
    module_data, *put = _run("put", str(root), str(size))
    _, *get = _run("get", str(root), str(module_data))
    make_storage(root).delete(CONTEXT, str(module_data))
    peaks = []
    for work, (mebibytes, seconds) in (("put", put), ("get", get)):
        peaks.append(Peak(work, float(mebibytes), size / 2**20 / float(seconds)))
    return peaks


def _run(*arguments: str) -> list[str | float]:
    command = [sys.executable, "-m", "bench.memory", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 (ourselves)
    answer: list[str | float] = json.loads(done.stdout)
    return answer


def main(operation: str, root: str, argument: str) -> None:
    """Do the work of one process, and print the module_data, MiB and seconds."""
    storage = make_storage(Path(root))
    module_data = storage.new_data(CONTEXT) if operation == "put" else argument
    idle = peak()
    begin = time.perf_counter()
    if operation == "put":
        storage.assign(CONTEXT, module_data, Repeated(int(argument)))
    else:
        _read(storage, module_data)
    seconds = time.perf_counter() - begin
    print(json.dumps([module_data, (peak(reset=False) - idle) / 1024, seconds]))


def _read(storage: StorageModule, module_data: str) -> None:
    stream = storage.get_read_stream(CONTEXT, module_data)
    while stream.read(BLOCK):
        pass
    stream.close()


def peak(reset: bool = True) -> int:
    """Return the most that was resident since the last reset, in KiB (proc(5): VmHWM, clear_refs)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("no VmHWM in /proc/self/status")


if __name__ == "__main__":
    main(*sys.argv[1:])
