"""Health of warehouses: they are asked in the background, and none is started, or billed, by that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.connectors.state import Activity
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.services import Services, build
from aiser_jupyter.services.health import HealthService, HealthStatus, Rhythm
from tests.conformance import bigquery as bigquery_suite
from tests.conformance import databricks as databricks_suite
from tests.conformance import snowflake as snowflake_suite
from tests.connectors.redshift_kit import signed
from tests.endpoints.databricks import Databricks
from tests.endpoints.snowflake import Snowflake
from tests.servers.proxy import Proxy

PATIENCE = 40.0
QUICK = Rhythm(healthy=0.05, warehouse=0.05, first=0.05, longest=0.2, listing=0.1)
OK, FAILING, UNKNOWN = HealthStatus.OK, HealthStatus.FAILING, HealthStatus.UNKNOWN
PROBES = 20
WAREHOUSE = "/api/2.0/sql/warehouses/a1b234c567d8e9fa"


def until(holds: Callable[[], object]) -> None:
    """Wait until ``holds`` is true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


@pytest.fixture
def watch(services: Services) -> Iterator[Callable[..., HealthService]]:
    """Save connections, and start a service of health that asks them often."""
    with ExitStack() as stack:

        def start(*configs: ConnectionConfig, rhythm: Rhythm = QUICK) -> HealthService:
            for each in configs:
                services.connections.create(each, tested=False)
            service = HealthService(services, rhythm)
            stack.callback(service.close)
            service.start()
            return service

        yield start


@pytest.fixture
def account(snowflake: Snowflake) -> Iterator[Snowflake]:
    """The endpoint with a warehouse that runs, and nothing seen yet."""
    snowflake.lay()
    snowflake.rest()
    snowflake.look()
    yield snowflake
    snowflake.rest()


class Sleeper:
    """One of the two endpoints whose warehouse sleeps, as the tests see both."""

    def __init__(self, kind: str, server: Any) -> None:
        self.kind, self.server = kind, server
        suite = {"snowflake": snowflake_suite, "databricks": databricks_suite}[kind]
        self.config: ConnectionConfig = suite.config(Path(), server)

    def rest(self, asleep: bool, seconds: float = 1.0) -> None:
        if self.kind == "snowflake":
            self.server.rest("SUSPENDED" if asleep else "STARTED", seconds)
        else:
            self.server.behave(state="STOPPED" if asleep else "RUNNING", start_seconds=seconds)

    def woken(self) -> int:
        return int(self.server.look()["resumed"] if self.kind == "snowflake" else self.server.seen()["woken"])


@pytest.fixture(params=["snowflake", "databricks"])
def sleeper(request: pytest.FixtureRequest) -> Sleeper:
    fixture = {"snowflake": "account", "databricks": "workspace"}[request.param]
    return Sleeper(request.param, request.getfixturevalue(fixture))


def activity(health: HealthService, name: str = "shop") -> Activity | None:
    known = health.state(name).warehouse
    return None if known is None else known.activity


# -- a warehouse that sleeps -------------------------------------------------------------------------------


def test_questions_leave_a_suspended_warehouse_suspended(
    watch: Callable[..., HealthService], sleeper: Sleeper
) -> None:
    sleeper.rest(asleep=True)
    health = watch(sleeper.config)
    until(lambda: len(health.state("shop").latencies) >= PROBES)
    state = health.state("shop")
    assert (state.status, state.message, state.failures) == (OK, "", 0)
    assert state.warehouse is not None
    assert state.warehouse.activity is Activity.SUSPENDED
    assert state.warehouse.message in (
        "The warehouse SHOP_WH is suspended.",
        "The warehouse Shop is stopped.",
    )
    assert state.warehouse.source
    assert health.check("shop").warehouse == state.warehouse  # who asks now starts nothing either
    assert sleeper.woken() == 0


