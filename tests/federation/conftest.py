"""One statement over a real MariaDB, a real PostgreSQL, DuckDB files, DataFrames and Parquet files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from aiser_jupyter.config import Settings
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.result import QueryResult
from aiser_jupyter.services import Services, build
from tests.servers.server import Server


class Federation:
    """Services with the connections that a test asks for, and the DataFrames of its notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: Services = build(Settings())
        self.frames: dict[str, object] = {}
        self.servers: dict[str, Any] = {}

    def server(self, name: str, type: str, server: Server, **values: Any) -> None:
        """Save a connection to a server."""
        self.servers[name] = server
        known = {
            "host": "127.0.0.1",
            "port": server.port,
            "username": server.user,
            "password": server.password,
            "database": server.database,
            "ssl_ca": server.authority.pem,
        }
        self.services.connections.create(ConnectionConfig(type, name, {**known, **values}))

    def file(self, name: str, *statements: str) -> Path:
        """Make a DuckDB database, and save a connection to it."""
        path = self.folder / f"{name}.duckdb"
        with duckdb.connect(str(path)) as made:
            for statement in statements:
                made.execute(statement)
        self.services.connections.create(ConnectionConfig("duckdb", name, {"database": str(path)}))
        return path

    def query(self, text: str, connection: str = "local", **options: Any) -> Query:
        """Return a query; ``variables`` are given by name in ``options``, what a `Query` has too."""
        return Query(text, connection=connection, **options)

    def run(self, text: str, connection: str = "local", **options: Any) -> QueryResult:
        """Run one statement, and wait for its result."""
        return self.services.queries.run(self.query(text, connection, **options), self.frames)

    def rows(self, text: str, connection: str = "local", **options: Any) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows."""
        return rows_of(self.run(text, connection, **options).table)

    def plan(self, text: str, connection: str = "local", **options: Any) -> tuple[str, ...]:
        """Return what each source would be sent."""
        _, route = self.services.queries.route(self.query(text, connection, **options), self.frames)
        return next(one.plan for one in route.candidates if one.engine == "duckdb")


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of a table as tuples."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.fixture
def federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Federation]:
    """An empty one; its working folder is the test's own."""
    monkeypatch.chdir(tmp_path)
    made = Federation(tmp_path)
    yield made
    made.services.close()


@pytest.fixture
def shop(federation: Federation) -> Federation:
    """Two DuckDB files, ``warehouse`` with 20,000 orders and ``crm`` with 10 customers."""
    federation.file(
        "warehouse",
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders AS"
        " SELECT range AS id, range % 10 AS customer_id, 'note ' || range % 7 AS note,"
        " (range * 1.25)::DECIMAL(12, 2) AS total, DATE '2024-01-01' + (range % 100)::INTEGER AS day"
        " FROM range(20000)",
        "CREATE TABLE nothing (id INTEGER, name VARCHAR)",
    )
    federation.file(
        "crm", "CREATE TABLE customers AS SELECT range AS id, 'name ' || range AS name FROM range(10)"
    )
    return federation


@pytest.fixture(scope="module")
def mysql_data(mariadb: Any) -> Iterator[Any]:
    """MariaDB with tables of its own for these tests, called ``fed…``."""
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS fed_orders")
        cursor.execute(
            "CREATE TABLE fed_orders (id INT PRIMARY KEY, customer_id INT, total DECIMAL(12,2), day DATE,"
            " at DATETIME(6), note VARCHAR(40), weight DOUBLE, big BIGINT UNSIGNED)"
        )
        cursor.execute(
            "INSERT INTO fed_orders"
            " SELECT seq, seq % 100, seq * 1.25, DATE('2024-01-01') + INTERVAL seq % 90 DAY,"
            " TIMESTAMP('2024-01-01 00:00:00') + INTERVAL seq SECOND, CONCAT('Note ', seq % 5), seq / 8, seq"
            " FROM seq_1_to_20000"
        )
        cursor.execute("ANALYZE TABLE fed_orders")
    yield mariadb
    for name, kind in mariadb.admin(
        "SELECT table_name, table_type FROM information_schema.tables"
        " WHERE table_schema = 'shop' AND LEFT(table_name, 3) = 'fed'"
    ):
        what, quoted = "VIEW" if kind == "VIEW" else "TABLE", name.replace("`", "``")
        mariadb.admin(f"DROP {what} `{quoted}`", database="shop")


