"""What there is in MySQL and MariaDB, from ``information_schema``.

A schema is what MySQL also calls a database. Without one named, it is the connection's own; a connection
without one sees all but those of the server itself. Sizes are the storage engine's own estimates; a listing
of very many tables goes without, and `statistics` knows them one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import NotPermitted, UnknownTable, nearest
from ...models import Column, Statistics, Table, TableRef
from ...sql.parameters import quote_identifier
from ..base import Parameters, Session
from ..pool import SAMPLES, PooledSession, a_row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "columns",
    "databases",
    "describe",
    "quoted",
    "rights",
    "sample",
    "schemas",
    "statistics",
    "tables",
]

_SYSTEM = "('information_schema', 'mysql', 'performance_schema', 'sys')"
_KINDS = {"BASE TABLE": "table", "SYSTEM VERSIONED": "table", "VIEW": "view", "SYSTEM VIEW": "view"}
_TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, {sizes}, TABLE_COMMENT
FROM information_schema.TABLES WHERE {where} ORDER BY TABLE_SCHEMA, TABLE_NAME
"""
_SIZES = "TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH"
_MANY = 2_000
"""Tables whose sizes come with their listing; the server opens each table to know its size."""
_COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_COMMENT, COLUMN_KEY
FROM information_schema.COLUMNS WHERE {where} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION
"""
_REFERENCES = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME,
       CONCAT_WS('.', REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME)
FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL AND {where}
"""
_RISKY = ("ALL PRIVILEGES", "SUPER", "FILE", "SHUTDOWN", "CREATE USER", "PROCESS")


def quoted(table: Table | TableRef) -> str:
    """Return the table's name with its schema, quoted."""
    parts = [part for part in (table.schema, table.name) if part]
    return quote_identifier(parts, dialect="mysql")


def ask(session: Session, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """Run a statement of the catalog and return its rows."""
    return (
        session.rows(sql, parameters)
        if isinstance(session, PooledSession)
        else rows(session, sql, parameters)
    )


def _where(schema: str | None, table: str | None = None) -> tuple[str, dict[str, Any]]:
    """Return the condition for one schema, the connection's own or all of them, and for one table."""
    values: dict[str, Any] = {}
    if schema is not None:
        where, values["schema"] = "TABLE_SCHEMA = %(schema)s", schema
    else:
        where = f"(TABLE_SCHEMA = DATABASE() OR DATABASE() IS NULL AND TABLE_SCHEMA NOT IN {_SYSTEM})"
    if table is not None:
        where, values["table"] = f"{where} AND TABLE_NAME = %(table)s", table
    return where, values


def databases(session: Session) -> list[str]:
    """None beside the schemas: what others call a database is a schema here."""
    return []


def schemas(session: Session) -> list[str]:
    """List the schemas that the user may look into, those of the server itself left out."""
    found = ask(
        session,
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"  # noqa: S608 - our own constant
        f" WHERE SCHEMA_NAME NOT IN {_SYSTEM} ORDER BY SCHEMA_NAME",
    )
    return [name for (name,) in found]


def tables(session: Session, schema: str | None = None) -> list[Table]:
    """List tables and views, with the storage engine's sizes where there are not very many."""
    where, values = _where(schema)
    counted = f"SELECT COUNT(*) FROM information_schema.TABLES WHERE {where}"  # noqa: S608 - our own
    ((count,),) = ask(session, counted, values)
    return _tables(session, where, values, _SIZES if count <= _MANY else "NULL, NULL")


def _tables(session: Session, where: str, values: dict[str, Any], sizes: str = _SIZES) -> list[Table]:
    return [_table(*row) for row in ask(session, _TABLES.format(where=where, sizes=sizes), values)]


def _table(schema: str, name: str, kind: str, count: Any, size: Any, comment: str) -> Table:
    view = _KINDS.get(kind, kind.lower()) == "view"
    known = not view and count is not None
    return Table(
        name,
        _KINDS.get(kind, kind.lower()),
        schema,
        statistics=Statistics(int(count), None if size is None else int(size), "information_schema")
        if known
        else Statistics(),
        comment=None if view else comment or None,  # of a view it says VIEW
    )


def describe(session: Session, schema: str | None = None) -> list[Table]:
    """List tables and views with their columns, in three queries however many there are."""
    from dataclasses import replace

    found = _columns(session, *_where(schema))
    return [
        replace(table, columns=tuple(found.get((table.schema or "", table.name), ())))
        for table in tables(session, schema)
    ]


def _columns(session: Session, where: str, values: dict[str, Any]) -> dict[tuple[str, str], list[Column]]:
    keys = {row[:3]: row[3] for row in ask(session, _REFERENCES.format(where=where), values)}
    found: dict[tuple[str, str], list[Column]] = {}
    for schema, table, name, type_, nullable, comment, key in ask(
        session, _COLUMNS.format(where=where), values
    ):
        column = Column(
            name,
            type_,
            nullable == "YES",
            comment or None,
            primary_key=key == "PRI",
            references=keys.get((schema, table, name), ""),
        )
        found.setdefault((schema, table), []).append(column)
    return found


def columns(session: Session, table: TableRef) -> Table:
    """Describe one table. Raises `UnknownTable`."""
    from dataclasses import replace

    where, values = _where(table.schema, table.name)
    for found in _tables(session, where, values):
        described = _columns(session, where, values)
        return replace(found, columns=tuple(described.get((found.schema or "", found.name), ())))
    names = [each.name for each in tables(session, table.schema)]
    raise UnknownTable(f"There is no table {str(table)!r}.", hint=nearest(table.name, names, noun="tables"))


def statistics(session: Session, table: TableRef) -> Statistics:
    """Return the storage engine's own estimate of a table's size."""
    where, values = _where(table.schema, table.name)
    found = _tables(session, where, values)
    return found[0].statistics if len(found) == 1 else Statistics()


def rights(session: Session) -> str:
    """Count what can be read, and warn of rights that reading does not need. Raises `NotPermitted`."""
    readable = [table for table in tables(session) if table.kind in ("table", "view")]
    grants = [grant for (grant,) in ask(session, "SHOW GRANTS")]
    if not readable and all(grant.startswith("GRANT USAGE ON *.*") for grant in grants):
        raise NotPermitted(
            "There is no table that this user may read.",
            hint="Name a database in the connection, or have SELECT granted.",
        )
    risky = _more_than_reading(grants)
    warning = f"; the user also has {', '.join(risky)}: reading needs none of it" if risky else ""
    return f"{len(readable):,} tables and views{warning}" if readable else f"there are no tables{warning}"


def _more_than_reading(grants: Iterable[str]) -> list[str]:
    """Return the rights over the whole server that let a user read its files, or rule it."""
    held: set[str] = set()
    for grant in grants:
        given, _, where = grant.partition(" ON ")
        if where.startswith("*.*"):
            words = given.removeprefix("GRANT ").split(", ")
            held |= {word for word in words if word in _RISKY}
    return sorted(held)


def sample(session: Session) -> str:
    """Read one row of a table that may be read."""
    found = [table for table in tables(session) if table.kind in ("table", "view")]
    if not found:
        return "no table to read"
    return a_row(session, {f"{table.schema}.{table.name}": quoted(table) for table in found[:SAMPLES]})
