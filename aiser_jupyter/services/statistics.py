"""What ran in the last days and how it went, and how many connections work: the figures of a dashboard.

Everything is of one identity. Runs are counted in the store by SQL, the newest `RUNS` of them at most, and
nothing is asked of a database: the state of a connection is what is known of it. Days are UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..models import HistoryEntry

if TYPE_CHECKING:
    from . import Services

__all__ = [
    "DAYS",
    "RUNS",
    "ConnectionCounts",
    "DayCount",
    "ErrorCount",
    "Load",
    "StatisticsService",
    "Summary",
]

RUNS = 10_000
"""Newest runs that are looked at."""
DAYS = 366
GROUPS = 50
"""Engines, connections and error codes that are listed, those with the most runs."""

_RUNS = """
WITH runs AS MATERIALIZED (
    SELECT started_at, connection, state, engine, cached, seconds, rows, bytes, error_code, error
    FROM history WHERE user = ? AND started_at >= ? ORDER BY started_at DESC, id DESC LIMIT ?
)"""
_LOAD = """, counted AS (
    SELECT {name} AS name, count(*) AS runs, sum(state = 'done') AS done, sum(state = 'failed') AS failed,
        sum(state = 'cancelled') AS cancelled, sum(cached) AS cached,
        coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes,
        sum(state = 'done' AND NOT cached AND seconds IS NOT NULL) AS timed
    FROM runs GROUP BY {name}
), ranked AS (
    SELECT {name} AS name, seconds, row_number() OVER (PARTITION BY {name} ORDER BY seconds) AS place
    FROM runs WHERE state = 'done' AND NOT cached AND seconds IS NOT NULL
)
SELECT name, runs, done, failed, cancelled, cached, rows, bytes,
    max(CASE WHEN place = (timed + 1) / 2 THEN ranked.seconds END),
    max(CASE WHEN place = (timed * 95 + 99) / 100 THEN ranked.seconds END)
FROM counted LEFT JOIN ranked USING (name) GROUP BY name ORDER BY runs DESC, name LIMIT ?"""
_ERRORS = """
SELECT error_code, count(*), max(started_at), error  -- SQLite takes the error of the row with the maximum
FROM runs WHERE state = 'failed' GROUP BY error_code ORDER BY 2 DESC, 1 LIMIT ?"""
_DAYS = """
SELECT substr(started_at, 1, 10), count(*), sum(state = 'failed') FROM runs GROUP BY 1"""
_MORE = "SELECT 1 FROM history WHERE user = ? AND started_at >= ? LIMIT 1 OFFSET ?"
_SLOWEST = """WHERE user = ? AND started_at >= ? AND state = 'done' AND NOT cached AND seconds IS NOT NULL
ORDER BY seconds DESC, id LIMIT ?"""


@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """Saved connections by what is known of them; ``unknown`` ones were not asked yet."""

    total: int = 0
    connected: int = 0
    failing: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """The runs of one engine, one connection, or of all.

    ``runs`` counts open and lost ones too. ``cached`` are among ``done``. ``median`` and ``p95`` are seconds
    by nearest rank, of what was computed and not cached; None where nothing was. ``name`` is "" for all and
    for runs that failed before an engine was chosen.
    """

    name: str = ""
    runs: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    cached: int = 0
    rows: int = 0
    bytes: int = 0
    median: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often runs failed with one code, and the newest of them."""

    code: str
    count: int
    last_at: datetime
    last_message: str


@dataclass(frozen=True, slots=True)
class DayCount:
    """Runs that began on one UTC day (``2026-03-01``)."""

    day: str
    runs: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """The last days. ``complete`` is false where older runs of these days were not counted.

    ``by_day`` has every day, the oldest first; ``slowest`` are finished runs, the slowest first.
    """

    since: datetime
    days: int
    complete: bool
    connections: ConnectionCounts
    all: Load
    by_engine: tuple[Load, ...]
    by_connection: tuple[Load, ...]
    by_day: tuple[DayCount, ...]
    errors: tuple[ErrorCount, ...]
    slowest: tuple[HistoryEntry, ...]


class StatisticsService:
    """Counts what one identity ran, in every process.

    Parameters
    ----------
    services : Services
    runs : int
        Newest runs that are looked at.
    """

    def __init__(self, services: Services, runs: int = RUNS) -> None:
        self._services = services
        self._runs = runs

    def summary(self, days: int = 7, slowest: int = 10) -> Summary:
        """Return the figures of today and the days before it.

        Parameters
        ----------
        days : int
            From 1, which is today alone, to `DAYS`.
        slowest : int
            Runs listed at most.

        Raises
        ------
        UsageError
        StoreError
        """
        if not 1 <= days <= DAYS:
            raise UsageError(f"days is {days}.", hint=f"Give a whole number from 1 to {DAYS}.")
        self._services.queries.flush()
        since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
            days=days - 1
        )
        found = self._load("''", since)
        return Summary(
            since=since,
            days=days,
            complete=self._complete(since),
            connections=self._connections(),
            all=found[0] if found else Load(),
            by_engine=self._load("engine", since),
            by_connection=self._load("connection", since),
            by_day=self._days(since, days),
            errors=self._errors(since),
            slowest=self._slowest(since, slowest),
        )

    def _read(self, sql: str, since: datetime, *more: Any) -> Sequence[tuple[Any, ...]]:
        bound = (self._services.identity.name, _text(since), self._runs, *more)
        return self._services.store.read(_RUNS + sql, bound)

    def _complete(self, since: datetime) -> bool:
        bound = (self._services.identity.name, _text(since), self._runs)
        return not self._services.store.read(_MORE, bound)

    def _load(self, name: str, since: datetime) -> tuple[Load, ...]:
        """``name`` is a column of ours, or a constant."""
        return tuple(Load(*row) for row in self._read(_LOAD.format(name=name), since, GROUPS))

    def _days(self, since: datetime, days: int) -> tuple[DayCount, ...]:
        counted = {day: (runs, failed) for day, runs, failed in self._read(_DAYS, since)}
        names = [f"{since + timedelta(days=number):%Y-%m-%d}" for number in range(days)]
        return tuple(DayCount(name, *counted.get(name, (0, 0))) for name in names)

    def _errors(self, since: datetime) -> tuple[ErrorCount, ...]:
        return tuple(
            ErrorCount(code, count, datetime.fromisoformat(last).replace(tzinfo=UTC), message)
            for code, count, last, message in self._read(_ERRORS, since, GROUPS)
        )

    def _slowest(self, since: datetime, most: int) -> tuple[HistoryEntry, ...]:
        from ..store import rows

        bound = (self._services.identity.name, _text(since), most)
        return tuple(rows.entry(row) for row in self._services.store.read(rows.SELECT + _SLOWEST, bound))

    def _connections(self) -> ConnectionCounts:
        states = Counter(str(each.status) for each in self._services.monitor.states())
        return ConnectionCounts(states.total(), states["ok"], states["failing"], states["unknown"])


def _text(moment: datetime) -> str:
    """As the history writes it: UTC, of one width."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
