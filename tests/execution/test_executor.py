"""The thread pool: its limits hold, and its threads come and go."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from aiser_jupyter.errors import DeadlineExceeded, QueryCancelled, QueryFailed, QueueFull
from aiser_jupyter.execution import executor as module
from aiser_jupyter.execution.executor import Executor
from aiser_jupyter.run import Event, Phase, Run


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def workers() -> list[str]:
    """Names of the worker threads that there are."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("aiser-") and name.split("-")[1].isdigit()]


def test_a_value_and_an_error_come_back(executor: Executor, a_run: Callable[..., Run]) -> None:
    run = a_run()
    assert executor.wait(executor.submit(run, lambda: 42), run) == 42

    def fail() -> None:
        raise QueryFailed("no")

    with pytest.raises(QueryFailed, match="no"):
        executor.wait(executor.submit(a_run(), fail), a_run())
    assert executor.running() == []


def test_a_first_query_starts_one_worker_and_the_next_ones_use_it(
    make: Callable[[int, int], Executor], a_run: Callable[..., Run]
) -> None:
    executor = make(64, 200)
    before = set(workers())
    names = set()
    for _ in range(10):
        names.add(executor.submit(a_run(), lambda: threading.current_thread().name).result(5))
        assert until(lambda: executor._idle == 1)
    assert names == set(workers()) - before
    assert len(names) == 1


def test_work_is_never_done_in_the_callers_thread(executor: Executor, a_run: Callable[..., Run]) -> None:
    found = executor.submit(a_run(), threading.current_thread).result(5)
    assert found is not threading.current_thread()
    assert found.daemon


def test_the_queue_phase_begins_at_submit(executor: Executor) -> None:
    events: list[Event] = []
    run = Run("r", emit=events.append)
    executor.submit(run, lambda: None).result(5)
    assert events == [Phase("queue")]


