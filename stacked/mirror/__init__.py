"""One object in several modules: read from the first that is well, and brought to those that lack it."""

from stacked.mirror.storage import MirroredStorage

__all__ = ["MirroredStorage"]
