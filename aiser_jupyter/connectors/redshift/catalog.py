"""What Redshift's own views tell of databases, schemas, tables and columns.

The ``SVV`` views answer for local, shared and external tables alike. Sizes come from ``SVV_TABLE_INFO``,
which a cluster shows only to those who were given the right: without it they are unknown. Where a table is
spread by a column, or sorted by it, the column's comment says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from ...errors import AiserError, ConnectionLost, RunError, UnknownTable, nearest
from ...models import Column, Statistics, Table, TableRef
from ...run import Run
from ...sql.parameters import quote_identifier
from ..arrow_types import SOURCE_TYPE
from ..base import Session
from ..pool import SAMPLES, a_row, rows

__all__ = ["columns", "databases", "describe", "rights", "sample", "schemas", "statistics", "tables"]

_BLOCK = 1 << 20
"""Bytes of one of the blocks that sizes are counted in."""
_OURS = (
    "database_name = {database} AND schema_name NOT IN ('information_schema', 'catalog_history')"
    " AND schema_name !~ '^pg_'"
)
_DATABASES = "SELECT database_name FROM svv_redshift_databases ORDER BY 1"
_SCHEMAS = f"SELECT schema_name FROM svv_all_schemas WHERE {_OURS} ORDER BY 1"  # noqa: S608 - constants
_TABLES = f"""
SELECT schema_name, table_name, table_type, remarks FROM svv_all_tables
WHERE {_OURS}{{which}} ORDER BY 1, 2"""  # noqa: S608 - constants
_SIZES = """
SELECT "schema", "table", tbl_rows, size FROM svv_table_info WHERE "database" = current_database(){which}"""
_COLUMNS = f"""
SELECT schema_name, table_name, column_name, data_type, character_maximum_length, numeric_precision,
  numeric_scale, is_nullable, remarks
FROM svv_all_columns WHERE {_OURS}{{which}} ORDER BY 1, 2, ordinal_position"""  # noqa: S608 - constants
_LAYOUT = f"""
SELECT schema_name, table_name, column_name, distkey, sortkey FROM svv_redshift_columns
WHERE {_OURS} AND (distkey OR sortkey <> 0){{which}}"""  # noqa: S608 - constants
_KEYS = """
SELECT n.nspname, c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype IN ('p', 'f'){which}"""
_PATH = "SELECT current_schemas(false)"
_USER = "SELECT current_user, usesuper FROM pg_user WHERE usename = current_user"

_NAME = r'(?:"(?:[^"]|"")+"|[^\s(),."]+)'
_KEY = re.compile(
    rf"(PRIMARY KEY|FOREIGN KEY) \(({_NAME}(?:, {_NAME})*)\)"
    rf"(?: REFERENCES ({_NAME}(?:\.{_NAME})?)\(({_NAME}(?:, {_NAME})*)\))?"
)
_KINDS = {
    "TABLE": "table",
    "BASE TABLE": "table",
    "VIEW": "view",
    "EXTERNAL TABLE": "external table",
    "MATERIALIZED VIEW": "materialized view",
    "SHARED TABLE": "shared table",
}
_LENGTHS = {"character varying", "character", "varbyte", "varchar", "char"}
_SIZED = ('"schema"', '"table"')
_Place = tuple[str, str, str]
"""Schema, table and column."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which tables are asked for: all, those of a schema, or one; here, or in another database."""

    schema: str | None = None
    table: str | None = None
    database: str | None = None


def databases(session: Session) -> list[str]:
    """Databases of the cluster that the user may see."""
    return [str(name) for (name,) in rows(session, _DATABASES)]


def schemas(session: Session) -> list[str]:
    """Schemas that the user may look into."""
    return [str(name) for (name,) in _asked(session, _SCHEMAS, _Scope())]


def tables(session: Session, schema: str | None = None) -> list[Table]:
    """Tables and views; with their sizes, where the user may see those."""
    scope = _Scope(schema)
    sizes = {
        (str(where), str(name)): _size(count, blocks)
        for where, name, count, blocks in _asked(session, _SIZES, scope, _SIZED, shy=True)
    }
    return [
        Table(name, _kind(kind), where, None, sizes.get((where, name), Statistics()), said or None)
        for where, name, kind, said in _asked(session, _TABLES, scope)
    ]


def statistics(session: Session, table: TableRef) -> Statistics:
    """Size of one table; unknown where it is empty, a view, or the user may not see it."""
    scope = _found(session, table)
    sizes = [] if scope is None else _asked(session, _SIZES, scope, _SIZED, shy=True)
    return _size(*sizes[0][2:]) if sizes else Statistics()


def columns(session: Session, table: TableRef) -> Table:
    """Describe one table. Raises `UnknownTable`."""
    scope = _found(session, table)
    if scope is None:
        known = [str(TableRef(t.name, t.schema if table.schema else None)) for t in tables(session)]
        hint = nearest(str(table), known, noun="tables")
        raise UnknownTable(f"There is no table {str(table)!r}.", hint=hint)
    (described,) = _described(session, scope)
    return described if described.columns else replace(described, columns=_by_reading(session, scope))


def describe(session: Session, schema: str | None = None) -> list[Table]:
    """Every table with its columns, by the same few statements whatever the number of tables."""
    return _described(session, _Scope(schema))


def rights(session: Session) -> str:
    """Say what the user may read, and warn of what is more than that."""
    ((user, superuser),) = rows(session, _USER) or [("the user", False)]
    count = len(_asked(session, _TABLES, _Scope()))
    said = f"{count:,} tables and views are shown to {user}" if count else "there are no tables"
    return f"{said}; WARNING: {user} is a superuser, who may write and drop everything" if superuser else said


