"""A Python object of the notebook as a connection: nothing to configure, nothing saved.

What an object is, is read from the names of its classes: no library is imported to find out, and an object
can only be there if its library is. The object stays its maker's: closing a session never closes it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError, ConnectError, UnknownTable, nearest
from ..models import Availability, Column, ConnectionConfig, Table, TableRef
from .base import Capabilities, Connector, Field, Session
from .dbapi import DBAPISession, ObjectSession, translated

__all__ = ["ObjectConnector", "dialect_of", "recognise"]

DUCKDB, SQLALCHEMY, SPARK, DBAPI = "duckdb", "sqlalchemy", "spark", "dbapi"

_CLASSES: dict[tuple[str, str], str] = {
    ("_duckdb", "DuckDBPyConnection"): DUCKDB,
    ("duckdb", "DuckDBPyConnection"): DUCKDB,
    ("sqlalchemy", "Engine"): SQLALCHEMY,
    ("sqlalchemy", "Connection"): SQLALCHEMY,
    ("pyspark", "SparkSession"): SPARK,
}
_BY_DRIVER = {
    "MySQLdb": "mysql",
    "clickhouse_connect": "clickhouse",
    "clickhouse_driver": "clickhouse",
    "cx_Oracle": "oracle",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "google": "bigquery",
    "mysql": "mysql",
    "oracledb": "oracle",
    "pg8000": "postgres",
    "prestodb": "presto",
    "psycopg": "postgres",
    "psycopg2": "postgres",
    "pyhive": "hive",
    "pymssql": "tsql",
    "pymysql": "mysql",
    "redshift_connector": "redshift",
    "snowflake": "snowflake",
    "sqlite3": "sqlite",
    "teradatasql": "teradata",
    "trino": "trino",
}
_BY_SQLALCHEMY = {
    "awsathena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "clickhousedb": "clickhouse",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "hive": "hive",
    "mariadb": "mysql",
    "mssql": "tsql",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgresql": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlite": "sqlite",
    "teradatasql": "teradata",
    "trino": "trino",
}


def recognise(obj: object) -> str | None:
    """Say what kind of connection ``obj`` is: ``duckdb``, ``sqlalchemy``, ``spark`` or ``dbapi``; else None.

    An asynchronous connection is none: its calls return before the work is done.

    Examples
    --------
    >>> import sqlite3
    >>> recognise(sqlite3.connect(":memory:"))
    'dbapi'
    >>> recognise("orders") is None
    True
    """
    for base in type(obj).__mro__:
        kind = _CLASSES.get((base.__module__.partition(".")[0], base.__name__))
        if kind is not None:
            return kind
    methods = [getattr(type(obj), name, None) for name in ("cursor", "commit", "rollback", "close")]
    if not all(callable(method) for method in methods) or any(map(inspect.iscoroutinefunction, methods)):
        return None
    return DBAPI


def dialect_of(obj: Any) -> str:
    """Return sqlglot's name of the dialect that ``obj`` speaks; "" where it is not known."""
    kind = recognise(obj)
    if kind == SQLALCHEMY:
        return _BY_SQLALCHEMY.get(obj.dialect.name, "")
    if kind == DBAPI:
        return _BY_DRIVER.get(type(obj).__module__.partition(".")[0], "")
    return kind or ""


class SQLiteSession(DBAPISession):
    """A ``sqlite3`` connection: the one driver of the standard library, and it can list its tables."""

    def tables(self, schema: str | None) -> list[Table]:
        source = f"{_quoted(schema or 'main')}.sqlite_master"
        query = f"SELECT name, type FROM {source} WHERE type IN ('table', 'view') "  # noqa: S608 - quoted
        rows = self._ask(query + "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
        return [Table(name, kind, schema) for name, kind in rows]

    def columns(self, table: TableRef) -> Table:
        schema = _quoted(table.schema or "main")
        rows = self._ask(f"PRAGMA {schema}.table_info({_quoted(table.name)})")
        if not rows:
            known = [each.name for each in self.tables(table.schema)]
            raise UnknownTable(f"There is no table {table}.", hint=nearest(table.name, known, noun="tables"))
        columns = tuple(Column(name, type_ or "BLOB", not required) for _, name, type_, required, *_ in rows)
        return Table(table.name, "table", table.schema, columns)

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        self._turn.take(self)
        with translated(self._module):
            rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows


class ObjectConnector(Connector):
    """Opens a session on the object in ``config.values["object"]``.

    ``read_only`` cannot be kept: the object may write what its maker may write.
    """

    type = "object"
    label = "Python object"
    dialect = ""
    fields = (Field("object", "A connection of the notebook", kind="object", required=True),)
    capabilities = Capabilities(paramstyle="named")

    def available(self) -> Availability:
        return Availability(True, "the object brings its own driver")

    def dialect_of(self, config: ConnectionConfig) -> str:
        return dialect_of(config.values["object"])

    def open(self, config: ConnectionConfig, *, read_only: bool = False) -> Session:
        obj: Any = self.validate(config.values)["object"]
        kind, dialect = recognise(obj), dialect_of(obj)
        if kind == DUCKDB:
            return _duckdb_session(obj)
        if kind == SQLALCHEMY:
            from .object_sqlalchemy import SQLAlchemySession

            return SQLAlchemySession(obj, dialect)
        if kind == SPARK:
            from .object_spark import SparkObjectSession

            return SparkObjectSession(obj)
        if dialect == "sqlite":
            return SQLiteSession(obj, dialect)
        return DBAPISession(obj, dialect)

    def tables(self, session: Session, schema: str | None = None) -> list[Table]:
        return (
            session.tables(schema)
            if isinstance(session, ObjectSession)
            else _duckdb().tables(session, schema)
        )

    def columns(self, session: Session, table: TableRef) -> Table:
        return (
            session.columns(table)
            if isinstance(session, ObjectSession)
            else _duckdb().columns(session, table)
        )

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        obj = values.get("object")
        if set(values) != {"object"} or recognise(obj) is None:
            raise ConfigError(
                f"A {type(obj).__name__} is not a connection.",
                hint="Pass a DB-API or SQLAlchemy connection, a DuckDB connection, or a Spark session.",
            )
        return {"object": obj}


def _duckdb_session(connection: Any) -> Session:
    """Open a cursor: same database, but its maker's temporary tables and open transaction stay unseen."""
    from .duckdb.instance import watched
    from .duckdb.session import DuckDBSession

    try:
        cursor = connection.cursor()
        # Else DuckDB would look for unknown tables among the variables of the code that calls it: ours.
        cursor.execute("SET python_enable_replacements = false")
    except Exception as exc:
        raise ConnectError(f"The DuckDB connection cannot be used: {exc}") from exc
    return DuckDBSession(watched(cursor))


def _duckdb() -> Connector:
    from .duckdb import DuckDBConnector

    return DuckDBConnector()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
