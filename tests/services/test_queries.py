"""Queries through every layer, on real DuckDB: plan, route, run, cache, record."""

from __future__ import annotations

import subprocess
import sys
import time

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aiser_jupyter.errors import (
    AiserError,
    DeadlineExceeded,
    QueryCancelled,
    ResultTooLarge,
    UndefinedParameter,
    UnknownConnection,
    UnknownTable,
    UsageError,
)
from aiser_jupyter.models import Query, RunState
from aiser_jupyter.services import build

ENDLESS = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b"


@pytest.fixture
def services(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


@pytest.fixture
def orders(services, tmp_path):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "amount": [10, 20, 30]}), path)
    return path


def one(services, text, frames=None, **options):
    return services.queries.run(Query(text, **options), frames or {}).table.to_pylist()


def test_a_file_and_a_frame_in_one_statement(services, orders):
    frames = {"names": pd.DataFrame({"id": [1, 3], "name": ["a", "c"]})}
    rows = one(
        services, "SELECT name, amount FROM 'orders.parquet' JOIN names USING (id) ORDER BY id", frames
    )
    assert rows == [{"name": "a", "amount": 10}, {"name": "c", "amount": 30}]


def test_the_result_says_who_ran_it_why_and_how_long(services):
    result = services.queries.run(Query("SELECT 42 AS x"))
    assert result.engine == "duckdb"
    assert result.route.reason
    assert {c.engine for c in result.route.candidates} >= {"duckdb", "direct_sql"}
    assert result.timings.total > 0
    assert result.timings.execute > 0


def test_parameters_are_bound(services):
    hostile = "1'; DROP TABLE t; --"
    assert one(services, "SELECT {{ x }} AS x", variables={"x": hostile}) == [{"x": hostile}]
    with pytest.raises(UndefinedParameter, match="amount"):
        one(services, "SELECT {{ amount }}")


def test_local_tables_live_as_long_as_the_process(services):
    one(services, "CREATE OR REPLACE TABLE kept AS SELECT 7 AS n")
    assert one(services, "SELECT n FROM kept") == [{"n": 7}]
    one(services, "DROP TABLE kept")


class TestCache:
    def test_a_file_is_read_once_until_it_changes(self, services, orders):
        query = Query("SELECT sum(amount) AS s FROM 'orders.parquet'")
        assert not services.queries.run(query).cached
        again = services.queries.run(query)
        assert again.cached
        assert again.table.to_pylist() == [{"s": 60}]
        assert [n.code for n in again.notices] == ["cached"]
        pq.write_table(pa.table({"id": [1], "amount": [5]}), orders)
        fresh = services.queries.run(query)
        assert not fresh.cached
        assert fresh.table.to_pylist() == [{"s": 5}]

    def test_frames_volatile_functions_and_memory_tables_are_never_cached(self, services, orders):
        one(services, "CREATE OR REPLACE TABLE mem AS SELECT 1 AS n")
        frames = {"df": pd.DataFrame({"n": [1]})}
        for text in (
            "SELECT n FROM df",
            "SELECT n FROM mem",
            "SELECT random() FROM 'orders.parquet'",
            "SELECT id FROM 'orders.parquet' JOIN df ON df.n = id",
        ):
            for _ in range(2):
                assert not services.queries.run(Query(text), frames).cached, text
        one(services, "DROP TABLE mem")

    def test_no_cache_neither_reads_nor_fills(self, services, orders):
        text = "SELECT max(amount) FROM 'orders.parquet'"
        services.queries.run(Query(text, use_cache=False))
        assert not services.queries.run(Query(text)).cached
        assert services.queries.run(Query(text)).cached
        assert not services.queries.run(Query(text, use_cache=False)).cached

    def test_parameters_of_different_type_are_different_questions(self, services, orders):
        text = "SELECT {{ x }} AS x, typeof({{ x }}) AS t FROM 'orders.parquet' LIMIT 1"
        answers = [one(services, text, variables={"x": value}) for value in (1, True, 1.0, "1")]
        assert len({(type(a[0]["x"]), a[0]["t"]) for a in answers}) == 4

    def test_max_age_lets_a_live_answer_be_used_again(self, services):
        one(services, "CREATE OR REPLACE TABLE live AS SELECT 1 AS n")
        query = Query("SELECT n FROM live", max_age=60)
        assert not services.queries.run(query).cached
        assert services.queries.run(query).cached
        one(services, "INSERT INTO live VALUES (2)")
        assert not services.queries.run(query).cached, "one's own write invalidates"
        one(services, "DROP TABLE live")


