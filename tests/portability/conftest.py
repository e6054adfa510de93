"""The two tables, made once at each source and fetched once into DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tests.portability import tables
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL


def _source(dialect: str, columns: dict[str, dict[str, str]], connection: Any) -> tables.Source:
    def run(text: str) -> tables.Answer:
        cursor = connection.cursor()
        try:
            cursor.execute(text)
            return tuple(entry[0] for entry in cursor.description), list(map(tuple, cursor.fetchall()))
        finally:
            cursor.close()

    def change(text: str) -> None:
        connection.cursor().execute(text)

    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    source = tables.Source(dialect, columns, run, change, database)
    cursor = connection.cursor()
    made = {"items": tables.rows_of_items(dialect), "orders": tables.ORDERS, "limits": tables.LIMITS}
    for table, rows in made.items():
        written = ", ".join(
            f"{column} {tables.DEFINED.get(column, kind)}" for column, kind in columns[table].items()
        )
        cursor.execute(f"CREATE TABLE {table} ({written})")
        places = ", ".join(
            f"CAST(%s AS {kind})" if dialect == "postgres" else "%s" for kind in columns[table].values()
        )
        for row in rows:
            cursor.execute(f"INSERT INTO {table} VALUES ({places})", row)
    cursor.close()
    return source


@pytest.fixture(scope="package")
def mysql(mariadb: MariaDB) -> Iterator[tables.Source]:
    mariadb.admin("CREATE DATABASE portability CHARACTER SET utf8mb4")
    mariadb.admin("GRANT ALL ON portability.* TO ann@'%'")
    connection = mariadb.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("USE portability")
            cursor.execute("SET time_zone = '+05:30'")
        source = _source("mysql", tables.MYSQL, connection)
        source.fetch()
        yield source
    finally:
        connection.close()
        mariadb.admin("DROP DATABASE portability")


@pytest.fixture(scope="package")
def postgres(postgresql: PostgreSQL) -> Iterator[tables.Source]:
    connection = postgresql.connect()
    cursor = connection.cursor()
    try:
        cursor.execute("CREATE SCHEMA portability")
        cursor.execute("SET search_path = portability")
        cursor.execute("SET timezone = 'America/New_York'")
        cursor.execute("CREATE TYPE size AS ENUM ('small', 'big')")
        cursor.execute(tables.FOLDED)
        source = _source("postgres", tables.POSTGRES, connection)
        source.fetch()
        yield source
    finally:
        cursor.execute("DROP SCHEMA portability CASCADE")
        connection.close()
