"""The page that a run writes."""

from collections.abc import Sequence

from bench.machine import facts
from bench.results import Place
from bench.tables import tables

__all__ = ["page"]

_HEAD = """\
# Performance

How fast `fsstore.FileStorage` is: as ratios to the same work done by hand with the same system calls, and
beside other Python libraries that keep objects as files. This page was written by

```
pip install '.[bench,plot]'
{command}
```

on {facts}.
Believe the ratios rather than the rates, which are one machine's at one time.

![The ratios, as bars]({plot})

## How it is measured

- In each round every contender does the same work, one right after the other, in an order of its own. A figure
  is the **median of the ratios of the rounds** (least to greatest). *Uncertain* is a verdict where what is
  required lies within the limits between which the true median is, with a certainty of 95 %.
- What is read is in memory: it is the way through the storage that is measured, not the disk. Small objects are
  a thousand, each read once a round: few ones, again and again, would lie in the processor's caches, where system
  calls are faster than any server sees them.
- Objects to read are made before the clock starts; garbage is deleted, and synced, when it has stopped; Python's
  garbage collector rests meanwhile. Every contender keeps 1000 objects all the time.
- For puts and deletes each contender has nine trees of directories, and takes the next one in each round: where a
  tree happens to lie on the disk was seen to make the same system calls up to 1.5 times as slow.
- *rename* by hand is: temporary name, fsync, rename, fsync of the directory. *O_TMPFILE* by hand is: O_TMPFILE,
  fdatasync, linkat, fsync of the directory. Both put into 256 directories that are there already, and the better
  of the two, by its median, is 1. Objects larger than 1 MiB are written and read in blocks of that.
- *by hand* for reads is: open, read, close; for a range lseek before the read; for `available` and `get_size`
  os.stat. *by hand with CRC-32* is: open, read, getxattr, zlib.crc32, close: what a get costs that looks whether
  the object is still what was stored.
- Memory is the peak of what was resident (VmHWM) in a process that does this alone, above what it was when the
  storage was open and idle; what is stored is made up on the way.
- Among many objects and among few: two stores side by side, warm, with objects of 4 KiB and durability `none`
  where the storage has that.
- Of the peers the ratio is to durable work by hand too, also where the peer syncs nothing.
"""


def page(places: Sequence[Place], command: str, plot: str) -> str:
    """Return the page of a run, in Markdown.

    :param command: that made it.
    :param plot: the picture, as a link of the page.
    """
    parts = [_HEAD.format(command=command, facts="; ".join(facts()), plot=plot)]
    for place in places:
        parts.append(f"## {place.file_system}\n\n{tables(place)}\n")
    return "\n".join(parts)
