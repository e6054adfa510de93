"""What ran in the last days and how it went, and how many connections work: the figures of a dashboard.

Everything is of one identity. Runs are counted in the store by SQL, the newest `RUNS` of them at most, and
nothing is asked of a database: the state of a connection is what is known of it. Days are UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..models import HistoryEntry

if TYPE_CHECKING:
    from . import Services

__all__ = [
    "DAYS",
    "HINTS",
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

HINTS: Mapping[str, str] = {
    "authentication": "Test the connection, and give it the user and the password again.",
    "config": "Open the connection's form: a field or a setting is not allowed here.",
    "connect": "Test the connection: the step that fails says why.",
    "connection_lost": "Run it again; if it is lost again, the server or the network ends sessions.",
    "data": "Look for the value that the message names, and filter or cast it.",
    "deadline_exceeded": "Ask for less, or give it longer with --timeout.",
    "disk_full": "Make room, or ask for fewer rows.",
    "engine_unavailable": "Leave --engine away, or ask %aiser engines what is missing.",
    "host_unreachable": "Check host and port, and whether the server runs and can be reached from here.",
    "multiple_statements": "Run one statement a cell.",
    "not_permitted": "Ask for the right at the database, or read something else.",
    "out_of_memory": "Ask for fewer rows or columns, or close what else needs memory.",
    "query_failed": "The database's own words are in the message.",
    "queue_full": "Run fewer queries at the same time, or cancel some.",
    "resource": "Ask for fewer rows or columns.",
    "result_too_large": "Add LIMIT or WHERE, or raise --max-bytes.",
    "secret": "Save the password again; see aiser doctor for the key.",
    "statement": "The database refused the statement; its own words are in the message.",
    "store": "Run aiser doctor: it looks at the store's folder and file.",
    "syntax": "Look at the line and the column that the message names.",
    "tls": "Test the connection: the certificate does not hold, or the server does not encrypt.",
    "undefined_parameter": "Define the variable, or give it with --param.",
    "unknown_column": "Open the table in the catalog to see its columns.",
    "unknown_connection": "See %aiser connections for the names there are.",
    "unknown_database": "Check the database's name in the connection.",
    "unknown_engine": "See %aiser engines for the names there are.",
    "unknown_option": "See %aiser help for the options.",
    "unknown_table": "Look for it in the catalog, or with %aiser search.",
    "usage": "See %aiser help for how it is written.",
}
"""What to do about errors of one code. Codes without a useful answer are not here."""

_RUNS = """
WITH runs AS MATERIALIZED (
    SELECT started_at, connection, state, engine, cached, seconds, rows, bytes, error_code, error
    FROM history WHERE user = ? AND started_at >= ? ORDER BY started_at DESC, id DESC LIMIT ?
)"""
_COUNTS = """
SELECT engine, connection, substr(started_at, 1, 10), count(*), sum(state = 'done'), sum(state = 'failed'),
    sum(state = 'cancelled'), sum(cached), coalesce(sum(rows), 0), coalesce(sum(bytes), 0)
FROM runs GROUP BY 1, 2, 3"""
_TIMES = """
SELECT engine, connection, seconds FROM runs
WHERE state = 'done' AND NOT cached AND seconds IS NOT NULL ORDER BY seconds"""
_ERRORS = """
SELECT error_code, count(*), max(started_at), error  -- SQLite takes the error of the row with the maximum
FROM runs WHERE state = 'failed' GROUP BY error_code ORDER BY 2 DESC, 1 LIMIT ?"""
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
    """How often runs failed with one code, and the newest of them.

    ``hint`` is what helps against errors of this kind (`HINTS`): the history keeps no hint of a single one.
    """

    code: str
    count: int
    last_at: datetime
    last_message: str

    @property
    def hint(self) -> str:
        return HINTS.get(self.code, "")


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
        counts, times = self._read(_COUNTS, since), self._read(_TIMES, since)
        total = _loads([("", *row[3:]) for row in counts], [("", row[2]) for row in times])
        return Summary(
            since=since,
            days=days,
            complete=self._complete(since),
            connections=self._connections(),
            all=total[0] if total else Load(),
            by_engine=_loads([(row[0], *row[3:]) for row in counts], [(row[0], row[2]) for row in times]),
            by_connection=_loads([(row[1], *row[3:]) for row in counts], [row[1:] for row in times]),
            by_day=_by_day(counts, since, days),
            errors=self._errors(since),
            slowest=self._slowest(since, slowest),
        )

    def _read(self, sql: str, since: datetime, *more: Any) -> Sequence[tuple[Any, ...]]:
        bound = (self._services.identity.name, _text(since), self._runs, *more)
        return self._services.store.read(_RUNS + sql, bound)

    def _complete(self, since: datetime) -> bool:
        bound = (self._services.identity.name, _text(since), self._runs)
        return not self._services.store.read(_MORE, bound)

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


def _loads(counts: Sequence[tuple[Any, ...]], times: Sequence[tuple[Any, ...]]) -> tuple[Load, ...]:
    """Add up rows of (name, figures of `Load`) and of (name, seconds), which come in order of the seconds."""
    figures: dict[str, list[int]] = {}
    seconds: dict[str, list[float]] = {}
    for name, *found in counts:
        known = figures.get(name)
        figures[name] = found if known is None else [a + b for a, b in zip(known, found, strict=True)]
    for name, spent in times:
        seconds.setdefault(name, []).append(spent)
    loads = [
        replace(Load(name, *found), median=_rank(seconds.get(name), 50), p95=_rank(seconds.get(name), 95))
        for name, found in figures.items()
    ]
    return tuple(sorted(loads, key=lambda load: (-load.runs, load.name))[:GROUPS])


def _rank(ordered: Sequence[float] | None, percent: int) -> float | None:
    return ordered[(len(ordered) * percent + 99) // 100 - 1] if ordered else None


def _by_day(counts: Sequence[tuple[Any, ...]], since: datetime, days: int) -> tuple[DayCount, ...]:
    runs: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for row in counts:
        runs[row[2]] += row[3]
        failed[row[2]] += row[5]
    names = [f"{since + timedelta(days=number):%Y-%m-%d}" for number in range(days)]
    return tuple(DayCount(name, runs[name], failed[name]) for name in names)


def _text(moment: datetime) -> str:
    """As the history writes it: UTC, of one width."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
