"""What every engine has to show, whatever it computes with."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from aiser_jupyter.engines.stream import release
from aiser_jupyter.errors import QueryCancelled, QuerySyntaxError
from aiser_jupyter.models import Connection, Scope, StatementKind, TableRef
from aiser_jupyter.run import Event, Phase, Run
from aiser_jupyter.sql import Statement

SLOW = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"
Case = tuple[Any, Connection]


def read(text: str, *tables: str) -> Statement:
    return Statement(text, "duckdb", StatementKind.READ, tuple(TableRef(name) for name in tables))


def test_it_is_available_and_says_why(engine_case: Case) -> None:
    available = engine_case[0].available()
    assert available.ok
    assert available.reason


def test_it_supports_a_read_and_gives_the_reason(engine_case: Case) -> None:
    engine, connection = engine_case
    support = engine.supports(read("SELECT 1"), Scope(connection))
    assert support.ok
    assert support.reason


def test_an_estimate_names_what_is_unknown(engine_case: Case) -> None:
    engine, connection = engine_case
    estimate = engine.estimate(read("FROM orders", "orders"), Scope(connection), {})
    assert estimate.rows is None
    assert estimate.bytes is None
    assert "size of orders" in estimate.unknown


def test_rows_stream_through_the_phases(engine_case: Case) -> None:
    engine, connection = engine_case
    events: list[Event] = []
    run = Run("test", emit=events.append)
    reader = engine.execute(read("SELECT range AS i FROM range(1000000)"), Scope(connection), run)
    first = reader.read_next_batch()
    assert 0 < first.num_rows < 1_000_000
    assert first.num_rows + reader.read_all().num_rows == 1_000_000
    assert [event.name for event in events if isinstance(event, Phase)] == ["connect", "execute", "fetch"]


def test_a_cancel_stops_it_and_the_next_query_works(engine_case: Case) -> None:
    engine, connection = engine_case
    run = Run("test")
    threading.Timer(0.2, run.cancel).start()
    started = time.monotonic()
    with pytest.raises(QueryCancelled):
        engine.execute(read(SLOW), Scope(connection), run).read_all()
    assert time.monotonic() - started < 2.0
    assert engine.execute(read("SELECT 1"), Scope(connection), Run("next")).read_all().num_rows == 1


def test_an_error_frees_the_session(engine_case: Case) -> None:
    engine, connection = engine_case
    with pytest.raises(QuerySyntaxError):
        engine.execute(read("SELEC 1"), Scope(connection), Run("test"))
    assert engine.execute(read("SELECT 1"), Scope(connection), Run("next")).read_all().num_rows == 1


def test_a_reader_can_be_released_before_its_end(engine_case: Case) -> None:
    engine, connection = engine_case
    reader = engine.execute(read("SELECT range FROM range(100000000)"), Scope(connection), Run("test"))
    reader.read_next_batch()
    release(reader)
    release(reader)
    assert engine.execute(read("SELECT 1"), Scope(connection), Run("next")).read_all().num_rows == 1
