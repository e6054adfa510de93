"""What PostgreSQL's own catalog tells of databases, schemas, tables and columns.

Each question is one statement, whatever the number of tables, and takes no lock on any of them: sizes are
those of the last ANALYZE or VACUUM. What belongs to the system, and partitions, which their table stands for,
are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from ...errors import NotPermitted, UnknownTable, nearest
from ...models import Column, Statistics, Table, TableRef
from ..base import Session
from ..pool import SAMPLES, a_row, rows

__all__ = [
    "columns",
    "databases",
    "describe",
    "quoted_identifier",
    "rights",
    "sample",
    "schemas",
    "statistics",
    "tables",
]

_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
_OURS = """
  n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')"""
_SHOWN = f"c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND {_OURS}"
_DATABASES = """
SELECT datname FROM pg_database
WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT') ORDER BY 1"""
_SCHEMAS = f"SELECT n.nspname FROM pg_namespace n WHERE {_OURS} ORDER BY 1"  # noqa: S608 - constants
_SIZES = """
WITH RECURSIVE parts (root, part) AS (
  SELECT oid, oid FROM pg_class WHERE relkind = 'p' AND NOT relispartition
  UNION ALL SELECT root, inhrelid FROM parts JOIN pg_inherits ON inhparent = part
), known AS (
  SELECT oid, relkind, relpages, CASE WHEN reltuples < 0 OR reltuples = 0 AND relpages = 0
    AND current_setting('server_version_num')::int < 140000 THEN NULL ELSE reltuples END AS tuples
  FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'f')
), sizes AS (
  SELECT root AS oid, sum(relpages) AS pages,
    CASE WHEN bool_and(tuples IS NOT NULL) THEN sum(tuples) END AS tuples
  FROM parts JOIN known ON oid = part WHERE relkind <> 'p' GROUP BY root
  UNION ALL SELECT oid, relpages, tuples FROM known WHERE relkind <> 'p'
)"""
_TABLES = f"""{_SIZES}
SELECT n.nspname, c.relname, c.relkind, s.tuples::float8, s.pages::bigint, d.description,
  current_setting('block_size')::int
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN sizes s ON s.oid = c.oid
LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
WHERE {_SHOWN} AND ($schema::text IS NULL OR n.nspname::text = $schema)
ORDER BY 1, 2"""  # noqa: S608 - constants
_COLUMNS = """
WITH keys AS (
  SELECT conrelid, unnest(conkey) AS place FROM pg_constraint WHERE contype = 'p'
), foreign_keys AS (
  SELECT k.conrelid, k.place, min(n.nspname || '.' || c.relname || '.' || a.attname) AS target
  FROM (SELECT conrelid, confrelid, unnest(conkey) AS place, unnest(confkey) AS other
        FROM pg_constraint WHERE contype = 'f') k
  JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.other
  GROUP BY 1, 2
)
SELECT n.nspname, c.relname, c.relkind, t.description, a.attname, format_type(a.atttypid, a.atttypmod),
  NOT a.attnotnull, d.description, keys.place IS NOT NULL, coalesce(f.target, '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN keys ON keys.conrelid = c.oid AND keys.place = a.attnum
LEFT JOIN foreign_keys f ON f.conrelid = c.oid AND f.place = a.attnum
LEFT JOIN pg_description t ON t.objoid = c.oid AND t.classoid = 'pg_class'::regclass AND t.objsubid = 0
LEFT JOIN pg_description d
  ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
WHERE {which}
ORDER BY 1, 2, a.attnum"""
_ONE = """
c.oid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname::text IN ($table, lower($table))
    AND CASE WHEN $schema::text IS NULL THEN pg_table_is_visible(c.oid)
        ELSE n.nspname::text IN ($schema, lower($schema)) END
  ORDER BY c.relname::text = $table DESC, n.nspname::text = $schema DESC LIMIT 1)"""
_RIGHTS = f"""
SELECT current_user::text, count(*), count(*) FILTER (WHERE has_any_column_privilege(c.oid, 'SELECT')),
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  (SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user),
  (SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles WHERE rolname IN
    ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    AND pg_has_role(oid, 'MEMBER'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_SHOWN}"""  # noqa: S608 - constants
