"""How much memory the processes of all persons may be promised together, and who ends for another.

Each process has a limit of its own, which the operating system keeps. Their sum would grow with the number of
persons: it is bounded here. Rules:

- a process is let in where its promise fits beside the others', and always where it is alone;
- else the process that has rested longest is ended, one without tables before one with them;
- where all of them work, the newcomer waits for `WAIT` seconds at most, and is then told to come back.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ...errors import QueueFull

__all__ = ["Room", "Tenant"]

WAIT = 5.0
"""Seconds until a newcomer is told that there is no room."""


class Tenant(Protocol):
    """A process that has been promised memory."""

    kept: bool
    """Whether it may hold tables, which end with it."""

    @property
    def resting(self) -> float | None:
        """When it last had something to do, on the monotonic clock; None while it has."""

    def retire(self) -> bool:
        """End it, and wait for that; False where it has something to do after all."""


class Room:
    """Promises of memory. Safe from any thread.

    Parameters
    ----------
    wait : float
        Seconds until a newcomer is told that there is no room.
    """

    def __init__(self, wait: float = WAIT) -> None:
        self._wait = wait
        self._changed = threading.Condition()
        self._promised: dict[object, int] = {}
        self._tenants: dict[object, Tenant] = {}
        self._ending: set[object] = set()

    def enter(self, key: object, wanted: int, total: int) -> None:
        """Promise memory to a process that is about to start.

        Parameters
        ----------
        key : object
            For `settle` and `leave`.
        wanted, total : int
            Bytes of it, and of all together.

        Raises
        ------
        QueueFull
            The others have it all, and each of them works.
        """
        until = time.monotonic() + self._wait
        while (found := self._enter(key, wanted, total, until)) is not None:
            resting, tenant = found
            if not tenant.retire():  # without the lock: a process may take a while to end
                with self._changed:
                    self._ending.discard(resting)

    def settle(self, key: object, tenant: Tenant) -> None:
        """Name the process that was started on a promise: from now on it may be ended for another."""
        with self._changed:
            self._tenants[key] = tenant

    def rests(self) -> None:
        """A process has nothing to do any more: whoever waits looks again."""
        with self._changed:
            self._changed.notify_all()

    def leave(self, key: object) -> None:
        """Give a promise back, when the process is gone. Safe to call twice."""
        with self._changed:
            self._promised.pop(key, None)
            self._tenants.pop(key, None)
            self._ending.discard(key)
            self._changed.notify_all()

    def _enter(self, key: object, wanted: int, total: int, until: float) -> tuple[object, Tenant] | None:
        """Make the promise, or return who has to end first."""
        with self._changed:
            while self._promised and sum(self._promised.values()) + wanted > total:
                resting = [
                    (tenant.kept, since, other)
                    for other, tenant in self._tenants.items()
                    if other not in self._ending and (since := tenant.resting) is not None
                ]
                if resting:
                    _, _, other = min(resting, key=lambda one: one[:2])
                    self._ending.add(other)
                    return other, self._tenants[other]
                if not self._changed.wait(until - time.monotonic()):
                    raise _full(total)
            self._promised[key] = wanted
            return None


def _full(total: int) -> QueueFull:
    from ...render.text import bytes_text

    return QueueFull(
        f"DuckDB's processes of others are at work, and have the {bytes_text(total)} that are for all.",
        hint="Try again in a moment. The administrator sets how much a process is promised, and all of them: "
        "AiserDuckDB.server_bytes and server_total_bytes.",
    )
