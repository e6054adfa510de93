"""DuckDB in a process of its own answers as DuckDB in this one does, and stops when it is told."""

from __future__ import annotations

import datetime as dt
import math
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.connectors.folder import expand
from aiser_jupyter.connectors.sandbox import Sandbox
from aiser_jupyter.errors import (
    AiserError,
    ConnectError,
    DataError,
    DeadlineExceeded,
    EngineUnavailable,
    MultipleStatements,
    NotPermitted,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    UndefinedParameter,
    UnknownColumn,
    UnknownTable,
    UsageError,
)
from aiser_jupyter.models import ConnectionConfig, TableRef
from aiser_jupyter.run import Progress, Run
from tests.connectors.sandbox_kit import ENDLESS, Heard, computes, config, eventually, fetch, sandbox_in

HERE = ConnectionConfig("duckdb", "local")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("folder")
    (made / "numbers.csv").write_text("n\n1\n2\n")
    return made


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[Sandbox]:
    with sandbox_in(folder) as made:
        yield made


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Any]:
    opened = DuckDBConnector().open(config(sandbox))
    yield opened
    opened.close()


def here(sql: str, parameters: Any, run: Run) -> pa.Table:
    """Run a statement in this process."""
    session = DuckDBConnector().open(HERE)
    try:
        return session.execute(sql, parameters, run).read_all()
    finally:
        session.close()


TYPES = {
    "every type": "SELECT * EXCLUDE (varint) FROM (SELECT * RENAME (bignum AS varint) FROM test_all_types())",
    "infinities": "SELECT 'infinity'::DATE AS d, '-infinity'::TIMESTAMP AS t, TIME '24:00:00' AS x",
    "zones": "SELECT TIMETZ '12:30:00+05:30' AS a, TIMESTAMPTZ '2026-01-01 00:00:00+05:30' AS b",
    "an enum": "SELECT unnest(['b', 'a', NULL])::ENUM ('a', 'b') AS e FROM range(3)",
    "nested": "SELECT {'a': [1, 2], 'b': map {'k': 170141183460469231731687303715884105727}} AS s",
    "a variant": "SELECT {'a': 1}::VARIANT AS v",
    "no rows": "SELECT 1 AS a, 'x' AS b WHERE false",
    "no columns": "CREATE OR REPLACE TEMP TABLE t AS SELECT 1",
    "nothing": "CREATE OR REPLACE MACRO aiser_m(x) AS x",
    "two of a name": "SELECT 1 AS a, 2 AS a",
    "many batches": "SELECT i, 'v' || i AS v FROM range(200000) t(i)",
    "wide rows": "SELECT repeat('x', 100000) AS v FROM range(2000)",
}


@pytest.mark.parametrize("what", TYPES)
def test_rows_types_and_notices_are_the_same(sandbox: Sandbox, what: str) -> None:
    expected, found = Heard(), Heard()
    table = here(TYPES[what], (), expected.run)
    got = fetch(sandbox, TYPES[what], run=found.run)
    got.validate(full=True)
    assert got.schema.equals(table.schema, check_metadata=True)
    for mine, theirs in zip(got.columns, table.columns, strict=True):
        assert mine.equals(theirs) or str(mine.to_pylist()) == str(theirs.to_pylist())  # NaN equals nothing
    assert [batch.num_rows for batch in got.to_batches()] == [batch.num_rows for batch in table.to_batches()]
    assert found.notices == expected.notices


def test_there_is_something_to_say_of_types(sandbox: Sandbox) -> None:
    """So that the comparison above has notices to compare."""
    heard = Heard()
    fetch(sandbox, TYPES["infinities"], run=heard.run)
    assert heard.notices == ["lossy_type"] * 3


