"""What a connection object of the user is; and one of DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy

from aiser_jupyter.connectors.objects import ObjectConnector, dialect_of, recognise
from aiser_jupyter.errors import ConfigError, ConnectError, UnknownTable
from aiser_jupyter.models import TableRef

Open = Callable[[object], Any]
Ask = Callable[..., pa.Table]


@pytest.fixture
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def test_recognises_each_kind(
    lite: sqlite3.Connection, engine: sqlalchemy.Engine, memory: duckdb.DuckDBPyConnection
) -> None:
    with engine.connect() as connection:
        kinds = [recognise(obj) for obj in (lite, engine, connection, memory)]
    assert kinds == ["dbapi", "sqlalchemy", "sqlalchemy", "duckdb"]


def test_recognises_a_spark_session_by_its_class_alone() -> None:
    class SparkSession: ...

    for module in ("pyspark.sql.session", "pyspark.sql.connect.session"):
        SparkSession.__module__ = module
        spark = SparkSession()
        assert (recognise(spark), dialect_of(spark)) == ("spark", "spark")


def test_what_only_looks_like_a_connection_is_none() -> None:
    import pandas as pd

    class Asynchronous:
        def cursor(self) -> None: ...
        async def commit(self) -> None: ...
        async def rollback(self) -> None: ...
        async def close(self) -> None: ...

    frame = pd.DataFrame({"cursor": [1], "commit": [2], "rollback": [3], "close": [4]})
    assert [recognise(obj) for obj in (frame, Asynchronous(), None, 3, sqlite3)] == [None] * 5


def test_dialects(lite: sqlite3.Connection) -> None:
    from sqlalchemy.dialects.postgresql import psycopg

    postgres = sqlalchemy.engine.Engine(None, psycopg.dialect(), sqlalchemy.make_url("postgresql://"))  # type: ignore[arg-type]
    assert [dialect_of(lite), dialect_of(postgres), dialect_of(3)] == ["sqlite", "postgres", ""]


def test_every_dialect_is_one_that_the_parser_knows() -> None:
    from sqlglot.dialects.dialect import Dialect

    from aiser_jupyter.connectors import objects

    named = {*objects._BY_DRIVER.values(), *objects._BY_SQLALCHEMY.values()}
    assert [name for name in named if Dialect.get(name) is None] == []


def test_refuses_what_is_not_a_connection(opened: Open) -> None:
    with pytest.raises(ConfigError, match="A str is not a connection") as caught:
        opened("sqlite://")
    assert "SQLAlchemy" in caught.value.hint


# -- DuckDB -------------------------------------------------------------------------------------------


def test_a_duckdb_connection_streams_its_own_types(
    memory: duckdb.DuckDBPyConnection, opened: Open, ask: Ask
) -> None:
    memory.execute("CREATE TABLE t AS SELECT 1::UTINYINT AS a, 12.30::DECIMAL(5, 2) AS b")
    table = ask(memory, "SELECT * FROM t WHERE a = $a", a=1)
    assert table.schema.types == [pa.uint8(), pa.decimal128(5, 2)]
    session = opened(memory)
    assert [each.name for each in ObjectConnector().tables(session)] == ["t"]
    assert [c.name for c in ObjectConnector().columns(session, TableRef("t")).columns or ()] == ["a", "b"]
    session.close()
    assert memory.execute("SELECT 1").fetchall() == [(1,)]  # it stays open


def test_a_duckdb_connection_does_not_read_the_variables_of_our_code(
    memory: duckdb.DuckDBPyConnection, ask: Ask
) -> None:
    with pytest.raises(UnknownTable):
        ask(memory, "SELECT * FROM pa")
    with pytest.raises(UnknownTable):
        ask(memory, "SELECT * FROM sql")


def test_a_closed_duckdb_connection_says_so(memory: duckdb.DuckDBPyConnection, opened: Open) -> None:
    memory.close()
    with pytest.raises(ConnectError, match="cannot be used"):
        opened(memory)
