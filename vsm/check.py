"""``vsm check``: see whether a storage module keeps the contract."""

from conformance.command import add_arguments, run

__all__ = ["add_arguments", "run"]
