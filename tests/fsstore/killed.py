"""Writers that are killed: ``python -m tests.fsstore.killed ROOT [CARELESS]``.

This process has no threads, so that it can fork, and has imported all, so that a fork costs little. For
each line on standard input, a JSON object of a ``seed`` and the ``objects`` to work on beside new ones,
by their versions, it forks a process of :data:`THREADS` threads. The next line has that killed.

Each line on standard output is one write of less than PIPE_BUF bytes, so that no two mix and none is
torn (pipe(7)): ``begin VERSION OBJECT`` before a call, ``done VERSION OBJECT`` after it has returned,
where the version ``-`` is a deletion; ``failed ERROR``; and ``dead SIGNAL`` when the killed process is
gone and all that it said is in the pipe.
"""

import json
import os
import random
import sys
import threading
import time
import traceback
from pathlib import Path
from signal import SIGKILL
from typing import Any, NoReturn

from modules import Context, Source
from tests.files import CONTEXT
from tests.fsstore.roots import open_storage
from tests.fsstore.scenarios import Pieces

__all__ = ["DELETED", "THREADS", "content_of"]

THREADS = 8
DELETED = "-"
_FEW, _MANY = 4, 16  # objects of a thread: it deletes no more below, and assigns no more new ones above
_LIFE = 30  # seconds: if nobody kills it


def content_of(version: str) -> bytes:
    """Return the data of a version: random, and of 0 bytes to 300 KiB, mostly few."""
    dice = random.Random(version)
    most = dice.choices([0, 100, 4096, 65536, 300 * 1024], weights=[1, 4, 8, 4, 1])[0]
    return dice.randbytes(dice.randint(most // 2, most))


def _tell(*words: str) -> None:
    os.write(1, " ".join(words).encode() + b"\n")


class _Writer:
    """One thread of a process that is going to be killed; nobody else touches its objects."""

    def __init__(self, module: Any, careless: str, name: str, objects: list[tuple[str, str]]) -> None:
        self._module = module
        self._careless = careless
        self._name = name
        self._objects = [module_data for module_data, _ in objects]
        self._versions = dict(objects)
        self._dice = random.Random(name)

    def work(self) -> None:
        """Assign, replace and delete until the end."""
        try:
            deadline = time.monotonic() + _LIFE
            number = 0
            while time.monotonic() < deadline:
                number += 1
                self._step(f"{self._name}.{number}")
        except BaseException:
            _tell("failed", json.dumps(traceback.format_exc()[-2000:]))
            os._exit(1)

    def _step(self, version: str) -> None:
        chance = self._dice.random()
        many = len(self._objects)
        if many > _MANY or (chance < 0.25 and many > _FEW):
            module_data = self._objects.pop(self._dice.randrange(many))
            self._call(DELETED, module_data)
        elif chance < 0.5 and many:
            self._call(version, self._dice.choice(self._objects))
        elif chance < 0.65 and many:
            original = self._dice.choice(self._objects)
            self._new(self._versions[original], original)
        else:
            self._new(version)

    def _new(self, version: str, original: str = "") -> None:
        module_data = self._module.new_data(CONTEXT)
        self._call(version, module_data, original)
        self._objects.append(module_data)

    def _call(self, version: str, module_data: str, original: str = "") -> None:
        source = Pieces(content_of(version))
        _tell("begin", version, module_data)
        if self._careless == "early":
            _tell("done", version, module_data)
        if version == DELETED:
            self._module.delete(CONTEXT, module_data)
        elif not original:
            self._module.assign(CONTEXT, module_data, source)
        elif not self._module.copy_data(CONTEXT, module_data, original):
            raise AssertionError("it was not copied")
        self._versions[module_data] = version
        if self._careless != "early":
            _tell("done", version, module_data)


def _write_in_place(root: Path) -> Any:
    """Return what assigns an object by writing under its name from the first byte on."""

    def assign(context: Context, module_data: str, stream: Source) -> None:
        path = root / json.loads(module_data)["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with path.open("wb", buffering=0) as file:
            while block := stream.read(1024):
                file.write(block)

    return assign


def _run(root: Path, careless: str, order: dict[str, Any]) -> NoReturn:
    """Be the process that is killed."""
    module: Any = open_storage(root)
    if careless == "in place":
        module.assign = _write_in_place(root)
    objects = list(order["objects"].items())
    writers = [
        _Writer(module, careless, f"{order['seed']}.{number}", objects[number::THREADS]) for number in range(THREADS)
    ]
    threads = [threading.Thread(target=writer.work) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)


def main(root: str, careless: str = "") -> None:
    """Fork and kill, as standard input says."""
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            _run(Path(root), careless, json.loads(line))
        sys.stdin.readline()  # also the end, if whoever started this is gone
        os.kill(child, SIGKILL)  # not reaped so far, so that no other process can have its number
        _, status = os.waitpid(child, 0)
        _tell("dead", str(os.WTERMSIG(status)))


if __name__ == "__main__":
    main(*sys.argv[1:])
