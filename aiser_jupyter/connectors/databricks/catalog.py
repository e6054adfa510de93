"""What a workspace's metastore tells of catalogs, schemas, tables and columns.

The driver's own listings are asked, one question for all tables of a schema or a catalog: they cost no
computation. A table's comment, size and layout come from DESCRIBE TABLE EXTENDED, which reads no data; its
keys from the information schema, where its catalog has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any

from ...errors import AiserError, ConnectError, NotPermitted, RunError, UnknownTable, nearest
from ...models import Column, Statistics, Table, TableRef
from ...sql.parameters import quote_identifier
from ..base import Session
from ..pool import SAMPLES, PooledSession, a_row, rows

__all__ = [
    "columns",
    "databases",
    "describe",
    "described",
    "rights",
    "sample",
    "schemas",
    "statistics",
    "tables",
]

_SYSTEM = frozenset({"information_schema"})
_KINDS = {"TABLE": "table", "VIEW": "view", "EXTERNAL": "external table"}
_SIZE = re.compile(r"(\d+) bytes(?:, (\d+) rows)?")
_HERE = "SELECT current_catalog(), current_schema()"
_KEYS = """
SELECT k.column_name, t.constraint_type, min(p.table_schema || '.' || p.table_name || '.' || p.column_name)
FROM {catalog}.information_schema.table_constraints t
JOIN {catalog}.information_schema.key_column_usage k
  ON k.constraint_schema = t.constraint_schema AND k.constraint_name = t.constraint_name
LEFT JOIN {catalog}.information_schema.referential_constraints r
  ON r.constraint_schema = t.constraint_schema AND r.constraint_name = t.constraint_name
LEFT JOIN {catalog}.information_schema.key_column_usage p
  ON p.constraint_schema = r.unique_constraint_schema AND p.constraint_name = r.unique_constraint_name
  AND p.ordinal_position = k.position_in_unique_constraint
WHERE t.table_schema = ? AND t.table_name = ? AND t.constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
GROUP BY 1, 2"""


def databases(session: Session) -> list[str]:
    """Catalogs that the user may look into."""
    return sorted(str(row["TABLE_CAT"]) for row in _listed(session, lambda cursor: cursor.catalogs()))


def schemas(session: Session) -> list[str]:
    """Schemas of the connection's catalog."""
    catalog, _ = here(session)
    found = _listed(session, lambda cursor: cursor.schemas(catalog_name=_pattern(catalog)))
    return sorted({str(row["TABLE_SCHEM"]) for row in found} - _SYSTEM)


def here(session: Session) -> tuple[str, str]:
    """Return the catalog and the schema where a name without one is looked up."""
    ((catalog, schema),) = rows(session, _HERE)
    return str(catalog), str(schema)


def tables(session: Session, schema: str | None = None) -> list[Table]:
    """Tables and views of the connection's catalog."""
    return _tables(session, here(session)[0], schema)


def _tables(session: Session, catalog: str, schema: str | None) -> list[Table]:
    found = _listed(
        session,
        lambda cursor: cursor.tables(catalog_name=_pattern(catalog), schema_name=_pattern(schema)),
    )
    made = [
        Table(
            str(row["TABLE_NAME"]),
            _KINDS.get(str(row["TABLE_TYPE"]), str(row["TABLE_TYPE"]).lower().replace("_", " ")),
            str(row["TABLE_SCHEM"]),
            comment=row.get("REMARKS") or None,
            catalog=str(row["TABLE_CAT"]),
        )
        for row in found
        if row["TABLE_SCHEM"] not in _SYSTEM
    ]
    return sorted(made, key=lambda table: (table.schema or "", table.name))


def describe(session: Session, schema: str | None = None) -> list[Table]:
    """Every table with its columns, by one question more."""
    catalog, _ = here(session)
    listed = {(table.schema, table.name): table for table in _tables(session, catalog, schema)}
    made = []
    for key, columns in groupby(_columns(session, catalog, schema, None), key=lambda each: each[:2]):
        if (table := listed.get(key)) is not None:
            made.append(replace(table, columns=tuple(column for _, _, column in columns)))
    return made


def columns(session: Session, table: TableRef) -> Table:
    """Describe one table, with its keys, comment and size. Raises `UnknownTable`."""
    catalog, schema = _whole(session, table)
    found = [column for *_, column in _columns(session, catalog, schema, table.name)]
    if not found:
        others = _tables(session, catalog, None)
        known = [str(TableRef(t.name, t.schema if table.schema else None)) for t in others]
        raise UnknownTable(
            f"There is no table {str(table)!r}.", hint=nearest(str(table), known, noun="tables")
        )
    keys = _keys(session, catalog, schema, table.name)
    keyed = tuple(
        replace(
            column,
            primary_key=(column.name, "PRIMARY KEY") in keys,
            references=keys.get((column.name, "FOREIGN KEY"), ""),
        )
        for column in found
    )
    facts = _extended(session, catalog, schema, table.name)
    return replace(described(facts), name=table.name, schema=schema, catalog=catalog, columns=keyed)


