"""How a `HistoryEntry` stands in the history table: the entry's fields, then heartbeat and host.

Times are UTC text of one width, so that their order is the order of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from ..models import HistoryEntry, RunState, StatementKind, Timings

__all__ = [
    "ASKED",
    "ASK_TO_STOP",
    "BEAT",
    "LOSE",
    "OPEN",
    "PRUNE",
    "SELECT",
    "UPSERT",
    "condition",
    "entry",
    "values",
]

_RUN_ID = re.compile("[0-9a-f]{8,32}")  # or its beginning, as an error shows it
_NAMES = tuple(field.name for field in fields(HistoryEntry))
_ALL = (*_NAMES, "heartbeat", "host")

# Only the names of our own columns are put into these texts; every value is bound.
SELECT = f"SELECT {', '.join(_NAMES)} FROM history "  # noqa: S608
UPSERT = (
    f"INSERT INTO history ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _ALL[1:])}"
)
OPEN = f"SELECT host, heartbeat, {', '.join(_NAMES)} FROM history WHERE state IN ('queued', 'running')"  # noqa: S608
BEAT = "UPDATE history SET heartbeat = ? WHERE id = ?"
LOSE = "UPDATE history SET state = 'lost' WHERE id = ? AND state IN ('queued', 'running')"
ASK_TO_STOP = (
    "UPDATE history SET cancel_requested = 1 WHERE id = ? AND user = ? AND state IN ('queued', 'running')"
)
ASKED = "SELECT id FROM history WHERE cancel_requested = 1 AND state IN ('queued', 'running')"
PRUNE = (
    "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE state NOT IN ('queued', 'running') "
    "ORDER BY started_at DESC, id DESC LIMIT -1 OFFSET ?)"
)


def values(entry: HistoryEntry, heartbeat: float, host: str) -> tuple[Any, ...]:
    """Return the row of an entry, in the order of ``UPSERT``."""
    row = {name: getattr(entry, name) for name in _NAMES}
    row["started_at"] = _moment(entry.started_at)
    row["timings"] = json.dumps(entry.timings.as_dict())
    for name in ("state", "kind"):
        row[name] = str(row[name])
    for name, value in row.items():
        if isinstance(value, str):
            # A lone surrogate, as a notebook can hold, is not UTF-8.
            row[name] = value.encode("utf-8", "replace").decode("utf-8")
    return (*row.values(), heartbeat, host)


def entry(row: Sequence[Any]) -> HistoryEntry:
    """Return the entry of a row of ``COLUMNS``. Raises ``ValueError`` or ``TypeError`` for a damaged one."""
    found = dict(zip(_NAMES, row, strict=True))
    found["started_at"] = datetime.fromisoformat(found["started_at"]).replace(tzinfo=UTC)
    found["state"] = RunState(found["state"])
    found["kind"] = StatementKind(found["kind"])
    found["timings"] = Timings(**json.loads(found["timings"]))
    for name in ("pinned", "cached", "truncated"):
        found[name] = bool(found[name])
    return HistoryEntry(**found)


def condition(
    search: str, state: RunState | None, before: str | None, user: str | None = None
) -> tuple[str, list[Any]]:
    """Return a WHERE clause and what is bound in it."""
    parts: list[str] = []
    bound: list[Any] = []
    if search:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        columns = ("sql", "connection", "error")
        likes = [f"{name} LIKE ? ESCAPE '\\'" for name in columns]
        bound += [f"%{escaped}%"] * len(columns)
        if _RUN_ID.fullmatch(search):
            likes.append("id LIKE ?")
            bound.append(f"{search}%")
        parts.append(f"({' OR '.join(likes)})")
    if state is not None:
        parts.append("state = ?")
        bound.append(state.value)
    if user is not None:
        parts.append("user = ?")
        bound.append(user)
    if before is not None:
        # The oldest are pruned first: where `before` is gone, nothing is older.
        parts.append("(started_at, id) < (SELECT started_at, id FROM history WHERE id = ?)")
        bound.append(before)
    return ("WHERE " + " AND ".join(parts) if parts else ""), bound


def _moment(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
