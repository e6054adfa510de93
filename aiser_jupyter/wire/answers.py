"""What is shown: one function a shape.

Times are seconds, sizes are bytes, instants are ISO 8601 in UTC, and ``null`` is *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, QuerySyntaxError
from ..secret import Secret

if TYPE_CHECKING:
    from ..models import (
        Availability,
        Candidate,
        Check,
        Column,
        Connection,
        Estimate,
        HistoryEntry,
        Notice,
        Route,
        Table,
        Timings,
    )

__all__ = [
    "analysis_json",
    "availability_json",
    "catalog_json",
    "checks_json",
    "column_json",
    "connection_health_json",
    "connection_json",
    "connector_json",
    "engine_json",
    "error_json",
    "estimate_json",
    "handle_json",
    "health_json",
    "history_json",
    "instant",
    "notice_json",
    "route_json",
    "state_json",
    "table_json",
    "timings_json",
]


def error_json(exc: AiserError) -> dict[str, Any]:
    """Return what is said of an error: its words, its code, what to do next; of a syntax error its place; of
    a run that failed its id."""
    body = {"success": False, "error": exc.message, "error_code": exc.code, "hint": exc.hint}
    if isinstance(exc, QuerySyntaxError):
        body |= {"line": exc.line, "column": exc.column}
    return body | ({"run_id": exc.run_id} if exc.run_id else {})


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
    *,
    ok: bool,
    version: str,
    store: tuple[bool, str, str],
    engines: Iterable[tuple[str, Availability]],
    connections: Iterable[Any],
    queue: tuple[int, int],
) -> dict[str, Any]:
    """Return the state of a process.

    Parameters
    ----------
    store : tuple
        Whether it works, its state in words, and the next step.
    connections : iterable of ConnectionHealth
    queue : tuple of int
        Queries that run, and that wait.
    """
    works, message, hint = store
    return {
        "success": True,
        "ok": ok,
        "version": version,
        "store": {"ok": works, "message": message, "hint": hint},
        "engines": [availability_json(name, state) for name, state in engines],
        "connections": [connection_health_json(state) for state in connections],
        "queue": {"running": queue[0], "waiting": queue[1]},
    }


def column_json(column: Column) -> dict[str, Any]:
    """Return one column of a catalog."""
    return {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "comment": column.comment,
        "primary_key": column.primary_key,
        "references": column.references,
    }


def table_json(table: Table) -> dict[str, Any]:
    """Return one table of a catalog; ``columns`` is null until somebody asked for them."""
    return {
        "name": table.name,
        "kind": table.kind,
        "catalog": table.catalog,
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
        "money": estimate.money,
        "currency": estimate.currency,
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
        "overridable": candidate.overridable,
        "plan": list(candidate.plan),
        "estimate": estimate_json(candidate.estimate),
    }


def history_json(entry: HistoryEntry) -> dict[str, Any]:
    """Return one run of the history."""
    return {
        "id": entry.id,
        "started_at": instant(entry.started_at),
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


def connection_json(connection: Connection) -> dict[str, Any]:
    """Return a connection without its secrets: of each it is only said that it is there."""
    return {
        "id": connection.id,
        "name": connection.name,
        "type": connection.type,
        "source": connection.source,
        "read_only": connection.source != "store",
        "created_at": _maybe(connection.created_at),
        "version": connection.version,
        "problem": connection.problem,
        "config": _shown(connection.config.values),
    }


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"set": True} if isinstance(value, Secret) else value for name, value in values.items()}


def checks_json(type: str, label: str, values: Mapping[str, Any], checks: Sequence[Check]) -> dict[str, Any]:
    """Return what a test of a connection found; the last step is the one that failed, if any did."""
    failed = next((check for check in checks if not check.ok), None)
    return {
        "success": failed is None,
        "message": "The connection works." if failed is None else f"{failed.name} failed. {failed.message}",
        "connection_info": {"type": type, "label": label, "config": _shown(values)},
        "checks": [
            {
                "name": check.name,
                "ok": check.ok,
                "ms": round(check.seconds * 1000, 3),
                "message": check.message,
                "hint": check.hint,
            }
            for check in checks
        ],
    }


def connector_json(kind: Any, availability: Availability) -> dict[str, Any]:
    """Return one kind of database, with what a form asks for.

    Parameters
    ----------
    kind : Connector
    availability : Availability
        Of its driver.
    """
    shown = availability_json(kind.type, availability)
    fields = [
        {
            "name": each.name,
            "label": each.label,
            "kind": each.kind,
            "required": each.required,
            "secret": each.secret,
            "routing": each.routing,
            "default": each.default,
            "choices": [{"value": value, "label": label} for value, label in each.choices.items()],
            "help": each.help,
            "when": list(each.when),
        }
        for each in kind.fields
        if each.kind != "sign_in"
    ]
    needs = next((each.when for each in kind.fields if each.kind == "sign_in"), ())
    sign_in = {"field": needs[0], "values": list(needs[1:])} if needs else None
    return {"type": shown.pop("name"), "label": kind.label, **shown, "fields": fields, "sign_in": sign_in}


def connection_health_json(health: Any) -> dict[str, Any]:
    """Return what is known of a connection, from a ``ConnectionHealth``."""
    return {
        "id": health.id,
        "name": health.name,
        "status": str(health.status),
        "warehouse": _warehouse_json(health.warehouse),
        "code": health.code,
        "message": health.message,
        "hint": health.hint,
        "failures": health.failures,
        "last_error": _last_error_json(health.last_error),
        "checked_at": _maybe(health.checked_at),
        "last_ok": _maybe(health.last_ok),
        "next_check": _maybe(health.next_check),
        "latencies": [{"at": instant(at), "seconds": seconds} for at, seconds in health.latencies],
    }


def _warehouse_json(state: Any) -> dict[str, str] | None:
    if state is None:
        return None
    return {"state": str(state.activity), "message": state.message, "source": state.source}


def _last_error_json(error: Any) -> dict[str, str] | None:
    if error is None:
        return None
    return {"at": instant(error.at), "code": error.code, "message": error.message, "hint": error.hint}


def catalog_json(
    id: str,
    *,
    databases: Iterable[str] = (),
    schemas: Iterable[str] = (),
    tables: Iterable[Table] = (),
    hits: Iterable[Any] | None = None,
) -> dict[str, Any]:
    """Return what there is in the connection ``id``; ``hits`` are a search's, and None without one."""
    shown = [
        {
            "table": table_json(hit.table),
            "column": None if hit.column is None else column_json(hit.column),
            "where": hit.where,
        }
        for hit in hits or ()
    ]
    return {
        "success": True,
        "id": id,
        "databases": list(databases),
        "schemas": list(schemas),
        "tables": [table_json(table) for table in tables],
        "hits": None if hits is None else shown,
    }