def statistics(session: Session, table: TableRef) -> Statistics:
    """Size of one table as ANALYZE counted it; unknown where it never did."""
    return described(_extended(session, *_whole(session, table), table.name)).statistics


def described(facts: Iterable[tuple[Any, ...]]) -> Table:
    """Read what DESCRIBE TABLE EXTENDED prints: the kind, the comment, the size and the layout."""
    told: dict[str, str] = {}
    lists: dict[str, list[str]] = {"# Partition Information": [], "# Clustering Information": []}
    part = ""
    for name, value, _ in facts:
        if name.startswith("# ") and name != "# col_name":
            part = name
        elif part in lists and name and name != "# col_name":
            lists[part].append(name)
        elif part == "# Detailed Table Information" and name:
            told.setdefault(name, value or "")
    size = _SIZE.search(told.get("Statistics", ""))
    words = [told.get("Comment", "")]
    words += ["partitioned by " + ", ".join(lists["# Partition Information"])] * bool(
        lists["# Partition Information"]
    )
    words += ["clustered by " + ", ".join(lists["# Clustering Information"])] * bool(
        lists["# Clustering Information"]
    )
    kind = told.get("Type", "TABLE")
    return Table(
        told.get("Table", ""),
        "table" if kind == "MANAGED" else _KINDS.get(kind, kind.lower().replace("_", " ")),
        statistics=Statistics(int(size[2]) if size[2] else None, int(size[1]), "DESCRIBE")
        if size
        else Statistics(),
        comment="; ".join(word for word in words if word) or None,
    )


def rights(session: Session) -> str:
    """Say what the user may look into. Raises `NotPermitted`."""
    catalog, schema = here(session)
    found = _tables(session, catalog, None)
    if not found and catalog not in databases(session):
        raise NotPermitted(
            f"The user may not look into the catalog {catalog}.",
            hint="Its owner can GRANT USE CATALOG, or name another one in the field catalog.",
        )
    return f"{len(found):,} tables and views in {catalog}, names are looked up in {catalog}.{schema}"


def sample(session: Session) -> str:
    """Read one row of a table."""
    found = tables(session)[:SAMPLES]
    if not found:
        rows(session, "SELECT 1")
        return "no table to read; SELECT 1 answered"
    named = {f"{t.catalog}.{t.schema}.{t.name}": _quoted(t.catalog, t.schema, t.name) for t in found}
    return a_row(session, named)


# -- questions ----------------------------------------------------------------------------------------------


def _listed(session: Session, ask: Any) -> list[dict[str, Any]]:
    inner: Any = session._session if isinstance(session, PooledSession) else session
    found: list[dict[str, Any]] = inner.listing(ask)
    return found


def _pattern(name: str | None) -> str | None:
    r"""Return a name as a pattern that only it matches; a listing takes ``_`` and ``%`` as wildcards."""
    return None if name is None else re.sub(r"([\\_%])", r"\\\1", name)


def _quoted(*parts: str | None) -> str:
    return quote_identifier([part for part in parts if part], dialect="databricks")


def _whole(session: Session, table: TableRef) -> tuple[str, str]:
    """Return catalog and schema of a table, as the session would find it."""
    if table.catalog and table.schema:
        return table.catalog, table.schema
    catalog, schema = here(session)
    return table.catalog or catalog, table.schema or schema


def _columns(
    session: Session, catalog: str, schema: str | None, table: str | None
) -> list[tuple[str, str, Column]]:
    found = _listed(
        session,
        lambda cursor: cursor.columns(
            catalog_name=_pattern(catalog), schema_name=_pattern(schema), table_name=_pattern(table)
        ),
    )
    made = [
        (
            str(row["TABLE_SCHEM"]),
            str(row["TABLE_NAME"]),
            row["ORDINAL_POSITION"],
            Column(
                str(row["COLUMN_NAME"]),
                str(row["TYPE_NAME"]),
                None if row.get("NULLABLE") is None else bool(row["NULLABLE"]),
                row.get("REMARKS") or None,
            ),
        )
        for row in found
        if row["TABLE_SCHEM"] not in _SYSTEM
    ]
    return [(schema, name, column) for schema, name, _, column in sorted(made, key=lambda each: each[:3])]


def _extended(session: Session, catalog: str, schema: str, table: str) -> list[tuple[Any, ...]]:
    return rows(session, f"DESCRIBE TABLE EXTENDED {_quoted(catalog, schema, table)}")


def _keys(session: Session, catalog: str, schema: str, table: str) -> dict[tuple[str, str], str]:
    """Return what the keys of a table point to, by column and kind; {} where its catalog does not tell."""
    asked = _KEYS.format(catalog=_quoted(catalog))
    try:
        return {(name, kind): target or "" for name, kind, target in rows(session, asked, (schema, table))}
    except (ConnectError, RunError):
        raise
    except AiserError:  # hive_metastore has no information schema, and not everybody may read one
        return {}