def test_snowflake_is_asked_by_one_login_and_shows_alone(
    watch: Callable[..., HealthService], account: Snowflake
) -> None:
    account.rest("SUSPENDED")
    config = replace(snowflake_suite.config(Path(), account), name="once")  # no idle session is left of it
    health = watch(config)
    until(lambda: len(health.state("once").latencies) >= PROBES)
    health.stop()
    seen = account.look()
    assert len(seen["logins"]) == 1
    statements = {each["sqlText"] for each in seen["statements"]}
    assert statements == {"/* aiser health */ SHOW WAREHOUSES"}
    assert len(seen["statements"]) >= PROBES


def test_databricks_is_asked_without_a_session(
    watch: Callable[..., HealthService], workspace: Databricks
) -> None:
    health = watch(databricks_suite.config(Path(), workspace))
    until(lambda: len(health.state("shop").latencies) >= 3)
    assert set(workspace.seen()["paths"]) == {WAREHOUSE}
    assert activity(health) is Activity.RUNNING


def test_a_change_is_seen_at_the_next_question(
    services: Services, watch: Callable[..., HealthService], sleeper: Sleeper
) -> None:
    sleeper.rest(asleep=True, seconds=1.5)
    health = watch(sleeper.config)
    until(lambda: activity(health) is Activity.SUSPENDED)
    sent = threading.Thread(target=lambda: services.queries.run(Query("SELECT 1 AS x", connection="shop")))
    sent.start()
    until(lambda: activity(health) is Activity.STARTING)
    sent.join(PATIENCE)
    until(lambda: activity(health) is Activity.RUNNING)
    assert sleeper.woken() == 1


def test_whoever_may_not_see_the_warehouse_is_told_so(services: Services, workspace: Databricks) -> None:
    services.connections.create(databricks_suite.config(Path(), workspace), tested=False)
    workspace.behave(state="FORBIDDEN")
    state = services.monitor.check("shop")
    assert state.status is OK
    assert state.warehouse is not None
    assert (state.warehouse.activity, "does not tell" in state.warehouse.message) == (Activity.UNKNOWN, True)


def test_a_warehouse_that_is_not_shown_is_unknown(services: Services, account: Snowflake) -> None:
    config = snowflake_suite.config(Path(), account)
    services.connections.create(config, tested=False)
    data = {"rowtype": [], "rowset": [], "total": 0, "returned": 0, "queryResultFormat": "json"}
    columns = ("name", "state", "size")
    text = {"type": "text", "length": 9, "byteLength": 9, "precision": None, "scale": None, "nullable": True}
    data["rowtype"] = [{"name": name, **text} for name in columns]
    answer = {"data": {**data, "statementTypeId": 0x4400}}
    account.lay({"what": "statement", "pattern": "SHOW WAREHOUSES", "answer": answer, "times": 9})
    state = services.monitor.check("shop").warehouse
    account.lay()
    assert state is not None
    assert (state.activity, state.message) == (
        Activity.UNKNOWN,
        "The warehouse SHOP_WH is not shown to the role.",
    )