def test_sixty_four_run_two_hundred_wait_and_one_more_is_refused_at_once(
    make: Callable[[int, int], Executor], gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    executor = make(64, 200)
    busy = threading.Semaphore(0)

    def work() -> None:
        busy.release()
        gate.wait()

    futures = [executor.submit(a_run(), work) for _ in range(264)]
    for _ in range(64):
        assert busy.acquire(timeout=5)
    assert not busy.acquire(timeout=0.05)  # the 65th waits
    began = time.perf_counter()
    with pytest.raises(QueueFull) as caught:
        executor.submit(a_run(), work)
    assert time.perf_counter() - began < 0.05
    assert "64 queries run and 200 wait" in caught.value.message
    assert caught.value.hint
    assert len(executor.running()) == 264
    gate.set()
    for future in futures:
        future.result(10)
    executor.submit(a_run(), work).result(5)


def test_those_that_wait_run_after_the_stuck_ones_were_given_up(
    make: Callable[[int, int], Executor],
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    a_run: Callable[..., Run],
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)
    executor = make(2, 8)
    stuck = [a_run(), a_run()]
    for run in stuck:
        executor.submit(run, gate.wait)
    waiting = [executor.submit(a_run(), lambda: "ran") for _ in range(4)]
    for run in stuck:
        executor.cancel(run.id)
    assert [future.result(2) for future in waiting] == ["ran"] * 4
    gate.set()  # their late results are dropped, and their threads leave
    assert until(lambda: executor._workers == executor._idle <= 2)


def test_idle_threads_leave(
    make: Callable[[int, int], Executor], monkeypatch: pytest.MonkeyPatch, a_run: Callable[..., Run]
) -> None:
    monkeypatch.setattr(module, "IDLE", 0.1)
    before = set(threading.enumerate())
    executor = make(8, 8)
    both = threading.Barrier(4)
    for future in [executor.submit(a_run(timeout=60), both.wait) for _ in range(4)]:
        future.result(5)
    assert until(lambda: set(threading.enumerate()) <= before, 2.0)
    assert executor.submit(a_run(), lambda: 1).result(5) == 1


def test_an_idle_worker_keeps_no_result_alive(executor: Executor, a_run: Callable[..., Run]) -> None:
    import gc
    import weakref

    class Result:
        pass

    found = weakref.ref(executor.submit(a_run(), Result).result(5))
    assert until(lambda: gc.collect() >= 0 and found() is None)


def test_closing_cancels_everything_and_takes_no_more(
    make: Callable[[int, int], Executor], gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    executor = make(1, 4)
    runs = [a_run() for _ in range(3)]

    def work() -> None:
        with runs[0].on_cancel(gate.set):
            gate.wait()
        runs[0].check()

    futures = [executor.submit(runs[0], work), *(executor.submit(run, gate.wait) for run in runs[1:])]
    executor.close(wait=True)
    assert all(isinstance(future.exception(0), QueryCancelled) for future in futures)
    with pytest.raises(QueueFull, match="closing"):
        executor.submit(a_run(), lambda: None)


def test_waiting_ticks(executor: Executor, a_run: Callable[..., Run]) -> None:
    ticks: list[float] = []
    run = a_run()
    future = executor.submit(run, lambda: time.sleep(0.35))
    executor.wait(future, run, lambda: ticks.append(time.monotonic()), interval=0.1)
    assert 2 <= len(ticks) <= 4


def test_a_quick_query_costs_little(executor: Executor, a_run: Callable[..., Run]) -> None:
    times = []
    for _ in range(300):
        run = a_run(timeout=60)
        began = time.perf_counter()
        executor.wait(executor.submit(run, lambda: None), run)
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.000_5  # 0.09 ms where nothing else runs


def test_thousands_of_runs_with_cancels_from_everywhere_all_end(
    make: Callable[[int, int], Executor], monkeypatch: pytest.MonkeyPatch, a_run: Callable[..., Run]
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.5)
    executor = make(8, 2_000)
    runs = [a_run(timeout=0.02 if n % 7 == 0 else 30) for n in range(1_500)]

    def work(run: Run) -> Callable[[], str]:
        def wait_a_little() -> str:
            time.sleep(0.0005)
            run.check()
            return run.id

        return wait_a_little

    futures = [executor.submit(run, work(run)) for run in runs]
    for run in runs[::5]:
        run.cancel()
    for run, future in zip(runs, futures, strict=True):
        error = future.exception(20)
        if error is None:
            assert future.result() == run.id
        else:
            assert isinstance(error, QueryCancelled if not run._timed_out else DeadlineExceeded)
    assert executor.running() == []
    assert until(lambda: executor._workers == executor._idle)
    assert not any(run._stoppers for run in runs)


FORKED = """
import os
from aiser_jupyter.execution.executor import Executor
from aiser_jupyter.run import Run
executor = Executor(2, 2)
assert executor.submit(Run("1", timeout=60), lambda: 1).result(5) == 1
child = os.fork()
assert executor.submit(Run("2", timeout=60), lambda: 2).result(5) == 2
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_both_sides_of_a_fork_go_on() -> None:
    ignore = "ignore::DeprecationWarning"  # newer Pythons warn of a fork beside threads, which this is about
    subprocess.run([sys.executable, "-W", "error", "-W", ignore, "-c", FORKED], check=True, timeout=30)


def test_why_a_run_failed_is_kept_before_anybody_hears_of_it(
    executor: Executor, a_run: Callable[..., Run]
) -> None:
    kept: list[BaseException] = []

    def keep(error: BaseException) -> None:
        time.sleep(0.2)  # who waits would be here first
        kept.append(error)

    def fail() -> None:
        raise QueryFailed("no")

    with pytest.raises(QueryFailed) as failed:
        executor.wait(executor.submit(a_run(), fail, keep), a_run())
    assert kept == [failed.value]
    assert executor.submit(a_run(), lambda: 42, keep).result(5) == 42
    assert len(kept) == 1


def test_a_failure_that_cannot_be_kept_is_still_raised(
    executor: Executor, a_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise QueryFailed("no")

    def broken(error: BaseException) -> None:
        raise RuntimeError("the record is broken")

    for _ in range(3):
        with pytest.raises(QueryFailed):
            executor.submit(a_run(), fail, broken).result(5)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError] * 3
    assert executor.submit(a_run(), lambda: 42).result(5) == 42
