"""A web server of somebody else, as an instance of its own on a free port of loopback."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.guard import Guard
from tests.programs import find, free_port
from tests.server import Listening

__all__ = ["Instance"]

_TRIES = 5


class Instance(Listening):
    """Extend it with the program's configuration.

    :param program: the name of the program.
    """

    scheme = "http"

    def __init__(self, program: str) -> None:
        self._program = find(program) or program
        self._guard = Guard()
        self.directory = self._guard.directory

    def launch(
        self, *arguments: str | Path, configure: Callable[[int], None], env: Mapping[str, str] | None = None
    ) -> None:
        """Start the program and wait until it listens; with another port if somebody else was quicker to take it.

        :param configure: writes the configuration for a port.
        """
        for _ in range(_TRIES):
            port = free_port()
            configure(port)
            self.url = f"{self.scheme}://127.0.0.1:{port}"
            try:
                self._guard.start(self._program, *arguments, ready=self.listens, env=env)
            except AssertionError:
                if "Address already in use" in self.log():
                    continue
                self._guard.stop()
                raise
            self.process = self._guard.process
            return
        raise AssertionError(f"no port is free: {self.stop()}")

    def listens(self) -> bool:
        """Return whether it has begun to listen."""
        raise NotImplementedError

    def log(self) -> str:
        """Return what it has said up to now."""
        return self._guard.log()

    def stop(self) -> str:
        """Stop it, and return what it said."""
        self._guard.end()
        said = self.log()
        self._guard.stop()
        return said
