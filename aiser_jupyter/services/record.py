"""``Record``: the history row of one run, from its first word to its last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import QueryCancelled
from ..models import HistoryEntry, RunState, Timings
from ..run import Handle

if TYPE_CHECKING:
    from ..result import QueryResult
    from ..run import Event, Run
    from ..store.history import History

__all__ = ["Record"]


class Record:
    """Writes how one run goes. Its end is written once, whoever comes first: its worker, or who gave it up.

    Parameters
    ----------
    history : History
    entry : HistoryEntry
        As much as is known before the run is planned.
    emit : callable, optional
        Receives every event of the run after the record has heard it.
    ended : callable, optional
        Receives the last row of the run and what it failed with, once, from any thread. It must not raise.
    """

    def __init__(
        self,
        history: History,
        entry: HistoryEntry,
        emit: Callable[[Event], None] | None = None,
        ended: Callable[[HistoryEntry, BaseException | None], None] | None = None,
    ) -> None:
        self._history = history
        self._entry = entry
        self._emit = emit
        self._ended = ended
        self._lock = Lock()
        self._claimed = False

    def hear(self, event: Event) -> None:
        """Take what a run reports: the database's handle belongs into its row, for other processes."""
        if isinstance(event, Handle):
            with self._lock:
                lines = [*self._entry.handle.splitlines(), f"{event.connection} {event.value}"]
                self._entry = replace(self._entry, handle="\n".join(dict.fromkeys(lines)))
                if not self._claimed:
                    self._history.start(self._entry)
        if self._emit is not None:
            self._emit(event)

    def learn(self, **known: Any) -> None:
        """Keep what planning found out."""
        self._entry = replace(self._entry, **known)

    def start(self) -> None:
        """Write that the run begins."""
        self._history.start(replace(self._entry, state=RunState.RUNNING))
        self.learn(state=RunState.RUNNING)

    def done(self, result: QueryResult, *, cached: bool = False) -> bool:
        """Write the result's figures; False where the run was given up before, and said so."""
        if not self._claim():
            return False
        self.learn(cached=cached)
        entry = self.retime(result)
        if self._ended is not None:
            self._ended(entry, None)
        return True

    def retime(self, result: QueryResult) -> HistoryEntry:
        """Write the figures, and again after the result was converted; return the row."""
        entry = replace(
            self._entry,
            state=RunState.DONE,
            timings=result.timings,
            seconds=result.timings.total,
            rows=result.row_count,
            bytes=result.table.nbytes,
            truncated=bool(result.truncated),
        )
        self._history.finish(entry)
        return entry

    def failed(self, run: Run, exc: BaseException) -> None:
        """Write why the run ended, and the run's id into the error: whoever reads it finds the record.

        A cancel has no record but the history's, and whoever asked for it looks for none.
        """
        from ..sql import redact

        if not self._claim():
            return
        timings = Timings(**run.watch.stop())
        cancelled = isinstance(exc, QueryCancelled)
        entry = replace(
            self._entry,
            state=RunState.CANCELLED if cancelled else RunState.FAILED,
            timings=timings,
            seconds=timings.total,
            error_code=getattr(exc, "code", "internal"),
            error=redact(str(getattr(exc, "message", exc)))[:2000],
        )
        self._history.finish(entry)
        if not cancelled:
            vars(exc)["run_id"] = entry.id
        if self._ended is not None:
            self._ended(entry, exc)

    def _claim(self) -> bool:
        """Return True to the first caller only."""
        with self._lock:
            first, self._claimed = not self._claimed, True
        return first