def analysis_json(statement: Any, route: Route) -> dict[str, Any]:
    """Return what was understood of a ``Statement``, with the size that the chosen engine expects."""
    features, estimate = statement.features, route.estimate
    return {
        "kind": str(statement.kind),
        "parsed": statement.parsed,
        "tables": [str(table) for table in statement.tables],
        "joins": features.joins,
        "aggregates": features.aggregates,
        "subqueries": features.subqueries,
        "windows": features.windows,
        "complexity": features.complexity,
        "estimated_rows": None if estimate is None else estimate.rows,
        "estimated_bytes": None if estimate is None else estimate.bytes,
    }


def notice_json(notice: Notice) -> dict[str, Any]:
    """Return something that the reader of a result must know."""
    return {"code": notice.code, "message": notice.message}


def state_json(job: Any) -> dict[str, Any]:
    """Return how far a query of the server is, from its ``Job``."""
    progress = job.progress
    return {
        "success": True,
        "id": job.id,
        "query_id": job.query_id,
        "connection": job.connection,
        "state": str(job.state),
        "phase": job.phase,
        "progress": progress
        and {"fraction": progress.fraction, "rows": progress.rows, "message": progress.message},
        "notices": [notice_json(notice) for notice in job.notices],
        "started_at": instant(job.started_at),
        "seconds": job.seconds,
        "route": None if job.route is None else route_json(job.route),
        "error": None if job.error is None else error_json(job.error),
        "result": job.handle and handle_json(job.handle),
    }


def handle_json(kept: Any) -> dict[str, Any]:
    """Return where rows can be read again, from a ``KeptResult``."""
    return {
        "id": kept.id,
        "rows": kept.rows,
        "bytes": kept.bytes,
        "expires_at": instant(kept.expires_at),
    }


def _maybe(value: datetime | None) -> str | None:
    return None if value is None else instant(value)


def instant(value: datetime) -> str:
    """Return a moment as ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
