"""The figures of a dashboard, counted from a real store."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aiser_jupyter.errors import AiserError, UsageError
from aiser_jupyter.models import ConnectionConfig, HistoryEntry, Query, RunState
from aiser_jupyter.services import Services, build
from aiser_jupyter.services.statistics import (
    DAYS,
    HINTS,
    ConnectionCounts,
    DayCount,
    Load,
    StatisticsService,
)
from aiser_jupyter.store import rows
from aiser_jupyter.wire.statistics import statistics_json


@pytest.fixture
def services(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = build()
    yield built
    built.close()


@pytest.fixture
def keep(services: Services) -> Callable[[list[HistoryEntry]], None]:
    """Write runs into the store, as processes of this person would."""

    def write(entries: list[HistoryEntry]) -> None:
        with services.store.write() as connection:
            connection.executemany(rows.UPSERT, [rows.values(entry, time.time(), "") for entry in entries])

    return write


def made(services: Services, count: int, days: int = 7) -> list[HistoryEntry]:
    """Runs of these days, the same at every call, with one of each kind of end."""
    chance = random.Random(5)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    states = [RunState.DONE] * 16 + [RunState.FAILED] * 2 + [RunState.CANCELLED, RunState.LOST]
    found = []
    for number in range(count):
        state = chance.choice(states)
        failed = state is RunState.FAILED
        found.append(
            HistoryEntry(
                id=f"{number:032x}",
                started_at=today - timedelta(days=chance.randrange(days), seconds=-chance.randrange(1000)),
                user=services.identity.name,
                connection=chance.choice(["local", "shop", "sales"]),
                state=state,
                sql=f"SELECT {number}",
                engine=chance.choice(["duckdb", "direct_sql"]),
                cached=state is RunState.DONE and chance.random() < 0.1,
                seconds=None if state is RunState.LOST else chance.expovariate(1.0),
                rows=chance.randrange(1000) if state is RunState.DONE else None,
                bytes=chance.randrange(10_000) if state is RunState.DONE else None,
                error_code=chance.choice(["unknown_table", "deadline"]) if failed else "",
                error=f"message {number}" if failed else "",
            )
        )
    return found


def load(name: str, entries: list[HistoryEntry]) -> Load:
    """What the database should have counted."""
    seconds = sorted(e.seconds for e in entries if e.state is RunState.DONE and not e.cached)
    states = Counter(entry.state for entry in entries)
    return Load(
        name,
        len(entries),
        states[RunState.DONE],
        states[RunState.FAILED],
        states[RunState.CANCELLED],
        sum(entry.cached for entry in entries),
        sum(entry.rows or 0 for entry in entries),
        sum(entry.bytes or 0 for entry in entries),
        seconds[math.ceil(0.5 * len(seconds)) - 1] if seconds else None,
        seconds[math.ceil(0.95 * len(seconds)) - 1] if seconds else None,
    )


def grouped(entries: list[HistoryEntry], field: str) -> tuple[Load, ...]:
    names = {getattr(entry, field) for entry in entries}
    found = [load(name, [e for e in entries if getattr(e, field) == name]) for name in names]
    return tuple(sorted(found, key=lambda each: (-each.runs, each.name)))


def test_an_unused_store_has_nothing_and_says_so(services):
    found = services.statistics.summary(3)
    assert found.all == Load()
    assert (found.by_engine, found.by_connection, found.errors, found.slowest) == ((), (), (), ())
    assert [each.runs for each in found.by_day] == [0, 0, 0]
    assert found.connections == ConnectionCounts()
    assert found.complete


@pytest.mark.parametrize("count", [1, 2, 20, 777])
def test_runs_are_counted_by_engine_connection_and_day(services, keep, count):
    entries = made(services, count)
    keep(entries)
    found = services.statistics.summary(7)
    assert found.all == load("", entries)
    assert found.by_engine == grouped(entries, "engine")
    assert found.by_connection == grouped(entries, "connection")
    days = Counter(f"{entry.started_at:%Y-%m-%d}" for entry in entries)
    failed = Counter(f"{e.started_at:%Y-%m-%d}" for e in entries if e.state is RunState.FAILED)
    names = [f"{found.since + timedelta(days=number):%Y-%m-%d}" for number in range(7)]
    assert found.by_day == tuple(DayCount(name, days[name], failed[name]) for name in names)
    assert names[-1] == f"{datetime.now(UTC):%Y-%m-%d}"
    computed = [entry for entry in entries if entry.state is RunState.DONE and not entry.cached]
    slowest = sorted(computed, key=lambda entry: -entry.seconds)[:10]
    assert [entry.id for entry in found.slowest] == [entry.id for entry in slowest]


def test_an_error_is_told_with_its_newest_message(services, keep):
    (one,) = made(services, 1)
    failed = replace(one, state=RunState.FAILED, cached=False, rows=None)
    now = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0)
    keep(
        [
            replace(failed, id="1", error_code="deadline", error="old", started_at=now),
            replace(
                failed, id="2", error_code="deadline", error="new", started_at=now + timedelta(seconds=2)
            ),
            replace(
                failed, id="3", error_code="deadline", error="mid", started_at=now + timedelta(seconds=1)
            ),
            replace(failed, id="4", error_code="data", error="other", started_at=now),
            replace(one, id="5", state=RunState.CANCELLED, error_code="cancelled", error="no error"),
        ]
    )
    found = [(e.code, e.count, e.last_message, e.last_at) for e in services.statistics.summary().errors]
    assert found == [("deadline", 3, "new", now + timedelta(seconds=2)), ("data", 1, "other", now)]


def test_runs_of_others_and_of_the_days_before_do_not_count(services, keep):
    (one,) = made(services, 1, days=1)
    one = replace(one, state=RunState.DONE, cached=False, seconds=1.0)
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    keep(
        [
            replace(one, id="1", user="somebody else", error_code="theirs", state=RunState.FAILED),
            replace(one, id="2", user="somebody else"),
            replace(one, id="3", started_at=first - timedelta(microseconds=1)),
            replace(one, id="4", started_at=first),
        ]
    )
    found = services.statistics.summary(2)
    assert found.all.runs == 1
    assert [entry.id for entry in found.slowest] == ["4"]
    assert found.errors == ()
    assert [each.runs for each in found.by_day] == [1, 0]


def test_what_this_process_has_just_run_counts(services):
    assert services.queries.run(Query("SELECT 1")).row_count == 1
    with pytest.raises(AiserError):
        services.queries.run(Query("SELECT * FROM nowhere"))
    found = services.statistics.summary(1)
    assert (found.all.runs, found.all.done, found.all.failed) == (2, 1, 1)
    assert [each.code for each in found.errors] == ["unknown_table"]
    assert found.errors[0].last_message == services.queries.history()[0].error
    assert statistics_json(found)["errors"][0]["hint"] == HINTS["unknown_table"]


def test_hints_are_sentences_for_codes_that_there_are():
    known, found = [AiserError], set()
    while known:
        kind = known.pop()
        found.add(kind.code)
        known += kind.__subclasses__()
    assert set(HINTS) <= found
    assert all(hint.endswith(".") for hint in HINTS.values())


def test_connections_are_counted_by_what_is_known_of_them(services, tmp_path):
    import duckdb

    duckdb.connect(str(tmp_path / "there.duckdb")).close()
    for name, path in (("there", "there"), ("gone", "gone"), ("unasked", "there")):
        values = {"database": str(tmp_path / f"{path}.duckdb")}
        services.connections.create(ConnectionConfig("duckdb", name, values), tested=False)
    services.monitor.check("there")
    services.monitor.check("gone")
    assert services.statistics.summary().connections == ConnectionCounts(3, 1, 1, 1)


@pytest.mark.parametrize("days", [0, -1, DAYS + 1])
def test_days_have_a_limit(services, days):
    with pytest.raises(UsageError, match="days"):
        services.statistics.summary(days)


def test_of_too_many_runs_the_newest_are_counted(services, keep):
    statistics = StatisticsService(services, runs=5)
    (one,) = made(services, 1, days=1)
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    entries = [replace(one, id=str(n), started_at=start + timedelta(seconds=n)) for n in range(6)]
    keep(entries[:5])
    assert statistics.summary(1).complete
    keep(entries)
    found = statistics.summary(1)
    assert (found.complete, found.all.runs) == (False, 5)


def test_the_wire_has_figures_and_words_only(services, keep):
    import json

    keep(made(services, 50))
    body = statistics_json(services.statistics.summary(7))
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    assert body["success"] is True
    assert body["since"].endswith("T00:00:00Z")
    assert body["queries"]["runs"] == 50
    assert {each["name"] for each in body["by_engine"]} == {"duckdb", "direct_sql"}
    assert len(body["by_day"]) == 7
    assert body["slowest"][0]["seconds"] >= body["slowest"][-1]["seconds"]


@pytest.mark.long
def test_ten_thousand_runs_take_a_tenth_of_a_second(services, keep):
    keep(made(services, 10_000))
    services.statistics.summary(7)
    spent = []
    for _ in range(5):
        began = time.thread_time()  # of the processor: others may be busy
        assert services.statistics.summary(7).all.runs == 10_000
        spent.append(time.thread_time() - began)
    assert min(spent) <= 0.1, spent