_READABLE = f"""
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_SHOWN} AND c.relkind <> 'f' AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relkind = 'v', 1, 2 LIMIT {SAMPLES}"""  # noqa: S608 - constants


def quoted_identifier(name: str) -> str:
    """Quote a name: whatever it holds, it stays one.

    Examples
    --------
    >>> quoted_identifier('a"; drop table x;--')
    '"a""; drop table x;--"'
    """
    return '"' + name.replace('"', '""') + '"'


def databases(session: Session) -> list[str]:
    """Databases that the user may connect to."""
    return [name for (name,) in rows(session, _DATABASES)]


def schemas(session: Session) -> list[str]:
    """Schemas that the user may look into."""
    return [name for (name,) in rows(session, _SCHEMAS)]


def tables(session: Session, schema: str | None = None) -> list[Table]:
    """Tables and views with their sizes."""
    return [
        Table(name, _KINDS[kind], where, statistics=_size(count, pages, block), comment=comment)
        for where, name, kind, count, pages, comment, block in rows(session, _TABLES, {"schema": schema})
    ]


def statistics(session: Session, table: TableRef) -> Statistics:
    """Size of one table; unknown where it was never counted."""
    asked = _TABLES.replace("ORDER BY 1, 2", f"AND {_ONE}")
    found = rows(session, asked, {"table": table.name, "schema": table.schema})
    return _size(found[0][3], found[0][4], found[0][6]) if found else Statistics()


def _size(count: float | None, pages: int | None, block: int) -> Statistics:
    if count is None:
        return Statistics()
    return Statistics(int(count), (pages or 0) * block, "pg_class")


def columns(session: Session, table: TableRef) -> Table:
    """Describe one table. Raises `UnknownTable`."""
    wanted = {"table": table.name, "schema": table.schema}
    found = _tables(rows(session, _COLUMNS.format(which=_ONE), wanted))
    if not found:
        known = [str(TableRef(t.name, t.schema if table.schema else None)) for t in tables(session)]
        hint = nearest(str(table), known, noun="tables")
        raise UnknownTable(f"There is no table {str(table)!r}.", hint=hint)
    return found[0]


def describe(session: Session, schema: str | None = None) -> list[Table]:
    """Every table with its columns, by one statement."""
    which = f"{_SHOWN} AND ($schema::text IS NULL OR n.nspname::text = $schema)"
    return _tables(rows(session, _COLUMNS.format(which=which), {"schema": schema}))


def _tables(found: Iterable[tuple[Any, ...]]) -> list[Table]:
    made = []
    for (schema, name, kind, comment), each in groupby(found, key=lambda row: row[:4]):
        listed = tuple(Column(*row[4:]) for row in each)
        made.append(Table(name, _KINDS[kind], schema, listed, comment=comment))
    return made


def rights(session: Session) -> str:
    """Say what the user may read, and warn of what is more than that. Raises `NotPermitted`."""
    ((user, count, readable, superuser, bypass, server_files),) = rows(session, _RIGHTS)
    if count and not readable:
        raise NotPermitted(
            f"{user} may read none of the {count:,} tables and views.",
            hint=f"Their owner can GRANT SELECT ON … TO {quoted_identifier(user)}.",
        )
    said = f"{readable:,} of {count:,} tables and views can be read" if count else "there are no tables"
    if superuser:
        return f"{said}; WARNING: {user} is a superuser: a read may read files and run programs there"
    if server_files:
        said += f"; WARNING: {user} has {server_files}: a read may reach the server's files"
    if bypass:
        said += f"; WARNING: {user} bypasses row security"
    return said


def sample(session: Session) -> str:
    """Read one row of a table that may be read."""
    found = rows(session, _READABLE)
    if not found:
        rows(session, "SELECT 1")
        return "no table to read; SELECT 1 answered"
    return a_row(
        session,
        {
            f"{schema}.{name}": f"{quoted_identifier(schema)}.{quoted_identifier(name)}"
            for schema, name in found
        },
    )
