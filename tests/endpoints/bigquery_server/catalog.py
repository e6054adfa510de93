"""Datasets and tables: those of DuckDB, with what was said of them when they were made here."""

from __future__ import annotations

from typing import Any

import duckdb
from errors import Refused
from jobs import DATABASE
from sqlglot import exp
from values import Result, declared, result_of

TYPES = {
    "INTEGER": "BIGINT",
    "INT64": "BIGINT",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "NUMERIC": "DECIMAL(38, 9)",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATETIME": "TIMESTAMP",
    "BYTES": "BLOB",
}
MADE: dict[tuple[str, str], dict[str, Any]] = {}
"""The resources of tables that were made by `make`."""
MANY: dict[str, int] = {}
"""Datasets that are said to hold so many tables, which are not there."""


def datasets(project: str) -> list[dict[str, Any]]:
    """Return the datasets of the project."""
    found = DATABASE.cursor().execute(
        "select schema_name from information_schema.schemata where catalog_name = 'memory'"
        " and schema_name not in ('main', 'information_schema', 'pg_catalog')"
    )
    names = [name for (name,) in found.fetchall()] + list(MANY)
    return [
        {
            "kind": "bigquery#dataset",
            "id": f"{project}:{name}",
            "datasetReference": {"projectId": project, "datasetId": name},
            "location": "US",
        }
        for name in names
    ]


def tables(project: str, dataset: str, start: int, count: int) -> dict[str, Any]:
    """Return a page of a dataset's tables."""
    if dataset not in [each["datasetReference"]["datasetId"] for each in datasets(project)]:
        raise Refused("notFound", f"Not found: Dataset {project}:{dataset}")
    found = [(f"table_{place}", "BASE TABLE") for place in range(MANY.get(dataset, 0))]
    found += (
        DATABASE.cursor()
        .execute(
            "select table_name, table_type from information_schema.tables where table_schema = ? order by 1",
            [dataset],
        )
        .fetchall()
    )
    listed = [_listed(project, dataset, name, kind) for name, kind in found[start : start + count]]
    more = {"nextPageToken": str(start + count)} if start + count < len(found) else {}
    return {"kind": "bigquery#tableList", "tables": listed, "totalItems": len(found), **more}


def _listed(project: str, dataset: str, name: str, kind: str) -> dict[str, Any]:
    made = MADE.get((dataset, name), {})
    return {
        "kind": "bigquery#table",
        "id": f"{project}:{dataset}.{name}",
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name},
        "type": made.get("type") or ("VIEW" if kind == "VIEW" else "TABLE"),
        **{key: made[key] for key in ("timePartitioning", "clustering") if key in made},
    }


def table(project: str, dataset: str, name: str) -> dict[str, Any]:
    """Return one table with its columns and its size."""
    found = DATABASE.cursor().execute(
        "select column_name, is_nullable, table_type from information_schema.columns"
        " join information_schema.tables using (table_schema, table_name)"
        " where table_schema = ? and table_name = ? order by ordinal_position",
        [dataset, name],
    )
    stated = found.fetchall()
    if not stated:
        raise Refused("notFound", f"Not found: Table {project}:{dataset}.{name}")
    held = DATABASE.cursor().execute(f"select * from {quoted(dataset, name)} limit 0")
    schema = held.to_arrow_table().schema
    fields = [
        {"name": field.name, **declared(field.type), **({} if nullable == "YES" else {"mode": "REQUIRED"})}
        for field, (_, nullable, _) in zip(schema, stated, strict=True)
    ]
    count = DATABASE.cursor().execute(f"select count(*) from {quoted(dataset, name)}").fetchone()[0]
    size = {} if stated[0][2] == "VIEW" else {"numRows": str(count), "numBytes": str(count * 8 * len(fields))}
    listed = _listed(project, dataset, name, stated[0][2])
    return {**listed, "schema": {"fields": fields}, **size, **MADE.get((dataset, name), {})}


def make(resource: dict[str, Any]) -> dict[str, Any]:
    """Make a table from its resource, which is kept, and given back with the table."""
    at = resource["tableReference"]
    columns = ", ".join(f'"{each["name"]}" {_type(each)}' for each in resource["schema"]["fields"])
    DATABASE.cursor().execute(f'create schema if not exists "{at["datasetId"]}"')
    DATABASE.cursor().execute(f"create or replace table {quoted(at['datasetId'], at['tableId'])} ({columns})")
    MADE[(at["datasetId"], at["tableId"])] = resource
    return resource


def _type(field: dict[str, Any]) -> str:
    if field["type"] in ("RECORD", "STRUCT"):
        parts = ", ".join(f'"{each["name"]}" {_type(each)}' for each in field["fields"])
        word = f"STRUCT({parts})"
    else:
        word = TYPES.get(field["type"], "VARCHAR")
    word += "[]" if field.get("mode") == "REPEATED" else ""
    return word + (" NOT NULL" if field.get("mode") == "REQUIRED" else "")


def rows(dataset: str, name: str, count: int) -> Result:
    """Return the first rows of a table."""
    try:
        found = DATABASE.cursor().execute(f"select * from {quoted(dataset, name)} limit {count}")
    except duckdb.CatalogException as exc:
        raise Refused("notFound", f"Not found: Table {dataset}.{name}") from exc
    return result_of(found.to_arrow_table(), [str(each[1]) for each in found.description])


def quoted(dataset: str, name: str) -> str:
    """Return the table's name as DuckDB takes it."""
    return exp.table_(name, db=dataset, quoted=True).sql(dialect="duckdb")
