"""What a process does once that serves from now on."""

import subprocess
import sys
import unittest
from unittest import mock

from host import wsgi

#: Each thread asks for memory while the others have theirs; glibc tells how many places that came from.
THREADS = """
import ctypes, threading
from host import wsgi
wsgi._share_memory()
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


class MemoryTest(unittest.TestCase):
    def test_all_threads_take_memory_from_one_place(self) -> None:
        done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count("<heap nr="), 1)

    def test_a_c_library_without_arenas_is_well(self) -> None:
        with mock.patch("ctypes.CDLL", return_value=object()):
            wsgi._share_memory()
