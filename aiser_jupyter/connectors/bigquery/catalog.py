"""What there is in BigQuery, by the calls of its API that cost nothing.

A project holds datasets (schemas), and a dataset holds tables. A listing is one call for a thousand tables;
columns, sizes and keys come with a call for each table, when somebody asks for them. Only `describe` of a
whole dataset asks INFORMATION_SCHEMA, in one query, which is billed as the smallest one there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast
from unicodedata import category

from ...errors import AiserError, NotPermitted, UnknownTable, nearest
from ...models import Column, Statistics, Table, TableRef
from ...sql.parameters import quote_identifier
from ..base import Session
from ..pool import SAMPLES, PooledSession, rows
from .jobs import limits
from .login import DATASET, PROJECT
from .session import BigQuerySession
from .types import source_type

__all__ = ["columns", "databases", "describe", "rights", "sample", "schemas", "statistics", "tables"]

T = TypeVar("T")
_KINDS = {
    "TABLE": "table",
    "VIEW": "view",
    "MATERIALIZED_VIEW": "materialized view",
    "EXTERNAL": "external table",
    "SNAPSHOT": "snapshot",
    "CLONE": "table",
}
_COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type, c.is_nullable, p.description
FROM {dataset}.INFORMATION_SCHEMA.COLUMNS AS c
LEFT JOIN {dataset}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS AS p
ON p.table_name = c.table_name AND p.field_path = c.column_name
ORDER BY c.table_name, c.ordinal_position
"""
_MARKS = frozenset({"Pc", "Pd", "Zs"})
"""Connectors, dashes and spaces: what a table's name has besides letters, their marks and digits."""
_FEW = 20
"""Tables that are described one by one."""


def _own(session: Session) -> BigQuerySession:
    return cast(BigQuerySession, session._session if isinstance(session, PooledSession) else session)


def _ask(session: Session, work: Callable[[Any], T]) -> T:
    """Make a call of the driver's client in the session's thread. Raises `AiserError`."""
    own = _own(session)
    return own.ask(lambda: own.call(lambda: work(own.clients.rest)))


def _project(session: Session) -> str:
    return str(_own(session).config.values["project"])


def _dataset(session: Session) -> str | None:
    return _own(session).config.values.get("dataset") or None


def databases(session: Session) -> list[str]:
    """List the projects that the user may look into."""
    return _ask(session, lambda rest: sorted(each.project_id for each in rest.list_projects(**limits(None))))


def schemas(session: Session) -> list[str]:
    """List the datasets of the connection's project."""
    return _ask(session, lambda rest: sorted(each.dataset_id for each in rest.list_datasets(**limits(None))))


def tables(session: Session, schema: str | None = None) -> list[Table]:
    """List the tables of a dataset; without one, of the connection's own, or of all."""
    schema = schema or _dataset(session)
    found: list[Table] = []
    for dataset in [schema] if schema else schemas(session):
        found += _ask(session, partial(_listed, project=_project(session), dataset=dataset))
    return found


def _listed(rest: Any, project: str, dataset: str) -> list[Table]:
    if not DATASET.fullmatch(dataset):
        raise UnknownTable(f"There is no dataset {dataset!r}.")
    items = rest.list_tables(f"{project}.{dataset}", page_size=1000, **limits(None))
    return [
        Table(
            item.table_id,
            _KINDS.get(item.table_type or "TABLE", str(item.table_type).lower()),
            item.dataset_id,
            comment=_comment(None, item),
            catalog=item.project,
        )
        for item in items
    ]


def _comment(description: str | None, item: Any) -> str | None:
    """Return the description of a table, and how it is laid out."""
    words = [description] if description else []
    split = getattr(item, "time_partitioning", None)
    if split is not None:
        column = split.field or "the time of loading"
        words.append(f"partitioned by {str(split.type_ or 'DAY').lower()} of {column}")
    if (ranges := getattr(item, "range_partitioning", None)) is not None and ranges.field:
        words.append(f"partitioned by ranges of {ranges.field}")
    if clustered := getattr(item, "clustering_fields", None):
        words.append(f"clustered by {', '.join(clustered)}")
    return "; ".join(words) or None


def columns(session: Session, table: TableRef) -> Table:
    """Describe one table. Raises `UnknownTable`."""
    dataset = table.schema or _dataset(session)
    if dataset is None:
        raise UnknownTable(
            f"There is no table {str(table)!r}.",
            hint="Write dataset.table, or name a dataset in the connection.",
        )
    try:
        name = _name(table.catalog or _project(session), dataset, table.name)
        return _described(_ask(session, lambda rest: rest.get_table(name, **limits(None))))
    except UnknownTable as exc:
        names = _siblings(session, table, dataset)
        raise UnknownTable(
            f"There is no table {str(table)!r}.", hint=nearest(table.name, names, noun="tables")
        ) from exc


