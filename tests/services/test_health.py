"""Health of saved connections: asked of a real MariaDB, also through networks that lose everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import duckdb
import pytest

from aiser_jupyter.connectors.mysql import MySQLConnector
from aiser_jupyter.errors import UnknownConnection, UsageError
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import Services, build
from aiser_jupyter.services.health import LATENCIES, HealthService, HealthStatus, Rhythm
from tests.servers.proxy import Proxy

PATIENCE = 30.0
QUICK = Rhythm(healthy=0.1, first=0.1, longest=0.4, deadline=3.0, listing=0.1)
OK, FAILING, UNKNOWN = HealthStatus.OK, HealthStatus.FAILING, HealthStatus.UNKNOWN


def until(holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until ``holds`` is true."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def services(tmp_path, monkeypatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


@pytest.fixture
def proxy(mariadb) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", mariadb.port)) as standing:
        yield standing


def config(server, name: str, port: int, user: str | None = None, **values) -> ConnectionConfig:
    return ConnectionConfig(
        "mysql",
        name,
        {
            "host": "127.0.0.1",
            "port": port,
            "database": server.database,
            "username": user or server.user,
            "password": Secret(values.pop("password", server.password)),
            "ssl_ca": server.authority.pem,
            **values,
        },
    )


@pytest.fixture
def shop(services, mariadb, proxy):
    """A saved connection ``shop`` through the proxy, which counts."""
    services.connections.create(config(mariadb, "shop", proxy.port), tested=False)
    return proxy


@pytest.fixture
def watch(services) -> Iterator[Callable[[Rhythm], HealthService]]:
    """Start a service of health with a rhythm of the test's own."""
    with ExitStack() as stack:

        def start(rhythm: Rhythm) -> HealthService:
            service = HealthService(services, rhythm)
            stack.callback(service.close)
            service.start()
            return service

        yield start


def test_nothing_starts_by_itself(services, shop):
    before = shop.connections
    assert [state.status for state in services.monitor.states()] == [UNKNOWN]
    assert services.monitor.state("shop").next_check is None or not services.monitor.state("shop").checked_at
    assert not [thread for thread in threading.enumerate() if thread.name == "aiser-health"]
    assert shop.connections == before


def test_a_healthy_connection_logs_in_once(watch, shop):
    before = shop.connections
    health = watch(QUICK)
    until(lambda: len(health.state("shop").latencies) >= 6)
    state = health.state("shop")
    assert (state.status, state.code, state.failures) == (OK, "", 0)
    assert state.last_ok == state.checked_at
    assert state.next_check > state.checked_at
    assert all(0 < seconds < QUICK.deadline for _, seconds in state.latencies)
    assert shop.connections - before == 1


def test_so_many_latencies_are_remembered(watch, shop):
    health = watch(replace(QUICK, healthy=0.001))
    until(lambda: len(health.state("shop").latencies) == LATENCIES)
    first = health.state("shop").latencies[0]
    until(lambda: health.state("shop").latencies[0] != first)
    assert len(health.state("shop").latencies) == LATENCIES


def test_a_server_that_goes_away_and_comes_back(watch, shop):
    health = watch(QUICK)
    until(lambda: health.state("shop").status is OK)
    last = health.state("shop").last_ok
    shop.set("refuse")
    shop.reset()
    until(lambda: health.state("shop").failures >= 2)
    state = health.state("shop")
    assert (state.status, state.code) == (FAILING, "host_unreachable")
    assert state.message
    assert state.hint
    assert state.last_ok >= last
    shop.set("pass")
    until(lambda: health.state("shop").status is OK)
    works = health.state("shop")
    assert (works.failures, works.message, works.warehouse) == (0, "", None)
    assert (works.last_error.code, works.last_error.message) == ("host_unreachable", state.message)
    assert works.last_error.at < works.last_ok


