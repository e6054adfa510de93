"""A thread of its own for a driver that keeps its sockets to itself, so that every wait for it still ends.

Such a driver (it speaks HTTP through a library, or waits in C) cannot be cut off from outside. So its calls
are made in a thread that belongs to the session, and whoever waits for a call can be sent away: the call is
then left to itself, and ends when the driver's own limits end it. What it brings back is given up there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import ConnectionLost
from .sockets import Cut

__all__ = ["DriverThread"]

T = TypeVar("T")

_PAUSE_SECONDS = 0.05
"""A thread that was not called for so long has time for what nobody waits for, ..."""
_MOST_POSTED = 8
"""... and for the oldest of more than this at once."""


class _Call:
    """One call on its way, and what became of it."""

    def __init__(
        self, work: Callable[[], Any], undo: Callable[[Any], object] | None = None, *, waited_for: bool = True
    ) -> None:
        self.work, self.undo = work, undo
        self.waited_for = waited_for
        self.over = False
        self.result: Any = None
        self.error: BaseException | None = None


class DriverThread(Cut):
    """Runs the calls of one session, one after the other; `cut` sends everybody who waits away.

    Parameters
    ----------
    name : str
        Of the thread, for whoever looks at the process.

    Attributes
    ----------
    at_end : callable, optional
        Says goodbye and closes the driver's connection. It is run in the thread, once, when the session is
        closed or cut; what it raises is dropped, for nobody is there to read it.
    """

    def __init__(self, name: str) -> None:
        self.done = False
        self.at_end: Callable[[], object] | None = None
        self._changed = threading.Condition()
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._posted: deque[_Call] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
        """Run ``work`` in the thread, and return or raise what it does.

        Parameters
        ----------
        undo : callable, optional
            Gives back what ``work`` returned, where nobody waits for it any more.

        Raises
        ------
        ConnectionLost
            The session was cut, before or meanwhile.
        """
        call = _Call(work, undo)
        with self._changed:
            if self.done or self._closed:
                raise ConnectionLost("The session is closed.", hint="Run it again.")
            self._calls.put(call)
            self._changed.wait_for(lambda: call.over or self.done)
            if not call.over:
                raise ConnectionLost("The session was cut off.", hint="Run it again.")
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[no-any-return]

    def post(self, work: Callable[[], object]) -> None:
        """Run ``work`` in a pause of the thread; nobody waits, and what it raises is dropped.

        A call that follows at once does not wait for it; a session that is closed leaves it out.
        """
        with self._changed:
            if not (self.done or self._closed):
                self._calls.put(_Call(work, waited_for=False))

    def cut(self) -> None:
        with self._changed:
            if not self._closed:
                self.done = True
                self._calls.put(None)
                self._changed.notify_all()

    def finish(self, seconds: float) -> None:
        """Let `at_end` run, and wait for it so long at most."""
        end = time.monotonic() + seconds
        self.close()
        if not self.done:  # a call that was given up ends when the driver's own limits end it
            self._thread.join(max(0.0, end - time.monotonic()))

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._calls.put(None)

    def _next(self) -> _Call | None:
        """Return the next call, or in a pause what was posted; None at the end."""
        while len(self._posted) <= _MOST_POSTED:
            try:
                call = self._calls.get(timeout=_PAUSE_SECONDS if self._posted else None)
            except queue.Empty:
                break
            if call is None or call.waited_for:
                return call
            self._posted.append(call)
        return self._posted.popleft()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call.result = call.work()
            except BaseException as exc:  # raised again where the call was made
                call.error = exc
            with self._changed:
                call.over = True
                waited_for = not self.done
                self._changed.notify_all()
            if not waited_for and call.undo is not None and call.error is None:
                with suppress(Exception):  # nobody is there to read it
                    call.undo(call.result)
            del call  # the last result is not held until the next one
        if self.at_end is not None:
            with suppress(Exception):  # as above
                self.at_end()
