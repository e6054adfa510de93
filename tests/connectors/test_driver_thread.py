"""A driver's calls are made in one thread, and whoever waits for one can be sent away."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from aiser_jupyter.connectors.driver_thread import DriverThread
from aiser_jupyter.errors import ConnectionLost
from tests.servers.leaks import eventually

NAME = "a driver of these tests"


def alive() -> bool:
    return any(thread.name == NAME for thread in threading.enumerate())


def test_calls_are_made_in_its_thread_and_return_or_raise_what_they_do() -> None:
    thread = DriverThread(NAME)
    assert thread.call(lambda: threading.current_thread().name) == NAME
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda: 1 // 0)
    assert thread.call(lambda: 2) == 2
    thread.finish(5)
    assert not alive()


def test_whoever_waits_is_sent_away_and_what_comes_late_is_given_back() -> None:
    thread, going_on, given_back = DriverThread(NAME), threading.Event(), []

    def slow() -> str:
        assert going_on.wait(30)
        return "late"

    began = time.monotonic()
    with thread.after(0.2), pytest.raises(ConnectionLost):
        thread.call(slow, undo=given_back.append)
    assert time.monotonic() - began < 10
    assert thread.done
    assert alive()  # in the driver, where nobody reaches it
    with pytest.raises(ConnectionLost):
        thread.call(lambda: 1)
    going_on.set()
    assert eventually(lambda: not alive())
    assert given_back == ["late"]


def test_it_says_goodbye_once_and_is_not_heard() -> None:
    said = []

    def goodbye() -> None:
        said.append(threading.current_thread().name)
        raise OSError("the server has gone")

    thread = DriverThread(NAME)
    thread.at_end = goodbye
    thread.cut()
    thread.finish(5)
    thread.cut()
    thread.close()
    assert eventually(lambda: not alive())
    assert said == [NAME]


def test_a_goodbye_that_hangs_holds_nobody() -> None:
    thread, going_on = DriverThread(NAME), threading.Event()
    thread.at_end = lambda: going_on.wait(30)
    began = time.monotonic()
    thread.finish(0.2)
    assert time.monotonic() - began < 10
    assert alive()
    going_on.set()
    assert eventually(lambda: not alive())


def test_a_result_is_not_held_for_longer_than_it_is_wanted() -> None:
    class Large:
        pass

    import gc
    import weakref

    thread = DriverThread(NAME)
    found = thread.call(Large)
    seen = weakref.ref(found)
    del found
    gc.collect()
    assert eventually(lambda: seen() is None)
    thread.finish(5)


def held(thread: DriverThread) -> threading.Event:
    """Keep the thread at work until the event is set."""
    begun, going_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert going_on.wait(30)

    threading.Thread(target=thread.call, args=[work]).start()
    assert begun.wait(30)
    return going_on


def test_a_call_does_not_wait_for_what_nobody_waits_for() -> None:
    thread, order = DriverThread(NAME), []
    going_on = held(thread)
    for number in range(10):
        thread.post(partial(order.append, number))
    threading.Thread(target=thread.call, args=[lambda: order.append("called")]).start()
    assert eventually(lambda: thread._calls.qsize() == 11)
    going_on.set()
    assert eventually(lambda: len(order) == 11)
    assert order == [0, 1, "called", *range(2, 10)]  # so much is not put off
    thread.finish(5)


def test_what_nobody_waits_for_is_left_out_at_the_end() -> None:
    thread, order = DriverThread(NAME), []
    thread.at_end = lambda: order.append("goodbye")
    going_on = held(thread)
    thread.post(lambda: order.append("posted"))
    thread.close()
    going_on.set()
    thread.finish(5)
    assert order == ["goodbye"]