# -- what fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["snowflake", "databricks"])
def test_a_refused_credential_is_tried_a_few_times_and_no_more(
    watch: Callable[..., HealthService], kind: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue({"snowflake": "account", "databricks": "workspace"}[kind])
    suite = {"snowflake": snowflake_suite, "databricks": databricks_suite}[kind]
    assert suite.DATABASE is not None
    health = watch(suite.config(Path(), server, **suite.DATABASE.bad))
    until(lambda: health.state("shop").failures >= QUICK.refusals)
    time.sleep(5 * QUICK.longest)
    state = health.state("shop")
    assert (state.status, state.code, state.failures) == (FAILING, "authentication", QUICK.refusals)
    assert (state.warehouse, state.next_check) == (None, None)
    asked = server.look()["logins"] if kind == "snowflake" else server.seen()["paths"]
    assert len(asked) == QUICK.refusals


def test_a_warehouse_is_asked_at_an_easy_pace() -> None:
    """A question may be a login: no more than one in half a minute, whatever it leads to."""
    rhythm = Rhythm().of_warehouse()
    assert min(rhythm.after(failures) for failures in range(9)) >= 30
    assert rhythm.after(9) == 300


def test_the_pace_is_that_of_warehouses(watch: Callable[..., HealthService], sleeper: Sleeper) -> None:
    health = watch(sleeper.config, rhythm=Rhythm())
    until(lambda: health.state("shop").status is OK)
    state = health.state("shop")
    assert state.next_check is not None
    assert state.checked_at is not None
    assert (state.next_check - state.checked_at).total_seconds() == 30


def test_the_last_error_stays_where_it_works_again(services: Services, workspace: Databricks) -> None:
    with Proxy(("127.0.0.1", workspace.port)) as proxy:
        config = databricks_suite.config(Path(), workspace, port=proxy.port)
        services.connections.create(config, tested=False)
        assert services.monitor.check("shop").warehouse is not None
        proxy.set("refuse")
        failed = services.monitor.check("shop")
        assert (failed.status, failed.warehouse) == (FAILING, None)
        assert failed.last_error is not None
        assert failed.last_error.at == failed.checked_at
        assert (failed.last_error.code, failed.last_error.message) == (failed.code, failed.message)
        proxy.set("pass")
        state = services.monitor.check("shop")
        assert (state.status, state.code, state.message) == (OK, "", "")
        assert state.last_error == failed.last_error


def test_a_silent_workspace_does_not_hold_the_answer_up(services: Services, workspace: Databricks) -> None:
    with Proxy(("127.0.0.1", workspace.port)) as proxy:
        config = databricks_suite.config(Path(), workspace, port=proxy.port)
        services.connections.create(config, tested=False)
        proxy.set("mute")
        with closing(HealthService(services, replace(QUICK, warehouse_deadline=1.0))) as health:
            began = time.monotonic()
            state = health.check("shop")
            assert (state.status, state.latencies) == (FAILING, ())
            assert time.monotonic() - began < 8


# -- the others --------------------------------------------------------------------------------------------


def test_bigquery_is_asked_for_what_is_not_billed_and_really_asked(
    watch: Callable[..., HealthService], bigquery: Any
) -> None:
    bigquery.behave()
    before = bigquery.seen()["jobs"]  # of other tests
    with Proxy(("127.0.0.1", bigquery.port)) as proxy:
        at = {"api_endpoint": f"https://127.0.0.1:{proxy.port}", "storage_endpoint": ""}
        health = watch(bigquery_suite.config(Path(), bigquery, **at))
        until(lambda: len(health.state("shop").latencies) >= 5)
        assert health.state("shop").warehouse is None
        assert bigquery.seen()["jobs"] == before  # a dry run is none
        proxy.set("refuse")
        proxy.reset()
        until(lambda: health.state("shop").status is FAILING)  # an idle session says nothing by itself


def test_a_serverless_workgroup_is_asked_on_demand_only(
    watch: Callable[..., HealthService], redshift: Any
) -> None:
    """Any query starts and bills it; a cluster runs anyway."""
    serverless = replace(signed(redshift, serverless=True), name="serverless")
    cluster = replace(signed(redshift), name="cluster")
    health = watch(serverless, cluster)
    until(lambda: len(health.state("cluster").latencies) >= 5)
    state = health.state("serverless")
    assert (state.status, state.next_check) == (UNKNOWN, None)
    assert health.check("serverless").status is OK


def test_a_serverless_workgroup_is_known_by_its_host() -> None:
    kind = connector("redshift")
    for host, free in (
        ("shop.123456789012.eu-central-1.redshift-serverless.amazonaws.com", False),
        ("shop.abc123.eu-central-1.redshift.amazonaws.com", True),
    ):
        values = kind.validate({"host": host, "username": "ann", "password": "secret"})
        assert kind.state_is_free(ConnectionConfig("redshift", "shop", values)) is free
