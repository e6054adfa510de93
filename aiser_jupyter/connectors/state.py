"""What a warehouse does now, as its vendor tells it without starting it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["SLEEPING", "Activity", "WarehouseState"]


class Activity(StrEnum):
    """One word for the vendor's many."""

    RUNNING = "running"
    SUSPENDED = "suspended"
    STARTING = "starting"
    STOPPING = "stopping"
    UNKNOWN = "unknown"  # it was not told, as where the user may not see it


SLEEPING = frozenset({Activity.SUSPENDED, Activity.STARTING, Activity.STOPPING})
"""A statement that is sent now waits for the warehouse, and may start it."""


@dataclass(frozen=True, slots=True)
class WarehouseState:
    """What a warehouse does.

    Parameters
    ----------
    activity : Activity
    message : str
        The same for people, with the vendor's own word for it: ``The warehouse SHOP is suspended.``
    source : str
        How it was asked: ``SHOW WAREHOUSES``.
    """

    activity: Activity
    message: str = ""
    source: str = ""
