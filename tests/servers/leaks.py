"""What a test must give back: threads and descriptors."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE = 10.0
"""Seconds for what ends in the background: timers, resets, goodbyes."""


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until ``holds()`` is true; False where it is not within ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def open_files() -> list[str]:
    """Return what the descriptors of this process stand for."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the descriptor of this very listing
            found.append(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


def threads() -> list[str]:
    """Return the names of the threads that run."""
    return [thread.name for thread in threading.enumerate()]


@contextmanager
def nothing_left_behind(spare: tuple[str, ...] = ()) -> Iterator[None]:
    """Fail where the block leaves a thread or a descriptor; threads named in ``spare`` may stay."""

    def counted() -> tuple[int, int]:
        return len([name for name in threads() if name not in spare]), len(open_files())

    before, files = counted(), open_files()
    yield
    if not eventually(lambda: all(now <= then for now, then in zip(counted(), before, strict=True))):
        new = [name for name in open_files() if name not in files]
        raise AssertionError(f"before {before}, now {counted()}: {threads()}, {new}")
