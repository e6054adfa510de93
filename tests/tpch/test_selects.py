"""Any SELECT that DuckDB takes runs unchanged on ``local``, whatever our parser makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from aiser_jupyter.models import Query
from aiser_jupyter.services import Services

TABLES = {
    "people": """FROM (VALUES (1, 'Ada', 36, 'Oslo'), (2, 'Bo', 29, 'Rome'), (3, 'Çelik', NULL, 'Rome'),
        (4, 'Dana', 52, NULL), (5, 'Eve', 36, 'Oslo')) t(id, name, age, city)""",
    "prices": """SELECT symbol, TIMESTAMP '2024-01-01 09:00' + INTERVAL (n * 20) MINUTE AS ts,
        (10 + n)::DECIMAL(8, 2) AS price FROM (VALUES ('a'), ('b')) s(symbol), range(4) r(n)""",
    "trades": """FROM (VALUES ('a', TIMESTAMP '2024-01-01 09:30'), ('b', TIMESTAMP '2024-01-01 08:30'))
        t(symbol, ts)""",
    "docs": """FROM (VALUES ('{"name": "x", "tags": ["p", "q"], "size": {"w": 3}}'),
        ('{"name": "y", "tags": []}')) t(doc)""",
}


def _selects() -> dict[str, str]:
    paragraphs = Path(__file__).with_name("selects.sql").read_text().split("\n\n")[1:]
    named = (paragraph.strip().partition("\n") for paragraph in paragraphs)
    return {name.removeprefix("-- "): text for name, _, text in named}


SELECTS = _selects()


@pytest.fixture(scope="session")
def bare() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for name, query in TABLES.items():
            connection.execute(f"CREATE TABLE {name} AS {query}")
        yield connection


@pytest.fixture(scope="session")
def frames(bare: duckdb.DuckDBPyConnection) -> Mapping[str, pa.Table]:
    return {name: bare.sql(f"FROM {name}").to_arrow_table() for name in TABLES}


@pytest.mark.parametrize("name", SELECTS)
def test_select(
    services: Services, bare: duckdb.DuckDBPyConnection, frames: Mapping[str, pa.Table], name: str
) -> None:
    relation = bare.sql(SELECTS[name])
    columns, rows = relation.columns, relation.fetchall()
    result = services.queries.run(Query(SELECTS[name], whole=True), frames)
    assert result.columns == columns
    table = result.arrow()
    ours = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    assert _plain(ours) == _plain(rows)


def test_the_corpus_is_there() -> None:
    assert len(SELECTS) >= 80


def _plain(value: Any) -> Any:
    """Drop the differences that are of Python only: pairs for a mapping, tuple for list, a month-day-nano."""
    if isinstance(value, pa.MonthDayNano):
        assert value.months == 0
        return timedelta(days=value.days, microseconds=value.nanoseconds // 1000)
    if isinstance(value, dict):
        return [[key, _plain(item)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
