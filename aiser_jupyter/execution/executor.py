"""``Executor``: the only thread pool of a process. Queries run here and never in the main thread.

Rules:

- At most ``workers`` runs go on and ``queue`` wait; the next one is refused at once.
- A deadline and a cancel hold whatever the work does: work that has not ended ``GRACE`` seconds after it was
  asked to is given up. Its future fails, its worker no longer counts, and what it may
  still return is dropped.
- A future is resolved once, by whoever is first: its worker, or the watcher. It cannot be cancelled by
  ``Future.cancel``; `Executor.cancel` and ``run.cancel`` are the ways.
- Asking a database to stop may block, so it is done in a thread of its own and neither the watcher nor
  the caller waits for it.
- Threads are daemons, begin with the first run that needs them and leave after ``IDLE`` seconds. A forked
  child begins with none: the futures of the parent's runs never resolve there.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any, Generic, TypeVar

from ..errors import DeadlineExceeded, QueryCancelled, QueueFull
from ..run import Phase, Run

__all__ = ["Executor"]

T = TypeVar("T")
Failed = Callable[[BaseException], None]

GRACE = 2.0  # seconds between being asked to stop and being given up
SOON = 0.5  # seconds more, for what happens at once unless a driver blocks
IDLE = 10.0  # seconds a worker waits for more


class _Task(Generic[T]):
    """One submitted run. Guarded by the executor's lock."""

    def __init__(self, run: Run, work: Callable[[], T], failed: Failed | None) -> None:
        self.run = run
        self.work = work
        self.failed = failed
        self.future: Future[T] = Future()
        self.future.set_running_or_notify_cancel()
        self.started = False
        self.ended = False
        self.give_up_at: float | None = None
        self.listening: AbstractContextManager[None] | None = None

    def resolve(self, value: Any, error: BaseException | None) -> None:
        """Called once, without the lock: callbacks of the future run here."""
        if self.listening is not None:
            self.listening.__exit__(None, None, None)
        if error is None:
            self.future.set_result(value)
            return
        try:
            if self.failed is not None:
                self.failed(error)
        except Exception:  # the thread, and who waits for the future, must go on
            logging.getLogger(__name__).exception("Run %s failed, and so did keeping why", self.run.id)
        self.future.set_exception(error)

    @property
    def due(self) -> float | None:
        """When the watcher must look at it."""
        return self.give_up_at if self.give_up_at is not None else self.run.deadline


