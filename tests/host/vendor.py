"""Modules of vendors, good and bad, for tests of the host."""

import errno
import io
import time
from collections.abc import Mapping
from typing import Any

from modules import Context, Source, StorageModule

__all__ = ["Abstract", "Exiting", "Failing", "Keeper", "Memory", "NoModule", "Old", "Refusing", "Sloppy"]


class Memory(StorageModule):
    """Keeps objects in memory. ``instances`` counts how many were made."""

    instances = 0

    def __init__(self, first: str = "", second: int = 0, api_key: str = "") -> None:
        before = type(self).instances
        time.sleep(0.01)  # time enough for another thread, if one could come in between
        type(self).instances = before + 1
        self.arguments = (first, second, api_key)
        self.objects: dict[str, bytes] = {}
        self.made = 0

    def new_data(self, context: Context) -> str:
        self.made += 1
        return f"{self.made}"

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.objects[module_data] = b"".join(iter(lambda: stream.read(1000), b""))

    def available(self, context: Context, module_data: str) -> bool:
        return module_data in self.objects

    def get_read_stream(self, context: Context, module_data: str) -> io.BytesIO:
        return io.BytesIO(self.objects[module_data])

    def delete(self, context: Context, module_data: str) -> None:
        self.objects.pop(module_data, None)

    def get_size(self, context: Context, module_data: str) -> int:
        return len(self.objects[module_data])

    def statistics(self, context: Context) -> Mapping[str, Any]:
        return {"capacity": {"total": -1, "free": -1, "used": -1}}


class Failing(Memory):
    """Raises what it is told to, by the method's name."""

    errors: Mapping[str, Exception] = {}

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    def new_data(self, context: Context) -> str:
        self._fail("new_data")
        return super().new_data(context)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        super().assign(context, module_data, stream)
        self._fail("assign")

    def get_read_stream(self, context: Context, module_data: str) -> io.BytesIO:
        self._fail("get_read_stream")
        return super().get_read_stream(context, module_data)

    def delete(self, context: Context, module_data: str) -> None:
        self._fail("delete")
        super().delete(context, module_data)

    def statistics(self, context: Context) -> Mapping[str, Any]:
        self._fail("statistics")
        return super().statistics(context)


class Sloppy(Memory):
    """Takes a short read for the end, and an error of the source too."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        try:
            self.objects[module_data] = stream.read(4)
        except Exception:
            self.objects[module_data] = b""


class Swallowing(Memory):
    """Reads to the end, and takes an error of the source for it."""

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        blocks = []
        try:
            while block := stream.read(1000):
                blocks.append(block)
        except Exception:
            blocks.append(b"")
        self.objects[module_data] = b"".join(blocks)


class Keeper(Memory):
    """Keeps its data in another module."""

    def __init__(self, store: str) -> None:
        super().__init__()
        self.store = store

    def _inner(self, context: Context) -> StorageModule:
        inner: StorageModule = context["func"]["getModule"](self.store)
        return inner

    def new_data(self, context: Context) -> str:
        return self._inner(context).new_data(context)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self._inner(context).assign(context, module_data, stream)

    def get_size(self, context: Context, module_data: str) -> int:
        return self._inner(context).get_size(context, module_data)


class Old(Memory):
    """Written as the old kit showed it: any arguments, by name."""

    def __init__(self, **kwargs: Any) -> None:
        StorageModule.__init__(self, **kwargs)
        super().__init__(first=kwargs["address"])


class Plain(Memory):
    """Declares no constructor."""

    __init__ = StorageModule.__init__


class Refusing(Memory):
    """Refuses its arguments, and tells them all."""

    def __init__(self, address: str, password: str) -> None:
        raise OSError(errno.ECONNREFUSED, f"cannot log in to {address}\nwith {password}")


class Exiting(Memory):
    """Asks the process to exit."""

    def __init__(self, when: str = "now") -> None:
        super().__init__()
        if when == "now":
            raise SystemExit(3)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        raise SystemExit("no licence")

    def delete(self, context: Context, module_data: str) -> None:
        raise SystemExit("no licence")

    def statistics(self, context: Context) -> Mapping[str, Any]:
        raise SystemExit("no licence")


class Abstract(StorageModule):
    """Lacks all but one method."""

    def new_data(self, context: Context) -> str:
        return ""


class NoModule:
    """No storage module at all."""
