"""What a statement goes through at a Databricks warehouse: sent once, waited for, read whole, and stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.connectors.databricks import DatabricksConnector
from aiser_jupyter.connectors.databricks.session import DatabricksSession
from aiser_jupyter.errors import (
    ConnectionLost,
    DeadlineExceeded,
    MultipleStatements,
    QueryCancelled,
    QueryFailed,
    UnknownTable,
    UsageError,
)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Event, Handle, Progress, Run
from tests.conformance.databricks import config as config_of
from tests.connectors.databricks_kit import ENDLESS, KIND, SLOW, fetch, until
from tests.endpoints.databricks import Databricks
from tests.servers.proxy import Proxy


@pytest.fixture
def config(workspace: Databricks) -> ConnectionConfig:
    return config_of(Path(), workspace)


@pytest.fixture
def session(config: ConnectionConfig) -> Iterator[Any]:
    """A session of its own, past the pool."""
    with closing(KIND.fresh(config)) as session:
        yield session


# -- sent ------------------------------------------------------------------------------------------------


def test_a_statement_says_whose_it_is(workspace: Databricks, session: Any) -> None:
    fetch(session, "SELECT 1", run=Run("r", tag="user=ann cell=c7 run=42"))
    (seen,) = workspace.seen()["statements"]
    assert seen["sql"] == "/* aiser user=ann cell=c7 run=42 */ SELECT 1"
    assert seen["query_tags"] == "aiser:user=ann cell=c7 run=42"


def test_a_workspace_without_query_tags_runs_it_all_the_same(workspace: Databricks, session: Any) -> None:
    workspace.behave(query_tags=False)
    assert fetch(session, "SELECT 1 AS x", run=Run("r", tag="ann")).num_rows == 1
    assert fetch(session, "SELECT 2 AS x", run=Run("r", tag="ann")).num_rows == 1
    seen = workspace.seen()["statements"]
    assert [each["query_tags"] for each in seen] == [None, None]


def test_one_statement_a_run(session: Any) -> None:
    fetch(session, "CREATE OR REPLACE TABLE counted (n INT)")
    with pytest.raises(MultipleStatements):
        fetch(session, "SELECT 1; INSERT INTO counted VALUES (1)")
    assert fetch(session, "SELECT count(*) AS n FROM counted").to_pylist() == [{"n": 0}]


@pytest.mark.parametrize("mode", ["rst", "fin"])
def test_a_statement_that_may_have_run_is_not_sent_again(workspace: Databricks, mode: str) -> None:
    with (
        Proxy(("127.0.0.1", workspace.port)) as proxy,
        closing(KIND.fresh(config_of(Path(), workspace))) as direct,
    ):
        fetch(direct, "CREATE OR REPLACE TABLE counted (n INT)")
        session = KIND.fresh(config_of(Path(), workspace, port=proxy.port))
        workspace.behave(execute_seconds=1.0)

        def break_off() -> None:
            until(lambda: workspace.seen()["statements"])
            proxy.set(mode, after=0, new=False)

        breaking = threading.Thread(target=break_off)
        breaking.start()
        with closing(session), pytest.raises(ConnectionLost):
            fetch(session, "INSERT INTO counted VALUES (1)")
        breaking.join()
        workspace.behave()
        until(lambda: fetch(direct, "SELECT count(*) AS n FROM counted").to_pylist() == [{"n": 1}])
        time.sleep(0.5)
        assert fetch(direct, "SELECT count(*) AS n FROM counted").to_pylist() == [{"n": 1}]


def test_a_question_for_the_state_that_breaks_off_is_asked_again(workspace: Databricks) -> None:
    with Proxy(("127.0.0.1", workspace.port)) as proxy:
        session = KIND.fresh(config_of(Path(), workspace, port=proxy.port))
        workspace.behave(pending_seconds=2.0)
        events: list[Event] = []

        def break_off() -> None:
            until(lambda: any(isinstance(event, Handle) for event in events))
            proxy.set("rst", after=0, new=False)

        breaking = threading.Thread(target=break_off)
        breaking.start()
        with closing(session):
            assert fetch(session, "SELECT 1 AS x", run=Run("r", emit=events.append)).num_rows == 1
        breaking.join()


# -- limits ----------------------------------------------------------------------------------------------


def test_the_deadline_is_the_warehouses_too(workspace: Databricks, session: Any) -> None:
    fetch(session, "SELECT 1", run=Run("r", timeout=30))
    fetch(session, "SELECT 2", run=Run("r", timeout=30))
    fetch(session, "SELECT 3", run=Run("r"))
    seen = [(each["sql"], each["timeout"]) for each in workspace.seen()["statements"]]
    assert seen == [
        ("SET STATEMENT_TIMEOUT = 35", None),
        ("SELECT 1", "35"),
        ("SELECT 2", "35"),
        ("RESET STATEMENT_TIMEOUT", "35"),
        ("SELECT 3", None),
    ]


def test_a_limit_of_the_warehouse_is_a_deadline(session: Any) -> None:
    fetch(session, "SET STATEMENT_TIMEOUT = 1")
    with pytest.raises(DeadlineExceeded, match="warehouse stopped"):
        fetch(session, SLOW)
    assert fetch(session, "SELECT 1 AS x").num_rows == 1


# -- waited for ------------------------------------------------------------------------------------------


def test_the_handle_and_the_place_in_the_console_are_told(workspace: Databricks, session: Any) -> None:
    events: list[Event] = []
    fetch(session, "SELECT 1", run=Run("r", emit=events.append))
    handle = next(event for event in events if isinstance(event, Handle))
    id, _, secret = handle.value.partition(".")
    told = next(event for event in events if isinstance(event, Progress))
    assert (len(id), len(secret), handle.connection) == (36, 32, "shop")
    assert told.message == f"query {id} · https://127.0.0.1:{workspace.port}/sql/history?queryId={id}"


def test_a_warehouse_that_went_to_sleep_is_waited_for(workspace: Databricks, session: Any) -> None:
    workspace.behave(state="STOPPED", start_seconds=2.5)
    assert fetch(session, "SELECT 1 AS x", run=Run("r", timeout=30)).num_rows == 1
    assert workspace.seen()["woken"] == 1


def test_a_statement_that_waits_at_the_warehouse_says_so(workspace: Databricks, session: Any) -> None:
    workspace.behave(pending_seconds=0.5)
    events: list[Event] = []
    fetch(session, "SELECT 1", run=Run("r", emit=events.append))
    told = [event.message for event in events if isinstance(event, Progress)]
    assert "waits at the warehouse" in told


def test_waiting_for_a_warehouse_ends_with_the_run(workspace: Databricks, session: Any) -> None:
    workspace.behave(state="STOPPED", start_seconds=60)
    run = Run("r", timeout=30)
    threading.Timer(1.0, run.cancel).start()
    began = time.monotonic()
    with run.on_cancel(session.cancel), pytest.raises(QueryCancelled):
        fetch(session, "SELECT 1", run=run)
    assert time.monotonic() - began < 8


# -- read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files_from", "links"), [(10_000_000, False), (50_000, True)], ids=["inline", "from files"]
)
def test_a_million_rows(workspace: Databricks, session: Any, files_from: int, links: bool) -> None:
    workspace.behave(files_from=files_from)
    reader = session.execute("SELECT id AS i, concat('row ', id) AS s FROM range(1000000)", (), Run("r"))
    rows, sizes, schemas = 0, [], set()
    for batch in reader:
        column = batch.column(0)
        assert (column[0].as_py(), column[-1].as_py()) == (rows, rows + len(column) - 1)
        rows += batch.num_rows
        sizes.append(batch.num_rows)
        schemas.add(batch.schema)
    assert rows == 1_000_000
    assert max(sizes) <= 100_000
    assert len(schemas) == 1
    assert any(path.startswith("/files/") for path in workspace.seen()["paths"]) is links


@pytest.mark.parametrize("count", [0, 1, 99_999, 100_000, 100_001, 300_000])
def test_a_server_that_stops_after_each_answer_gives_every_row(
    workspace: Databricks, session: Any, count: int
) -> None:
    workspace.behave(stops_short=True, files_from=10_000_000)
    table = fetch(session, f"SELECT id AS i FROM range({count})")
    assert table.column("i").to_pylist() == list(range(count))


@pytest.mark.parametrize("files_from", [10_000_000, 50_000], ids=["inline", "from files"])
def test_the_next_answer_is_asked_for_while_one_is_read(
    workspace: Databricks, session: Any, files_from: int
) -> None:
    workspace.behave(files_from=files_from)
    reader = session.execute("SELECT id AS i FROM range(1000000)", (), Run("r"))
    reader.read_next_batch()
    time.sleep(0.3)
    assert workspace.seen()["fetches"] == 1  # who wants a few rows has them
    rows = reader.read_next_batch().num_rows
    until(lambda: workspace.seen()["fetches"] == 2)
    assert rows < 100_000
    assert reader.read_next_batch()[0][0].as_py() < 100_000  # of the first answer, still
    assert workspace.seen()["fetches"] == 2  # and no more than one is ahead


def test_an_answer_that_fails_ahead_fails_in_its_turn(workspace: Databricks, session: Any) -> None:
    workspace.behave(files_from=10_000_000, fails_at_fetch=3)
    reader = session.execute("SELECT id AS i FROM range(1000000)", (), Run("r"))
    rows = 0
    while rows < 200_000:
        rows += reader.read_next_batch().num_rows
    assert workspace.seen()["fetches"] == 3
    with pytest.raises(QueryFailed, match="The disk is gone"):
        reader.read_next_batch()


def test_a_part_of_a_result_is_fetched_by_https_or_not_at_all(workspace: Databricks, session: Any) -> None:
    workspace.behave(files_from=1_000, link_host=f"http://127.0.0.1:{workspace.port}")
    with pytest.raises(ConnectionLost, match="without encryption"):
        fetch(session, "SELECT id AS i FROM range(5000)")
    assert not [path for path in workspace.seen()["paths"] if path.startswith("/files/")]


def test_a_part_of_a_result_that_is_gone_is_no_result(workspace: Databricks, session: Any) -> None:
    workspace.behave(files_from=1_000, link_host=f"https://127.0.0.1:{workspace.port}/nowhere")
    with pytest.raises(ConnectionLost, match="cloud storage") as caught:
        fetch(session, "SELECT id AS i FROM range(5000)")
    assert "cloud_fetch" in caught.value.hint
    with closing(KIND.fresh(config_of(Path(), workspace, cloud_fetch=False))) as inline:
        assert fetch(inline, "SELECT id AS i FROM range(5000)").num_rows == 5000


def test_what_was_read_is_forgotten_at_the_warehouse(workspace: Databricks, session: Any) -> None:
    before = workspace.seen()["operations"]
    fetch(session, "SELECT 1", run=Run("r", timeout=30))
    with pytest.raises(UnknownTable):
        fetch(session, "SELECT * FROM nowhere", run=Run("r", timeout=30))
    fetch(session, "CREATE OR REPLACE TABLE t (n INT)")
    until(lambda: workspace.seen()["operations"] == before)


# -- sessions --------------------------------------------------------------------------------------------


def test_what_a_user_set_is_not_there_for_the_next_one(
    workspace: Databricks, config: ConnectionConfig
) -> None:
    kind = DatabricksConnector()
    config = ConnectionConfig(config.type, config.name, {**config.values, "max_connections": 1})  # it waits
    with closing(kind.open(config)) as first:
        fetch(first, "CREATE SCHEMA IF NOT EXISTS other")
        fetch(first, "USE SCHEMA other")
        assert fetch(first, "SELECT current_catalog(), current_schema()").to_pylist() == [
            {"current_catalog()": "lake", "current_schema()": "other"}
        ]
    with closing(kind.open(config)) as second:
        assert fetch(second, "SELECT current_catalog(), current_schema()").to_pylist() == [
            {"current_catalog()": "lake", "current_schema()": "default"}
        ]
    kind._pool.close()


def test_a_session_that_only_read_is_used_again(workspace: Databricks, config: ConnectionConfig) -> None:
    kind = DatabricksConnector()
    with closing(kind.open(config)) as first:
        fetch(first, "SELECT 1", run=Run("r", timeout=30))
    opened = len(workspace.seen()["sessions"])
    for number in range(5):
        time.sleep(0.05)
        with closing(kind.open(config)) as session:
            fetch(session, f"SELECT {number}", run=Run("r", timeout=30))
    assert len(workspace.seen()["sessions"]) <= opened + 1
    kind._pool.close()


def test_a_closed_session_is_closed_at_the_warehouse(workspace: Databricks, config: ConnectionConfig) -> None:
    before = len(workspace.seen()["sessions"])
    session = KIND.fresh(config)
    assert len(workspace.seen()["sessions"]) == before + 1
    session.close()
    until(lambda: len(workspace.seen()["sessions"]) == before)


def threads() -> list[str]:
    ours = ("aiser-databricks", "ThreadPoolExecutor")  # the driver's, which download
    return [each.name for each in threading.enumerate() if each.name.startswith(ours)]


def test_no_thread_stays(config: ConnectionConfig) -> None:
    before = len(threads())
    session = KIND.fresh(config)
    assert isinstance(session, DatabricksSession)
    assert len(threads()) == before + 1
    reader = session.execute(ENDLESS, (), Run("r"))
    reader.read_next_batch()
    reader.read_next_batch()  # another answer is on its way
    session.close()
    del reader
    until(lambda: len(threads()) <= before)  # those of another test may have ended meanwhile


def test_a_result_that_was_stopped_is_not_downloaded_on(session: Any) -> None:
    before, run = len(threads()), Run("r")
    reader = session.execute(ENDLESS, (), run)
    reader.read_next_batch()
    reader.read_next_batch()
    run.cancel()
    with pytest.raises(QueryCancelled) as caught:
        reader.read_all()
    assert caught.tb  # it holds what was being read
    until(lambda: len(threads()) == before)


# -- parameters ------------------------------------------------------------------------------------------


def test_parameters_that_cannot_be_bound_are_refused_before_they_are_sent(
    workspace: Databricks, session: Any
) -> None:
    for value in (b"\x00", 2**63, time, object()):
        with pytest.raises(UsageError, match="Parameter 1"):
            fetch(session, "SELECT ? AS x", (value,))
    assert workspace.seen()["statements"] == []
    assert fetch(session, "SELECT 1 AS x").num_rows == 1
