"""Whose turn it is on a connection that several threads may reach but only one may use."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from ..errors import ConnectError

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Turn", "turn_of"]

_PATIENCE = 10.0
"""Seconds that a caller without a run (a listing of tables) waits for its turn."""


class Turn:
    """Held by one holder at a time; the same holder may take it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: object | None = None

    def take(self, holder: object, run: Run | None = None) -> None:
        """Wait for the turn, as long as ``run`` may go on.

        Raises
        ------
        QueryCancelled, DeadlineExceeded
            The run ended first.
        ConnectError
            There is no run to wait for, and the connection stayed busy.
        """
        if self._holder is holder:
            return
        if run is None:
            if not self._lock.acquire(timeout=_PATIENCE):
                raise ConnectError("The connection is busy with another statement.", hint="Try again later.")
        else:
            while not self._lock.acquire(timeout=0.05):
                run.check()
        self._holder = holder

    def give_back(self, holder: object) -> None:
        """End the turn; harmless for anybody else than its holder."""
        if self._holder is holder:
            self._holder = None
            self._lock.release()


_TURNS: weakref.WeakValueDictionary[int, Turn] = weakref.WeakValueDictionary()
_GUARD = threading.Lock()


def turn_of(connection: object) -> Turn:
    """Return the one `Turn` of ``connection``; it lives as long as somebody holds it."""
    with _GUARD:
        turn = _TURNS.get(id(connection))
        if turn is None:
            turn = _TURNS[id(connection)] = Turn()
        return turn