def _siblings(session: Session, table: TableRef, dataset: str) -> list[str]:
    if table.catalog not in (None, _project(session)):
        return []
    try:
        return [each.name for each in tables(session, dataset)]
    except AiserError:  # the dataset is not there either
        return []


def _name(project: str, dataset: str, name: str) -> Any:
    """Return the driver's name of a table, which becomes part of an address. Raises `UnknownTable`."""
    from google.cloud import bigquery

    of_bigquery = all(category(char)[0] in "LMN" or category(char) in _MARKS for char in name)
    if not (PROJECT.fullmatch(project) and DATASET.fullmatch(dataset) and of_bigquery and name):
        raise UnknownTable("BigQuery has no such name.")
    return bigquery.TableReference(bigquery.DatasetReference(project, dataset), name)


def _described(table: Any) -> Table:
    """Return a table of the API with its columns, keys and sizes."""
    stated: Mapping[str, Any] = table.to_api_repr()
    constraints = stated.get("tableConstraints") or {}
    primary = set((constraints.get("primaryKey") or {}).get("columns") or ())
    references = _references(constraints.get("foreignKeys") or ())
    fields = (stated.get("schema") or {}).get("fields") or ()
    found = tuple(
        Column(
            each["name"],
            source_type(each),
            each.get("mode") != "REQUIRED",
            each.get("description") or None,
            primary_key=each["name"] in primary,
            references=references.get(each["name"], ""),
        )
        for each in fields
    )
    return Table(
        table.table_id,
        _KINDS.get(table.table_type or "TABLE", str(table.table_type).lower()),
        table.dataset_id,
        columns=found,
        statistics=_statistics(table),
        comment=_comment(table.description, table),
        catalog=table.project,
    )


def _references(keys: Any) -> dict[str, str]:
    found = {}
    for key in keys:
        to = key["referencedTable"]
        for pair in key["columnReferences"]:
            found[pair["referencingColumn"]] = ".".join(
                (to["datasetId"], to["tableId"], pair["referencedColumn"])
            )
    return found


def _statistics(table: Any) -> Statistics:
    if (
        table.table_type not in (None, "TABLE", "SNAPSHOT", "CLONE", "MATERIALIZED_VIEW")
        or table.num_rows is None
    ):
        return Statistics()
    return Statistics(int(table.num_rows), table.num_bytes, "BigQuery")


def statistics(session: Session, table: TableRef) -> Statistics:
    """Return the exact size of a table, which BigQuery keeps."""
    try:
        return columns(session, table).statistics
    except UnknownTable:
        return Statistics()


def describe(session: Session, schema: str | None = None) -> list[Table]:
    """List the tables of a dataset with their columns: few one by one, many by a query."""
    listed = tables(session, schema)
    if len(listed) <= _FEW:
        return [columns(session, TableRef(each.name, each.schema)) for each in listed]
    found: dict[tuple[str, str], list[Column]] = {}
    for dataset in sorted({each.schema or "" for each in listed}):
        quoted = quote_identifier([_project(session), dataset], dialect="bigquery")
        for name, column, type_, nullable, comment in rows(session, _COLUMNS.format(dataset=quoted)):
            made = Column(column, type_, nullable == "YES", comment or None)
            found.setdefault((dataset, name), []).append(made)
    return [replace(each, columns=tuple(found.get((each.schema or "", each.name), ()))) for each in listed]


def rights(session: Session) -> str:
    """Say how many tables there are to read. Raises `NotPermitted`."""
    dataset = _dataset(session)
    if dataset:
        return f"may run queries; {len(tables(session)):,} tables and views in {dataset}"
    found = schemas(session)
    if not found:
        raise NotPermitted(
            f"There is no dataset in {_project(session)} that this user may look into.",
            hint="Name another project, or have the role BigQuery Data Viewer granted.",
        )
    return f"may run queries; {len(found):,} datasets"


def sample(session: Session) -> str:
    """Read one row of a table, without a query: BigQuery bills a LIMIT as the whole table."""
    dataset = _dataset(session) or next(iter(schemas(session)), None)
    found = [each for each in tables(session, dataset) if each.kind == "table"] if dataset else []
    failure: AiserError | None = None
    for table in found[:SAMPLES]:
        name = _name(str(table.catalog), str(table.schema), table.name)
        try:
            read = _ask(session, partial(_first_page, name=name))
        except NotPermitted as exc:
            failure = exc
            continue
        return f"{'a row' if read else 'no row'} in {table.schema}.{table.name}"
    if failure is not None:
        raise failure
    return "no table to read"


def _first_page(rest: Any, name: Any) -> list[Any]:
    path = f"{name.path}/data"
    kept = limits(None)
    answer = kept["retry"](rest._connection.api_request)(
        method="GET", path=path, query_params={"maxResults": 1}, timeout=kept["timeout"]
    )
    return list(answer.get("rows") or ())
