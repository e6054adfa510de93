"""One job at a time: how it is sent, read, and told about, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from aiser_jupyter.errors import (
    ConnectionLost,
    DeadlineExceeded,
    MultipleStatements,
    NotPermitted,
    QuerySyntaxError,
    ResourceError,
    UnknownColumn,
)
from aiser_jupyter.run import Event, Handle, Progress, Run
from tests.connectors.bigquery_kit import KIND, ask, config_of
from tests.endpoints.bigquery import BigQuery

SLOW = (
    "SELECT SUM(a * b) AS x FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a,"
    " UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
)
MANY = "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 50000)) AS i"


@pytest.fixture(autouse=True)
def as_it_began(bigquery: BigQuery) -> Iterator[None]:
    bigquery.behave()
    yield
    bigquery.behave()


def last_job(bigquery: BigQuery) -> dict[str, Any]:
    found: dict[str, Any] = bigquery.seen()["jobs"][-1]
    return found


def test_a_job_says_who_runs_it_and_what_it_may_cost(bigquery: BigQuery) -> None:
    config = config_of(bigquery, maximum_bytes_billed=10**9, location="EU")
    ask(config, run=Run("test", timeout=60, tag="user=Ann.O'Hara@corp cell=4f:1 run=ab12"))
    job = last_job(bigquery)
    assert job["sql"].startswith("/* aiser user=Ann.O_Hara@corp cell=4f:1 run=ab12 */ SELECT 1")
    assert job["configuration"]["labels"] == {
        "aiser": "query",
        "aiser_user": "ann_o_hara_corp",
        "aiser_cell": "4f_1",
        "aiser_run": "ab12",
    }
    query = job["configuration"]["query"]
    assert query["maximumBytesBilled"] == str(10**9)
    assert query["useLegacySql"] is False
    assert query["defaultDataset"]["datasetId"] == "shop"
    assert job["jobReference"]["location"] == "EU"
    assert 60_000 < int(job["configuration"]["jobTimeoutMs"]) <= 65_000


def test_a_run_tells_its_handle_and_where_the_console_shows_it(bigquery: BigQuery) -> None:
    events: list[Event] = []
    ask(config_of(bigquery), run=Run("test", emit=events.append))
    job = last_job(bigquery)["jobReference"]
    (handle,) = [each for each in events if isinstance(each, Handle)]
    assert handle.value == f"acme-test-1:US.{job['jobId']}"
    messages = [each.message for each in events if isinstance(each, Progress)]
    assert "console.cloud.google.com/bigquery?project=acme-test-1&j=bq:US:aiser_" in messages[0]


def test_progress_is_told_while_a_job_waits_and_runs(bigquery: BigQuery) -> None:
    bigquery.behave(wait=1.5)
    events: list[Event] = []
    with closing(KIND.fresh(config_of(bigquery))) as session:
        run = Run("test", timeout=4, emit=events.append)
        with run.on_cancel(session.cancel), pytest.raises(DeadlineExceeded):
            session.execute(SLOW, (), run)
    told = [each for each in events if isinstance(each, Progress)]
    assert any("waits for slots" in each.message for each in told)
    assert any(each.fraction == 0.75 and each.message == "1 of 2 stages done." for each in told)


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; SELECT 2", "DECLARE x INT64 DEFAULT 1; SELECT x", "BEGIN SELECT 1; DROP TABLE t; END;"],
)
def test_one_statement_runs_at_a_time(bigquery: BigQuery, sql: str) -> None:
    before = len(bigquery.seen()["jobs"])
    with pytest.raises(MultipleStatements):
        ask(config_of(bigquery), sql)
    assert len(bigquery.seen()["jobs"]) == before


def test_a_job_whose_answer_was_lost_is_not_run_twice(bigquery: BigQuery) -> None:
    config = config_of(bigquery)
    ask(config, "CREATE OR REPLACE TABLE counted_once (x INT64)")
    session = KIND.fresh(config)
    bigquery.behave(lose=True)
    before = len(bigquery.seen()["jobs"])
    with closing(session):
        session.execute("INSERT INTO counted_once SELECT 1", (), Run("test")).read_all()
    assert len(bigquery.seen()["jobs"]) == before + 1
    assert len([each for each in bigquery.seen()["requests"] if each.endswith("/jobs")]) == 2
    assert ask(config, "SELECT COUNT(*) AS n FROM counted_once").to_pylist() == [{"n": 1}]


def test_a_comment_alone_is_no_statement(bigquery: BigQuery) -> None:
    with pytest.raises(QuerySyntaxError):
        ask(config_of(bigquery), "-- nothing")


@pytest.mark.parametrize(
    "sql",
    ["CREATE TABLE written (x INT64)", "DROP TABLE IF EXISTS written", "DELETE FROM kept WHERE true"],
)
def test_a_session_that_only_reads_has_bigquery_say_what_a_statement_is(bigquery: BigQuery, sql: str) -> None:
    config = config_of(bigquery)
    ask(config, "CREATE OR REPLACE TABLE kept AS SELECT 1 AS x")
    before = len(bigquery.seen()["jobs"])
    with pytest.raises(NotPermitted, match="BigQuery calls the statement"):
        ask(config, sql, read_only=True)
    assert len(bigquery.seen()["jobs"]) == before  # a dry run is no job
    assert ask(config, "SELECT x FROM kept", read_only=True).to_pylist() == [{"x": 1}]


def test_a_statement_that_writes_says_how_many_rows(bigquery: BigQuery) -> None:
    config = config_of(bigquery)
    ask(config, "CREATE OR REPLACE TABLE counted (x INT64)")
    run = Run("test")
    assert ask(config, "INSERT INTO counted SELECT i FROM UNNEST([1, 2, 3]) AS i", run=run).num_columns == 0
    assert [notice.message for notice in run.notices] == ["3 rows changed."]


def test_few_rows_come_with_the_answer_and_many_by_the_storage_api(bigquery: BigQuery) -> None:
    ask(config_of(bigquery), "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 2000)) AS i")
    assert bigquery.seen()["storage"] == []
    table = ask(config_of(bigquery), MANY)
    assert bigquery.seen()["storage"] == ["CreateReadSession"]
    assert table.column("i").to_pylist() == list(range(1, 50_001))


def test_who_may_not_use_the_storage_api_reads_json_and_is_told(bigquery: BigQuery) -> None:
    bigquery.behave(deny_storage=True)
    run = Run("test")
    table = ask(config_of(bigquery), "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 12000)) AS i", run=run)
    assert table.column("i").to_pylist() == list(range(1, 12_001))
    (notice,) = run.notices
    assert notice.code == "slow_read"
    assert "bigquery.readsessions.create" in notice.message


@pytest.mark.parametrize("given", [0, 20_000])
def test_a_stream_that_ends_too_early_is_no_result(bigquery: BigQuery, given: int) -> None:
    bigquery.behave(stream_rows=given)
    with pytest.raises(ConnectionLost, match=f"after {given:,} of 50,000 rows"):
        ask(config_of(bigquery), MANY)


def test_a_session_whose_result_was_left_is_used_again(bigquery: BigQuery) -> None:
    with closing(KIND.fresh(config_of(bigquery))) as session:
        with session.execute("SELECT * FROM recorded.endless", (), Run("one", timeout=60)) as reader:
            reader.read_next_batch()
        del reader
        assert session.recycle()
        assert session.execute("SELECT 1 AS x", (), Run("two")).read_all().num_rows == 1


def test_a_result_without_rows_has_its_columns(bigquery: BigQuery) -> None:
    table = ask(config_of(bigquery), "SELECT 1 AS a, 2 AS b LIMIT 0")
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])


def test_the_place_of_an_error_is_that_of_the_statement_as_written(bigquery: BigQuery) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        ask(config_of(bigquery), "SELECT 1 + FROM t", run=Run("test", tag="user=ann cell=1"))
    assert (caught.value.line, caught.value.column) == (1, 12)


def test_a_session_serves_on_after_an_error(bigquery: BigQuery) -> None:
    with closing(KIND.fresh(config_of(bigquery))) as session:
        with pytest.raises(UnknownColumn):
            session.execute("SELECT nothing FROM (SELECT 1 AS x)", (), Run("one"))
        assert session.execute("SELECT 1 AS x", (), Run("two")).read_all().num_rows == 1
        assert session.recycle()


@pytest.fixture
def sized(bigquery: BigQuery) -> str:
    """A table of two million whole numbers, and as many others."""
    ask(
        config_of(bigquery),
        "CREATE OR REPLACE TABLE sized AS"
        " SELECT i AS a, i + 1 AS b FROM UNNEST(GENERATE_ARRAY(1, 2000000)) AS i",
    )
    return "sized"


def test_a_dry_run_tells_the_bytes_and_their_price(bigquery: BigQuery, sized: str) -> None:
    before = len(bigquery.seen()["jobs"])
    with closing(KIND.open(config_of(bigquery, price_per_tib="6.25"))) as session:
        found = KIND.expect(session, "SELECT a FROM sized", ())
        tiny = KIND.expect(session, "SELECT 1", ())
        both = KIND.expect(session, "SELECT a, b FROM sized WHERE a > ?", (1,))
    assert found is not None
    assert tiny is not None
    assert both is not None
    assert (found.bytes, both.bytes, tiny.bytes) == (16_000_000, 32_000_000, 0)
    assert found.money == pytest.approx(6.25 * 16_000_000 / 2**40)
    assert (found.currency, found.unknown, tiny.money) == ("USD", (), 0)
    assert len(bigquery.seen()["jobs"]) == before


def test_without_a_price_there_is_no_money(bigquery: BigQuery, sized: str) -> None:
    with closing(KIND.open(config_of(bigquery))) as session:
        found = KIND.expect(session, "SELECT a FROM sized", ())
        with pytest.raises(UnknownColumn):
            KIND.expect(session, "SELECT nothing FROM sized", ())
    assert found is not None
    assert (found.money, found.currency) == (None, "")


def test_what_would_cost_more_than_it_may_is_not_run(bigquery: BigQuery, sized: str) -> None:
    with pytest.raises(ResourceError, match="limit for bytes billed") as caught:
        ask(config_of(bigquery, maximum_bytes_billed=1_000_000), "SELECT a FROM sized")
    assert "maximum_bytes_billed" in caught.value.hint