def test_what_fails_is_asked_less_and_less_often(watch, shop):
    shop.set("refuse")
    health = watch(replace(QUICK, first=0.2, longest=0.8))
    waits = []
    for failures in (1, 2, 3, 4):
        until(lambda failures=failures: health.state("shop").failures == failures)
        state = health.state("shop")
        waits.append((state.next_check - state.checked_at).total_seconds())
    assert waits == [0.2, 0.4, 0.8, 0.8]


def test_one_question_at_a_time_and_each_has_a_deadline(watch, shop):
    shop.set("mute")
    health = watch(replace(QUICK, deadline=0.6))
    most = 0
    while health.state("shop").failures < 3:
        most = max(most, sum(thread.name == "aiser-probe" for thread in threading.enumerate()))
        time.sleep(0.01)
    assert most == 1
    assert health.state("shop").status is FAILING
    assert health.state("shop").latencies == ()


def test_a_silent_idle_session_does_not_hold_the_answer_up(watch, shop):
    health = watch(replace(QUICK, deadline=0.6))
    until(lambda: health.state("shop").status is OK)
    shop.set("mute")
    began = time.monotonic()
    until(lambda: health.state("shop").status is FAILING)
    assert time.monotonic() - began < 2.5  # the idle session itself is waited for longer
    assert health.state("shop").code == "deadline_exceeded"


def test_refused_logins_stop_before_the_account_is_locked(services, watch, mariadb, shop):
    mariadb.admin("CREATE TABLE IF NOT EXISTS shop.things (id INT PRIMARY KEY)")
    mariadb.admin("CREATE USER IF NOT EXISTS cleo@'%' IDENTIFIED BY 'first'")
    mariadb.admin("GRANT SELECT ON shop.* TO cleo@'%'")
    services.connections.create(config(mariadb, "cleo", shop.port, "cleo", password="first"), tested=False)
    services.connections.delete("shop")
    mariadb.admin("ALTER USER cleo@'%' IDENTIFIED BY 'second'")
    before = shop.connections
    health = watch(QUICK)
    until(lambda: health.state("cleo").failures >= 3)
    time.sleep(3 * QUICK.longest)
    state = health.state("cleo")
    assert (state.status, state.code, state.failures) == (FAILING, "authentication", 3)
    assert state.next_check is None
    assert shop.connections - before == 3
    assert health.check("cleo").failures == 4  # somebody asked: one more, and again none by itself
    time.sleep(2 * QUICK.longest)
    assert shop.connections - before == 4
    assert "first" not in repr(health.states())
    services.connections.change("cleo", {"password": Secret("second")})
    until(lambda: health.state("cleo").status is OK)


def test_a_connection_that_is_removed_is_asked_no_more(services, watch, shop):
    health = watch(QUICK)
    until(lambda: health.state("shop").status is OK)
    services.connections.delete("shop")
    assert health.states() == []
    with pytest.raises(UnknownConnection):
        health.state("shop")


def test_stopped_is_stopped_and_starts_again(watch, shop):
    health = watch(QUICK)
    until(lambda: health.state("shop").status is OK)
    health.stop()
    asked = health.state("shop").checked_at
    time.sleep(5 * QUICK.healthy)
    assert health.state("shop").checked_at == asked
    health.start()
    health.start()
    until(lambda: health.state("shop").checked_at > asked)
    assert sum(thread.name == "aiser-health" for thread in threading.enumerate()) == 1


def test_a_check_is_now_and_needs_no_start(services, shop):
    state = services.monitor.check("shop")
    assert state.status is OK
    assert len(state.latencies) == 1
    shop.set("refuse")
    shop.reset()
    assert services.monitor.check("shop").code == "host_unreachable"


def test_a_check_uses_the_idle_session_of_a_query(services, shop):
    services.queries.run(Query("SELECT 1", connection="shop"))
    until(lambda: shop.open == 1)
    time.sleep(0.5)  # it is reset in the background before it is used again
    before = shop.connections
    assert services.monitor.check("shop").status is OK
    assert shop.connections == before


