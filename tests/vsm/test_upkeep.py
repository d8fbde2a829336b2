"""``vsm upkeep`` does in one run all that there is to do."""

import io
import json
from contextlib import redirect_stdout

from sqlalchemy import update

from host.catalogue.schema import copies
from tests.host.places import PlacesTest
from vsm.__main__ import main


class UpkeepTest(PlacesTest):
    def test_what_a_dead_process_was_bringing_to_its_place_comes_there(self) -> None:
        self.store(content=b"data")
        with self.cloud.catalogue.writing() as connection:
            connection.execute(update(copies).values(process="dead"))
        with redirect_stdout(io.StringIO()) as said:
            status = main(["upkeep", "--data", str(self.directory), "--json"])
        self.assertEqual(json.loads(said.getvalue()), {"deleted": 0, "failed": 0, "arrived": 2, "late": 0})
        self.assertEqual((status, self.queue()), (0, []))
        self.assertEqual(self.there(), {"a": [b"data"], "b": [b"data"], "c": [b"data"]})
