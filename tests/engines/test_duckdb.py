"""What the DuckDB engine sees as a table, what it refuses, and what it expects to take."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from aiser_jupyter.config import Settings
from aiser_jupyter.engines.duckdb import DuckDBEngine
from aiser_jupyter.errors import DataError, UnknownTable, UsageError
from aiser_jupyter.models import (
    LOCAL,
    Connection,
    ConnectionConfig,
    Scope,
    StatementKind,
    Statistics,
    TableRef,
)
from aiser_jupyter.run import Run
from aiser_jupyter.sql import Features, Statement

HERE = Connection(LOCAL, "tester", ConnectionConfig("duckdb", LOCAL), "builtin")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DuckDBEngine:
    monkeypatch.chdir(tmp_path)
    return DuckDBEngine(Settings())


@pytest.fixture
def shop(tmp_path: Path) -> Connection:
    """A database file with one table, ``orders``."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 'table' AS source")
    return Connection("c1", "tester", ConnectionConfig("duckdb", "shop", {"database": str(path)}))


def read(text: str, *tables: TableRef, **more: Any) -> Statement:
    words = frozenset(text.replace(",", " ").replace("(", " ").replace(")", " ").split())
    return Statement(text, "duckdb", StatementKind.READ, tables, identifiers=words, **more)


def rows(
    engine: DuckDBEngine,
    statement: Statement,
    frames: Mapping[str, object] | None = None,
    connection: Connection = HERE,
    run: Run | None = None,
) -> list[dict[str, Any]]:
    scope = Scope(connection, frames or {})
    found: list[dict[str, Any]] = engine.execute(statement, scope, run or Run("test")).read_all().to_pylist()
    return found


@pytest.mark.parametrize(
    ("connection", "kind", "ok"),
    [
        (HERE, StatementKind.READ, True),
        (HERE, StatementKind.WRITE, True),
        (HERE, StatementKind.UNKNOWN, True),
        (Connection("c", "t", ConnectionConfig("duckdb", "shop")), StatementKind.READ, True),
        (Connection("c", "t", ConnectionConfig("duckdb", "shop")), StatementKind.WRITE, False),
        (Connection("c", "t", ConnectionConfig("duckdb", "shop")), StatementKind.UNKNOWN, False),
        (Connection("c", "t", ConnectionConfig("mysql", "shop")), StatementKind.READ, False),
    ],
)
def test_it_runs_reads_of_duckdb_and_anything_local(
    engine: DuckDBEngine, connection: Connection, kind: StatementKind, ok: bool
) -> None:
    support = engine.supports(Statement("x", "duckdb", kind), Scope(connection))
    assert support.ok is ok
    assert support.reason


@pytest.mark.parametrize("written", ["sales", "SALES", '"sales"'])
def test_a_frame_is_a_table_whatever_its_case(engine: DuckDBEngine, written: str) -> None:
    statement = Statement(
        f"FROM {written}", "duckdb", StatementKind.READ, identifiers=frozenset({"FROM", written.strip('"')})
    )
    assert rows(engine, statement, {"sales": pd.DataFrame({"n": [1]})}) == [{"n": 1}]


def test_a_frame_that_is_not_named_is_not_touched(engine: DuckDBEngine) -> None:
    reader = pa.table({"n": [1]}).to_reader()
    assert rows(engine, read("SELECT 1 AS x"), {"broken": object(), "reader": reader}) == [{"x": 1}]
    assert reader.read_all().num_rows == 1


def test_a_cte_hides_a_frame(engine: DuckDBEngine) -> None:
    statement = read("WITH sales AS ( SELECT 2 AS n ) FROM sales")
    assert rows(engine, statement, {"sales": pd.DataFrame({"n": [1]})}) == [{"n": 2}]


def test_a_cte_may_read_the_frame_it_is_named_for(engine: DuckDBEngine) -> None:
    statement = read("WITH sales AS ( SELECT n + 1 AS n FROM sales ) FROM sales")
    assert rows(engine, statement, {"sales": pd.DataFrame({"n": [1]})}) == [{"n": 2}]


def test_frames_that_differ_in_case_only(engine: DuckDBEngine) -> None:
    frames = {"sales": pd.DataFrame({"n": [1]}), "Sales": pd.DataFrame({"n": [2]})}
    assert rows(engine, read("FROM Sales"), frames) == [{"n": 2}]
    with pytest.raises(UsageError, match="Sales and sales differ only in case"):
        rows(engine, read("FROM SALES"), frames)