class Executor:
    """Runs queries in threads, under a limit, a deadline and a cancel signal.

    Parameters
    ----------
    workers : int
        Runs that go on at the same time.
    queue : int
        Runs that may wait for a worker.

    Examples
    --------
    >>> executor = Executor(workers=4, queue=8)
    >>> run = Run("1", timeout=5)
    >>> executor.wait(executor.submit(run, lambda: 6 * 7), run)
    42
    """

    _watcher: threading.Thread | None

    def __init__(self, workers: int, queue: int) -> None:
        self._limit = workers
        self._capacity = workers + queue
        self._numbers = count(1)
        self._reset()
        _executors.add(self)

    def submit(self, run: Run, work: Callable[[], T], failed: Failed | None = None) -> Future[T]:
        """Start ``work`` in a worker, or queue it.

        Parameters
        ----------
        run : Run
            Its deadline and cancel signal are enforced; phase ``queue`` begins here.
        work : callable
            Takes nothing; its value or its exception becomes the future's.
        failed : callable, optional
            Receives what the run failed with, once and before the future has it: whoever waits finds done
            what this does.

        Raises
        ------
        QueueFull
            As many runs as may wait are waiting, or the executor was closed.
        """
        task = _Task(run, work, failed)
        run.emit(Phase("queue"))
        with self._lock:
            self._admit()
            self._tasks[task] = None
            self._waiting.append(task)
            self._work.notify()
            self._watch(task)
        listening = run.on_cancel(lambda: self._asked_to_stop(task))
        listening.__enter__()  # calls back at once where the run was cancelled before
        with self._lock:
            if not task.ended:
                task.listening = listening
                return task.future
        listening.__exit__(None, None, None)
        return task.future

    def wait(
        self,
        future: Future[T],
        run: Run,
        tick: Callable[[], None] | None = None,
        interval: float = 0.1,
    ) -> T:
        """Block until the run ended, in short waits, so that an interrupt of this thread arrives at once.

        Parameters
        ----------
        tick : callable, optional
            Called every ``interval`` seconds meanwhile.

        Raises
        ------
        QueryCancelled
            The thread was interrupted. The run was asked to stop; ``confirmed`` says whether it did.
        AiserError
            What the run failed with.
        """
        ended = threading.Event()
        try:
            future.add_done_callback(lambda _: ended.set())
            while not ended.wait(interval):
                if tick is not None:
                    tick()
        except KeyboardInterrupt:
            raise _interrupted(future, run, ended) from None
        return future.result()

    def running(self) -> list[Run]:
        """Return the runs that go on or wait, oldest first."""
        with self._lock:
            return [task.run for task in self._tasks]

    def cancel(self, run_id: str) -> bool:
        """Ask a run to stop; False where no such run goes on or waits here."""
        for run in self.running():
            if run.id == run_id:
                _ask_to_stop(run)
                return True
        return False

    def close(self, wait: bool = False) -> None:
        """Cancel every run and take no more.

        Parameters
        ----------
        wait : bool
            Block until each has ended or was given up.
        """
        with self._lock:
            self._closed = True
            tasks = list(self._tasks)
            self._work.notify_all()
        for task in tasks:
            _ask_to_stop(task.run)
        if wait:
            wait_for([task.future for task in tasks], GRACE + SOON)

    # -- workers --------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Lock held. Refuse the next task, or see that a worker is there for it."""
        if self._closed:
            raise QueueFull("Queries are not taken any more: this process is closing.")
        if len(self._tasks) >= self._capacity:
            raise QueueFull(
                f"{self._limit} queries run and {self._capacity - self._limit} wait; no more are taken.",
                hint="Try again when some have finished, or cancel some: %aiser cancel.",
            )
        try:
            if self._idle <= len(self._waiting) and self._workers < self._limit:
                self._start_worker()
            if self._watcher is None:  # there is one for as long as there are tasks
                watcher = threading.Thread(target=self._watch_all, name="aiser-watch", daemon=True)
                watcher.start()
                self._watcher = watcher
        except RuntimeError as exc:
            raise QueueFull("The system starts no more threads.", hint="Try again later.") from exc

    def _start_worker(self) -> None:
        """Lock held."""
        name = f"aiser-{next(self._numbers)}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._workers += 1

    def _serve(self) -> None:
        while (task := self._next()) is not None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = task.work()
            except BaseException as exc:  # whatever it is belongs to the future
                error = exc
            with self._lock:
                if task.ended:
                    return  # given up meanwhile, and this thread no longer counts
                self._take_out(task)
            task.resolve(value, error)
            del task, value, error  # an idle worker must not keep a result alive

    def _next(self) -> _Task[Any] | None:
        """Wait for a task; None where the worker should leave."""
        with self._lock:
            self._idle += 1
            self._work.wait_for(lambda: self._waiting or self._closed, IDLE)
            self._idle -= 1
            if self._closed or not self._waiting:  # what waits at a close is cancelled, and never runs
                self._workers -= 1
                return None
            task = self._waiting.popleft()
            task.started = True
            return task

    def _take_out(self, task: _Task[Any]) -> None:
        """Lock held. Whoever does this, once, resolves the task after giving the lock back."""
        task.ended = True
        del self._tasks[task]

    # -- deadlines ------------------------------------------------------------------------------------

    def _asked_to_stop(self, task: _Task[Any]) -> None:
        """Called when a run is cancelled: what waits never runs, what runs has ``GRACE`` seconds."""
        with self._lock:
            if task.ended:
                return
            if task.started:
                task.give_up_at = time.monotonic() + GRACE
                self._watch(task)
                return
            self._waiting.remove(task)
            self._take_out(task)
        task.resolve(None, task.run.stopped())

    def _watch(self, task: _Task[Any]) -> None:
        """Lock held. See that the watcher wakes up in time for ``task``."""
        if task.due is not None and task.due < self._looks_at:
            self._look.notify()

    def _watch_all(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                late = [task for task in self._tasks if task.due is not None and task.due <= now]
                if not late:
                    dues = [task.due for task in self._tasks if task.due is not None]
                    self._looks_at = min([*dues, now + IDLE])
                    self._look.wait(self._looks_at - now)
                    if not self._tasks and time.monotonic() >= self._looks_at:
                        self._watcher = None
                        return
                    continue
                over_deadline = [task for task in late if task.give_up_at is None]
                given_up = [task for task in late if task.give_up_at is not None]
                for task in over_deadline:
                    task.give_up_at = now + GRACE
                for task in given_up:
                    self._give_up(task)
            for task in over_deadline:
                _ask_to_stop(task.run, timed_out=True)
            for task in given_up:
                task.resolve(None, _given_up(task.run))
            del late, over_deadline, given_up

    def _give_up(self, task: _Task[Any]) -> None:
        """Lock held. Stop counting a worker that does not come back, and let another take its place."""
        self._take_out(task)
        self._workers -= 1
        if self._waiting and self._workers < self._limit:
            with suppress(RuntimeError):  # the system starts no thread now; the next submit tries again
                self._start_worker()

    def _reset(self) -> None:
        # Also in a forked child: threads, queue and lock are the parent's.
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._look = threading.Condition(self._lock)
        self._waiting: deque[_Task[Any]] = deque()
        self._tasks: dict[_Task[Any], None] = {}
        self._workers = self._idle = 0
        self._closed = False
        self._watcher = None
        self._looks_at = 0.0


def _ask_to_stop(run: Run, *, timed_out: bool = False) -> None:
    """Cancel in a thread of its own; here, where the system starts none."""
    options = {"timed_out": timed_out}
    thread = threading.Thread(target=run.cancel, kwargs=options, name="aiser-cancel", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        run.cancel(timed_out=timed_out)


def _given_up(run: Run) -> DeadlineExceeded | QueryCancelled:
    stopped = run.stopped()
    hint = f"It has not confirmed that it stopped, and may go on for a while. {stopped.hint}".strip()
    if isinstance(stopped, QueryCancelled):
        return QueryCancelled(stopped.message, hint=hint, confirmed=False)
    return DeadlineExceeded(stopped.message, hint=hint, confirmed=False)


def _interrupted(future: Future[Any], run: Run, ended: threading.Event) -> QueryCancelled:
    """Stop the run and return what to raise; a second interrupt ends the waiting."""
    with suppress(KeyboardInterrupt):
        _ask_to_stop(run)
        ended.wait(GRACE + SOON)
    if not future.done():
        return QueryCancelled(
            "The query was cancelled; it has not confirmed that it stopped.", confirmed=False
        )
    error = future.exception()
    if isinstance(error, QueryCancelled):
        return QueryCancelled(error.message, hint=error.hint, confirmed=error.confirmed)
    if isinstance(error, DeadlineExceeded):  # at the same moment
        return QueryCancelled("The query was cancelled.", hint=error.hint, confirmed=error.confirmed)
    return QueryCancelled("The query was cancelled.")


_executors: weakref.WeakSet[Executor] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for executor in list(_executors):
        executor.close(wait=True)


def _after_fork() -> None:
    for executor in list(_executors):
        executor._reset()


os.register_at_fork(after_in_child=_after_fork)
