"""What is wrong between the catalogue and a module is told: else the fuzzer and the kill loop would see nothing."""

import re
from typing import Any

from sqlalchemy import Executable, insert, select, update

from host.catalogue.schema import KEPT, accounts, copies, data, detached, nodes, pages
from tests.host.agreement import disagreements
from tests.host.cloud import CloudTest


class AgreementTest(CloudTest):
    def setUp(self) -> None:
        super().setUp()
        self.put("/cdmi/o", b"four")
        self.cdmi("PUT", "/cdmi/c/", {}, kind="container")

    def told(self) -> list[str]:
        return disagreements(self.cloud, {"default": [self.objects]})

    def test_nothing_is_wrong(self) -> None:
        self.assertEqual(self.told(), [])

    def test_the_files_of_the_module(self) -> None:
        (path,) = (each for each in self.objects.rglob("*") if each.is_file() and each.read_bytes() == b"four")
        path.with_name("0" * 32).write_bytes(b"left")
        path.write_bytes(b"longer")
        faults = sorted(re.sub("^.* has", "has", fault) for fault in self.told())
        self.assertEqual(faults, ["has 4 bytes, and None in the catalogue", "has 6 bytes, and 4 in the catalogue"])

    def test_a_quota(self) -> None:
        self.spoil(update(accounts).values(used=accounts.c.used + 1), "alice uses 4 bytes in 1 objects, not 5 in 1")

    def test_a_page(self) -> None:
        self.spoil(update(pages).values(count=pages.c.count + 1), "has 2 names, not 3")

    def test_a_name_below_another_account(self) -> None:
        self.spoil(update(nodes).where(nodes.c.name == "c").values(owner=0), "is no container of its owner")

    def test_a_name_below_an_object(self) -> None:
        below = select(nodes.c.id).where(nodes.c.name == "o").scalar_subquery()
        self.spoil(update(nodes).where(nodes.c.name == "c").values(parent=below), "is no container of its owner")

    def test_a_name_that_nothing_leads_to(self) -> None:
        self.spoil(update(nodes).where(nodes.c.name == "c").values(parent=None), "the tops are")

    def test_data_without_a_name(self) -> None:
        row = {"module": "default", "module_data": '{"path": "x"}', "size": 0, "state": KEPT, "since": 0}
        self.spoil(insert(data).values(row), "are kept")

    def test_a_copy_that_waits(self) -> None:
        which = select(data.c.id).where(data.c.state == KEPT).scalar_subquery()
        self.spoil(
            insert(copies).values(data=which, location="x", module="m", due=0, attempts=0), "a copy that waits: 1"
        )

    def test_a_removed_container(self) -> None:
        where = nodes.c.name == "c"
        row = {"node": select(nodes.c.id).where(where).scalar_subquery(), "process": "x", "since": 2**40}
        self.spoil(insert(detached).values(row), "a removed container that waits: 1")

    def test_garbage_that_cannot_be_deleted(self) -> None:
        row: dict[str, Any] = {"module": "default", "size": 0, "state": "garbage", "since": 0}
        with self.assertLogs("host.upkeep", "ERROR"):
            self.spoil(insert(data).values(row | {"module_data": "nothing of its"}), "garbage that waits: 1")

    def spoil(self, statement: Executable, fault: str) -> None:
        with self.cloud.catalogue.writing() as connection:
            connection.execute(statement)
        self.assertIn(fault, "\n".join(self.told()))