def test_a_table_of_the_connection_hides_a_frame_and_says_so(engine: DuckDBEngine, shop: Connection) -> None:
    run = Run("test")
    frames = {"orders": pd.DataFrame({"source": ["frame"]}), "extra": pd.DataFrame({"n": [1]})}
    statement = read("FROM orders , extra", TableRef("orders"), TableRef("extra"))
    assert rows(engine, statement, frames, shop, run) == [{"source": "table", "n": 1}]
    assert [notice.code for notice in run.notices] == ["hidden_frame"]
    assert "orders is the table of shop" in run.notices[0].message


def test_a_frame_with_a_typing_error_is_suggested(engine: DuckDBEngine) -> None:
    with pytest.raises(UnknownTable) as caught:
        rows(engine, read("FROM slaes"), {"sales": pd.DataFrame({"n": [1]})})
    assert caught.value.hint == "Did you mean 'sales'?"


def test_a_folder_can_stand_in_from(engine: DuckDBEngine) -> None:
    Path("men's").mkdir()
    for name in ("a", "b"):
        Path(f"men's/{name}.csv").write_text("n\n1\n")
    statement = read("SELECT sum(n)::INTEGER AS s FROM 'men''s'", TableRef("men's"))
    assert rows(engine, statement) == [{"s": 2}]


@pytest.mark.parametrize("kind", [StatementKind.READ, StatementKind.UNKNOWN])
def test_a_damaged_workbook_is_a_data_error(engine: DuckDBEngine, kind: StatementKind) -> None:
    Path("book.xlsx").write_bytes(b"no workbook")
    statement = Statement(
        "FROM 'book.xlsx'", "duckdb", kind, (TableRef("book.xlsx", is_file=True),), parsed=kind == "read"
    )
    with pytest.raises(DataError, match=r"workbook 'book\.xlsx' cannot be read"):
        rows(engine, statement)


def test_a_file_that_changes_while_it_is_read_fails_the_run(engine: DuckDBEngine) -> None:
    parquet.write_table(pa.table({"n": range(300_000)}), "big.parquet")
    statement = read("FROM 'big.parquet'", TableRef("big.parquet", is_file=True))
    assert len(rows(engine, statement)) == 300_000
    reader = engine.execute(statement, Scope(HERE), Run("test"))
    reader.read_next_batch()
    with Path("big.parquet").open("r+b") as file:
        file.write(b"PAR1")
    with pytest.raises(DataError, match="changed while it was read") as caught:
        reader.read_all()
    assert caught.value.retryable
    assert caught.value.hint == "Run the cell again."


def test_a_write_is_verbatim_and_a_session_statement_says_what_ends(engine: DuckDBEngine) -> None:
    run = Run("test")
    scope = Scope(HERE, {"f": pd.DataFrame({"n": [1, 2]})})
    statement = Statement(
        "COPY (FROM f) TO 'out.csv'",
        "duckdb",
        StatementKind.WRITE,
        (TableRef("out.csv", is_file=True),),
        identifiers=frozenset({"f"}),
    )
    assert engine.execute(statement, scope, run).read_all().to_pylist() == [{"Count": 2}]
    assert Path("out.csv").read_text() == "n\n1\n2\n"
    assert run.notices == []
    engine.execute(Statement("BEGIN", "duckdb", StatementKind.SESSION), scope, run).read_all()
    engine.execute(
        Statement("CREATE TEMP TABLE x (i INT)", "duckdb", StatementKind.DDL), scope, run
    ).read_all()
    assert [notice.code for notice in run.notices] == ["session", "session"]


def test_an_estimate_adds_up_and_grows_with_the_work(engine: DuckDBEngine) -> None:
    orders = TableRef("orders.parquet", is_file=True)
    known = {"orders.parquet": Statistics(10_000_000, 10**9, "parquet footer")}
    plain = engine.estimate(read("FROM x", orders), Scope(HERE), known)
    heavy = engine.estimate(read("FROM x", orders, features=Features(windows=2)), Scope(HERE), known)
    assert plain.seconds == pytest.approx(sum(plain.terms.values()))
    assert (plain.rows, plain.bytes, plain.unknown) == (10_000_000, 10**9, ())
    assert heavy.seconds is not None
    assert plain.seconds is not None
    assert heavy.seconds > plain.seconds
    unparsed = engine.estimate(read("?", parsed=False), Scope(HERE), {})
    assert unparsed.unknown == ("what the statement reads",)


def test_eight_queries_at_once_agree(engine: DuckDBEngine) -> None:
    frame = pd.DataFrame({"n": range(100_000)})
    found: list[object] = []

    def one() -> None:
        statement = read("SELECT sum(n)::BIGINT AS s FROM f")
        found.append(rows(engine, statement, {"f": frame}))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[{"s": 4_999_950_000}]] * 8
