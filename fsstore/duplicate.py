"""Objects that the kernel copies, so that their bytes do not come through here.

Where the file system can do it (XFS, btrfs) the copy has the blocks of its original as well, until one of them is
written to, which none ever is: that takes hardly any time or space. Elsewhere the kernel copies them.
docs/decisions/010-copy.md says what that is worth.
"""

import errno
import os

from fsstore import kernel
from fsstore.newfile import ONCE, NewFile
from fsstore.reader import Original
from fsstore.space import Space

__all__ = ["copy"]

#: Bytes that are copied by one call: a process that is killed goes on until it ends.
_PIECE = 8 * 1024 * 1024
#: What is said when there is no room for the copy. Of all else it cannot be told which of the two files it is about.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def copy(original: Original, file: NewFile, space: Space) -> bool:
    """Fill the new ``file`` with what ``original`` holds.

    :returns: False: it cannot be done here, or something is wrong: who reads the original by a stream is told what.
    :raises OSError: there is no room for the copy.
    """
    if original.size and not _clone(original, file) and not _copy(original, file, space):
        return False
    return os.fstat(file.fileno()).st_size == original.size  # no object is ever written to, by us


def _clone(original: Original, file: NewFile) -> bool:
    try:
        kernel.clone(original.descriptor, file.fileno())
    except OSError:  # for whatever reason: what was done is written over, and what is wrong is found, by copying
        return False
    file.wrote(original.size)
    return True


def _copy(original: Original, file: NewFile, space: Space) -> bool:
    space.require(original.size)
    file.expect(original.size)
    while file.size < original.size:
        length = min(_PIECE, original.size - file.size)
        try:
            count = kernel.copy_range(original.descriptor, file.fileno(), file.size, length)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            return False
        if not count:  # the original was cut short meanwhile; or it is a file system that does so instead of an error
            return False
        file.wrote(count)
        space.require(0)
        if original.size >= ONCE:
            os.posix_fadvise(original.descriptor, 0, file.size, os.POSIX_FADV_DONTNEED)
    return True
