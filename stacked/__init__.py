"""Modules on modules: each keeps its data in one or several others, and does something to it on the way.

A class is imported when it is asked for, so that none needs the libraries of another.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stacked.base import StackedModule
    from stacked.compression import CompressedStorage
    from stacked.dedup import DedupStorage
    from stacked.encryption import EncryptedStorage
    from stacked.mirror import MirroredStorage
    from stacked.spread import SpreadStorage

__all__ = ["CompressedStorage", "DedupStorage", "EncryptedStorage", "MirroredStorage", "SpreadStorage", "StackedModule"]

#: Each class, the file that it is in, and the extra that brings what it needs.
_CLASSES = {
    "CompressedStorage": ("stacked.compression", "compression"),
    "DedupStorage": ("stacked.dedup", "dedup"),
    "EncryptedStorage": ("stacked.encryption", "encryption"),
    "MirroredStorage": ("stacked.mirror", ""),
    "SpreadStorage": ("stacked.spread", ""),
    "StackedModule": ("stacked.base", ""),
}


def __getattr__(name: str) -> Any:
    """Import the class ``name``, as PEP 562 has it.

    :raises ImportError: a library that it needs is missing; the text says which, and how to get it.
    """
    if name not in _CLASSES:
        raise AttributeError(f"module 'stacked' has no attribute {name!r}")
    file, extra = _CLASSES[name]
    try:
        return getattr(importlib.import_module(file), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"stacked.{name} needs the package {error.name}, which is missing: pip install 'storage-modules[{extra}]'"
        ) from error
