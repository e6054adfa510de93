"""Which process wrote a row, and whether it still lives."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

__all__ = ["alive", "place", "this_process"]

UNKNOWN = "-"


@functools.cache
def place() -> str:
    """Name the space in which a process id means something: host, start of its kernel, pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot = namespace = UNKNOWN
    return f"{platform.node()} {boot} {namespace}"


def this_process() -> str:
    """Return what a row says of its writer besides the pid: its `place` and when it started."""
    return f"{place()} {_started(os.getpid())}"


def alive(pid: int, host: str) -> bool | None:
    """Say whether the process that wrote ``host`` still runs; None where that cannot be known from here.

    A pid that was given to another process since counts as dead, and so does a zombie.
    """
    where, _, started = host.rpartition(" ")
    if where != place():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody's process has that pid
    now = _started(pid)
    return UNKNOWN in (now, started) or now == started


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; ``dead`` for a zombie; or `UNKNOWN`."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return UNKNOWN
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and parentheses
    return "dead" if fields[0] in "ZX" else fields[19]
