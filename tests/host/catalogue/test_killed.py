"""A PostgreSQL server that is killed while the cloud is at work, and started again."""

import io

from sqlalchemy.exc import DBAPIError

from host.body import Body
from host.catalogue.engine import told
from host.errors import TryAgain
from host.vault import Facts
from tests.host.cloud import CloudTest
from tests.host.postgresql import OnPostgresql
from tests.postgresql import Postgresql, needs_postgresql


@needs_postgresql
class KilledTest(OnPostgresql, CloudTest):
    def catalogue_url(self) -> str | None:
        """Return the URL of a database of a server of the test's own, which keeps what it has committed."""
        self.server = Postgresql()
        self.addCleanup(self.server.stop)
        return self.server.database()

    def test_what_was_acknowledged_is_there_again_and_all_goes_on(self) -> None:
        class Killing(io.BytesIO):
            def read(inner, size: int | None = -1, /) -> bytes:  # noqa: N805 (self is the test)
                if inner.tell() == 0:
                    self.server.kill()
                return super().read(size)

        self.assertEqual(self.put("/cdmi/o", b"old").status_code, 201)
        with self.assertRaises(DBAPIError) as caught:
            self.cloud.vault.store(self.target(), Body(Killing(b"newer"), 5), Facts)
        self.assertIsInstance(told(caught.exception), TryAgain)
        for method, path in (("GET", "/cdmi/o"), ("GET", "/cdmi/"), ("DELETE", "/cdmi/o")):
            with self.assertLogs("host.application", "ERROR"):
                self.assert_refused(self.call(method, path), 503, "the catalogue is out of reach")
        with self.assertLogs("host.application", "ERROR"):
            self.assert_refused(self.put("/cdmi/o"), 503, "the catalogue is out of reach")
        self.cloud.vault.close()  # as at the end of a process
        self.server.start()
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"old")
        self.assertEqual(self.put("/cdmi/o", b"newest").status_code, 204)
        self.assertEqual(self.call("GET", "/cdmi/o").content, b"newest")
        self.assert_sound()
        self.assertEqual(self.stored(), [b"newest"])
