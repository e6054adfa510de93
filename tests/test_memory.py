"""Memory that nothing uses any more goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
from aiser_jupyter.memory import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blocks = [c.malloc(64_000) for _ in range(2_000)]
for block in blocks:
    ctypes.memset(ctypes.c_void_p(block), 1, 64_000)
for block in blocks[:-1]:  # the last one keeps the C library from giving back what lies before it
    c.free(block)
before = resident()
print(give_back(), before - resident() > 100_000_000)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems give memory back by themselves"
)
def test_what_was_let_go_of_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
