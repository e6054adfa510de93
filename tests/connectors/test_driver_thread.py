"""A driver's calls are made in one thread, and whoever waits for one can be sent away."""

from __future__ import annotations

import threading
import time

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