VALUES = [
    1,
    -(2**127),
    2.5,
    math.inf,
    "naïve \ud83d\ude00",
    True,
    Decimal("123456789012345678901234567890.12345678"),
    dt.date(1, 1, 1),
    dt.datetime(2026, 3, 1, 12, 30, 0, 123456),
    dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    dt.time(23, 59, 59, 999999),
    dt.timedelta(days=-1, microseconds=1),
    uuid.UUID(int=2**100),
    b"\x00\xff",
    [[1], [2, None]],
    {"a": {"b": 1}},
    None,
    pd.Timestamp("2026-01-01 10:00"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_parameter_arrives_without_a_change(sandbox: Sandbox, value: Any) -> None:
    sql = "SELECT $x AS x, typeof($x) AS t"
    if isinstance(value, str):
        value = value.encode("utf-16", "surrogatepass").decode("utf-16")
    assert fetch(sandbox, sql, {"x": value}).equals(here(sql, {"x": value}, Run("test")))


def test_what_cannot_be_bound_is_said(session: Any) -> None:
    with pytest.raises(UsageError, match="cannot be bound"):
        session.execute("SELECT $x", {"x": object()}, Run("test"))
    assert session.execute("SELECT 1", {}, Run("test")).read_all().num_rows == 1


ERRORS = {
    "SELECT\n  1 +": QuerySyntaxError,
    "": QuerySyntaxError,
    "SELECT 1; SELECT 2": MultipleStatements,
    "SELECT * FROM 'numbrs.csv'": UnknownTable,
    "SELECT * FROM nowhere": UnknownTable,
    "SELECT m FROM 'numbers.csv'": UnknownColumn,
    "SELECT 'x'::INTEGER": DataError,
    "SELECT $x": UndefinedParameter,
    "SELECT error('on purpose')": QueryFailed,
}


@pytest.mark.parametrize("sql", ERRORS)
def test_errors_are_the_same(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(AiserError) as expected:
        here(sql, {}, Run("test"))
    with pytest.raises(AiserError) as found:
        fetch(sandbox, sql, {})
    assert type(found.value) is type(expected.value) is ERRORS[sql]
    assert str(found.value) == str(expected.value)
    if isinstance(found.value, QuerySyntaxError):
        assert (found.value.line, found.value.column) == (expected.value.line, expected.value.column)


def test_an_error_among_the_rows_comes_after_them(session: Any) -> None:
    sql = "SELECT CASE WHEN i = 300000 THEN error('late') ELSE i END AS i FROM range(400000) t(i)"
    with pytest.raises(QueryFailed, match="late"):
        for _ in session.execute(sql, {}, Run("test")):
            pass
    assert session.execute("SELECT 1", {}, Run("test")).read_all().num_rows == 1


def test_the_catalog_is_that_of_the_process(sandbox: Sandbox, session: Any) -> None:
    fetch(sandbox, "CREATE TABLE orders (id INTEGER NOT NULL, total DECIMAL(10, 2))")
    connector = DuckDBConnector()
    (found,) = connector.tables(session)
    assert (found.name, found.kind) == ("orders", "table")
    columns = connector.columns(session, TableRef("orders")).columns or ()
    assert [(column.name, column.type, column.nullable) for column in columns] == [
        ("id", "INTEGER", False),
        ("total", "DECIMAL(10,2)", True),
    ]
    with pytest.raises(UnknownTable, match="ordrs"):
        connector.columns(session, TableRef("ordrs"))
    assert [table.name for table in connector.describe(session)] == ["orders"]
    assert session.defines("ORDERS")
    assert not session.defines("nothing")
    fetch(sandbox, "DROP TABLE orders")


def test_progress_is_heard(sandbox: Sandbox) -> None:
    heard = Heard(timeout=60)
    told = threading.Event()

    def listen(event: Any) -> None:
        if isinstance(event, Progress) and (event.fraction or 0) > 0:
            told.set()
            heard.run.cancel()

    run = Run("test", timeout=60, emit=listen)
    heard.run = run
    sql = "SELECT count(*) FROM range(20000000000) t(i) WHERE hash(i) = 42"
    with pytest.raises(QueryCancelled):
        fetch(sandbox, sql, run=run)
    assert told.is_set()


# -- stopping, and pulling ----------------------------------------------------------------------------------


def test_rows_wait_for_who_reads_them(sandbox: Sandbox) -> None:
    """A result without an end, read a little: the process neither computes on nor grows."""
    session = DuckDBConnector().open(config(sandbox))
    try:
        reader = session.execute("SELECT i, hash(i) AS h FROM range(1000000000000) t(i)", {}, Run("test"))
        assert reader.read_next_batch().num_rows > 0
        eventually(lambda: not any(computes(sandbox.pid or 0) for _ in range(5)))
        assert reader.read_next_batch().num_rows > 0
    finally:
        session.close()
    assert fetch(sandbox, "SELECT 1").num_rows == 1


def test_cancelling_stops_it_and_leaves_the_process(sandbox: Sandbox) -> None:
    fetch(sandbox, "SELECT 1")
    pid, run = sandbox.pid, Run("test")
    stop = threading.Timer(0.3, run.cancel)
    stop.start()
    session = DuckDBConnector().open(config(sandbox))
    try:
        with run.on_cancel(session.cancel), pytest.raises(QueryCancelled):
            session.execute(ENDLESS, {}, run).read_all()
    finally:
        session.close()
        stop.join()
    assert fetch(sandbox, "SELECT 1").num_rows == 1
    assert sandbox.pid == pid


def test_the_deadline_is_said_as_the_caller_knows_it(sandbox: Sandbox) -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 0\.4 s"):
        fetch(sandbox, ENDLESS, run=Run("test", timeout=0.4))


def test_closing_early_stops_the_statement(sandbox: Sandbox) -> None:
    session = DuckDBConnector().open(config(sandbox))
    failed: list[AiserError] = []

    def wait() -> None:
        try:
            session.rows(ENDLESS)
        except AiserError as exc:
            failed.append(exc)

    waiting = threading.Thread(target=wait)
    waiting.start()
    eventually(lambda: computes(sandbox.pid or 0))
    session.cancel()
    waiting.join(20)
    assert [type(error) for error in failed] == [QueryCancelled]
    session.close()
    eventually(lambda: not computes(sandbox.pid or 0))


# -- database files, and what is not there any more ---------------------------------------------------------


def is_free(path: Path) -> bool:
    """Say whether no other process holds the database: the child closes it behind its answer."""
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException:
        return False
    return True


def test_a_database_file_is_read_and_written_and_nothing_else(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "it's shop.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS a")
    DuckDBConnector().open(config(sandbox, path), read_only=True).close()
    fetch(sandbox, "INSERT INTO t VALUES (2)", database=path)
    assert fetch(sandbox, "SELECT sum(a) AS s FROM t", database=path).to_pylist() == [{"s": 3}]
    for sql in ("FROM 'numbers.csv'", f"ATTACH '{tmp_path}/other.duckdb'", "SET memory_limit = '9GB'"):
        with pytest.raises(NotPermitted):
            fetch(sandbox, sql, database=path)
    eventually(lambda: is_free(path))  # it is not held between statements
    with duckdb.connect(str(path)) as again:
        assert again.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_two_sessions_of_one_file_are_both_confined(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS a")
    sessions = [DuckDBConnector().open(config(sandbox, path), read_only=True) for _ in range(3)]
    try:
        for session in sessions:
            assert session.execute("FROM t", {}, Run("test")).read_all().num_rows == 1
            with pytest.raises(NotPermitted):
                session.execute("FROM 'numbers.csv'", {}, Run("test")).read_all()
    finally:
        for session in sessions:
            session.close()


def test_a_file_that_is_no_database_is_said(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(DataError, match="not a DuckDB database"):
        fetch(sandbox, "SELECT 1", database=folder / "numbers.csv")
    with pytest.raises(ConnectError, match=r"no folder|no database"):
        fetch(sandbox, "SELECT 1", database=folder / "nowhere" / "x.duckdb")


def test_without_its_sandbox_a_connection_opens_nothing(tmp_path: Path) -> None:
    """Never in this process instead."""
    with sandbox_in(tmp_path) as sandbox:
        left = config(sandbox)
    for gone in (left, ConnectionConfig("duckdb", "local", sandbox="nowhere")):
        with pytest.raises(EngineUnavailable):
            DuckDBConnector().open(gone)
        with pytest.raises(EngineUnavailable):
            expand(gone, "numbers.csv")
