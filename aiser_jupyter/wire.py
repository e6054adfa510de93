"""JSON shapes: the only place that knows the field names of what crosses to a browser or a REST client.

Nothing here knows a web server. Times are seconds, sizes are bytes, instants are ISO 8601 in UTC, and
``null`` is *unknown*. A cell value keeps its meaning: what JSON numbers or JavaScript would change (integers
past 2**53, decimals, NaN, dates, binary) is text, and the column's type says what it stands for.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .errors import AiserError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from .models import (
        Availability,
        Candidate,
        Column,
        Estimate,
        HistoryEntry,
        Route,
        Table,
        Timings,
    )
    from .result import QueryResult

__all__ = [
    "availability_json",
    "column_json",
    "engine_json",
    "error_json",
    "estimate_json",
    "health_json",
    "history_json",
    "integer",
    "result_json",
    "route_json",
    "table_json",
    "timings_json",
]

SAFE_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript number holds exactly."""


def error_json(exc: AiserError) -> dict[str, Any]:
    """Return what is said of an error: its words, its code and what to do next."""
    return {"success": False, "error": exc.message, "error_code": exc.code, "hint": exc.hint}


def availability_json(name: str, availability: Availability) -> dict[str, Any]:
    """Return whether an engine can run here, why not, and the next step."""
    return {
        "name": name,
        "available": availability.ok,
        "reason": availability.reason,
        "hint": availability.hint,
        "version": availability.version,
    }


def engine_json(name: str, label: str, availability: Availability) -> dict[str, Any]:
    """Return one engine: ``label`` is its name for people."""
    return {**availability_json(name, availability), "label": label}


def health_json(
    *, ok: bool, version: str, store: tuple[bool, str, str], engines: Iterable[tuple[str, Availability]]
) -> dict[str, Any]:
    """Return the state of a process. ``store`` is whether it works, its state in words, and the next step."""
    works, message, hint = store
    return {
        "success": True,
        "ok": ok,
        "version": version,
        "store": {"ok": works, "message": message, "hint": hint},
        "engines": [availability_json(name, state) for name, state in engines],
    }


def column_json(column: Column) -> dict[str, Any]:
    """Return one column of a catalog."""
    return {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "comment": column.comment,
    }


def table_json(table: Table) -> dict[str, Any]:
    """Return one table of a catalog; ``columns`` is null until somebody asked for them."""
    return {
        "name": table.name,
        "kind": table.kind,
        "schema": table.schema,
        "rows": table.statistics.rows,
        "bytes": table.statistics.bytes,
        "source": table.statistics.source,
        "comment": table.comment,
        "columns": None if table.columns is None else [column_json(c) for c in table.columns],
    }


def timings_json(timings: Timings) -> dict[str, float]:
    """Return seconds by part of the run, in the order in which they happen."""
    return timings.as_dict()


def estimate_json(estimate: Estimate | None) -> dict[str, Any] | None:
    """Return what a run was expected to take, and what had to be guessed."""
    if estimate is None:
        return None
    return {
        "seconds": estimate.seconds,
        "rows": estimate.rows,
        "bytes": estimate.bytes,
        "terms": dict(estimate.terms),
        "unknown": list(estimate.unknown),
    }


def route_json(route: Route) -> dict[str, Any]:
    """Return the engine that was chosen, why, and every candidate with its reason and estimate."""
    return {
        "engine": route.engine,
        "reason": route.reason,
        "pinned": route.pinned,
        "candidates": [_candidate_json(candidate) for candidate in route.candidates],
    }


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "engine": candidate.engine,
        "feasible": candidate.feasible,
        "reason": candidate.reason,
        "estimate": estimate_json(candidate.estimate),
    }


def history_json(entry: HistoryEntry) -> dict[str, Any]:
    """Return one run of the history."""
    return {
        "id": entry.id,
        "started_at": _instant(entry.started_at),
        "user": entry.user,
        "connection": entry.connection,
        "state": str(entry.state),
        "sql": entry.sql,
        "kind": str(entry.kind),
        "engine": entry.engine,
        "reason": entry.reason,
        "pinned": entry.pinned,
        "cached": entry.cached,
        "estimated_seconds": entry.estimated_seconds,
        "seconds": entry.seconds,
        "timings": timings_json(entry.timings),
        "rows": entry.rows,
        "bytes": entry.bytes,
        "truncated": entry.truncated,
        "error_code": entry.error_code,
        "error": entry.error,
        "cell": entry.cell,
    }


def result_json(result: QueryResult, start: int = 0, count: int | None = None) -> dict[str, Any]:
    """Return a page of a result.

    Parameters
    ----------
    start, count : int
        The first row and how many; None is to the end. A page past the end is empty.

    Returns
    -------
    dict
        ``data`` is a list of rows, each a list in the order of ``columns``, because names may repeat;
        ``row_count`` counts the whole result, not the page.
    """
    page = result.table.slice(start, count)
    columns = [_cells(column) for column in page.columns]
    return {
        "success": True,
        "id": result.id,
        "data": [list(row) for row in zip(*columns, strict=True)],
        "columns": [{"name": field.name, "type": str(field.type)} for field in result.table.schema],
        "row_count": result.row_count,
        "start": start,
        "connection": result.connection,
        "engine": result.engine,
        "execution_time": result.timings.total,
        "route": route_json(result.route),
        "timings": timings_json(result.timings),
        "cached": result.cached,
        "truncated": bool(result.truncated),
        "truncated_reason": result.truncated,
        "notices": [{"code": notice.code, "message": notice.message} for notice in result.notices],
    }


def integer(text: str, name: str, *, minimum: int, maximum: int) -> int:
    """Read a whole number of a request.

    Raises
    ------
    UsageError
        It is not one, or not in the range.
    """
    hint = f"Give a whole number from {minimum} to {maximum}."
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise UsageError(f"{name} is not a whole number: {text[:40]!r}.", hint=hint)
    if not minimum <= (value := int(text)) <= maximum:
        raise UsageError(f"{name} is out of range: {value}.", hint=hint)
    return value


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cells(column: pa.ChunkedArray[Any]) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # Arrow writes years that Python's datetime cannot hold, and all nine digits of a second.
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = column.cast(pa.timestamp(kind.unit, "UTC"))
        texts = column.cast(pa.string()).to_pylist()
        return [text.replace(" ", "T") if text and text[0] != "<" else text for text in texts]
    return [_cell(value) for value in column.to_pylist()]


def _cell(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal() | timedelta():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {str(key): _cell(item) for key, item in value.items()}
        case list() | tuple():
            return [_cell(item) for item in value]
    return str(value)
