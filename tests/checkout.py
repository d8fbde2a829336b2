"""A copy of the checkout, as a stranger's clone would be."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.server import ROOT

__all__ = ["copy_checkout", "listed"]


def listed(under: str = ".") -> list[str]:
    """Return the paths that git keeps, or would keep, below a directory of the checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", under]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [name for name in names if name and os.path.lexists(ROOT / name)]


def copy_checkout(target: Path) -> Path:
    """Copy what git keeps, or would keep, of the checkout to ``target`` and return that."""
    for name in listed():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target
