"""A server is killed again and again under mixed load: nothing that was acknowledged is lost, and nothing is left.

For more kills: ``python -m tests.host.kill``.
"""

import io
import random
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path

from tests.files import objects_in
from tests.host.kill import main
from tests.host.killing.client import Client
from tests.host.killing.loop import Loop
from tests.postgresql import needs_postgresql


class KillTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.data = Path(directory.name, "cloud")
        self.data.mkdir(mode=0o700)

    def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(self) -> None:
        self.assert_survived()

    @needs_postgresql
    def test_the_same_with_a_catalogue_in_postgresql(self) -> None:
        self.assert_survived("--postgresql")

    def assert_survived(self, *options: str) -> None:
        # One of the two kills comes while the server starts.
        with redirect_stdout(io.StringIO()) as said:
            status = main(["--kills", "2", "--seed", "1", *options])
        self.assertEqual(status, 0, said.getvalue())
        for some in ("[1-9][0-9]+ changes acknowledged", "[1-9][0-9]* in flight"):  # else it was not killed at work
            self.assertRegex(said.getvalue(), some)

    def test_what_is_lost_or_left_or_older_is_seen(self) -> None:
        def work(client: Client) -> None:
            while not any(entry is not None and entry.data for entry in client.state.values()):
                client.act()

        loop = Loop(self.data, random.Random(1))
        loop.let_all(work)
        self.assertEqual(loop.tally.failures, [])
        loser, other, *_ = loop.clients
        lost = max((entry.data for entry in loser.state.values() if entry is not None), key=len)
        (path,) = {each for each in objects_in(self.data / "default") if each.read_bytes() == lost}
        path.unlink()
        path.with_name("0" * 32).write_bytes(b"left")
        names, entry = next((names, entry) for names, entry in other.state.items() if entry is not None)
        other.state[names] = entry._replace(etag="another")
        loop.end()
        found = "\n".join(loop.tally.failures)
        for fault in (
            "has 4 bytes, and None",
            f"has None bytes, and {len(lost)} in the catalogue",
            f"GET /cdmi/{loser.name}/.*: 500 ",
            f"{other.name} has .*another",
        ):
            self.assertRegex(found, fault)
