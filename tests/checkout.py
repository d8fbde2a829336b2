"""A copy of the checkout, as a stranger's clone would be."""

import shutil
import subprocess
from pathlib import Path

from tests.server import ROOT

__all__ = ["copy_checkout"]


def copy_checkout(target: Path) -> Path:
    """Copy what git keeps, or would keep, of the checkout to ``target`` and return that."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target
