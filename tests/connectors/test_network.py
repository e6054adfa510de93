"""What all databases behind a network have in common: stop, deadline, loss, and limits of their fields."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from aiser_jupyter.connectors.network import NetworkSession
from aiser_jupyter.errors import (
    AiserError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    QueryCancelled,
    QueryFailed,
)
from aiser_jupyter.run import Handle, Run
from aiser_jupyter.secret import Secret
from tests.servers.leaks import eventually, nothing_left_behind
from tests.servers.line import LineConnector, LineServer
from tests.servers.proxy import Proxy

BUSY = 1.0
"""Seconds that a busy machine may add to any bound."""


@pytest.fixture
def server() -> Iterator[LineServer]:
    with LineServer() as server:
        yield server


@pytest.fixture
def proxy(server: LineServer) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", server.port)) as proxy:
        yield proxy


@pytest.fixture
def session(server: LineServer, proxy: Proxy) -> Iterator[NetworkSession]:
    session = LineConnector().fresh(server.config(port=proxy.port))
    yield session
    session.close()


def rows(session: NetworkSession, statement: str, run: Run | None = None) -> list[str]:
    run = run or Run("r")
    with run.on_cancel(session.cancel), session.execute(statement, (), run) as reader:
        return reader.read_all()["value"].to_pylist()


def test_a_statement_says_who_runs_it_and_where(session: NetworkSession) -> None:
    events: list[Any] = []
    with pytest.raises(QueryFailed, match=r"no such word: \*/"):
        rows(session, "*/", Run("r", emit=events.append, tag="ann */ DROP; nb:3"))
    assert rows(session, "ROWS 1", Run("r", emit=events.append, tag="ann nb:3")) == ["row 0"]
    assert next(event for event in events if isinstance(event, Handle)) == Handle(session.handle, "lines")


def test_a_cancel_stops_the_statement_there_and_is_confirmed(
    session: NetworkSession, server: LineServer
) -> None:
    run = Run("r")
    threading.Timer(0.1, run.cancel).start()
    with pytest.raises(QueryCancelled) as caught:
        rows(session, "WAIT 30", run)
    assert caught.value.confirmed
    assert server.stops == [1]
    assert not session.clean  # a late request must not stop what another one runs


def test_a_deadline_stops_the_statement_and_says_that_it_was_the_deadline(session: NetworkSession) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        rows(session, "WAIT 30", Run("r", timeout=0.3))
    assert time.monotonic() - began < 2 + BUSY


def test_a_run_that_was_stopped_before_sends_nothing(session: NetworkSession, server: LineServer) -> None:
    run = Run("r")
    run.cancel()
    with pytest.raises(QueryCancelled):
        rows(session, "SET never sent", run)
    assert rows(session, "GET never") == ["nothing"]


def test_a_cancel_between_login_and_statement_is_not_lost(server: LineServer, proxy: Proxy) -> None:
    """The signal comes while the statement is on its way out: the last moment at which it can be missed."""
    session = LineConnector().fresh(server.config(port=proxy.port))
    run = Run("r", emit=lambda event: run.cancel() if isinstance(event, Handle) else None)
    began = time.monotonic()
    with pytest.raises(QueryCancelled):
        rows(session, "WAIT 30", run)
    assert time.monotonic() - began < 3
    session.close()


def test_a_silent_server_is_cut_off_and_nothing_is_called_confirmed(
    session: NetworkSession, proxy: Proxy, server: LineServer
) -> None:
    proxy.set("blackhole")
    run = Run("r")
    threading.Timer(0.1, run.cancel).start()
    began = time.monotonic()
    with pytest.raises(QueryCancelled, match="did not confirm") as caught:
        rows(session, "WAIT 30", run)
    assert time.monotonic() - began < 2 + BUSY
    assert not caught.value.confirmed
    assert not session.clean


def test_where_only_this_connection_is_silent_the_statement_is_stopped_by_another(
    session: NetworkSession, proxy: Proxy, server: LineServer
) -> None:
    run = Run("r")
    threading.Timer(0.3, lambda: (proxy.set("blackhole", new=False), run.cancel())).start()
    with pytest.raises(QueryCancelled) as caught:
        rows(session, "WAIT 30", run)
    assert not caught.value.confirmed
    assert 1 in server.stops


@pytest.mark.parametrize("mode", ["blackhole", "drip"])
def test_a_deadline_holds_against_a_silent_or_dripping_server(
    session: NetworkSession, proxy: Proxy, mode: str
) -> None:
    proxy.set(mode)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        rows(session, "ROWS 1000", Run("r", timeout=0.5))
    assert 0.4 < time.monotonic() - began < 0.5 + 1 + BUSY


@pytest.mark.parametrize("mode", ["rst", "fin"])
def test_a_loss_in_mid_result_is_an_error_and_the_session_is_gone(
    session: NetworkSession, proxy: Proxy, mode: str
) -> None:
    proxy.set(mode, after=500)
    began = time.monotonic()
    with pytest.raises(ConnectionLost) as caught:
        rows(session, "ROWS 100000")
    assert time.monotonic() - began < 1 + BUSY
    assert caught.value.retryable
    assert not session.clean
    assert not session.check()


@pytest.mark.parametrize("mode", ["mute", "drip"])
def test_a_login_ends_at_its_deadline(server: LineServer, proxy: Proxy, mode: str) -> None:
    proxy.set(mode)
    with nothing_left_behind():
        began = time.monotonic()
        with pytest.raises(ConnectError, match="did not finish the login within 1 s"):
            LineConnector().fresh(server.config(port=proxy.port, timeout=1))
        assert 0.9 < time.monotonic() - began < 2 + BUSY
        proxy.set("pass")


@pytest.mark.parametrize(("mode", "alive"), [("pass", True), ("rst", False), ("fin", False)])
def test_a_check_says_whether_the_server_answers(
    session: NetworkSession, proxy: Proxy, mode: str, alive: bool
) -> None:
    proxy.set(mode)
    assert session.check() is alive


def test_a_check_of_a_silent_server_ends(session: NetworkSession, proxy: Proxy) -> None:
    proxy.set("blackhole")
    began = time.monotonic()
    assert not session.check()
    assert time.monotonic() - began < 4


def test_a_good_session_says_goodbye(session: NetworkSession, server: LineServer) -> None:
    assert server.open == 1
    session.close()
    session.close()
    assert eventually(lambda: server.open == 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 0),
        ("port", 99_999),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", 10**9),
        ("max_connections", 0),
    ],
)
def test_a_number_that_means_nothing_is_refused(server: LineServer, field: str, value: int) -> None:
    values = dict(server.config().values)
    kind = LineConnector()
    assert kind.validate(values)["port"] == server.port
    with pytest.raises(ConfigError, match=f"'{field}' goes from 1 to"):
        kind.validate(values | {field: value})


def test_an_error_at_the_login_carries_no_frame_that_knows_the_password(server: LineServer) -> None:
    with pytest.raises(AiserError) as caught:
        LineConnector().fresh(server.config(password=Secret("wrong")))
    cause = caught.value.__cause__
    assert cause is not None
    assert cause.__traceback__ is None
