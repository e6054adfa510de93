"""Frames, errors, progress and the order of things in a DuckDB session."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.duckdb.session import DuckDBSession
from aiser_jupyter.errors import (
    DataError,
    DiskFull,
    OutOfMemory,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    UndefinedParameter,
    UnknownColumn,
    UnknownTable,
    UsageError,
)
from aiser_jupyter.models import ConnectionConfig, TableRef
from aiser_jupyter.run import Event, Progress, Run

LOCAL = ConnectionConfig("duckdb", "local")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDBSession]:
    """A session in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    opened = DuckDBConnector().open(LOCAL)
    yield opened
    opened.close()


def fetch(session: DuckDBSession, sql: str, parameters: Any = (), run: Run | None = None) -> Any:
    return session.execute(sql, parameters, run or Run("test")).read_all()


class Stream:
    """An object that is known by its Arrow stream alone."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return pa.table({"n": [1, 2, 3]}).__arrow_c_stream__(requested_schema)


TABLE = pa.table({"n": [1, 2, 3]})
FRAMES = {
    "pandas": lambda: pd.DataFrame({"n": [1, 2, 3]}),
    "polars": lambda: pl.DataFrame({"n": [1, 2, 3]}),
    "lazy": lambda: pl.LazyFrame({"n": [1, 2, 3]}),
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "reader": lambda: TABLE.to_reader(),
    "stream": Stream,
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_a_frame_can_be_scanned_twice_and_again_by_another_query(session: DuckDBSession, make: Any) -> None:
    frame = make()
    for _ in range(2):
        session.register("f", frame)
        assert fetch(session, "SELECT count(*) AS c FROM f, f AS g").to_pylist() == [{"c": 9}]


@pytest.mark.parametrize("name", ["f", "sélection", 'a "quoted" name', "select", "a.b"])
def test_a_frame_may_have_any_name(session: DuckDBSession, name: str) -> None:
    session.register(name, TABLE)
    quoted = name.replace('"', '""')
    assert fetch(session, f'SELECT sum(n)::INTEGER AS s FROM "{quoted}"').to_pylist() == [{"s": 6}]


def test_a_frame_is_seen_in_its_own_session_only(session: DuckDBSession) -> None:
    session.register("mine", TABLE)
    other = DuckDBConnector().open(LOCAL)
    with pytest.raises(UnknownTable):
        fetch(other, "FROM mine")
    other.close()


def test_a_python_variable_is_no_table_by_itself(session: DuckDBSession) -> None:
    somewhere = pd.DataFrame({"n": [1]})
    with pytest.raises(UnknownTable):
        fetch(session, "FROM somewhere")
    assert len(somewhere) == 1


@pytest.mark.parametrize(
    "frame",
    [
        {"n": [1]},
        42,
        pd.DataFrame(),
        pd.DataFrame({"p": pd.period_range("2024", periods=2, freq="Y")}),
        pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}),
        pl.LazyFrame({"a": [1]}).select(pl.col("missing")),
    ],
    ids=["dict", "int", "no columns", "period", "object", "broken lazy frame"],
)
def test_what_cannot_be_read_as_a_table_is_said(session: DuckDBSession, frame: object) -> None:
    with pytest.raises(DataError) as caught:
        session.register("f", frame)
    assert "'f'" in caught.value.message
    assert caught.value.message.count("\n") == 0


def test_a_column_of_several_kinds_says_that_it_is_text(session: DuckDBSession) -> None:
    frame = pd.DataFrame(
        {"mixed": pd.Series([1, "a"], dtype=object), "text": ["a", None], "lists": [[1], [2]]}
    )
    notices = session.register("f", frame)
    assert [notice.message.split(" of ")[0] for notice in notices] == ["Column 'mixed'"]
    assert fetch(session, "SELECT mixed FROM f").column(0).to_pylist() == ["1", "a"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (2**127, Decimal(2**127)),
        (np.int64(3), 3),
        (np.float32(1.5), 1.5),
        (np.datetime64("2024-02-29T01:02:03.000004000", "ns"), dt.datetime(2024, 2, 29, 1, 2, 3, 4)),
        (pd.Timestamp("2024-02-29 01:02:03.000004"), dt.datetime(2024, 2, 29, 1, 2, 3, 4)),
        (pd.NA, None),
        (float("inf"), float("inf")),
        (b"\0\xff", b"\0\xff"),
        ([1, None], [1, None]),
        ("a\0b", "a\0b"),
    ],
)
def test_a_parameter_is_bound_without_a_change(session: DuckDBSession, value: object, found: object) -> None:
    assert fetch(session, "SELECT $x AS x", {"x": value}).column("x").to_pylist() == [found]
    assert fetch(session, "SELECT ? AS x", [value]).column("x").to_pylist() == [found]


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1E+50"),
        2**130,
        np.datetime64("2024-02-29T01:02:03.000004001", "ns"),
        pd.Timestamp("2024-02-29 01:02:03.000004001"),
        object(),
        {1, 2},
    ],
)
def test_a_parameter_that_would_change_is_refused(session: DuckDBSession, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        fetch(session, "SELECT $x AS x", {"x": value})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("sql", "error", "message", "hint"),
    [
        ("SELECT 1\n  FROM t WHERE WHERE", QuerySyntaxError, "(line 2, column ", ""),
        ("FROM ordres", UnknownTable, "There is no table 'ordres'.", "Did you mean 'orders'?"),
        ("FROM shop.orders", UnknownTable, "There is no table 'shop.orders'.", "orders"),
        (
            "SELECT regoin FROM orders",
            UnknownColumn,
            "There is no column 'regoin'.",
            "Did you mean 'region'?",
        ),
        ("SELECT o.regoin FROM orders o", UnknownColumn, "'regoin'", "Did you mean 'region'?"),
        ("SELECT x.id FROM orders o", UnknownTable, "There is no table or alias 'x' in FROM.", "o"),
        ("SELECT uper('a')", StatementError, "There is no function 'uper'.", "Did you mean 'upper'?"),
        ("SELECT id, count(*) FROM orders", StatementError, "GROUP BY", ""),
        ("SELECT 'x'::INTEGER", DataError, "Could not convert string 'x' to INT32.", "TRY_CAST"),
        ("SELECT 2147483647::INTEGER + 1::INTEGER", DataError, "Overflow", ""),
        ("SELECT error('boom')", QueryFailed, "boom.", ""),
        ("SELECT $a", UndefinedParameter, "No value is given for a.", "--param"),
        ("FROM 'nofile.parquet'", UnknownTable, "There is no file 'nofile.parquet'.", "no data file"),
        ("-- nothing", QuerySyntaxError, "There is no statement to run.", ""),
    ],
)
def test_an_error_is_short_and_says_what_to_do(
    session: DuckDBSession, sql: str, error: type[Exception], message: str, hint: str
) -> None:
    fetch(session, "CREATE OR REPLACE TABLE orders (id INTEGER, region VARCHAR)")
    try:
        with pytest.raises(error) as caught:
            fetch(session, sql)
    finally:
        fetch(session, "DROP TABLE orders")
    assert type(caught.value) is error
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "LINE " not in str(caught.value)
    assert "pg_" not in str(caught.value)
    assert len(caught.value.message) < 320


def test_the_place_of_a_syntax_error_counts_characters(session: DuckDBSession) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        fetch(session, "SELECT 'é🦆',\n'ü' selec selec FROM x")
    assert (caught.value.line, caught.value.column) == (2, 11)


def test_an_unknown_table_is_looked_for_among_frames_and_files(session: DuckDBSession) -> None:
    session.offer(["sales_2024"])
    Path("regions.csv").write_text("a\n1\n")
    for wrong, right in (("sales_204", "sales_2024"), ("regions_csv", "regions.csv")):
        with pytest.raises(UnknownTable) as caught:
            fetch(session, f"FROM {wrong}")
        assert caught.value.hint == f"Did you mean {right!r}?"


def damaged(kind: str) -> str:
    """Write a file that cannot be read in one way; return its name."""
    parquet.write_table(
        pa.table({"n": range(100_000), "s": [f"row {i}" for i in range(100_000)]}), "x.parquet"
    )
    whole = Path("x.parquet").read_bytes()
    middle = len(whole) // 2
    content = {
        "not parquet": b"hello, hello, hello",
        "empty": b"",
        "truncated": whole[:middle],
        "garbage inside": whole[:1000] + os.urandom(middle) + whole[1000 + middle :],
    }
    name = f"{kind.replace(' ', '_')}.parquet"
    Path(name).write_bytes(content[kind])
    return name


@pytest.mark.parametrize("kind", ["not parquet", "empty", "truncated", "garbage inside"])
def test_a_damaged_parquet_file_is_a_data_error(session: DuckDBSession, kind: str) -> None:
    name = damaged(kind)
    with pytest.raises(DataError, match="damaged") as caught:
        fetch(session, f"SELECT sum(n), max(s) FROM '{name}'")
    assert caught.value.hint
    assert fetch(session, "SELECT count(*) AS c FROM 'x.parquet'").to_pylist() == [{"c": 100_000}]


@pytest.mark.parametrize(
    ("tail", "hint"),
    [("1,2,3,4\n", "null_padding"), ("1\n", "null_padding"), ("x,y\n", "sample_size=-1")],
    ids=["too many", "too few", "wrong type"],
)
def test_a_broken_csv_row_is_named(session: DuckDBSession, tail: str, hint: str) -> None:
    Path("broken.csv").write_text("a,b\n" + "1,2\n" * 50_000 + tail)
    with pytest.raises(DataError) as caught:
        fetch(session, "SELECT * FROM 'broken.csv'")
    assert caught.value.message.startswith("broken.csv, line 50002: ")
    assert hint in caught.value.hint
    assert "ignore_errors=true" in caught.value.hint


def test_broken_json_is_named(session: DuckDBSession) -> None:
    Path("broken.json").write_text('{"a": 1}\n{"a": ')
    with pytest.raises(DataError, match=r"broken\.json"):
        fetch(session, "FROM 'broken.json'")


def test_a_folder_and_a_short_suffix_can_stand_in_from(session: DuckDBSession) -> None:
    Path("it's").mkdir()
    for name in ("it's/a.parquet", "it's/b.parquet", "x.pq"):
        parquet.write_table(TABLE, name)
    kind = DuckDBConnector()
    assert [c.name for c in kind.columns(session, TableRef("it's", is_file=True)).columns or ()] == ["n"]
    assert fetch(session, "SELECT count(*) AS c FROM 'it''s'").to_pylist() == [{"c": 6}]
    session.register_file("x.pq")
    assert fetch(session, "FROM 'x.pq'").num_rows == 3


@pytest.mark.parametrize("name", ['a"b', 'x" AS SELECT 1; --', "it's", "a.b", "$$"])
def test_rows_and_folders_of_any_name_are_under_that_name(session: DuckDBSession, name: str) -> None:
    quoted = name.replace('"', '""')
    for _ in range(2):
        session.keep(name, TABLE)
    assert fetch(session, f'SELECT count(*) AS c FROM "{quoted}"').to_pylist() == [{"c": 6}]
    folder = f"{name} folder"
    Path(folder).mkdir()
    parquet.write_table(TABLE, f"{folder}/a.parquet")
    session.register_file(folder)
    found = fetch(session, "SELECT view_name AS v FROM duckdb_views() WHERE view_name = $v", {"v": folder})
    assert found.to_pylist() == [{"v": folder}]


def test_memory_and_disk_have_errors_of_their_own(session: DuckDBSession) -> None:
    sort = "SELECT range, hash(range) AS h FROM range(5000000) ORDER BY h"
    before = session.rows(
        "SELECT current_setting('memory_limit'), current_setting('max_temp_directory_size')"
    )
    try:
        session.rows("SET memory_limit = '40MiB'")
        session.rows("SET max_temp_directory_size = '1MiB'")
        with pytest.raises(DiskFull) as full:
            fetch(session, sort)
        assert "temp_limit" in full.value.hint
        with pytest.raises(OutOfMemory) as caught:
            fetch(session, "SELECT list(range) FROM range(20000000)")
        assert "memory_limit" in caught.value.hint
        assert fetch(session, "SELECT 1 AS x").num_rows == 1
    finally:
        session.rows(f"SET memory_limit = '{before[0][0]}'")
        session.rows("RESET max_temp_directory_size")


def test_progress_rises(session: DuckDBSession) -> None:
    events: list[Event] = []
    run = Run("test", timeout=1.5, emit=events.append)
    with pytest.raises(Exception, match="did not finish"):
        fetch(session, "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b", (), run)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions
    assert fractions == sorted(set(fractions))
    assert all(fraction is not None and 0 < fraction <= 1 for fraction in fractions)


def test_counts_of_changed_rows_are_kept(session: DuckDBSession) -> None:
    assert fetch(session, "CREATE TEMP TABLE t AS SELECT range AS n FROM range(5)").to_pylist() == [
        {"Count": 5}
    ]
    assert fetch(session, "UPDATE t SET n = 0 WHERE n > 2").to_pylist() == [{"Count": 2}]
    assert fetch(session, "DELETE FROM t WHERE n > 7").to_pylist() == [{"Count": 0}]
    assert fetch(session, "INSERT INTO t VALUES (8) RETURNING n").to_pylist() == [{"n": 8}]
    assert fetch(session, "COPY t TO 't.csv'").to_pylist() == [{"Count": 6}]
    assert fetch(session, "PIVOT t ON n % 2 USING count(*)").num_rows == 1
    assert fetch(session, 'SELECT 1 AS "Count" WHERE false').column_names == ["Count"]
