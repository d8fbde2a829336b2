"""OpenStack Swift, all in one: four servers and a memcached, on this machine alone."""

import os
import pwd
import shutil
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from bench.cloud import swift_files
from bench.cloud.client import Target, request
from bench.cloud.process import Process, ServerError, free_port
from bench.stores import Unavailable

__all__ = ["Swift", "interpreter"]

_REQUIREMENT = "swift>=2.38"


def interpreter(given: Path | None, cache: Path) -> Path:
    """Return a Python that has swift: the given one, or ours, or that of an environment in ``cache``.

    The environment is made there the first time.

    :raises Unavailable: there is none, and none can be made.
    """
    if given is not None:
        if not _has_swift(given):
            raise Unavailable(f"{given} has no swift")
        return given
    if find_spec("swift") is not None:
        return Path(sys.executable)
    _make_private(cache)
    python = cache / "swift" / "bin" / "python"
    if not _has_swift(python):
        shutil.rmtree(cache / "swift", ignore_errors=True)
        for command in (
            [sys.executable, "-m", "venv", str(cache / "swift")],
            [str(python), "-m", "pip", "install", "--quiet", _REQUIREMENT],
        ):
            done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
            if done.returncode:
                said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
                raise Unavailable(f"{' '.join(command[1:])}: {said}")
    return python


def _make_private(cache: Path) -> None:
    """Make a directory that nobody else can put code into."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = cache.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise Unavailable(f"{cache}: others may write there: name another directory with --cache")


def _has_swift(python: Path) -> bool:
    try:
        return not subprocess.run([str(python), "-c", "import swift.proxy.server"], capture_output=True).returncode  # noqa: S603
    except OSError:
        return False


class Swift:
    """A Swift with the container ``c``.

    :param directory: an empty one, where all is kept.
    :param python: an interpreter that has swift.
    :raises Unavailable: there is no memcached, which keeps the tokens.
    """

    def __init__(self, directory: Path, python: Path) -> None:
        memcached = shutil.which("memcached")
        if memcached is None:
            raise Unavailable("memcached, which Swift wants, is not installed (Debian: memcached)")
        (directory / "devices" / "d1").mkdir(parents=True)
        user = pwd.getpwuid(os.geteuid()).pw_name
        ports = {kind: free_port() for kind in swift_files.SERVERS}
        cache = free_port()
        for name, text in swift_files.files(directory, ports, cache, user).items():
            (directory / name).write_text(text, "utf-8")
        for kind in swift_files.SERVERS[:-1]:
            _make_ring(python, directory, kind, ports[kind])
        with ExitStack() as stack:
            _start(stack, "memcached", [memcached, "-l", "127.0.0.1", "-p", str(cache), "-u", user], directory, cache)
            for kind, port in ports.items():
                module = f"swift.{'obj' if kind == 'object' else kind}.server"
                command = [str(python), "-m", module, str(directory / f"{kind}.conf")]
                _start(stack, f"swift-{kind}", command, directory, port)
            self.target = _target(ports["proxy"])
            request(self.target, "PUT", self.target.prefix.rstrip("/"))
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """Stop all servers."""
        self._stack.close()


def _make_ring(python: Path, directory: Path, kind: str, port: int) -> None:
    ring = [str(python), "-m", "swift.cli.ringbuilder", str(directory / f"{kind}.builder")]
    for arguments in (["create", "8", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
        done = subprocess.run([*ring, *arguments], cwd=directory, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise ServerError(f"swift-ring-builder {arguments[0]}: {done.stdout}{done.stderr}")


def _start(stack: ExitStack, name: str, command: list[str], directory: Path, port: int) -> None:
    process = Process(name, command, directory)
    stack.callback(process.stop)
    process.wait_for(port)


def _target(port: int) -> Target:
    """Fetch a token, which is good for a day, and return where objects go."""
    login = Target("Swift", port, "", {"X-Auth-User": swift_files.USER, "X-Auth-Key": swift_files.KEY})
    response, _ = request(login, "GET", "/auth/v1.0")
    token = response.getheader("X-Auth-Token")
    if token is None:
        raise ServerError("Swift: no token")
    return Target("Swift", port, "/v1/AUTH_test/c/", {"X-Auth-Token": token})
