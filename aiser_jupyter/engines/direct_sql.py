"""``direct_sql``: the database that the connection names runs the statement, word for word.

It is the default of every connection but ``local``, and the only engine of a statement that is not provably
one read. Nothing is rewritten, nothing is computed here; the rows arrive as Arrow batches.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..connectors.registry import connector
from ..models import LOCAL, Availability, Estimate, Notice, Scope, StatementKind, Statistics, Support
from ..run import Phase
from ..sql.source_map import Written
from .base import Engine
from .stream import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from ..config import Settings
    from ..run import Run
    from ..sql import Statement

__all__ = ["DirectSQLEngine"]


class DirectSQLEngine(Engine):
    """Runs a statement where its tables are.

    Parameters
    ----------
    settings : Settings
        Nothing of it is used: what a connection may do is the connection's own.
    """

    name = "direct_sql"
    label = "Direct SQL"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def available(self) -> Availability:
        """True; `supports` looks for the one driver that a statement needs."""
        return Availability(True, "runs a statement in the database that it names")

    def supports(self, statement: Statement, scope: Scope) -> Support:
        if scope.connection.id == LOCAL:
            return Support(False, "local is files and DataFrames, and DuckDB itself reads them")
        driver = connector(scope.connection.type).available()
        if not driver.ok:
            return Support(False, f"{driver.reason} {driver.hint}".strip())
        return Support(True, "the database runs it itself")

    def estimate(self, statement: Statement, scope: Scope, statistics: Mapping[str, Statistics]) -> Estimate:
        known = [statistics.get(str(table), Statistics()) for table in statement.tables]
        rows = [each.rows for each in known if each.rows is not None]
        sizes = [each.bytes for each in known if each.bytes is not None]
        unsized = [
            str(table) for table, each in zip(statement.tables, known, strict=True) if each.rows is None
        ]
        return Estimate(
            rows=sum(rows) if known and len(rows) == len(known) else None,
            bytes=sum(sizes) if known and len(sizes) == len(known) else None,
            unknown=(*(f"size of {table}" for table in unsized), "speed of the database"),
        )

    def execute(self, statement: Statement, scope: Scope, run: Run) -> pa.RecordBatchReader:
        run.emit(Phase("connect"))
        kind = connector(scope.connection.type)
        reads = statement.kind is StatementKind.READ and kind.capabilities.read_only
        config = scope.connection.config
        with kind.waiting(config, run):
            session = kind.open_for(run, config, read_only=reads)
            written = Written(statement.text, statement.sources)
            reader = stream(session, statement.text, statement.parameters, run, written)
        if _ends_with_session(statement, scope) and not any(said.code == "session" for said in run.notices):
            run.emit(Notice("session", _SESSION_ENDS))  # else the session itself has said it, and knows more
        return reader


_SESSION_ENDS = (
    "Each statement has a session of its own: SET, USE, transactions, prepared statements and temporary "
    "tables end with it. What the database keeps for everybody stays (SET GLOBAL)."
)
_TEMPORARY = re.compile(r"\s*CREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?TEMP(?:ORARY)?\s", re.IGNORECASE)


def _ends_with_session(statement: Statement, scope: Scope) -> bool:
    """Say whether what the statement does is gone with its session: one that the caller holds goes on."""
    own = scope.connection.source != "object"
    return own and (statement.kind is StatementKind.SESSION or bool(_TEMPORARY.match(statement.text)))
