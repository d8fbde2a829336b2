"""What is twice the same is kept once: chunks that the content defines, in packs, and an index of them."""

from stacked.dedup.storage import DedupStorage

__all__ = ["DedupStorage"]
