"""One line a connector, one line an engine; what each has to show is in the test files beside this one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.engines.registry import engines
from aiser_jupyter.models import LOCAL, Connection, ConnectionConfig


@dataclass(frozen=True)
class Database:
    """What the connector suite needs to know of one kind of database; ``{n}`` is a number of rows."""

    config: Callable[[Path], ConnectionConfig]
    bad: Callable[[Path], ConnectionConfig]
    rows: str = "SELECT range AS i, 'row ' || range AS s FROM range({n})"
    slow: str = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"
    endless: str = "SELECT range AS i, repeat('x', 100) AS s FROM range(1000000000)"
    parameters: str = "SELECT $number + 1 AS n, $text AS t, $nothing AS x, $day AS d, $exact AS e"
    make_table: str = "CREATE OR REPLACE TABLE conformance (id INTEGER NOT NULL, name VARCHAR)"
    drop_table: str = "DROP TABLE conformance"


LITERALS: list[tuple[str, str, Any]] = [
    ("true", "bool", True),
    ("42::INTEGER", "int32", 42),
    ("9223372036854775807::BIGINT", "int64", 2**63 - 1),
    ("1.5::DOUBLE", "double", 1.5),
    (
        "12345678901234567890.123456789::DECIMAL(38, 9)",
        "decimal128(38, 9)",
        Decimal("12345678901234567890.123456789"),
    ),
    ("'Grüße 🦆'", "string", "Grüße 🦆"),
    ("'\\x00\\xFF'::BLOB", "binary", b"\x00\xff"),
    ("DATE '2024-02-29'", "date32[day]", dt.date(2024, 2, 29)),
    ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", dt.datetime(2024, 2, 29, 12, 34, 56, 789012)),
    ("NULL::INTEGER", "int32", None),
]


def _memory(folder: Path) -> ConnectionConfig:
    return ConnectionConfig("duckdb", LOCAL)


def _file(folder: Path) -> ConnectionConfig:
    return ConnectionConfig("duckdb", "shop", {"database": str(folder / "shop.duckdb")})


def _missing(folder: Path) -> ConnectionConfig:
    return ConnectionConfig("duckdb", "shop", {"database": str(folder / "nowhere" / "shop.duckdb")})


DATABASES = {
    "duckdb-memory": Database(_memory, _missing),
    "duckdb-file": Database(_file, _missing),
}

ENGINES: dict[str, tuple[str, Callable[[Path], ConnectionConfig]]] = {
    "duckdb-local": ("duckdb", _memory),
    "duckdb-file": ("duckdb", _file),
    "direct_sql-duckdb-file": ("direct_sql", _file),
}


@pytest.fixture(params=DATABASES, ids=str)
def database(request: pytest.FixtureRequest) -> Database:
    return DATABASES[request.param]


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Iterator[Any]:
    """A session of the database, closed at the end."""
    config = database.config(tmp_path)
    session = connector(config.type).open(config)
    yield session
    session.close()


@pytest.fixture(params=LITERALS, ids=[sql for sql, *_ in LITERALS])
def literal(request: pytest.FixtureRequest) -> tuple[str, str, Any]:
    found: tuple[str, str, Any] = request.param
    return found


@pytest.fixture(params=ENGINES, ids=str)
def engine_case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Connection]:
    """An engine, and a connection that it can read."""
    name, make = ENGINES[request.param]
    found = engines(Settings()).get(name)
    if found is None:
        pytest.skip(f"the engine {name} is not registered")
    config = make(tmp_path)
    if config.values:
        connector(config.type).open(config).close()  # makes the database file
    return found, Connection(LOCAL if config.name == LOCAL else "c1", "tester", config)
