"""Sessions are used again, clean and alive, by those who have the same rights, and no more than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from aiser_jupyter.connectors.pool import PooledSession, keep_idle
from aiser_jupyter.errors import AuthenticationFailed, HostUnreachable, QueueFull
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.servers.leaks import eventually, nothing_left_behind
from tests.servers.line import PASSWORD, LineConnector, LineServer
from tests.servers.proxy import Proxy


@pytest.fixture
def server() -> Iterator[LineServer]:
    with LineServer() as server:
        yield server


@pytest.fixture
def kind() -> Iterator[LineConnector]:
    kind = LineConnector()
    yield kind
    kind._pool.close()


def ask(kind: LineConnector, config: ConnectionConfig, statement: str, **options: bool) -> list[str]:
    session = kind.open(config, **options)
    try:
        with session.execute(statement, (), Run("r")) as reader:
            return reader.read_all()["value"].to_pylist()
    finally:
        session.close()


def test_a_session_is_used_again_and_keeps_nothing(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=1)
    ask(kind, config, "SET role admin")
    assert ask(kind, config, "GET role") == ["nothing"]
    assert (server.logins, server.open) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"username": "bob"},
        {"database": "b"},
        {"ssl_server_name": "b"},
        {"ssl_ca": "x"},
        {"host": "localhost"},
    ],
)
def test_sessions_do_not_cross_to_another_user_or_place(
    server: LineServer, kind: LineConnector, other: dict[str, str]
) -> None:
    ask(kind, server.config(max_connections=1), "ROWS 1")
    ask(kind, server.config(max_connections=1, **other), "ROWS 1")
    assert server.logins == 2


def test_a_session_that_only_reads_is_not_lent_to_one_who_writes(
    server: LineServer, kind: LineConnector
) -> None:
    config = server.config(max_connections=1)
    ask(kind, config, "ROWS 1", read_only=True)
    ask(kind, config, "ROWS 1", read_only=False)
    assert server.logins == 2


def test_whoever_does_not_know_the_password_gets_no_open_session(
    server: LineServer, kind: LineConnector
) -> None:
    ask(kind, server.config(max_connections=1), "ROWS 1")
    with pytest.raises(AuthenticationFailed):
        ask(kind, server.config(max_connections=1, password=Secret("wrong")), "ROWS 1")
    same = server.config(max_connections=1, password=Secret(PASSWORD))  # another object, the same text
    ask(kind, same, "ROWS 1")
    assert server.logins == 1


def test_another_name_of_the_same_connection_has_sessions_of_its_own(
    server: LineServer, kind: LineConnector
) -> None:
    config = server.config()
    ask(kind, config, "ROWS 1")
    ask(kind, ConnectionConfig(config.type, "another", config.values), "ROWS 1")  # its errors name it
    assert server.logins == 2


def test_two_persons_of_one_server_share_no_session(server: LineServer, kind: LineConnector) -> None:
    config = server.config()
    ask(kind, replace(config, sandbox="ann's"), "GET role")
    ask(kind, replace(config, sandbox="bob's"), "GET role")
    assert eventually(lambda: sum(map(len, kind._pool._idle.values())) == 2)  # both were reset
    ask(kind, replace(config, sandbox="ann's"), "GET role")
    assert (server.logins, server.open) == (2, 2)


def test_no_more_sessions_than_allowed(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=2, timeout=1)
    held = [kind.open(config) for _ in range(2)]
    began = time.monotonic()
    with pytest.raises(QueueFull, match="All 2 connections are in use") as caught:
        kind.open(config)
    assert 0.9 < time.monotonic() - began < 3
    assert "max_connections" in caught.value.hint
    threading.Timer(0.2, held[0].close).start()
    ask(kind, config, "ROWS 1")  # waits for the one that comes back
    held[1].close()
    assert server.logins == 2


def test_many_at_once_share_a_few(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=3, timeout=30)
    got: list[list[str]] = []
    threads = [threading.Thread(target=lambda: got.append(ask(kind, config, "ROWS 5"))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [[f"row {number}" for number in range(5)]] * 40
    assert server.logins <= 3


def test_a_login_that_fails_gives_its_place_back(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=1, timeout=1, password=Secret("wrong"))
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            kind.open(config)


def test_a_session_left_with_unread_rows_is_not_used_again(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=1)
    session = kind.open(config)
    with session.execute("ROWS 100000", (), Run("r")) as reader:
        assert next(iter(reader)).to_pylist() == [{"value": "row 0"}]
    session.close()
    assert ask(kind, config, "ROWS 1") == ["row 0"]
    assert server.logins == 2
    assert eventually(lambda: server.stops[:1] == [1] and server.open == 1)


def test_a_session_that_was_asked_to_stop_is_not_used_again(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=1)
    session = kind.open(config)
    run = Run("r")
    threading.Timer(0.1, run.cancel).start()
    with run.on_cancel(session.cancel), pytest.raises(Exception, match="cancelled"):
        session.execute("WAIT 30", (), run)
    session.close()
    ask(kind, config, "ROWS 1")
    assert server.logins == 2


def test_sessions_that_died_meanwhile_are_replaced_without_a_word(
    server: LineServer, kind: LineConnector
) -> None:
    with Proxy(("127.0.0.1", server.port)) as proxy:
        config = server.config(port=proxy.port)
        held = [kind.open(config) for _ in range(3)]
        for session in held:
            session.close()
        assert eventually(lambda: len(next(iter(kind._pool._idle.values()), [])) == 3)
        proxy.reset()
        assert ask(kind, config, "ROWS 1") == ["row 0"]
        assert eventually(lambda: server.open == 1)


def test_silent_sessions_cost_one_wait_and_not_one_each(server: LineServer, kind: LineConnector) -> None:
    with Proxy(("127.0.0.1", server.port)) as proxy:
        config = server.config(port=proxy.port)
        held = [kind.open(config) for _ in range(3)]
        for session in held:
            session.close()
        assert eventually(lambda: len(next(iter(kind._pool._idle.values()), [])) == 3)
        proxy.set("blackhole", new=False)
        began = time.monotonic()
        assert ask(kind, config, "ROWS 1") == ["row 0"]
        assert time.monotonic() - began < 5  # one of them was asked for 3 s


def test_idle_sessions_are_closed_after_a_while(server: LineServer, kind: LineConnector) -> None:
    with nothing_left_behind():
        keep_idle(0.3)
        try:
            ask(kind, server.config(), "ROWS 1")
            assert eventually(lambda: server.logins == 1 and server.open == 0)
        finally:
            keep_idle(60)


def test_nothing_is_kept_where_nothing_may_be(server: LineServer, kind: LineConnector) -> None:
    with nothing_left_behind():
        keep_idle(0)
        try:
            ask(kind, server.config(), "ROWS 1")
            assert eventually(lambda: server.logins == 1 and server.open == 0)
        finally:
            keep_idle(60)


def test_closing_twice_gives_back_once(server: LineServer, kind: LineConnector) -> None:
    config = server.config(max_connections=1, timeout=1)
    session = kind.open(config)
    session.close()
    session.close()
    session.cancel()
    session.abort()
    other = kind.open(config)
    with pytest.raises(QueueFull):
        kind.open(config)
    other.close()
    assert isinstance(other, PooledSession)


def test_a_server_that_is_gone_is_an_error_and_no_loop(server: LineServer, kind: LineConnector) -> None:
    with Proxy(("127.0.0.1", server.port)) as proxy:
        config = server.config(port=proxy.port)
        ask(kind, config, "ROWS 1")
    with pytest.raises(HostUnreachable):
        ask(kind, config, "ROWS 1")