class TestHistory:
    def test_a_run_is_recorded_with_its_parts(self, services):
        result = services.queries.run(Query("SELECT 1 AS a, 2 AS b", cell="c1"))
        entry = services.queries.history()[0]
        assert (entry.id, entry.state, entry.engine) == (result.id, RunState.DONE, "duckdb")
        assert (entry.rows, entry.cell, entry.connection) == (1, "c1", "local")
        assert entry.seconds == pytest.approx(result.timings.total)
        assert entry.fingerprint

    def test_failures_are_recorded_too_wherever_they_happen(self, services):
        for text, code in (
            ("SELECT * FROM nowhere", "unknown_table"),
            ("SELECT {{ missing }}", "undefined_parameter"),
            ("SELEC 1", "syntax"),
        ):
            with pytest.raises(AiserError):
                services.queries.run(Query(text))
            entry = services.queries.history()[0]
            assert (entry.state, entry.error_code) == (RunState.FAILED, code), text
            assert entry.error

    def test_secrets_are_not_kept(self, services):
        canary = "canary-7d41f0"
        with pytest.raises(AiserError):
            services.queries.run(Query(f"CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET '{canary}') nonsense"))
        entry = services.queries.history()[0]
        assert canary not in repr(entry)
        assert "CREATE SECRET" in entry.sql

    def test_search_finds_by_text(self, services):
        services.queries.run(Query("SELECT 'needle' AS n"))
        services.queries.run(Query("SELECT 'hay' AS n"))
        assert ["needle" in e.sql for e in services.queries.history(search="needle")] == [True]

    def test_a_broken_store_is_told_once_and_stops_no_query(self, services, store_directory):
        services.queries.run(Query("SELECT 1"))
        services.close()
        (store_directory / "aiser.db").write_bytes(
            b"not a database at all, but long enough to look like one" * 99
        )
        results = []
        for _ in range(4):
            results.append(services.queries.run(Query("SELECT 1 AS n")))
            services.queries.history()  # what is queued is tried, and fails
        assert [r.table.to_pylist() for r in results] == [[{"n": 1}]] * 4
        told = [n for r in results for n in r.notices if n.code == "history"]
        assert len({n.message for n in told}) == len(told) >= 1
        assert "aiser doctor" in told[0].message

    def test_runs_of_a_dead_process_are_lost(self, services):
        script = (
            "import os, time\nfrom aiser_jupyter.models import Query\n"
            "from aiser_jupyter.services import build\ns = build()\n"
            f"s.queries.submit(Query({ENDLESS!r}))\n"
            "time.sleep(1)\nos.kill(os.getpid(), 9)\n"
        )
        subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
        assert services.queries.history()[0].state is RunState.LOST


class TestStop:
    def test_a_deadline_stops_the_database(self, services):
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"0\.3 s") as failed:
            services.queries.run(Query(ENDLESS, timeout=0.3))
        assert time.monotonic() - began < 2.3
        assert "--timeout" in failed.value.hint
        assert services.queries.history()[0].error_code == "deadline_exceeded"
        assert one(services, "SELECT 1 AS n") == [{"n": 1}]

    def test_cancel_from_another_thread(self, services):
        submission = services.queries.submit(Query(ENDLESS))
        time.sleep(0.3)
        assert services.queries.cancel(submission.id) == 1
        with pytest.raises(QueryCancelled):
            submission.wait()
        assert services.queries.history()[0].state is RunState.CANCELLED


class TestCaps:
    def test_display_is_cut_and_says_so(self, services):
        result = services.queries.run(Query("SELECT range AS n FROM range(100_000)", limit=10))
        assert result.row_count == 10
        assert "10" in result.truncated

    def test_what_is_kept_is_never_cut(self, services):
        services.settings.preferences.row_limit = 10
        assert services.queries.run(Query("FROM range(1000)", whole=True)).row_count == 1000
        with pytest.raises(ResultTooLarge) as failed:
            services.queries.run(Query("FROM range(1_000_000)", whole=True, max_bytes=100_000))
        assert failed.value.rows > 0
        assert "--max-bytes" in failed.value.hint

    def test_limit_zero_is_no_limit(self, services):
        services.settings.preferences.row_limit = 10
        assert services.queries.run(Query("FROM range(1000)", limit=0)).row_count == 1000


class TestSaved:
    def test_saved_queries_are_chained_as_ctes(self, services):
        services.queries.save("big", "SELECT range AS n FROM range(10) WHERE range > 6")
        services.queries.save("bigger", "SELECT n FROM big WHERE n > 7")
        assert one(services, "SELECT count(*) AS c FROM bigger", with_=("bigger",)) == [{"c": 2}]
        assert one(services, "SELECT count(*) AS c FROM bigger") == [{"c": 2}]

    def test_a_name_must_be_one(self, services):
        with pytest.raises(UsageError):
            services.queries.save("not a name", "SELECT 1")


class TestNames:
    def test_unknown_names_come_with_the_nearest(self, services, orders):
        with pytest.raises(UnknownConnection) as failed:
            services.queries.run(Query("SELECT 1", connection="locl"))
        assert "local" in failed.value.hint
        with pytest.raises(UnknownTable) as failed:
            services.queries.run(Query("SELECT * FROM 'order.parquet'"))
        assert "orders.parquet" in failed.value.hint
        with pytest.raises(UnknownTable) as failed:
            services.queries.run(Query("SELECT * FROM custmers"), {"customers": pd.DataFrame({"a": [1]})})
        assert "customers" in failed.value.hint


def test_timings_agree_with_an_outside_clock(services):
    for _ in range(20):
        began = time.monotonic()
        result = services.queries.run(Query("SELECT count(*) FROM range(20_000_000) t(i) WHERE i % 7 = 3"))
        outside = time.monotonic() - began
        assert abs(outside - result.timings.total) < max(0.005, 0.02 * outside) + 0.02


def test_convert_is_timed_and_recorded(services):
    submission = services.queries.submit(Query("SELECT 1 AS n", whole=True))
    submission.wait()
    frame = submission.convert("pandas")
    assert frame["n"].tolist() == [1]
    assert submission.result.timings.convert > 0
    entry = services.queries.history()[0]
    assert entry.timings.convert == pytest.approx(submission.result.timings.convert)
