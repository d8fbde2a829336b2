"""A process that stores and deletes objects which are alike, until it is killed.

Use: ``python -m tests.stacked.dedup_worker DIRECTORY INDEX``, with a file store in the directory.
"""

import io
import random
import sys

from fsstore import FileStorage
from stacked.dedup import DedupStorage


def main(directory: str, index: str) -> None:
    """Store and delete for ever: the host of these objects knows none of them when it is killed."""
    module = DedupStorage(FileStorage(directory), index)
    chance, kept = random.Random(), []
    while True:
        data = random.Random(10).randbytes(300_000 + chance.randrange(3) * 100_000)
        module_data = module.new_data({})
        print(module_data, flush=True)  # who kills this process deletes it, as a host does
        module.assign({}, module_data, io.BytesIO(data))
        kept.append(module_data)
        with module.get_read_stream({}, module_data) as stream:
            assert stream.read() == data
        if len(kept) > 2:
            module.delete({}, kept.pop(chance.randrange(3)))


if __name__ == "__main__":
    main(*sys.argv[1:])
