"""Memory that is not used any more is the kernel's again."""

import platform
import subprocess
import sys
import unittest
from unittest import mock

from host import memory

#: Each thread asks for memory while the others have theirs; glibc tells how many places that came from.
THREADS = """
import ctypes, threading
from host import memory
memory.share()
barrier = threading.Barrier(6)
def ask():
    mine = bytearray(100_000)
    barrier.wait(60)
for _ in range(6):
    threading.Thread(target=ask).start()
libc = ctypes.CDLL(None)
stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, stdout)
libc.fflush(stdout)
"""


#: Every other block is given back to malloc; prints how many MiB of them malloc gives back to the kernel.
HOLES = """
import re
from pathlib import Path
from host import memory
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
memory.share()
blocks = [bytes(100_000) for _ in range(1000)]
between = blocks[::2]
del blocks
before = resident()
memory.give_back()
print(before - resident())
"""


@unittest.skipUnless(platform.libc_ver()[0] == "glibc", "another C library")
class MemoryTest(unittest.TestCase):
    def test_all_threads_take_memory_from_one_place(self) -> None:
        done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count("<heap nr="), 1)

    def test_holes_are_given_back(self) -> None:
        done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(int(done.stdout), 30)  # of 48

    def test_a_c_library_without_arenas_is_well(self) -> None:
        with mock.patch("ctypes.CDLL", return_value=object()):
            memory.share()
            memory.give_back()
