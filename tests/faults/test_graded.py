"""The test of a connection, step by step: each step fails alone, in time, and its hint says where to look."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from aiser_jupyter.errors import ConnectError, ConnectionLost
from aiser_jupyter.models import Check, ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.connectors.test_sockets import silent
from tests.faults.target import BUSY, Target
from tests.servers.leaks import eventually, nothing_left_behind
from tests.servers.proxy import Proxy

STEPS = ["driver", "name", "tcp", "tls", "login", "database", "rights", "sample"]


def fails_alone(
    target: Target, config: ConnectionConfig, step: str, seconds: float = 2, proxy: Proxy | None = None
) -> Check:
    """Everything before ``step`` is right, ``step`` is not, and nothing comes after it."""
    before = target.sessions()
    with nothing_left_behind():
        began = time.monotonic()
        checks = target.graded(config)
        took = time.monotonic() - began
        if proxy is not None:
            proxy.set("pass")  # it holds a connection for as long as it is silent
    assert [check.name for check in checks] == STEPS[: STEPS.index(step) + 1], checks[-1]
    assert [check.ok for check in checks] == [True] * (len(checks) - 1) + [False]
    assert checks[-1].hint
    assert checks[-1].message
    assert took < seconds + BUSY
    assert eventually(lambda: target.sessions() == before)
    return checks[-1]


def test_everything_is_right(target: Target) -> None:
    target.ask("CREATE TABLE IF NOT EXISTS graded AS SELECT 1 AS one", target.config())
    checks = target.graded(target.config())
    assert [check.name for check in checks] == STEPS
    assert all(check.ok and check.message and check.seconds < 5 for check in checks)


def test_name(target: Target) -> None:
    check = fails_alone(target, target.config(host="no-such-host.invalid"), "name", 20)
    assert "'no-such-host.invalid' is not known" in check.message
    assert "spelling" in check.hint


def test_tcp_where_nothing_listens(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check = fails_alone(target, target.config(port=port), "tcp")
    assert check.message == f"Nothing listens on port {port} of 127.0.0.1."


def test_tcp_where_a_firewall_is_silent(target: Target) -> None:
    with silent() as port:
        check = fails_alone(target, target.config(port=port, timeout=1), "tcp")
    assert "did not answer on port" in check.message
    assert "firewall" in check.hint


def test_tls_where_the_server_is_silent(target: Target, proxy: Proxy) -> None:
    proxy.set("mute")
    check = fails_alone(target, target.config(port=proxy.port, timeout=1), "tls", proxy=proxy)
    assert "within 1 s" in check.message


def test_tls_where_the_server_drips(target: Target, proxy: Proxy) -> None:
    proxy.set("drip")
    check = fails_alone(target, target.config(port=proxy.port, timeout=1), "tls", proxy=proxy)
    assert "within 1 s" in check.message


def test_tls_where_the_server_offers_none(target: Target, proxy: Proxy) -> None:
    proxy.set(f"strip_{target.words.type}")
    assert "no encryption" in fails_alone(target, target.config(port=proxy.port), "tls").message


def test_tls_where_the_certificate_does_not_hold(target: Target) -> None:
    check = fails_alone(target, target.config(ssl_ca=None), "tls")
    assert "authority" in check.message


def test_tls_where_it_is_another_kind_of_server(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = server.getsockname()[1]
        # It accepts, and closes: a port of something else. The queue holds what is not accepted.
        check = fails_alone(target, target.config(port=port, timeout=1), "tls")
    assert "127.0.0.1" in check.message


@pytest.mark.parametrize("wrong", [{"password": Secret("wrong")}, {"username": "nobody-known"}])
def test_login(target: Target, wrong: dict[str, object]) -> None:
    check = fails_alone(target, target.config(**wrong), "login")
    assert "password" in check.hint


def test_login_that_is_never_answered(target: Target, proxy: Proxy) -> None:
    config = target.config(port=proxy.port, timeout=1, ssl_enabled=False)
    proxy.set("mute")
    check = fails_alone(target, config, "login", proxy=proxy)
    assert "did not finish the login within 1 s" in check.message


def test_database(target: Target) -> None:
    check = fails_alone(target, target.config(database="no_such_db"), "database")
    assert "no_such_db" in check.message


@pytest.fixture
def poor(target: Target) -> Iterator[ConnectionConfig]:
    """A user who may log in, and no more."""
    for statement in target.words.poor:
        target.admin(statement.format(password=target.password))
    yield target.config(username="dave", database="postgres" if target.words.type == "postgresql" else None)
    target.close_idle()
    for statement in target.words.poor_end:
        target.admin(statement)


def test_rights(target: Target, poor: ConnectionConfig) -> None:
    assert "may read" in fails_alone(target, poor, "rights").message


def test_a_database_that_the_user_may_not_enter(target: Target, poor: ConnectionConfig) -> None:
    forbidden = ConnectionConfig(poor.type, poor.name, {**poor.values, "database": "forbidden"})
    assert "forbidden" in fails_alone(target, forbidden, "database").message


@pytest.mark.parametrize("step", ["rights", "sample"])
def test_a_server_that_falls_silent_after_the_login(target: Target, proxy: Proxy, step: str) -> None:
    config = target.config(port=proxy.port, timeout=1)
    with closing(target.kind.stages(config, Run("test"))) as stages:
        for stage in stages:
            if stage.name == step:
                proxy.set("blackhole")
                began = time.monotonic()
                with pytest.raises(ConnectError, match="did not answer within 1 s"):
                    stage.run()
                assert time.monotonic() - began < 2 + BUSY
                proxy.set("pass")
                return
            stage.run()
    pytest.fail("there was no such step")


def test_a_server_that_dies_at_the_sample(target: Target, proxy: Proxy) -> None:
    config = target.config(port=proxy.port)
    with closing(target.kind.stages(config, Run("test"))) as stages:
        for stage in stages:
            if stage.name == "sample":
                proxy.reset()
                with pytest.raises(ConnectionLost):
                    stage.run()
                return
            stage.run()
    pytest.fail("there was no sample")


def test_a_broken_view_does_not_fail_the_test(target: Target) -> None:
    """The sample goes on to what can be read."""
    database = target.server.database
    for statement in (
        "CREATE TABLE to_be_gone (n int)",
        "INSERT INTO to_be_gone VALUES (0)",
        "CREATE VIEW a_broken_view AS SELECT 1 / n AS x FROM to_be_gone",
        "CREATE VIEW a_view AS SELECT 1 AS x",
    ):
        target.admin(statement, database)
    try:
        if target.config().type == "mysql":  # it lets a view without its table stand, and lists it first
            target.admin("DROP TABLE to_be_gone", database)
        else:
            target.admin("GRANT SELECT ON a_broken_view, a_view TO carol", database)
        checks = target.graded(target.config())
        assert [check for check in checks if not check.ok] == []
        assert checks[-1].message.startswith("a row in ")
    finally:
        for view in ("a_broken_view", "a_view"):
            target.admin(f"DROP VIEW {view}", database)
        target.admin("DROP TABLE IF EXISTS to_be_gone", database)
