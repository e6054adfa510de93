"""Results as BigQuery gives them: its schema in JSON, rows in JSON, and rows in Arrow."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Result:
    """Rows with the schema that BigQuery declares; ``cells`` are given where they were recorded."""

    fields: list[dict[str, Any]]
    table: pa.Table
    cells: list[list[Any]] | None = None

    @property
    def count(self) -> int:
        return self.table.num_rows

    def rows(self, start: int, count: int) -> list[dict[str, Any]]:
        """Return a page in JSON."""
        if self.cells is not None:
            columns = [column[start : start + count] for column in self.cells]
        else:
            part = self.table.slice(start, count)
            columns = [[cell(value)["v"] for value in column.to_pylist()] for column in part.columns]
        return [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)]

    def head(self, count: int) -> Result:
        """Return the first rows."""
        cells = None if self.cells is None else [column[:count] for column in self.cells]
        return Result(self.fields, self.table.slice(0, count), cells)


def result_of(table: pa.Table, types: list[str]) -> Result:
    """Make the types of a result of DuckDB those that BigQuery's storage has."""
    columns = [_stored(column, type_) for column, type_ in zip(table.columns, types, strict=True)]
    fields = [
        {"name": name, **declared(column.type, type_)}
        for name, column, type_ in zip(table.column_names, columns, types, strict=True)
    ]
    return Result(fields, pa.table(columns, names=table.column_names))


def _stored(column: Any, type_: str) -> Any:
    found = column.type
    if isinstance(found, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], found.storage_type)
        found = column.type
    if pa.types.is_integer(found) or type_ == "HUGEINT":
        return column.cast(pa.int64())
    if pa.types.is_floating(found):
        return column.cast(pa.float64())
    if pa.types.is_decimal(found):
        return column.cast(pa.decimal128(38, 9))
    if pa.types.is_timestamp(found):
        return column.cast(pa.timestamp("us", "UTC" if found.tz else None))
    return column.cast(pa.string()) if pa.types.is_null(found) else column


def declared(type_: Any, word: str = "") -> dict[str, Any]:
    """Return BigQuery's word for an Arrow type."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return {**declared(type_.value_type), "mode": "REPEATED"}
    if pa.types.is_struct(type_):
        fields = [{"name": each.name, **declared(each.type)} for each in type_]
        return {"type": "RECORD", "mode": "NULLABLE", "fields": fields}
    return {"type": "JSON" if word == "JSON" else _word(type_), "mode": "NULLABLE"}


def _word(type_: Any) -> str:
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP" if type_.tz else "DATETIME"
    checks = {
        "INTEGER": pa.types.is_integer,
        "FLOAT": pa.types.is_floating,
        "BOOLEAN": pa.types.is_boolean,
        "DATE": pa.types.is_date,
        "TIME": pa.types.is_time,
        "BYTES": pa.types.is_binary,
        "NUMERIC": pa.types.is_decimal,
        "INTERVAL": pa.types.is_interval,
    }
    return next((word for word, check in checks.items() if check(type_)), "STRING")


def cell(value: Any) -> dict[str, Any]:
    """Return a value as JSON has it."""
    if value is None:
        return {"v": None}
    if isinstance(value, bool):
        return {"v": "true" if value else "false"}
    if isinstance(value, list):
        return {"v": [cell(each) for each in value]}
    if isinstance(value, dict):
        return {"v": {"f": [cell(each) for each in value.values()]}}
    if isinstance(value, dt.datetime):
        instant = str((value - EPOCH) // dt.timedelta(microseconds=1)) if value.tzinfo else value.isoformat()
        return {"v": instant}
    if isinstance(value, decimal.Decimal):
        return {"v": format(value, "f")}
    if isinstance(value, bytes):
        return {"v": base64.b64encode(value).decode()}
    if isinstance(value, pa.MonthDayNano):
        return {"v": _interval(value)}
    return {"v": str(value)}


def _interval(value: Any) -> str:
    years, months = divmod(abs(value.months), 12)
    seconds, nanoseconds = divmod(abs(value.nanoseconds), 10**9)
    time = f"{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}"
    fraction = f".{nanoseconds // 1000:06d}".rstrip("0") if nanoseconds else ""
    minus = ("-" if value.months < 0 else "", "-" if value.nanoseconds < 0 else "")
    return f"{minus[0]}{years}-{months} {value.days} {minus[1]}{time}{fraction}"