@pytest.fixture(scope="module")
def postgresql_data(postgresql: Any) -> Iterator[Any]:
    """PostgreSQL with tables of its own for these tests, in the schema ``fed``."""
    connection = postgresql.connect()
    cursor = connection.cursor()
    for statement in (
        "DROP SCHEMA IF EXISTS fed CASCADE",
        "CREATE SCHEMA fed",
        "CREATE TABLE fed.customers (id integer PRIMARY KEY, name varchar(40), country char(2), since date)",
        "INSERT INTO fed.customers SELECT i, 'name ' || i, (ARRAY['DE','FR','IT'])[1 + i % 3],"
        " DATE '2020-01-01' + i FROM generate_series(0, 99) AS i",
        "ANALYZE fed.customers",
    ):
        cursor.execute(statement)
    yield postgresql
    cursor.execute("DROP SCHEMA fed CASCADE")
    connection.close()


@pytest.fixture
def servers(federation: Federation, mysql_data: Server, postgresql_data: Server) -> Federation:
    """``warehouse`` is the MariaDB with ``fed_orders``, ``crm`` the PostgreSQL with ``fed.customers``."""
    federation.server("warehouse", "mysql", mysql_data)
    federation.server("crm", "postgresql", postgresql_data)
    return federation


class ReceivedByMySQL:
    """The statements that a MariaDB received, from its own log."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def selects(self, word: str) -> list[str]:
        """Return the SELECTs that name ``word``, our comment in front of them left out."""
        rows = self._server.admin(
            "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log ORDER BY event_time"
        )
        texts = [re.sub(r"\A/\*.*?\*/ ", "", text) for (text,) in rows]
        return [text for text in texts if word in text and text.startswith("SELECT `")]


@contextmanager
def _mysql_log(server: Any) -> Iterator[ReceivedByMySQL]:
    server.admin("SET GLOBAL log_output = 'TABLE'")
    server.admin("TRUNCATE TABLE mysql.general_log")
    server.admin("SET GLOBAL general_log = ON")
    try:
        yield ReceivedByMySQL(server)
    finally:
        server.admin("SET GLOBAL general_log = OFF")


@pytest.fixture
def mysql_received(mysql_data: Server) -> Iterator[ReceivedByMySQL]:
    """What MariaDB was sent since the test began."""
    with _mysql_log(mysql_data) as received:
        yield received


_LOGGED = re.compile(r"execute [^:]*: (?:/\*.*?\*/ )?(SELECT \"[^\n]*)(?:\n[^\n]*DETAIL:[^\n]*: ([^\n]*))?")


class ReceivedByPostgreSQL:
    """The statements that a PostgreSQL received, from its own log."""

    def __init__(self, server: Any) -> None:
        self._path = server.folder / "server.log"
        self._start = self._path.stat().st_size

    def selects(self, word: str) -> list[str]:
        """Return the SELECTs that name ``word``, each with the values it was bound to."""
        with self._path.open("rb") as file:
            file.seek(self._start)
            text = file.read().decode(errors="replace")
        found = re.findall(
            r"execute [^:]*: (?:/\*.*?\*/ )?(SELECT \"[^\n]*)(?:\n[^\n]*DETAIL:[^\n]*: ([^\n]*))?", text
        )
        return [f"{sql} | {values}" if values else sql for sql, values in found if word in sql]


@pytest.fixture
def postgresql_received(postgresql_data: Any) -> Iterator[ReceivedByPostgreSQL]:
    """What PostgreSQL was sent since the test began."""
    server = postgresql_data

    def log(change: str, what: str) -> None:
        server.admin(f"ALTER SYSTEM {change}")
        server.admin("SELECT pg_reload_conf()")
        wait_for(lambda: server.admin("SHOW log_statement") == ((what,),))

    log("SET log_statement = 'all'", "all")
    yield ReceivedByPostgreSQL(server)
    log("RESET log_statement", "none")


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until ``condition`` holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def codes(result: QueryResult) -> Mapping[str, str]:
    """Return the notices of a result by their code."""
    return {notice.code: notice.message for notice in result.notices}
