"""Objects that are copied: by the module itself, or as a stream."""

import errno
import io
from contextlib import closing
from typing import Any
from unittest import mock

from host.errors import Failed, Full
from host.vault import Facts, Stored
from modules import Context
from tests.files import objects_in
from tests.host.cloud import CloudTest, where
from tests.host.vendor import Memory


class CopyTest(CloudTest):
    def copy(self, source: str = "/cdmi/o", to: str = "/cdmi/p", facts: Facts | None = None) -> Stored:
        node = self.cloud.names.find(self.account(), where(source))
        assert node is not None
        return self.cloud.vault.copy(self.target(to), node, facts or Facts())

    def content(self, path: str) -> bytes:
        content: bytes = self.call("GET", path).content
        return content

    def copying(self, copy_data: Any) -> None:
        """Let the module copy by itself."""
        instance = self.cloud.loader.instance("default")
        self.enterContext(mock.patch.object(instance, "copy_data", copy_data, create=True))

    def test_a_copy_is_an_object_of_its_own(self) -> None:
        self.store(content=b"data")
        self.assertTrue(self.copy().is_new)
        self.store(content=b"newer")
        self.cloud.upkeep.reap(grace=0)
        self.assertEqual((self.content("/cdmi/o"), self.content("/cdmi/p")), (b"newer", b"data"))
        self.assertFalse(self.copy().is_new)
        self.assertEqual(self.content("/cdmi/p"), b"newer")
        self.assert_sound()

    def test_a_module_may_copy_by_itself(self) -> None:
        self.store(content=b"data")
        instance = self.cloud.loader.instance("default")

        def copy_data(context: Context, module_data: str, source: str) -> bool:
            with closing(instance.get_read_stream(context, source)) as stream:
                instance.assign(context, module_data, stream)
            return True

        self.copying(copy_data)
        with mock.patch.object(self.cloud.vault, "open", side_effect=AssertionError):
            self.copy()
        self.assertEqual(self.content("/cdmi/p"), b"data")
        self.assert_sound()

    def test_one_that_does_not_copy_by_itself_gets_a_stream(self) -> None:
        self.store(content=b"data")
        for copy_data in (lambda *_: False, mock.Mock(side_effect=OSError(errno.EXDEV, ""))):
            self.copying(copy_data)
            self.copy()
            self.assertEqual(self.content("/cdmi/p"), b"data")
        self.assert_sound()

    def test_one_that_copies_less_is_found_out(self) -> None:
        self.store(content=b"data")
        instance = self.cloud.loader.instance("default")

        def copy_data(context: Context, module_data: str, source: str) -> bool:
            instance.assign(context, module_data, io.BytesIO(b"dat"))
            return True

        self.copying(copy_data)
        with self.assertRaisesRegex(Failed, "copied 3 bytes of 4"):
            self.copy()
        self.assert_refused(self.call("GET", "/cdmi/p"), 404)
        self.assert_sound()

    def test_a_copy_goes_where_new_data_goes(self) -> None:
        self.store(content=b"data")
        self.configure("new", "tests.host.vendor.Memory")
        self.cloud.accounts.put("alice", policy="new")
        self.copying(mock.Mock(side_effect=AssertionError))
        self.copy()
        memory = self.cloud.loader.instance("new")
        assert isinstance(memory, Memory)
        self.assertEqual(list(memory.objects.values()), [b"data"])
        self.assertEqual(self.content("/cdmi/p"), b"data")

    def test_a_copy_that_has_no_room_leaves_nothing(self) -> None:
        self.store(content=b"data")
        self.cloud.accounts.put("alice", quota=7)
        with self.assertRaises(Full):
            self.copy()
        self.assert_sound()
        self.assertEqual(self.stored(), [b"data"])

    def test_a_source_that_cannot_be_read_leaves_nothing(self) -> None:
        self.store(content=b"data")
        objects_in(self.objects)[0].unlink()
        with self.assertRaises(Failed):
            self.copy()
        self.assert_refused(self.call("GET", "/cdmi/p"), 404)
        self.assertEqual(self.states()["kept"], 1)
