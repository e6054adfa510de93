"""What every connector has to show, whatever its database."""

from __future__ import annotations

import threading
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from aiser_jupyter.connectors.base import Session
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import (
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    MultipleStatements,
    QueryCancelled,
    QuerySyntaxError,
    UnknownColumn,
    UnknownTable,
)
from aiser_jupyter.models import ConnectionConfig, TableRef
from aiser_jupyter.run import Run

PATIENCE = 2.0
"""Seconds a database may take to stop."""


def fetch(session: Session, sql: str, parameters: Any = (), run: Run | None = None) -> Any:
    table = session.execute(sql, parameters or {}, run or Run("test")).read_all()
    table.validate(full=True)
    return table


def test_it_says_whether_its_driver_is_installed(config: ConnectionConfig) -> None:
    available = connector(config.type).available()
    assert available.ok
    assert available.version


def test_a_field_it_does_not_have_is_refused(config: ConnectionConfig) -> None:
    kind = connector(config.type)
    with pytest.raises(ConfigError, match="has no field 'databse'"):
        kind.validate({"databse": "x"})


def test_a_bad_target_says_what_to_do(bad_config: ConnectionConfig) -> None:
    with pytest.raises(ConnectError) as caught:
        connector(bad_config.type).open(bad_config, read_only=True)
    assert caught.value.hint


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_the_schema_does_not_depend_on_the_number_of_rows(database: Any, opened: Session, count: int) -> None:
    table = fetch(opened, database.rows.format(n=count))
    assert table.schema == fetch(opened, database.rows.format(n=7)).schema
    assert table.num_rows == count
    assert table.column(0).to_pylist() == list(range(count))


def test_types_are_exact(opened: Session, literal: Any) -> None:
    sql, type_, value = literal
    table = fetch(opened, f"SELECT {sql} AS x")
    assert str(table.schema.field(0).type) == type_
    assert table.column(0).to_pylist() == [value]


def test_parameters_are_bound(database: Any, config: ConnectionConfig, opened: Session) -> None:
    text = "'; DROP TABLE x; -- é 🦆"
    values = {"number": 41, "text": text, "nothing": None, "day": date(2024, 2, 29), "exact": Decimal("1.10")}
    listed = connector(config.type).paramstyle_of(config) == "qmark"
    (row,) = fetch(opened, database.parameters, tuple(values.values()) if listed else values).to_pylist()
    assert row == {"n": 42, "t": text, "x": None, "d": date(2024, 2, 29), "e": Decimal("1.10")}


def test_a_statement_without_a_result_gives_no_columns(database: Any, opened: Session) -> None:
    assert fetch(opened, database.make_table).column_names == []
    assert fetch(opened, database.drop_table).column_names == []


def test_tables_and_columns_are_listed(database: Any, config: ConnectionConfig, opened: Session) -> None:
    kind = connector(config.type)
    fetch(opened, database.make_table)
    try:
        assert "conformance" in [table.name for table in kind.tables(opened)]
        found = kind.columns(opened, TableRef("conformance"))
        assert found.columns is not None
        assert tuple((c.name, c.type, c.nullable) for c in found.columns) == database.columns
        with pytest.raises(UnknownTable, match="conformances") as caught:
            kind.columns(opened, TableRef("conformances"))
        assert caught.value.hint == "Did you mean 'conformance'?"
    finally:
        fetch(opened, database.drop_table)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEC 1", QuerySyntaxError),
        ("SELECT * FROM no_such_table", UnknownTable),
        ("SELECT no_such_column FROM (SELECT 1 AS other) AS t", UnknownColumn),
        ("SELECT 1; SELECT 2", MultipleStatements),
    ],
)
def test_an_error_has_its_class_and_the_session_goes_on(
    opened: Session, sql: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        fetch(opened, sql)
    assert fetch(opened, "SELECT 1 AS x").column(0).to_pylist() == [1]


def test_a_cancel_stops_the_execution(database: Any, opened: Session) -> None:
    run = Run("test")
    threading.Timer(0.2, run.cancel).start()
    started = time.monotonic()
    with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled):
        fetch(opened, database.slow, run=run)
    assert time.monotonic() - started < PATIENCE
    assert fetch(opened, "SELECT 1 AS x").num_rows == 1


def test_a_cancel_stops_the_fetch(database: Any, opened: Session) -> None:
    run = Run("test")
    reader = opened.execute(database.endless, {}, run)
    reader.read_next_batch()
    threading.Timer(0.2, run.cancel).start()
    started = time.monotonic()
    with run.on_cancel(opened.cancel), pytest.raises(QueryCancelled):
        for _ in reader:
            pass
    assert time.monotonic() - started < PATIENCE
    assert fetch(opened, "SELECT 1 AS x").num_rows == 1


def test_the_deadline_stops_the_run(database: Any, opened: Session) -> None:
    run = Run("test", timeout=0.3)
    started = time.monotonic()
    with run.on_cancel(opened.cancel), pytest.raises(DeadlineExceeded):
        fetch(opened, database.slow, run=run)
    assert time.monotonic() - started < PATIENCE


def test_two_sessions_work_at_once(database: Any, config: ConnectionConfig) -> None:
    kind = connector(config.type)
    kind.open(config).close()
    first, second = (kind.open(config, read_only=True) for _ in range(2))
    try:
        reader = first.execute(database.rows.format(n=200_000), {}, Run("one"))
        head = reader.read_next_batch().num_rows
        assert fetch(second, database.rows.format(n=5)).num_rows == 5
        assert head + reader.read_all().num_rows == 200_000
    finally:
        first.close()
        second.close()


def test_a_session_closes_twice_and_in_the_middle_of_a_result(
    database: Any, config: ConnectionConfig
) -> None:
    session = connector(config.type).open(config)
    session.execute(database.endless, {}, Run("test")).read_next_batch()
    session.close()
    session.close()
    session.cancel()
    again = connector(config.type).open(config)
    assert fetch(again, "SELECT 1 AS x").num_rows == 1
    again.close()
