"""A connection that breaks, falls silent or is slow: a typed error, in time, and the next query works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from aiser_jupyter.errors import (
    AiserError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    HostUnreachable,
    QueryCancelled,
    TLSFailed,
)
from aiser_jupyter.run import Run
from tests.faults.target import BUSY, Target
from tests.servers.leaks import eventually, nothing_left_behind
from tests.servers.proxy import Proxy

Later = Callable[[float, Callable[[], object]], None]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds + BUSY, f"it took {took:.1f} s"


def next_query_works(target: Target, proxy: Proxy, seconds: float = 2) -> None:
    proxy.set("pass")
    with within(seconds):
        assert target.ask("SELECT 1 AS one", target.config(port=proxy.port)).num_rows == 1


@pytest.mark.parametrize("after", [0, 300_000])
@pytest.mark.parametrize("mode", ["rst", "fin"])
def test_a_loss_in_mid_result_is_an_error_that_may_be_tried_again(
    target: Target, proxy: Proxy, mode: str, after: int
) -> None:
    config = target.config(port=proxy.port)
    before = target.sessions()
    with nothing_left_behind():
        with closing(target.kind.open(config)) as session:
            proxy.set(mode, after=after)
            with within(1), pytest.raises(ConnectionLost) as caught:
                session.execute(target.words.many.format(rows=100_000), {}, Run("r")).read_all()
        assert caught.value.retryable
        assert caught.value.hint
        assert eventually(lambda: target.sessions() == before)
    next_query_works(target, proxy)


@pytest.mark.parametrize("mode", ["mute", "drip"])
def test_a_login_that_is_never_answered_ends_at_its_deadline(target: Target, proxy: Proxy, mode: str) -> None:
    before = target.sessions()
    with nothing_left_behind():
        proxy.set(mode)
        with within(1), pytest.raises(ConnectError, match="1 s"):
            target.kind.open(target.config(port=proxy.port, timeout=1))
        next_query_works(target, proxy)
        target.close_idle()
    assert eventually(lambda: target.sessions() == before)


@pytest.fixture
def login_bytes(target: Target, proxy: Proxy) -> int:
    """What the server says in a login."""
    target.kind.fresh(target.config(port=proxy.port)).close()
    return proxy.answered


@pytest.mark.parametrize("part", [0.6, 0.95])
def test_a_login_that_stops_half_way_ends_at_its_deadline(
    target: Target, proxy: Proxy, login_bytes: int, part: float
) -> None:
    with nothing_left_behind():
        proxy.set("blackhole", after=int(part * login_bytes))
        with within(1), pytest.raises(ConnectError, match="did not finish the login within 1 s"):
            target.kind.open(target.config(port=proxy.port, timeout=1))
        next_query_works(target, proxy)
        target.close_idle()


@pytest.mark.parametrize("mode", ["rst", "fin"])
@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_a_login_that_breaks_off_is_an_error_at_once(
    target: Target, proxy: Proxy, login_bytes: int, mode: str, part: float
) -> None:
    with nothing_left_behind():
        proxy.set(mode, after=int(part * login_bytes))
        with within(1), pytest.raises(ConnectError) as caught:
            target.kind.open(target.config(port=proxy.port))
        assert caught.value.hint
        next_query_works(target, proxy)
        target.close_idle()


@pytest.mark.parametrize(("mode", "after"), [("blackhole", 300_000), ("drip", 0)])
def test_a_silent_result_ends_at_the_deadline(target: Target, proxy: Proxy, mode: str, after: int) -> None:
    config = target.config(port=proxy.port)
    before = target.sessions()
    with nothing_left_behind():
        with closing(target.kind.open(config)) as session:
            proxy.set(mode, after=after)
            run = Run("r", timeout=0.5)
            with within(1.5), run.on_cancel(session.cancel), pytest.raises(DeadlineExceeded, match=r"0\.5 s"):
                session.execute(target.words.many.format(rows=100_000), {}, run).read_all()
        next_query_works(target, proxy)
        target.close_idle()
    assert eventually(lambda: target.sessions() == before)


def test_a_slow_way_is_no_error(target: Target, proxy: Proxy) -> None:
    config = target.config(port=proxy.port)
    proxy.set("latency", seconds=0.02)
    assert target.ask("SELECT 1 AS one", config).num_rows == 1
    proxy.set("bandwidth", rate=200_000)
    assert target.ask(target.words.many.format(rows=500), config).num_rows == 500


def test_a_deadline_stops_the_statement_at_the_server(target: Target) -> None:
    with within(1), pytest.raises(DeadlineExceeded):
        target.ask(target.words.sleep.format(seconds=30), target.config(), Run("r", timeout=0.5))
    assert eventually(lambda: target.running() == 0, 5)
    assert target.ask("SELECT 1 AS one", target.config()).num_rows == 1


def test_a_cancel_stops_the_statement_at_the_server_and_is_confirmed(target: Target, later: Later) -> None:
    run = Run("r")
    later(0.5, run.cancel)
    with within(1), pytest.raises(QueryCancelled) as caught:
        target.ask(target.words.sleep.format(seconds=30), target.config(), run)
    assert caught.value.confirmed
    assert eventually(lambda: target.running() == 0, 5)


def test_a_cancel_through_a_dead_line_is_not_called_confirmed(
    target: Target, proxy: Proxy, later: Later
) -> None:
    run = Run("r")
    config = target.config(port=proxy.port)
    later(0.5, lambda: (proxy.set("blackhole"), run.cancel()))
    with within(2), pytest.raises(QueryCancelled, match="did not confirm") as caught:
        target.ask(target.words.sleep.format(seconds=3), config, run)
    assert not caught.value.confirmed
    next_query_works(target, proxy)


def test_where_only_one_connection_is_dead_the_statement_is_stopped_by_another(
    target: Target, proxy: Proxy, later: Later
) -> None:
    run = Run("r")
    config = target.config(port=proxy.port)
    later(0.5, lambda: (proxy.set("blackhole", new=False), run.cancel()))
    with within(2), pytest.raises(QueryCancelled):
        target.ask(target.words.sleep.format(seconds=30), config, run)
    assert eventually(lambda: target.running() == 0, 5)


def test_a_result_left_half_read_is_not_made_to_its_end(target: Target) -> None:
    session = target.kind.open(target.config())
    reader = session.execute(target.words.many.format(rows=3_000_000), {}, Run("r"))
    assert next(iter(reader)).num_rows > 0
    with within(1):
        session.close()
    assert eventually(lambda: target.running() == 0, 5)


def test_a_server_that_went_away_is_unreachable_and_comes_back(target: Target, proxy: Proxy) -> None:
    config = target.config(port=proxy.port)
    assert target.ask("SELECT 1 AS one", config).num_rows == 1
    proxy.set("refuse")
    proxy.reset()
    with within(1), pytest.raises(HostUnreachable, match="Nothing listens"):
        target.ask("SELECT 1 AS one", config)
    next_query_works(target, proxy)


def test_every_error_of_a_broken_line_is_one_of_ours(target: Target, proxy: Proxy) -> None:
    """Wherever in the login or the result it breaks, and however."""
    config = target.config(port=proxy.port, timeout=1)
    seen = set()
    with nothing_left_behind():
        for after in (1, 60, 700, 1200, 1700, 2100, 2400, 2700, 3000, 20_000):
            for mode in ("rst", "fin"):
                proxy.set(mode, after=after)
                with pytest.raises(AiserError) as caught:
                    target.ask(target.words.many.format(rows=2000), config)
                seen.add(type(caught.value))
                target.close_idle()
    assert seen <= {ConnectError, ConnectionLost, HostUnreachable, TLSFailed}
    next_query_works(target, proxy)
