"""Deadlines, cancels and interrupts hold whatever the work does."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from aiser_jupyter.errors import DeadlineExceeded, QueryCancelled
from aiser_jupyter.execution import executor as module
from aiser_jupyter.execution.executor import Executor
from aiser_jupyter.run import Run


def test_work_that_hears_the_cancel_ends_with_its_own_error(
    executor: Executor, a_run: Callable[..., Run]
) -> None:
    run, started = a_run(), threading.Event()

    def work() -> None:
        stop = threading.Event()
        with run.on_cancel(stop.set):
            started.set()
            stop.wait()
        raise run.stopped()

    future = executor.submit(run, work)
    assert started.wait(5)
    assert executor.cancel(run.id)
    with pytest.raises(QueryCancelled) as caught:
        future.result(1)
    assert caught.value.confirmed
    assert not executor.cancel(run.id)


def test_cancelled_while_it_waits_it_never_runs(
    make: Callable[[int, int], Executor], gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    executor = make(1, 4)
    executor.submit(a_run(), gate.wait)
    ran: list[int] = []
    run = a_run()
    future = executor.submit(run, lambda: ran.append(1))
    run.cancel()
    with pytest.raises(QueryCancelled):
        future.result(0)
    gate.set()
    executor.submit(a_run(), lambda: None).result(5)
    assert ran == []


def test_cancelled_before_it_is_submitted_it_never_blocks(
    executor: Executor, a_run: Callable[..., Run]
) -> None:
    run = a_run()
    run.cancel()

    def work() -> None:
        run.check()

    with pytest.raises(QueryCancelled):
        executor.submit(run, work).result(5)
    assert executor.running() == []


def test_a_deadline_holds_against_work_that_ignores_it(
    make: Callable[[int, int], Executor], gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    executor = make(1, 4)
    run = a_run(timeout=0.2)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        executor.wait(executor.submit(run, gate.wait), run)
    assert 2.1 < time.monotonic() - began < 2.8  # the deadline and the grace
    assert "not confirmed" in caught.value.hint
    assert executor.running() == []
    # Its worker is stuck still, and another one takes its place.
    assert executor.submit(a_run(), lambda: "next").result(1) == "next"


def test_a_deadline_stops_work_that_listens(executor: Executor, a_run: Callable[..., Run]) -> None:
    run = a_run(timeout=0.1)

    def work() -> None:
        while True:
            run.check()
            time.sleep(0.005)

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        executor.wait(executor.submit(run, work), run)
    assert time.monotonic() - began < 0.5


def test_a_deadline_holds_while_waiting_for_a_worker(
    make: Callable[[int, int], Executor], gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    executor = make(1, 4)
    executor.submit(a_run(), gate.wait)
    run = a_run(timeout=0.1)
    with pytest.raises(DeadlineExceeded):
        executor.submit(run, lambda: None).result(1)


def test_an_earlier_deadline_is_met_although_a_later_one_was_there_first(
    executor: Executor, gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    executor.submit(a_run(timeout=60), gate.wait)
    time.sleep(0.05)
    run = a_run(timeout=0.1)

    def work() -> None:
        with run.on_cancel(gate.set):
            gate.wait(5)
        run.check()

    with pytest.raises(DeadlineExceeded):
        executor.submit(run, work).result(1)


def test_stopping_that_blocks_delays_no_other_deadline(
    executor: Executor, gate: threading.Event, a_run: Callable[..., Run]
) -> None:
    def blocked(run: Run) -> Callable[[], None]:
        def work() -> None:
            with run.on_cancel(lambda: gate.wait() and None):
                gate.wait()

        return work

    runs = [a_run(timeout=0.1) for _ in range(3)]
    futures = [executor.submit(run, blocked(run)) for run in runs]
    began = time.monotonic()
    for future in futures:
        with pytest.raises(DeadlineExceeded):
            future.result(5)
    assert time.monotonic() - began < 3.0


def test_a_late_result_is_dropped(
    executor: Executor, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, a_run: Callable[..., Run]
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)
    run, started = a_run(), threading.Event()

    def work() -> str:
        started.set()
        gate.wait()
        return "late"

    future: Future[str] = executor.submit(run, work)
    assert started.wait(5)
    run.cancel()
    with pytest.raises(QueryCancelled) as caught:
        future.result(1)
    assert not caught.value.confirmed
    gate.set()
    time.sleep(0.05)
    assert isinstance(future.exception(0), QueryCancelled)


INTERRUPTED = """
import signal, sys, threading, time
from aiser_jupyter.errors import QueryCancelled
from aiser_jupyter.execution.executor import Executor
from aiser_jupyter.run import Run
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins without
executor, run, stop = Executor(2, 2), Run("r", timeout=60), threading.Event()
def listens():
    with run.on_cancel(stop.set):
        stop.wait()
    raise run.stopped()
work = listens if sys.argv[1] == "listens" else (lambda: time.sleep(60))
future = executor.submit(run, work)
print("ready", flush=True)
try:
    executor.wait(future, run, lambda: None)
except QueryCancelled as exc:
    print("cancelled", exc.confirmed, run.cancelled, flush=True)
"""


@pytest.mark.parametrize(
    ("work", "least", "most", "says"),
    [("listens", 0.0, 0.5, "cancelled True True\n"), ("ignores", 1.5, 3.2, "cancelled False True\n")],
)
def test_an_interrupt_arrives_at_once(work: str, least: float, most: float, says: str) -> None:
    command = [sys.executable, "-W", "error", "-c", INTERRUPTED, work]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == says
        assert least <= time.monotonic() - began < most
        assert process.wait(10) == 0


def test_a_second_interrupt_ends_the_waiting() -> None:
    command = [sys.executable, "-W", "error", "-c", INTERRUPTED, "ignores"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        for _ in range(2):
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "cancelled False True\n"
        assert time.monotonic() - began < 1.2
        process.wait(10)
