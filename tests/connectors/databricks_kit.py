"""What the tests of Databricks' sessions have in common."""

from __future__ import annotations

import time
from typing import Any

from aiser_jupyter.connectors.databricks import DatabricksConnector
from aiser_jupyter.run import Run

KIND = DatabricksConnector()
SLOW = "SELECT sum(a.id * b.id) FROM range(10000000) a, range(1000000) b"
ENDLESS = "SELECT id AS i, repeat('x', 100) AS s FROM range(1000000000)"


def fetch(session: Any, sql: str, parameters: Any = (), run: Run | None = None) -> Any:
    """Run a statement, and return its rows."""
    table = session.execute(sql, parameters, run or Run("test")).read_all()
    table.validate(full=True)
    return table


def until(holds: Any) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
