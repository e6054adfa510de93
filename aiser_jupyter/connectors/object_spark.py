"""A Spark session of the notebook, classic or Connect, as a `Session`.

Spark has no cursor: ``toArrow`` collects the whole answer in this process before the first batch can be read,
so a result is bounded by memory here, whatever the run's cap. Each run carries a tag of its own, and
cancelling interrupts that tag: other work of the session goes on.

pyspark is not imported: the object that was handed over brings it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, EngineUnavailable, QueryFailed, QuerySyntaxError, UnknownColumn, UnknownTable
from ..models import Column, Table, TableRef
from ..run import Handle
from .base import Parameters
from .dbapi import ObjectSession, bind

if TYPE_CHECKING:
    import pyarrow as pa

    from ..run import Run

__all__ = ["SparkObjectSession"]

_CONDITIONS: dict[str, type[AiserError]] = {
    "TABLE_OR_VIEW_NOT_FOUND": UnknownTable,
    "UNRESOLVED_COLUMN": UnknownColumn,
    "PARSE_SYNTAX_ERROR": QuerySyntaxError,
}


class SparkObjectSession(ObjectSession):
    """Statements on somebody's Spark session; closing it leaves the Spark session running."""

    def __init__(self, spark: Any) -> None:
        if not hasattr(spark, "addTag"):
            raise EngineUnavailable(
                "This Spark session is too old.", hint="pip install 'pyspark[connect]>=4'"
            )
        self._spark = spark
        self._tag = ""

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        text, values = bind(sql, parameters, "named", "spark")
        self._tag = f"aiser-{run.id}"
        with _translated(run):
            self._spark.addTag(self._tag)
            run.emit(Handle(self._tag))
            frame = (
                self._spark.sql(text, args=values) if isinstance(values, Mapping) else self._spark.sql(text)
            )
            table: pa.Table = frame.toArrow()
        return table.to_reader()

    def cancel(self) -> None:
        if self._tag:
            self._spark.interruptTag(self._tag)

    def close(self) -> None:
        tag, self._tag = self._tag, ""
        if tag:
            self._spark.removeTag(tag)

    def tables(self, schema: str | None) -> list[Table]:
        with _translated():
            found = self._spark.catalog.listTables(schema)
        return [
            Table(table.name, "view" if table.tableType in ("VIEW", "TEMPORARY") else "table", schema)
            for table in found
        ]

    def columns(self, table: TableRef) -> Table:
        with _translated():
            found = self._spark.catalog.listColumns(str(table))
        columns = tuple(Column(c.name, c.dataType, c.nullable, c.description) for c in found)
        return Table(table.name, "table", table.schema, columns)


@contextlib.contextmanager
def _translated(run: Run | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        if run is not None and run.cancelled:
            raise run.stopped() from exc
        text = str(exc)
        kind = next((ours for name, ours in _CONDITIONS.items() if f"[{name}" in text), QueryFailed)
        raise kind(text.partition("\n\nJVM stacktrace")[0]) from exc