def sample(session: Session) -> str:
    """Read one row of a table that may be read."""
    listed = _asked(session, _TABLES, _Scope())
    found = [row[:2] for row in listed if _kind(row[2]) != "external table"][
        :SAMPLES
    ]  # those cost by the byte
    if not found:
        rows(session, "SELECT 1")
        return "no table to read; SELECT 1 answered"
    return a_row(session, {".".join(row): quote_identifier(list(row), dialect="redshift") for row in found})


# -- one statement for each kind of thing ---------------------------------------------------------------


def _asked(
    session: Session,
    sql: str,
    scope: _Scope,
    names: tuple[str, str] = ("schema_name", "table_name"),
    *,
    shy: bool = False,
) -> list[tuple[Any, ...]]:
    """Run a statement of the catalog.

    Parameters
    ----------
    names : tuple of str
        What it calls the schema and the table.
    shy : bool
        Whether what the user may not see, and what only the session's own database has, is none.
    """
    if shy and scope.database and "{database}" not in sql:
        return []
    wanted = {name: value for name, value in asdict(scope).items() if value is not None}
    which = "".join(
        f" AND {column} = ${name}"
        for name, column in zip(("schema", "table"), names, strict=True)
        if name in wanted
    )
    database = "$database" if scope.database else "current_database()"
    try:
        return rows(session, sql.format(which=which, database=database), wanted)
    except (ConnectionLost, RunError):
        raise
    except AiserError:
        if not shy:
            raise
        return []


def _found(session: Session, table: TableRef) -> _Scope | None:
    """Return what ``table`` names, or None; a name that is not there is folded, as Redshift does."""
    for schema in [table.schema] if table.schema else _searched(session):
        for where in dict.fromkeys((schema, schema.lower())):
            for name in dict.fromkeys((table.name, table.name.lower())):
                scope = _Scope(where, name, table.catalog)
                if _asked(session, _TABLES, scope):
                    return scope
    return None


def _searched(session: Session) -> list[str]:
    """The schemas in which a name without one is looked up."""
    ((path,),) = rows(session, _PATH)
    return _names(str(path).strip("{}"))


def _described(session: Session, scope: _Scope) -> list[Table]:
    layout = {
        (where, name, column): _spread(distkey, sortkey)
        for where, name, column, distkey, sortkey in _asked(session, _LAYOUT, scope, shy=True)
    }
    primary, foreign = _keys(_asked(session, _KEYS, scope, ("n.nspname", "c.relname"), shy=True))
    parts = {
        place: tuple(
            Column(
                name,
                _type(kind, length, precision, scale),
                {"yes": True, "no": False}.get(str(nullable or "").lower()),
                "; ".join(filter(None, (said, layout.get((*place, name))))) or None,
                (*place, name) in primary,
                foreign.get((*place, name), ""),
            )
            for _, _, name, kind, length, precision, scale, nullable, said in each
        )
        for place, each in groupby(_asked(session, _COLUMNS, scope), key=lambda row: (row[0], row[1]))
    }
    return [
        Table(
            name, _kind(kind), where, parts.get((where, name)), comment=said or None, catalog=scope.database
        )
        for where, name, kind, said in _asked(session, _TABLES, scope)
    ]


def _by_reading(session: Session, scope: _Scope) -> tuple[Column, ...]:
    """The columns of a view that is bound late, which no view of the catalog has."""
    parts = [part for part in (scope.database, scope.schema, scope.table) if part]
    sql = f"SELECT * FROM {quote_identifier(parts, dialect='redshift')} LIMIT 0"  # noqa: S608 - quoted
    with session.execute(sql, (), Run("catalog", tag="catalog")) as reader:
        schema = reader.schema
        reader.read_all()
    key = SOURCE_TYPE.encode()
    return tuple(Column(field.name, (field.metadata or {})[key].decode()) for field in schema)


def _keys(found: Iterable[tuple[Any, ...]]) -> tuple[set[_Place], dict[_Place, str]]:
    """Read the definitions of keys: the columns of primary ones, and what those of foreign ones mean."""
    primary: set[_Place] = set()
    foreign: dict[_Place, str] = {}
    for schema, table, definition in found:
        read = _KEY.search(str(definition))
        if read is None:
            continue
        kind, own, target, others = read.groups()
        names = _names(own)
        if kind == "PRIMARY KEY":
            primary |= {(schema, table, name) for name in names}
        elif target:
            there = ".".join(_names(target))
            there = there if "." in target else f"{schema}.{there}"
            pairs = zip(names, _names(others), strict=True)
            foreign |= {(schema, table, name): f"{there}.{other}" for name, other in pairs}
    return primary, foreign


def _names(text: str) -> list[str]:
    return [
        name[1:-1].replace('""', '"') if name.startswith('"') else name for name in re.findall(_NAME, text)
    ]


def _kind(type_: str) -> str:
    return _KINDS.get(str(type_).upper(), str(type_).lower())


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    """Return the type of a column as it would be declared."""
    if kind == "numeric" and precision:
        return f"numeric({precision},{scale or 0})"
    return f"{kind}({length})" if kind in _LENGTHS and length else str(kind)


def _spread(distkey: bool | None, sortkey: int | None) -> str:
    said = ["distribution key"] if distkey else []
    return "; ".join([*said, f"sort key {abs(sortkey)}"] if sortkey else said)


def _size(count: Any, blocks: Any) -> Statistics:
    if count is None:
        return Statistics()
    return Statistics(int(count), None if blocks is None else int(blocks) * _BLOCK, "svv_table_info")
