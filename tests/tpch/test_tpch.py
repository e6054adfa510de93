"""The 22 TPC-H queries through our whole path give what bare DuckDB gives, wherever the tables are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.result import QueryResult
from aiser_jupyter.services import Services

QUERIES = [f"{number:02}" for number in range(1, 23)]

# Where ORDER BY leaves ties open, only its own columns are in a known order.
ORDERED_BY = {"03": (1, 2), "05": (1,), "10": (2,), "11": (1,), "18": (4, 3)}

Text = Callable[[str, Mapping[str, str]], str]
Ask = Callable[[str], Any]  # what bare DuckDB says: names, types, rows


@pytest.fixture(scope="session")
def pandas_tables(arrow_tables: Mapping[str, pa.Table]) -> Mapping[str, pd.DataFrame]:
    return {name: table.to_pandas(types_mapper=pd.ArrowDtype) for name, table in arrow_tables.items()}


@pytest.fixture(scope="session")
def connection(services: Services, database: Path) -> str:
    config = ConnectionConfig("duckdb", "tpch", {"database": str(database)})
    return services.connections.create(config).name


@pytest.mark.parametrize("query", QUERIES)
def test_parquet_files(
    services: Services, statement: Text, files: Mapping[str, str], expected: Ask, query: str
) -> None:
    result = services.queries.run(Query(statement(query, files), whole=True))
    assert result.engine == "duckdb"
    assert not result.cached
    _same(result, expected(query), query)


@pytest.mark.parametrize("query", QUERIES)
def test_arrow_tables(
    services: Services, statement: Text, arrow_tables: Mapping[str, pa.Table], expected: Ask, query: str
) -> None:
    text = statement(query, {name: name for name in arrow_tables})
    result = services.queries.run(Query(text, whole=True), arrow_tables)
    assert result.engine == "duckdb"
    _same(result, expected(query), query)


@pytest.mark.parametrize("query", QUERIES)
def test_pandas_frames(
    services: Services, statement: Text, pandas_tables: Mapping[str, pd.DataFrame], expected: Ask, query: str
) -> None:
    text = statement(query, {name: name for name in pandas_tables})
    result = services.queries.run(Query(text, whole=True), pandas_tables)
    _same(result, expected(query), query)


@pytest.mark.parametrize("query", QUERIES)
def test_database_file(
    services: Services, statement: Text, files: Mapping[str, str], connection: str, expected: Ask, query: str
) -> None:
    text = statement(query, {name: name for name in files})
    result = services.queries.run(Query(text, connection=connection, whole=True))
    assert result.engine == "direct_sql"
    _same(result, expected(query), query)


def test_a_second_run_on_files_comes_from_the_cache_and_says_so(
    services: Services, statement: Text, files: Mapping[str, str], expected: Ask
) -> None:
    text = statement("16", files).replace("SELECT p_brand", "SELECT /* again */ p_brand")
    first, second = (services.queries.run(Query(text, whole=True)) for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert "cached" in {notice.code for notice in second.notices}
    _same(second, expected("16"), "16")


def _same(result: QueryResult, answer: Any, query: str) -> None:
    table = result.arrow()
    assert table.column_names == answer.names
    assert [_word(field.type) for field in table.schema] == [_base(word) for word in answer.types]
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    keys = ORDERED_BY.get(query)
    if keys is None:
        assert rows == answer.rows
    else:
        assert _columns(rows, keys) == _columns(answer.rows, keys)
        assert Counter(rows) == Counter(answer.rows)


def _columns(rows: list[tuple[object, ...]], keys: tuple[int, ...]) -> list[tuple[object, ...]]:
    return [tuple(row[key] for key in keys) for row in rows]


def _base(word: str) -> str:
    return word.partition("(")[0] if not word.startswith("DECIMAL") else word


def _word(type_: pa.DataType) -> str:
    """Return DuckDB's word for an Arrow type, as far as TPC-H has them."""
    if pa.types.is_decimal128(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_string(type_) or pa.types.is_string_view(type_) or pa.types.is_large_string(type_):
        return "VARCHAR"
    words = {
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.date32(): "DATE",
        pa.decimal256(39, 0): "HUGEINT",  # wider than any decimal128
    }
    return words[type_]
