"""Facts of the machine, without its name."""

import os
import platform
import re
from pathlib import Path

__all__ = ["facts", "file_system"]

_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(directory: Path) -> str:
    """Return the type of the file system that ``directory`` is on (proc(5): /proc/self/mountinfo)."""
    found = (0, "unknown")
    real = directory.resolve()
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields = line.split(" ")
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if real.is_relative_to(point):  # of two on one point the later one is to be seen
            candidate = (len(point.parts), fields[fields.index("-") + 1])
            found = candidate if candidate[0] >= found[0] else found
    return found[1]


def facts() -> list[str]:
    """Return what a reader has to know of the machine."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    release = re.match(r"[\d.]*\d", platform.release())  # what follows the number is the maker's
    return [
        f"Linux {release[0] if release else platform.release()}, {platform.machine()}",
        f"{os.cpu_count()} cores, {memory / 2**30:.0f} GiB of memory",
        f"{platform.python_implementation()} {platform.python_version()}",
    ]
