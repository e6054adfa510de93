"""Counters of queries: exact, bounded, without a word of a person, and only where somebody exports them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from aiser_jupyter.execution.metrics import BUCKETS, ENGINES, Metrics
from aiser_jupyter.models import HistoryEntry, RunState, StatementKind

DONE = HistoryEntry(
    id="1",
    started_at=datetime(2026, 3, 1, tzinfo=UTC),
    user="ann",
    connection="local",
    state=RunState.DONE,
    sql="SELECT 1",
    kind=StatementKind.READ,
    engine="duckdb",
    seconds=0.2,
    rows=3,
    bytes=24,
)
ENDS = (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


def exported(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample as Prometheus reads it, by its name and its labels."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def test_a_run_is_in_every_counter_it_belongs_to():
    metrics = Metrics()
    for entry in (
        DONE,
        replace(DONE, seconds=7.0, rows=2, bytes=10),
        replace(DONE, cached=True, seconds=0.0, rows=1000, bytes=1000),
        replace(DONE, state=RunState.FAILED, seconds=1.0, rows=None, bytes=None),
        replace(DONE, state=RunState.CANCELLED, engine="direct_sql", seconds=400.0, rows=None, bytes=None),
        replace(DONE, state=RunState.FAILED, engine="", kind=StatementKind.UNKNOWN, rows=None, bytes=None),
    ):
        metrics.ended(entry)
    found = exported(metrics)
    queries = {
        (labels["engine"], labels["kind"], labels["outcome"]): count
        for (name, pairs), count in found.items()
        if name == "aiser_queries_total" and (labels := dict(pairs))
    }
    assert queries == {
        ("duckdb", "read", "done"): 3,
        ("duckdb", "read", "failed"): 1,
        ("direct_sql", "read", "cancelled"): 1,
        ("none", "unknown", "failed"): 1,
    }
    buckets = [value(found, "aiser_query_seconds_bucket", engine="duckdb", le=str(end)) for end in BUCKETS]
    assert buckets == [0, 0, 0, 1, 2, 2, 3, 3, 3]
    assert value(found, "aiser_query_seconds_bucket", engine="duckdb", le="+Inf") == 3
    assert value(found, "aiser_query_seconds_count", engine="duckdb") == 3
    assert value(found, "aiser_query_seconds_sum", engine="duckdb") == pytest.approx(8.2)
    assert value(found, "aiser_query_seconds_bucket", engine="direct_sql", le="300.0") == 0
    assert value(found, "aiser_query_seconds_bucket", engine="direct_sql", le="+Inf") == 1
    assert ("aiser_query_seconds_count", (("engine", "none"),)) not in found
    assert value(found, "aiser_result_rows_total") == 5
    assert value(found, "aiser_result_bytes_total") == 34
    assert value(found, "aiser_cache_hits_total") == 1


def test_the_end_of_a_class_belongs_to_it():
    metrics = Metrics()
    metrics.ended(replace(DONE, seconds=0.5))
    assert value(exported(metrics), "aiser_query_seconds_bucket", engine="duckdb", le="0.5") == 1


def total(found, wanted):
    """The sum of a metric over its labels."""
    return sum(count for (name, _), count in found.items() if name == wanted)


def test_counters_are_exact_under_64_threads_and_every_scrape_is_consistent():
    metrics, each, stop = Metrics(), 200, Event()

    def run(number: int) -> None:
        for _ in range(each):
            metrics.ended(replace(DONE, state=ENDS[number % 3], engine=f"engine{number % 4}", seconds=0.25))

    def scrape() -> int:
        scrapes = 0
        while not stop.is_set():
            found = exported(metrics)
            ended = total(found, "aiser_queries_total")
            timed = total(found, "aiser_query_seconds_count")
            done = sum(
                count
                for (name, labels), count in found.items()
                if name == "aiser_queries_total" and ("outcome", "done") in labels
            )
            assert ended == timed
            assert value(found, "aiser_result_rows_total") == 3 * done
            scrapes += 1
        return scrapes

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(65) as pool:
            scraping = pool.submit(scrape)
            list(pool.map(run, range(64)))
            stop.set()
            assert scraping.result() > 0
    finally:
        stop.set()
        sys.setswitchinterval(interval)
    found = exported(metrics)
    assert total(found, "aiser_queries_total") == 64 * each
    assert total(found, "aiser_query_seconds_count") == 64 * each
    done = sum(number % 3 == 0 for number in range(64)) * each
    assert value(found, "aiser_result_rows_total") == 3 * done
    assert value(found, "aiser_result_bytes_total") == 24 * done


def test_ten_thousand_different_queries_are_few_series_and_none_has_a_word_of_theirs():
    metrics = Metrics()
    kinds = tuple(StatementKind)
    for number in range(10_000):
        canary = f"canary{number}"
        metrics.ended(
            HistoryEntry(
                id=canary,
                started_at=DONE.started_at,
                user=canary,
                connection=canary,
                state=ENDS[number % 3],
                sql=f"SELECT '{canary}'",
                fingerprint=canary,
                kind=kinds[number % 5],
                engine="" if number % 7 == 0 else f"engine{number % 11}",
                reason=canary,
                seconds=number / 10,
                error_code=canary,
                error=canary,
                cell=canary,
                connection_id=canary,
            )
        )
    found = exported(metrics)
    assert 100 < len(found) <= 200 - 6  # the server's gauges come on top
    assert not [labels for _, labels in found if "canary" in str(labels)]
    engines = {dict(labels).get("engine") for _, labels in found} - {None, "none", "other"}
    assert len(engines) == ENGINES


KERNEL = """
import sys
from aiser_jupyter.models import Query
from aiser_jupyter.services import build
services = build()
assert services.queries.run(Query("SELECT 1")).row_count == 1
assert services.on_end == []
services.close()
print(*(name for name in ("prometheus_client", "aiser_jupyter.execution.metrics") if name in sys.modules))
"""


def test_a_process_without_a_server_counts_and_registers_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""
