"""What is told while a statement waits for a warehouse that starts, and what an estimate says of one."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.connectors import warehouse
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.engines.stream import stream
from aiser_jupyter.errors import ConnectError, DeadlineExceeded
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.run import Event, Phase, Progress, Run
from aiser_jupyter.services import Services, build, catalog
from tests.conformance import databricks as databricks_suite
from tests.conformance import snowflake as snowflake_suite
from tests.connectors.databricks_kit import until
from tests.endpoints.databricks import Databricks
from tests.endpoints.snowflake import Snowflake
from tests.servers.proxy import Proxy

DATABRICKS = connector("databricks")
NUMBERS = itertools.count()
STATE = "/api/2.0/sql/warehouses/a1b234c567d8e9fa"
STARTING = re.compile(r"Databricks: the warehouse Shop is starting, (\d+) s")


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


@pytest.fixture
def account(snowflake: Snowflake) -> Iterator[Snowflake]:
    """The endpoint with a warehouse that runs."""
    snowflake.lay()
    snowflake.rest()
    yield snowflake
    snowflake.rest()


def told(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Progress) and event.message]


def waiting_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "aiser-waiting"]


def run(services: Services, sql: str) -> tuple[Any, list[str]]:
    """Run a statement on ``shop``, and return its result and what was told meanwhile."""
    events: list[Event] = []
    result = services.queries.submit(Query(sql, connection="shop"), emit=events.append).wait()
    return result, told(events)


def test_a_warehouse_that_starts_is_told_with_its_seconds(services: Services, workspace: Databricks) -> None:
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    workspace.behave(state="STOPPED", start_seconds=5.5)
    result, messages = run(services, "SELECT 1 AS x")
    assert result.table.column("x").to_pylist() == [1]
    seconds = [int(found[1]) for each in messages if (found := STARTING.fullmatch(each))]
    assert len(seconds) >= 3
    assert seconds == sorted(set(seconds))
    assert seconds[0] >= 2
    assert workspace.seen()["paths"].count(STATE) <= 2  # asked at an easy pace, told every second


def slow(workspace: Databricks, **fields: object) -> ConnectionConfig:
    """A connection of which no session is idle, whose login takes a second at most."""
    config = databricks_suite.config(Path(), workspace, timeout=1, **fields)
    return replace(config, name=f"slow{next(NUMBERS)}")


def test_a_start_may_take_longer_than_a_login(services: Services, workspace: Databricks) -> None:
    config = slow(workspace)
    services.connections.create(config, tested=False)
    workspace.behave(state="STOPPED", start_seconds=5.0)
    result = services.queries.run(Query("SELECT 1 AS x", connection=config.name))
    assert result.table.column("x").to_pylist() == [1]
    assert workspace.seen()["woken"] == 1


def test_a_run_that_waits_for_a_start_can_be_stopped(services: Services, workspace: Databricks) -> None:
    config = slow(workspace)
    services.connections.create(config, tested=False)
    workspace.behave(state="STOPPED", start_seconds=600.0)
    with pytest.raises(DeadlineExceeded):
        services.queries.run(Query("SELECT 1 AS x", connection=config.name, timeout=4))
    assert workspace.seen()["statements"] == []
    until(lambda: not waiting_threads())


def test_a_warehouse_that_is_not_there_is_not_waited_for(services: Services, workspace: Databricks) -> None:
    config = slow(workspace, http_path="/sql/1.0/warehouses/other")
    services.connections.create(config, tested=False)
    workspace.behave(state="STOPPED", start_seconds=600.0)
    with pytest.raises(ConnectError, match="no such warehouse"):
        services.queries.run(Query("SELECT 1 AS x", connection=config.name, timeout=30))


def test_tables_of_several_databases_wait_in_the_same_words(
    services: Services, workspace: Databricks
) -> None:
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    run(services, "CREATE SCHEMA IF NOT EXISTS waiting")
    run(services, "CREATE OR REPLACE TABLE waiting.orders (id INT)")
    query = Query("SELECT count(*) AS n FROM shop.waiting.orders")
    services.queries.run(query)  # the plan has to know the table
    workspace.behave(state="STOPPED", start_seconds=5.5)
    events: list[Event] = []
    result = services.queries.submit(query, emit=events.append).wait()
    assert result.table.column("n").to_pylist() == [0]
    assert any(STARTING.fullmatch(each) for each in told(events))


def test_a_plan_that_wakes_a_warehouse_says_so(
    services: Services, workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "_QUIET_SECONDS", 0.2)
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    run(services, "CREATE SCHEMA IF NOT EXISTS waiting")
    run(services, "CREATE OR REPLACE TABLE waiting.unplanned (id INT)")
    workspace.behave(state="STOPPED", start_seconds=3.0)
    heard: list[Event] = []
    query = Query("SELECT count(*) AS n FROM shop.waiting.unplanned", timeout=None)
    result = services.queries.submit(query, emit=heard.append).wait()
    assert result.table.column("n").to_pylist() == [0]
    connecting = next(at for at, event in enumerate(heard) if event == Phase("connect"))
    assert any(STARTING.fullmatch(each) for each in told(heard[:connecting]))


def test_a_catalog_that_waits_too_long_for_a_warehouse_says_what_it_waited_for(
    services: Services, workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "_QUIET_SECONDS", 0.2)
    monkeypatch.setattr(catalog, "SECONDS", 3.0)
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    workspace.behave(state="STOPPED", start_seconds=600.0)
    with pytest.raises(DeadlineExceeded) as caught:
        services.catalog.tables("shop", {})
    words, _, advice = str(caught.value.hint).partition(". ")
    assert re.fullmatch(r"Databricks: the warehouse Shop is (stopped|starting), \d+ s", words), words
    assert advice == "Ask again when it is ready."


def test_nothing_is_said_of_a_warehouse_that_runs(
    services: Services, workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "_QUIET_SECONDS", 0.2)
    monkeypatch.setattr(warehouse, "_AGAIN_SECONDS", 0.2)
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    workspace.behave(pending_seconds=2.0)
    _, messages = run(services, "SELECT 1 AS x")
    assert not [each for each in messages if each.startswith("Databricks:")]
    assert "waits at the warehouse" in messages
    assert workspace.seen()["paths"].count(STATE) == 1  # it runs: there is nothing more to ask


def test_a_question_without_an_answer_neither_delays_nor_fails_the_statement(
    workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(warehouse, "_AGAIN_SECONDS", 0.1)
    config = databricks_suite.config(Path(), workspace)
    with Proxy(("127.0.0.1", workspace.port)) as proxy:
        through = databricks_suite.config(Path(), workspace, port=proxy.port)
        for way in ("mute", "refuse"):
            proxy.set(way)
            before = proxy.connections
            events: list[Event] = []
            run = Run("r", emit=events.append)
            with DATABRICKS.waiting(through, run):
                session = DATABRICKS.open(config)
                table = stream(session, "SELECT 1 AS x", (), run).read_all()
                time.sleep(1.0)
                leaves = time.monotonic()
            assert time.monotonic() - leaves < 1  # a silent one takes 2 s
            assert table.num_rows == 1
            assert way == "refuse" or proxy.connections > before
            assert not [each for each in told(events) if each.startswith("Databricks:")]
    until(lambda: not waiting_threads())


def test_not_a_word_after_the_statement(workspace: Databricks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "_QUIET_SECONDS", 0.0)
    workspace.behave(state="STOPPED")
    with Proxy(("127.0.0.1", workspace.port)) as proxy:
        config = databricks_suite.config(Path(), workspace, port=proxy.port)
        proxy.set("latency", seconds=0.2)  # the answer comes when the statement is over
        before = proxy.connections
        events: list[Event] = []
        with DATABRICKS.waiting(config, Run("r", emit=events.append)):
            until(lambda: proxy.connections > before)
        until(lambda: not waiting_threads())
    assert STATE in workspace.seen()["paths"]
    assert events == []


def test_a_quick_statement_asks_nothing(services: Services, workspace: Databricks) -> None:
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    run(services, "SELECT 1 AS x")
    assert STATE not in workspace.seen()["paths"]
    assert not waiting_threads()


def test_snowflake_tells_that_it_starts_the_warehouse(services: Services, account: Snowflake) -> None:
    services.connections.create(snowflake_suite.config(Path(), account), tested=False)
    account.rest("SUSPENDED", seconds=1.5)
    _, messages = run(services, "SELECT 1 AS x")
    assert any(each.startswith("Snowflake starts the warehouse: ") for each in messages)
    assert account.look()["resumed"] == 1


# -- before a statement ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "word"), [("STOPPED", "stopped"), ("STARTING", "starting")])
def test_an_estimate_starts_nothing_at_databricks(
    services: Services, workspace: Databricks, state: str, word: str
) -> None:
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    workspace.behave(state=state, start_seconds=60)
    if state == "STARTING":
        workspace.behave(state="STOPPED", start_seconds=60)
        _wake(databricks_suite.config(Path(), workspace, timeout=1))
    woken = workspace.seen()["woken"]
    _, route = services.queries.route(Query("SELECT * FROM sales.orders", connection="shop"))
    estimate = route.estimate
    assert estimate is not None
    assert estimate.rows is None
    assert f"how long it takes to start: the warehouse Shop is {word}" in estimate.unknown
    seen = workspace.seen()
    assert (seen["woken"], seen["statements"]) == (woken, [])


def _wake(config: ConnectionConfig) -> None:
    with pytest.raises(Exception, match="starting"):
        DATABRICKS.open(replace(config, name="asleep"))  # no idle session is left of it


def test_an_estimate_starts_nothing_at_snowflake(services: Services, account: Snowflake) -> None:
    services.connections.create(snowflake_suite.config(Path(), account), tested=False)
    account.rest("SUSPENDED")
    _, route = services.queries.route(Query("SELECT * FROM orders", connection="shop"))
    estimate = route.estimate
    assert estimate is not None
    assert any("SHOP_WH is suspended" in each for each in estimate.unknown)
    assert account.look()["resumed"] == 0


# -- the vendor's words ------------------------------------------------------------------------------------


def test_a_cluster_is_asked_as_one(workspace: Databricks) -> None:
    path = "/sql/protocolv1/o/1234567890/0131-120000-shop1234"
    config = databricks_suite.config(Path(), workspace, http_path=path)
    for state, words in (("STOPPED", "terminated"), ("RUNNING", "running")):
        workspace.behave(state=state)
        found = DATABRICKS.state(config, 5)
        assert found is not None
        assert found.message == f"The cluster Shop's is {words}."
        assert str(found.activity) == {"STOPPED": "suspended"}.get(state, "running")
    assert workspace.seen()["paths"] == ["/api/2.0/clusters/get"]
    assert workspace.seen()["woken"] == 0


@pytest.mark.parametrize(
    "path", ["/sql/1.0/warehouses/other", "/sql/protocolv1/o/1234567890/0131-120000-other123"]
)
def test_one_that_is_not_there(workspace: Databricks, path: str) -> None:
    config = databricks_suite.config(Path(), workspace, http_path=path)
    with pytest.raises(Exception, match="There is no such warehouse or cluster") as caught:
        DATABRICKS.state(config, 5)
    assert getattr(caught.value, "code", "") == "connect"
