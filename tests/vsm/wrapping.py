"""A module that keeps its data in another one. Tests copy this file to where a vendor would have it."""

from collections.abc import Mapping
from typing import Any

from modules import Context, ReadStream, Source, StorageModule


class Wrapping(StorageModule):
    """Forwards everything to the module ``inner``; ``directory`` is only for those who look for one."""

    def __init__(self, inner: str = "", directory: str | None = None, **unknown: Any) -> None:
        if unknown or not inner:
            raise ValueError("inner: missing, or there are others")
        self.inner = inner

    def find(self, context: Context) -> StorageModule:
        found: StorageModule = context["func"]["getModule"](self.inner)
        return found

    def stands_on(self, context: Context) -> list[str]:
        return [self.inner]

    def new_data(self, context: Context) -> str:
        return self.find(context).new_data(context)

    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        self.find(context).assign(context, module_data, stream)

    def available(self, context: Context, module_data: str) -> bool:
        return self.find(context).available(context, module_data)

    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        return self.find(context).get_read_stream(context, module_data)

    def delete(self, context: Context, module_data: str) -> None:
        self.find(context).delete(context, module_data)

    def get_size(self, context: Context, module_data: str) -> int:
        return self.find(context).get_size(context, module_data)

    def statistics(self, context: Context) -> Mapping[str, Any]:
        return self.find(context).statistics(context)
