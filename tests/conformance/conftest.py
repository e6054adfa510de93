"""One line a connector, one line an engine; what each has to show is in the test files beside this one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.engines.registry import engines
from aiser_jupyter.models import LOCAL, Connection, ConnectionConfig

WIDE = Decimal("12345678901234567890.123456789")
DAY = dt.date(2024, 2, 29)
MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789012)

Literal = tuple[str, str, Any]
"""An expression, its Arrow type, and its value in Python."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """What the connector suite needs to know of one kind of database; ``{n}`` is a number of rows.

    ``server`` names the fixture of a real server, which ``config`` and ``bad`` get beside a folder.
    """

    config: Callable[[Path, Any], ConnectionConfig]
    bad: Callable[[Path, Any], ConnectionConfig]
    literals: Sequence[Literal]
    rows: str
    slow: str
    endless: str
    server: str = ""
    parameters: str = "SELECT $number + 1 AS n, $text AS t, $nothing AS x, $day AS d, $exact AS e"
    make_table: str = "CREATE TABLE conformance (id INTEGER NOT NULL, name VARCHAR(20))"
    drop_table: str = "DROP TABLE conformance"
    columns: tuple[tuple[str, str, bool], ...] = (("id", "INTEGER", False), ("name", "VARCHAR", True))


def _memory(folder: Path, server: Any = None) -> ConnectionConfig:
    return ConnectionConfig("duckdb", LOCAL)


def _file(folder: Path, server: Any = None) -> ConnectionConfig:
    return ConnectionConfig("duckdb", "shop", {"database": str(folder / "shop.duckdb")})


def _missing(folder: Path, server: Any = None) -> ConnectionConfig:
    return ConnectionConfig("duckdb", "shop", {"database": str(folder / "nowhere" / "shop.duckdb")})


def _network(type: str, **changed: Any) -> Callable[[Path, Any], ConnectionConfig]:
    """Return what makes the config of a server's user ``ann``, with some values ``changed``."""

    def config(folder: Path, server: Any) -> ConnectionConfig:
        values = {
            "host": "127.0.0.1",
            "port": server.port,
            "username": server.user,
            "password": server.password,
            "database": server.database,
            "ssl_ca": server.authority.pem,
        }
        return ConnectionConfig(type, "shop", connector(type).validate({**values, **changed}))

    return config


DUCKDB = Database(
    config=_memory,
    bad=_missing,
    literals=[
        ("true", "bool", True),
        ("42::INTEGER", "int32", 42),
        ("9223372036854775807::BIGINT", "int64", 2**63 - 1),
        ("1.5::DOUBLE", "double", 1.5),
        ("12345678901234567890.123456789::DECIMAL(38, 9)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("'\\x00\\xFF'::BLOB", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("NULL::INTEGER", "int32", None),
    ],
    rows="SELECT range AS i, 'row ' || range AS s FROM range({n})",
    slow="SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b",
    endless="SELECT range AS i, repeat('x', 100) AS s FROM range(1000000000)",
    make_table="CREATE OR REPLACE TABLE conformance (id INTEGER NOT NULL, name VARCHAR)",
)
POSTGRESQL = Database(
    server="postgresql",
    config=_network("postgresql"),
    bad=_network("postgresql", password="wrong"),
    literals=[
        ("true", "bool", True),
        ("42", "int32", 42),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("1.5::float8", "double", 1.5),
        ("12345678901234567890.123456789::numeric(38, 9)", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("'\\x00ff'::bytea", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("NULL::integer", "int32", None),
    ],
    rows="SELECT i, 'row ' || i AS s FROM generate_series(0, {n} - 1) AS i",
    slow="SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b",
    endless="SELECT generate_series(1, 1000000000) AS i, repeat('x', 100) AS s",
    columns=(("id", "integer", False), ("name", "character varying(20)", True)),
)

MYSQL = Database(
    server="mariadb",
    config=_network("mysql"),
    bad=_network("mysql", password="wrong"),
    literals=[
        ("true", "int32", 1),
        ("42", "int32", 42),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("18446744073709551615", "uint64", 2**64 - 1),
        ("1.5e0", "double", 1.5),
        ("CAST(12345678901234567890.123456789 AS DECIMAL(38, 9))", "decimal128(38, 9)", WIDE),
        ("'Grüße 🦆'", "string", "Grüße 🦆"),
        ("x'00ff'", "binary", b"\x00\xff"),
        ("DATE '2024-02-29'", "date32[day]", DAY),
        ("TIMESTAMP '2024-02-29 12:34:56.789012'", "timestamp[us]", MOMENT),
        ("CAST(NULL AS INTEGER)", "int32", None),
    ],
    rows="SELECT seq AS i, CONCAT('row ', seq) AS s FROM seq_0_to_1000000 WHERE seq < {n}",
    slow="SELECT SUM(a.seq * b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    endless="SELECT seq AS i, REPEAT('x', 100) AS s FROM seq_0_to_1000000000",
    parameters=(
        "SELECT %(number)s + 1 AS n, %(text)s AS t, %(nothing)s AS x, CAST(%(day)s AS DATE) AS d,"
        " %(exact)s AS e"
    ),
    columns=(("id", "int(11)", False), ("name", "varchar(20)", True)),
)

DATABASES = {
    "duckdb-memory": DUCKDB,
    "duckdb-file": replace(DUCKDB, config=_file),
    "postgresql": POSTGRESQL,
    "mysql": MYSQL,
}

ENGINES: dict[str, tuple[str, Callable[[Path], ConnectionConfig]]] = {
    "duckdb-local": ("duckdb", _memory),
    "duckdb-file": ("duckdb", _file),
    "direct_sql-duckdb-file": ("direct_sql", _file),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test every database, and a test of literals each database with each of its own."""
    if "literal" in metafunc.fixturenames:
        cases = [(name, literal) for name, each in DATABASES.items() for literal in each.literals]
        ids = [f"{name}-{sql}" for name, (sql, *_) in cases]
        metafunc.parametrize(("database", "literal"), cases, ids=ids, indirect=["database"])
    elif "database" in metafunc.fixturenames:
        metafunc.parametrize("database", DATABASES, ids=str, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    return DATABASES[request.param]


@pytest.fixture
def server(database: Database, request: pytest.FixtureRequest) -> Any:
    """The database's real server; None where it has none."""
    return request.getfixturevalue(database.server) if database.server else None


@pytest.fixture
def config(database: Database, server: Any, tmp_path: Path) -> ConnectionConfig:
    """A connection that works."""
    return database.config(tmp_path, server)


@pytest.fixture
def bad_config(database: Database, server: Any, tmp_path: Path) -> ConnectionConfig:
    """A connection that cannot be opened."""
    return database.bad(tmp_path, server)


@pytest.fixture
def opened(config: ConnectionConfig) -> Iterator[Any]:
    """A session of the database, closed at the end."""
    session = connector(config.type).open(config)
    yield session
    session.close()


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
