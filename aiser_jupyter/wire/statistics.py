"""The figures of a dashboard: ``data/enterprise/statistics``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .answers import history_json, instant

__all__ = ["statistics_json"]


def statistics_json(summary: Any) -> dict[str, Any]:
    """Return a ``Summary``; seconds are ``null`` where nothing was computed."""
    return {
        "success": True,
        "since": instant(summary.since),
        "days": summary.days,
        "complete": summary.complete,
        "connections": asdict(summary.connections),
        "queries": asdict(summary.all),
        "by_engine": [asdict(each) for each in summary.by_engine],
        "by_connection": [asdict(each) for each in summary.by_connection],
        "by_day": [asdict(each) for each in summary.by_day],
        "errors": [
            {
                "code": each.code,
                "count": each.count,
                "last_at": instant(each.last_at),
                "last_message": each.last_message,
                "hint": each.hint,
            }
            for each in summary.errors
        ],
        "slowest": [history_json(entry) for entry in summary.slowest],
    }
