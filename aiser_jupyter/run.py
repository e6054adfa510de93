"""``Run``: what a computation must know about the run it belongs to, and nothing else.

It carries the deadline, the cancel signal and ``emit``. An engine registers how to stop with ``on_cancel``,
calls ``check`` between batches, and reports through ``emit``. Everything here is safe from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import DeadlineExceeded, QueryCancelled
from .models import Notice

__all__ = ["Event", "Handle", "Phase", "Progress", "Run", "Stopwatch"]


@dataclass(frozen=True, slots=True)
class Phase:
    """The run entered a part of ``Timings``."""

    name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the engine says it is: ``fraction`` from 0 to 1, None where it cannot say."""

    fraction: float | None = None
    rows: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Handle:
    """The database's own name for the running statement: a query id, a backend id.

    ``connection`` names the connection that it runs on: a statement may read several.
    """

    value: str
    connection: str = ""


Event = Phase | Progress | Handle | Notice


class Stopwatch:
    """Splits a stretch of time into named parts that add up to the whole.

    Examples
    --------
    >>> watch = Stopwatch("plan")
    >>> watch.start("execute")
    >>> sorted(watch.stop())
    ['execute', 'plan']
    """

    def __init__(self, first: str) -> None:
        self._parts: dict[str, float] = {}
        self._lock = threading.Lock()
        self._name: str | None = first
        self._since = time.monotonic()

    def start(self, name: str) -> None:
        """End the current part and begin ``name``; a part may be entered more than once."""
        with self._lock:
            self._close()
            self._name = name

    def stop(self) -> dict[str, float]:
        """End the current part and return seconds by part."""
        with self._lock:
            self._close()
            self._name = None
            return dict(self._parts)

    def _close(self) -> None:
        now = time.monotonic()
        if self._name is not None:
            self._parts[self._name] = self._parts.get(self._name, 0.0) + now - self._since
        self._since = now


class Run:
    """One run's deadline, cancel signal and event sink.

    Parameters
    ----------
    id : str
        The run's id, as in the history.
    timeout : float, optional
        Seconds from now; None is no deadline.
    emit : callable, optional
        Receives each `Event`, from any thread. It must not raise and must not block.
    watch : Stopwatch, optional
        Already running, where the run began before it was known what it is.
    tag : str
        Who runs it and where it stands, for the database's own logs and process list.
    """

    def __init__(
        self,
        id: str,
        *,
        timeout: float | None = None,
        emit: Callable[[Event], None] | None = None,
        watch: Stopwatch | None = None,
        tag: str = "",
    ) -> None:
        self.id = id
        self.tag = tag
        self.timeout = timeout
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.watch = watch or Stopwatch("plan")
        self.notices: list[Notice] = []
        self._emit = emit
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._timed_out = False
        self._stoppers: list[Callable[[], None]] = []

    def emit(self, event: Event) -> None:
        """Report progress, a phase, the database's handle, or a notice for the result."""
        if isinstance(event, Phase):
            self.watch.start(event.name)
        elif isinstance(event, Notice):
            self.notices.append(event)
        if self._emit is not None:
            self._emit(event)

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def remaining(self) -> float | None:
        """Seconds left before the deadline, at least 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def cancel(self, *, timed_out: bool = False) -> None:
        """Ask the run to stop: set the signal, then call every registered stopper once."""
        with self._lock:
            if self._cancelled.is_set():
                return
            self._timed_out = timed_out
            self._cancelled.set()
            stoppers = list(self._stoppers)
        for stop in stoppers:
            stop()

    @contextmanager
    def on_cancel(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call ``stop`` if the run is cancelled inside the block, at once if it already is."""
        with self._lock:
            already = self._cancelled.is_set()
            self._stoppers.append(stop)
        try:
            if already:
                stop()
            yield
        finally:
            with self._lock:
                self._stoppers.remove(stop)

    def check(self) -> None:
        """Raise if the run should not go on.

        Raises
        ------
        DeadlineExceeded, QueryCancelled
        """
        if not self._cancelled.is_set() and self.remaining == 0.0:
            self.cancel(timed_out=True)
        if self._cancelled.is_set():
            raise self.stopped()

    def stopped(self) -> DeadlineExceeded | QueryCancelled:
        """Return the error that says why this run was stopped; what a database's own
        "interrupted" error is translated to."""
        if self._timed_out:
            return DeadlineExceeded(
                f"The query did not finish within {self.timeout:g} s and was stopped.",
                hint="Give it longer with --timeout SECONDS (0 for no limit), or read less.",
            )
        return QueryCancelled("The query was cancelled.")