def test_a_check_of_a_silent_server_ends_in_time(services, shop):
    shop.set("mute")
    began = time.monotonic()
    state = services.monitor.check("shop")
    assert state.status is FAILING
    assert state.hint
    assert time.monotonic() - began < 4.5


def test_checks_at_the_same_time_are_one_question(services, shop):
    before = shop.connections
    seen: list[HealthStatus] = []
    threads = [
        threading.Thread(target=lambda: seen.append(services.monitor.check("shop").status)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == [OK] * 8
    assert shop.connections - before == 1


def test_only_saved_connections_can_be_asked(services):
    with pytest.raises(UsageError):
        services.monitor.check("local")
    with pytest.raises(UnknownConnection):
        services.monitor.check("shpo")
    assert services.monitor.states() == []


def test_a_connection_that_cannot_be_used_is_failing_until_it_can(services, tmp_path, monkeypatch):
    duckdb.connect(str(tmp_path / "own.duckdb")).close()
    file = tmp_path / "own.toml"
    file.write_text('type = "duckdb"\nbase = "own.duckdb"\n')
    monkeypatch.setenv("AISER_CONNECTION_OWN", str(file))
    (state,) = services.monitor.states()
    assert (state.status, state.code, state.next_check) == (FAILING, "config", None)
    assert "base" in state.message
    assert services.monitor.check(state.name) == state
    file.write_text(f'type = "duckdb"\ndatabase = "{tmp_path / "own.duckdb"}"\n')
    assert services.monitor.state("own").status is UNKNOWN
    assert services.monitor.check("own").status is OK


def test_a_database_file_is_asked_on_demand_only(services, watch, tmp_path, shop):
    duckdb.connect(str(tmp_path / "file.duckdb")).close()
    services.connections.create(ConnectionConfig("duckdb", "file", {"database": "file.duckdb"}))
    health = watch(QUICK)
    until(lambda: len(health.state("shop").latencies) >= 3)
    assert health.state("file").status is UNKNOWN
    assert health.check("file").status is OK
    assert health.state("file").next_check is None
    (tmp_path / "file.duckdb").unlink()
    state = health.check("file")
    assert (state.status, state.code) == (FAILING, "connect")
    assert "file" in state.message


def test_what_costs_money_to_wake_is_asked_on_demand_only(services, shop, watch, monkeypatch):
    costly = replace(MySQLConnector.capabilities, wakes=True)
    monkeypatch.setattr(MySQLConnector, "capabilities", costly)
    before = shop.connections
    health = watch(QUICK)
    until(lambda: health.states() != [])
    time.sleep(5 * QUICK.listing)
    assert health.state("shop").status is UNKNOWN
    assert shop.connections == before
    assert health.check("shop").status is OK


def test_half_of_the_network_is_lost(services, watch, mariadb):
    """Each state is right in time, and the good ones do not wait for the silent ones."""
    with ExitStack() as stack:
        proxies = {
            f"{kind}_{number}": stack.enter_context(Proxy(("127.0.0.1", mariadb.port)))
            for number in range(10)
            for kind in ("bad", "good")
        }
        for name, proxy in proxies.items():
            services.connections.create(config(mariadb, name, proxy.port), tested=False)
            if name.startswith("bad"):
                proxy.set("mute")
        counts = {name: proxy.connections for name, proxy in proxies.items()}
        began = time.monotonic()
        health = watch(Rhythm())

        def right() -> set[str]:
            wanted = {"bad": FAILING, "good": OK}
            return {s.name for s in health.states() if s.status is wanted[s.name.partition("_")[0]]}

        until(lambda: {name for name in proxies if name.startswith("good")} <= right())
        print(f"\ngood ones after {time.monotonic() - began:.2f} s")
        assert not [s for s in health.states() if s.status is FAILING]  # nobody waited for those
        until(lambda: right() == set(proxies))
        took = time.monotonic() - began
        print(f"all of them after {took:.2f} s")
        assert took < 15
        logins = {name: proxy.connections - counts[name] for name, proxy in proxies.items()}
        assert set(logins.values()) == {1}
