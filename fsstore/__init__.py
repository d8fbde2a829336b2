"""Objects as plain files under a sharded directory tree. Needs the standard library alone."""

from fsstore.storage import FileStorage, make_root

__all__ = ["FileStorage", "make_root"]
