"""The account's warehouse: suspended until a statement needs it, then started, which takes its time.

SHOW, DESCRIBE, EXPLAIN, USE and a login need none; neither does a SELECT of the session's own facts alone.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

_COMMENT = re.compile(r"^\s*(/\*.*?\*/\s*)*", re.S)
_FREE = re.compile(
    r"(show|desc|describe|explain|use|alter\s+session)\b|select\s+(current_|system\$)(?!.*\bfrom\b)",
    re.I | re.S,
)
_COLUMNS = ("name", "state", "type", "size", "is_default", "is_current", "auto_suspend", "auto_resume")
_SHOW = 0x4400


class Warehouse:
    """One warehouse, which is every session's.

    Attributes
    ----------
    resumed : int
        How often a statement has started it.
    """

    def __init__(self) -> None:
        self.behave()

    def behave(self, state: str = "STARTED", seconds: float = 1.0) -> None:
        """Be in a state from now on; starting takes so many ``seconds``."""
        self._state, self.seconds = state, seconds
        self._ready_at = time.monotonic() + seconds
        self.resumed = 0

    @property
    def state(self) -> str:
        if self._state == "RESUMING" and time.monotonic() >= self._ready_at:
            self._state = "STARTED"
        return self._state

    def needed(self, sql: str) -> bool:
        """Say whether a statement runs on a warehouse."""
        return not _FREE.match(_COMMENT.sub("", sql))

    async def ready(self) -> None:
        """Start it where it is suspended, and wait until it runs."""
        if self.state == "SUSPENDED":
            self._state, self._ready_at = "RESUMING", time.monotonic() + self.seconds
            self.resumed += 1
        while self.state == "RESUMING":
            await asyncio.sleep(0.02)

    def shown(self, name: str) -> dict[str, Any]:
        """Answer SHOW WAREHOUSES in a session whose warehouse it is."""
        about = {"length": 100, "byteLength": 400, "precision": None, "scale": None, "nullable": True}
        rows = [
            ["OTHER_WH", "STARTED", "STANDARD", "Large", "N", "N", "600", "true"],
            [name, self.state, "STANDARD", "X-Small", "Y", "Y", "60", "true"],
        ]
        return {
            "rowtype": [{"name": each, "type": "text", **about} for each in _COLUMNS],
            "rowset": rows,
            "total": len(rows),
            "returned": len(rows),
            "queryResultFormat": "json",
            "statementTypeId": _SHOW,
        }
