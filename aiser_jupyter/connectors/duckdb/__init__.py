"""DuckDB: the connection that is always there (``local``), and database files.

``local`` is the process's in-memory instance: its tables live as long as the process, and DataFrames and
files are read in it. A database file is opened for one session and closed with it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ...errors import AiserError, UnknownTable, nearest
from ...models import Availability, Column, ConnectionConfig, Statistics, Table, TableRef
from ..base import Capabilities, Connector, Field, Session
from ..files import nearest_file, quoted
from .errors import translate
from .instance import give_back, memory_cursor, open_file
from .session import DuckDBSession

if TYPE_CHECKING:
    from ..sandbox.session import SandboxSession

    AnySession: TypeAlias = DuckDBSession | SandboxSession

__all__ = ["DuckDBConnector"]

_TABLES = """
SELECT table_name, schema_name, 'table', estimated_size, comment FROM duckdb_tables()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT view_name, schema_name, 'view', NULL, comment FROM duckdb_views()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
ORDER BY ALL
"""
_COLUMNS = """
SELECT column_name, data_type, is_nullable, comment, schema_name, table_name FROM duckdb_columns()
WHERE lower(table_name) = lower($table)
  AND lower(schema_name) = lower(coalesce($schema, current_schema()))
  AND lower(database_name) = lower(coalesce($catalog, current_database()))
ORDER BY column_index
"""
_DESCRIBED = """
SELECT schema_name, table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database() ORDER BY schema_name, table_name, column_index
"""


class DuckDBConnector(Connector):
    """Opens the in-memory instance where ``database`` is not given, else that file.

    Examples
    --------
    >>> DuckDBConnector().validate({"database": "shop.duckdb"})
    {'database': 'shop.duckdb'}
    """

    type = "duckdb"
    label = "DuckDB"
    dialect = "duckdb"
    fields = (
        Field(
            "database",
            "Database file",
            kind="path",
            routing=True,
            help="Path of a .duckdb file; empty is the in-memory database of this process.",
        ),
    )
    capabilities = Capabilities(
        paramstyle="named", cancel=True, read_only=True, streaming=True, catalogs=True
    )

    def available(self) -> Availability:
        if find_spec("duckdb") is None:
            return Availability(False, "duckdb is not installed", hint="pip install duckdb")
        return Availability(True, "installed", version=_version())

    def prepare(self, config: ConnectionConfig) -> None:
        """Make the database where the file is not there yet, as DuckDB itself does on connecting."""
        database = config.values.get("database")
        if database and not Path(database).exists():
            self.open(config).close()

    def open(self, config: ConnectionConfig, *, read_only: bool = False) -> AnySession:
        """Open a session, here or in the sandbox that ``config`` names; ``read_only`` applies to a file, the
        in-memory database is always writable."""
        database = config.values.get("database")
        path = Path(database).expanduser().absolute() if database else None
        if config.sandbox:
            from ..sandbox import find

            return find(config.sandbox).open(str(path) if path else None, read_only=read_only)
        if path is None:
            return DuckDBSession(memory_cursor(), give_back)
        return DuckDBSession(open_file(path, read_only=read_only))

    def tables(self, session: Session, schema: str | None = None) -> list[Table]:
        return [
            Table(name, kind, where, statistics=_size(rows), comment=comment)
            for name, where, kind, rows, comment in _of(session).rows(_TABLES)
            if schema is None or where == schema
        ]

    def columns(self, session: Session, table: TableRef) -> Table:
        """Describe a table, or a file by its path. Raises `UnknownTable`, `DataError`."""
        if table.is_file:
            return self._file_columns(_of(session), table.name)
        wanted = {"table": table.name, "schema": table.schema, "catalog": table.catalog}
        rows = _of(session).rows(_COLUMNS, wanted)
        if not rows:
            known = [str(TableRef(t.name, t.schema if table.schema else None)) for t in self.tables(session)]
            hint = nearest(str(table), known, noun="tables")
            raise UnknownTable(f"There is no table {str(table)!r}.", hint=hint)
        columns = tuple(Column(name, type_, nullable, comment) for name, type_, nullable, comment, *_ in rows)
        *_, schema, name = rows[0]
        return Table(name, schema=schema, columns=columns)

    def describe(self, session: Session, schema: str | None = None) -> list[Table]:
        """List tables and views with their columns, in two queries."""
        found: dict[tuple[str | None, str], list[Column]] = {}
        for where, table, *column in _of(session).rows(_DESCRIBED):
            found.setdefault((where, table), []).append(Column(*column))
        listed = self.tables(session, schema)
        return [replace(table, columns=tuple(found.get((table.schema, table.name), ()))) for table in listed]

    def statistics(self, session: Session, table: TableRef) -> Statistics:
        """Rows as DuckDB's catalog counts them; unknown for a view."""
        for found in self.tables(session, table.schema or "main"):
            if found.name.casefold() == table.name.casefold():
                return found.statistics
        return Statistics()

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql, tuple, nearest_file)

    def _file_columns(self, session: AnySession, name: str) -> Table:
        session.register_file(name)
        rows = session.rows(f"DESCRIBE SELECT * FROM {quoted(name)}")  # noqa: S608 - quoted
        columns = tuple(Column(column, type_) for column, type_, *_ in rows)
        return Table(name, "file", columns=columns)


@cache
def _version() -> str:
    """Return the driver's version; read once, for it is asked before every query and costs a file."""
    from importlib.metadata import version

    return version("duckdb")


def _of(session: Session) -> AnySession:
    return cast("AnySession", session)


def _size(rows: Any) -> Statistics:
    return Statistics() if rows is None else Statistics(rows=int(rows), source="catalog")
