"""A database behind a network, as the suite asks it: by way of another port, or with other values."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.models import Check, ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.services.connections import _timed

__all__ = ["BUSY", "Network"]

BUSY = 3.0
"""Seconds that a busy machine may add to any bound."""


class Network:
    """A database of the suite, with its server, and what leads there."""

    def __init__(self, database: Any, server: Any, folder: Path) -> None:
        self.database, self.server, self.folder = database, server, folder

    def config(self, port: int | None = None, **changed: Any) -> ConnectionConfig:
        """Return a connection, by way of another port, or with other values."""
        moved = {} if port is None else dict(self.database.at(port))
        config: ConnectionConfig = self.database.config(self.folder, self.server, **{**moved, **changed})
        return config

    def graded(self, config: ConnectionConfig) -> Check:
        """Test a connection step by step, and return the last step taken."""
        last = None
        with closing(connector(config.type).stages(config, Run("test", timeout=60))) as stages:
            for stage in stages:
                last = _timed(stage)
                if not last.ok:
                    break
        assert last is not None
        return last

    def ask(self, config: ConnectionConfig, sql: str = "SELECT 1 AS x", run: Run | None = None) -> Any:
        run = run or Run("test")
        with (
            closing(connector(config.type).open(config)) as session,
            run.on_cancel(session.cancel),
            session.execute(sql, (), run) as reader,
        ):
            return reader.read_all()
