"""What `HealthService` knows of a connection, and the pace at which it asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..connectors.state import WarehouseState

__all__ = ["LATENCIES", "ConnectionHealth", "HealthStatus", "LastError", "Rhythm"]

LATENCIES = 50
"""Answers remembered of each connection."""


class HealthStatus(StrEnum):
    """What is known of a connection."""

    UNKNOWN = "unknown"  # not asked yet
    OK = "ok"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often and how long to ask, in seconds.

    Parameters
    ----------
    healthy, warehouse : float
        Between two questions where the last one was answered; a warehouse's idle sessions last longer.
    first, longest : float
        Before asking again what failed: first so long, then twice as long each time, up to the longest.
    deadline, warehouse_deadline : float
        For one question; a login at a warehouse is several requests, to far away.
    refusals : int
        Refused logins in a row, after which nothing is asked any more.
    listing : float
        Between two looks at which connections there are.
    threads : int
        Questions at the same time.
    """

    healthy: float = 10.0
    warehouse: float = 30.0
    first: float = 30.0
    longest: float = 300.0
    deadline: float = 3.0
    warehouse_deadline: float = 10.0
    refusals: int = 3
    listing: float = 10.0
    threads: int = 16

    def of_warehouse(self) -> Rhythm:
        """Return the pace for a warehouse."""
        return replace(self, healthy=self.warehouse, deadline=self.warehouse_deadline)

    def after(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row; 0 failures is healthy.

        Examples
        --------
        >>> [Rhythm().after(failures) for failures in (0, 1, 2, 5, 900)]
        [10.0, 30.0, 60.0, 300.0, 300.0]
        """
        if not failures:
            return self.healthy
        return float(min(self.longest, self.first * 2 ** min(failures - 1, 30)))


@dataclass(frozen=True, slots=True)
class LastError:
    """The newest error of a connection, and when it was."""

    at: datetime
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """What is known of one connection. Times are UTC.

    ``code``, ``message`` and ``hint`` are those of the error that it fails with now, and "" where it works;
    ``last_error`` stays. ``warehouse`` is what the warehouse did at the last answer; None without one, or
    where it failed since. ``next_check`` is None where nothing is asked in the background. ``latencies`` are
    the newest answers, oldest first: when, and how many seconds it took.
    """

    name: str
    id: str
    status: HealthStatus = HealthStatus.UNKNOWN
    warehouse: WarehouseState | None = None
    code: str = ""
    message: str = ""
    hint: str = ""
    failures: int = 0
    last_error: LastError | None = None
    checked_at: datetime | None = None
    last_ok: datetime | None = None
    next_check: datetime | None = None
    latencies: tuple[tuple[datetime, float], ...] = ()
