"""What ran: one row a run, visible to every process of the user.

Rules:

- The query's path never waits for the disk and never sees the store fail: `History.start` and
  `History.finish` put a row in a bounded queue, and one thread writes what is there in one
  transaction. It waits `GATHER_SECONDS` first: the start and the end of a short run are then one row
  written once, and a panel of another process still sees what runs.
- Nothing that was queued is lost at a normal exit: `History.flush` runs at exit, and before every read,
  so that a process reads its own writes.
- A row that cannot be written is given up, and `History.problem` says so. Where another process keeps the
  store locked, it is tried again for `LOCKED_SECONDS`.
- While a run is open its row's heartbeat is renewed. A row whose process is gone becomes ``lost``.
- Any process of the user may ask for a run to stop (`History.ask_to_stop`): the one that runs it looks once a
  second while it runs anything, and calls `History.on_stop`.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..models import HistoryEntry, Notice, RunState
from . import rows
from .inspection import is_locked
from .process import alive, this_process

if TYPE_CHECKING:
    from .database import Store

__all__ = ["History"]

CAPACITY = 10_000  # rows on their way at most
BEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0  # between two looks for runs that another process asks to stop
STALE_SECONDS = 120.0  # a run of another machine that has not beaten for so long is lost
OTHERS_SECONDS = 3600.0
PRUNE_EVERY = 200  # finished runs between two prunings
FLUSH_SECONDS = 10.0
GATHER_SECONDS = 0.1
LOCKED_SECONDS = 300.0
RETRY_SECONDS = 0.5


Write = tuple[str, Sequence[Any]]  # a statement and what is bound in it
Pending = HistoryEntry | Write


class History:
    """The runs of one store. Safe from any thread, and across a fork.

    Parameters
    ----------
    store : Store
    rows : int
        Finished runs kept; older ones are removed.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> from pathlib import Path
    >>> from aiser_jupyter.store.database import Store
    >>> history = History(Store(Path(tempfile.mkdtemp()) / "aiser"))
    >>> entry = HistoryEntry("1", datetime.now(UTC), "ann", "local", RunState.RUNNING, "SELECT 1")
    >>> history.start(entry)
    >>> history.list() == [entry]
    True
    """

    _thread: threading.Thread | None

    def __init__(self, store: Store, rows: int = 10_000) -> None:
        self._store = store
        self._rows = rows
        self.problem: Notice | None = None
        self.on_stop: Callable[[str], object] | None = None
        self._reset()
        _histories.add(self)

    def start(self, entry: HistoryEntry) -> None:
        """Keep a run that begins. Never raises, never waits."""
        with self._wake:
            self._running.add(entry.id)
        self._save(entry)

    def heartbeat(self, id: str) -> None:
        """Say that a run is still going; its process does so by itself every 10 s."""
        self._put((rows.BEAT, (time.time(), id)))

    def finish(self, entry: HistoryEntry) -> None:
        """Keep how a run ended, whether its start was kept or not. Never raises, never waits."""
        with self._wake:
            self._running.discard(entry.id)
            self._finished += 1
            prune = self._finished % PRUNE_EVERY == 1
        self._save(entry)
        if prune:
            self._put((rows.PRUNE, (self._rows,)))

    def list(
        self,
        limit: int = 50,
        search: str = "",
        state: RunState | None = None,
        before: str | None = None,
        user: str | None = None,
    ) -> list[HistoryEntry]:
        """Return runs, newest first; none while the store cannot be used.

        Parameters
        ----------
        limit : int
            Runs at most.
        search : str
            Only runs with this text in their SQL, connection or error, in any case, or with an id that begins
            so.
        state : RunState, optional
            Only runs in this state.
        before : str, optional
            Id of a run: only runs older than it, for the next page.
        user : str, optional
            Only this one's runs: a server may have more than one in its store.
        """
        self.flush()
        where, values = rows.condition(search, state, before, user)
        sql = rows.SELECT + where + " ORDER BY started_at DESC, id DESC LIMIT ?"
        return [entry for row in self._select(sql, (*values, limit)) if (entry := self._entry(row))]

    def get(self, id: str) -> HistoryEntry | None:
        """Return one run, or None where there is no such run."""
        self.flush()
        found = self._select(rows.SELECT + "WHERE id = ?", (id,))
        return self._entry(found[0]) if found else None

    def ask_to_stop(self, id: str, user: str) -> bool:
        """Ask the process that runs it to stop a run of ``user``; False where no such run is open.

        Raises
        ------
        StoreError
        """
        self.flush()
        with self._store.write() as connection:
            return bool(connection.execute(rows.ASK_TO_STOP, (id, user)).rowcount)

    def prune(self) -> None:
        """Remove the oldest finished runs past the number kept."""
        self._put((rows.PRUNE, (self._rows,)))
        self.flush()

    def reap(self, user: str | None = None) -> Sequence[HistoryEntry]:
        """Mark open runs whose process is gone as lost; return them as they were.

        A run of another machine (or container) counts as lost once its heartbeat is two minutes old. A run
        that was only asleep says how it ended when it wakes up.

        Parameters
        ----------
        user : str, optional
            Who asks: a run of somebody else that may still go on at a database is left for an hour to them,
            for nobody else can stop it.
        """
        self.flush()
        now = time.time()
        found = [(host, beat, self._entry(row)) for host, beat, *row in self._select(rows.OPEN)]
        lost = [
            entry
            for host, beat, entry in found
            if entry
            and not _lives(entry.pid, host, now - beat)
            and (user in (None, entry.user) or not entry.handle or now - beat > OTHERS_SECONDS)
        ]
        for entry in lost:
            self._put((rows.LOSE, (entry.id,)))
        self.flush()
        return lost

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Wait until everything queued was written or given up; False where that took too long."""
        with self._wake:
            wanted = self._queued
            self._urgent.set()
            return self._wake.wait_for(lambda: self._settled >= wanted, timeout)

    def close(self) -> None:
        """Write what is queued and end the thread. The next write starts another."""
        self.flush(FLUSH_SECONDS)
        with self._wake:
            thread, self._thread = self._thread, None
            self._urgent.set()
            self._wake.notify_all()
        if thread is not None:
            thread.join(FLUSH_SECONDS)

    def _save(self, entry: HistoryEntry) -> None:
        self._put(entry)

    def _put(self, write: Pending) -> None:
        with self._wake:
            if len(self._pending) >= CAPACITY:
                self._give_up(1, "the store does not keep up")
                return
            self._pending.append(write)
            self._queued += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aiser-history", daemon=True)
                self._thread.start()
            if len(self._pending) == 1:
                self._wake.notify_all()

    def _run(self) -> None:
        """Write what is queued, all of it in one transaction, until the history is closed."""
        me = threading.current_thread()
        beaten = looked = time.monotonic()
        while True:
            with self._wake:
                next_look = min(looked + LOOK_SECONDS, beaten + BEAT_SECONDS)
                due = max(0.0, next_look - time.monotonic()) if self._running else None
                self._wake.wait_for(lambda: self._pending or self._thread is not me, due)
                if not self._pending and self._thread is not me:
                    return
                running = set(self._running)
            if self._pending:
                self._urgent.wait(GATHER_SECONDS)
            with self._wake:
                self._urgent.clear()
                taken = tuple(self._pending)
                self._pending.clear()
                beats: Sequence[Write] = ()
                if time.monotonic() >= beaten + BEAT_SECONDS:
                    beaten = time.monotonic()
                    beats = [(rows.BEAT, (time.time(), id)) for id in self._running]
            written = not (taken or beats) or self._write(taken, beats)
            if running and time.monotonic() >= looked + LOOK_SECONDS:
                looked = time.monotonic()
                self._look(running)
            with self._wake:
                if written:
                    self._settled += len(taken)
                else:
                    self._pending.extendleft(reversed(taken))
                self._wake.notify_all()
            if not written:
                time.sleep(RETRY_SECONDS)  # who waits for the store in this process has a turn

    def _look(self, running: set[str]) -> None:
        """Stop those of our runs that another process asks to stop."""
        for (id,) in self._select(rows.ASKED):
            if id in running and self.on_stop is not None:
                self.on_stop(id)

    def _encoded(self, taken: Sequence[Pending]) -> Iterator[Write]:
        """Give what was queued in its order, of the rows of one run only the last."""
        last = {entry.id: entry for entry in taken if isinstance(entry, HistoryEntry)}
        for write in taken:
            if not isinstance(write, HistoryEntry):
                yield write
            elif last[write.id] is write:
                yield rows.UPSERT, rows.values(write, time.time(), self._host)

    def _write(self, taken: Sequence[Pending], beats: Sequence[Write]) -> bool:
        """Write, or give up; False where another process keeps the store locked, and there is time still."""
        began = time.monotonic()
        try:
            with self._store.write() as connection:
                for sql, parameters in (*self._encoded(taken), *beats):
                    connection.execute(sql, parameters)
            self._locked_since = math.inf
        except StoreError as exc:
            if taken and is_locked(exc) and self._may_wait(began):
                return False
            self._give_up(len(taken) + len(beats), exc.message, exc.hint)
        except Exception as exc:  # the thread must live on: whatever it is becomes the notice
            self._give_up(len(taken) + len(beats), repr(exc))
        return True

    def _may_wait(self, began: float) -> bool:
        """Say whether what could not be written waits for the lock: not for ever, nor at the end."""
        self._locked_since = min(self._locked_since, began)
        late = time.monotonic() - self._locked_since > LOCKED_SECONDS
        return not late and self._thread is threading.current_thread()

    def _give_up(self, count: int, why: str, hint: str = "") -> None:
        text = f"The history misses {count} change{'s' if count > 1 else ''}: {why}"
        self.problem = Notice("history", f"{text} {hint}".strip())

    def _select(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        try:
            return self._store.read(sql, parameters)
        except StoreError as exc:
            self.problem = Notice("history", f"The history cannot be read: {exc.message} {exc.hint}".strip())
            return []

    def _entry(self, row: Sequence[Any]) -> HistoryEntry | None:
        try:
            return rows.entry(row)
        except (ValueError, TypeError) as exc:
            self.problem = Notice("history", f"A run in the history cannot be read: {exc}.")
            return None

    def _reset(self) -> None:
        # Also in a forked child: the thread and what it had to write are the parent's.
        self._wake = threading.Condition()
        self._urgent = threading.Event()
        self._pending: deque[Pending] = deque()
        self._running: set[str] = set()
        self._thread = None
        self._queued = self._settled = self._finished = 0
        self._locked_since = math.inf
        self._host = this_process()


def _lives(pid: int | None, host: str, silent: float) -> bool:
    found = None if pid is None else alive(pid, host)
    return silent < STALE_SECONDS if found is None else found


_histories: weakref.WeakSet[History] = weakref.WeakSet()


@atexit.register
def _flush_all() -> None:
    for history in list(_histories):
        history.flush()


def _after_fork() -> None:
    for history in list(_histories):
        history._reset()


os.register_at_fork(after_in_child=_after_fork)
