"""What there is to query in a connection: tables, files, DataFrames, their columns and their sizes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import UnknownTable, UsageError, nearest
from ..models import LOCAL, Connection, Query, Scope, Statistics, Table, TableRef
from ..run import Run
from .once import once

if TYPE_CHECKING:
    from ..catalog.statistics import StatisticsCache
    from ..connectors.base import Connector, Session
    from ..result import QueryResult
    from ..sql import Statement
    from . import Services

__all__ = ["CatalogService"]

T = TypeVar("T")


class CatalogService:
    """Answers from the cheapest source: a frame's own attributes, a file's footer, the database's catalog."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @once
    def _statistics(self) -> StatisticsCache:
        from ..catalog.statistics import StatisticsCache

        return StatisticsCache()

    def statistics(self, statement: Statement, scope: Scope) -> Mapping[str, Statistics]:
        """Return the known sizes of the tables that ``statement`` names."""
        return self._statistics.of(statement.tables, scope) if statement.tables else {}

    def tables(self, connection: str, frames: Mapping[str, object]) -> list[Table]:
        """List what can stand in FROM: DataFrames, then tables and views, then files; without columns."""
        found = self._services.connections.get(connection)
        listed = self._ask(found, lambda session, kind: kind.tables(session))
        if found.id != LOCAL:
            return listed
        from ..connectors.files import list_files
        from ..frames import frame_statistics

        named = [
            Table(name, kind="frame", statistics=frame_statistics(frame))
            for name, frame in sorted(frames.items())
        ]
        return [*named, *listed, *list_files(Path.cwd())]

    def columns(self, connection: str, name: str, frames: Mapping[str, object]) -> Table:
        """Describe one table, file or DataFrame. Raises `UnknownTable`."""
        from ..connectors.files import is_data_file
        from ..frames import frame_columns, frame_statistics

        found = self._services.connections.get(connection)
        if found.id == LOCAL and name in frames:
            frame = frames[name]
            return Table(name, "frame", None, frame_columns(frame), frame_statistics(frame))
        if found.id == LOCAL and is_data_file(name):
            table = self._ask(found, lambda s, kind: kind.columns(s, TableRef(name, is_file=True)))
            sizes = self._statistics.of((TableRef(name, is_file=True),), Scope(found))
            return replace(table, statistics=sizes.get(name, Statistics()))
        schema, _, bare = name.rpartition(".")
        try:
            return self._ask(found, lambda s, kind: kind.columns(s, TableRef(bare, schema or None)))
        except UnknownTable as exc:
            known = [table.name for table in self.tables(connection, frames)]
            hint = nearest(name, known, noun="tables")
            raise UnknownTable(f"There is no table {name!r} in {connection}.", hint=hint) from exc

    def profile(self, connection: str, name: str, frames: Mapping[str, object]) -> QueryResult:
        """Summarise each column: type, range, distinct values, NULLs.

        Raises
        ------
        UsageError
            The database does not summarise, as only DuckDB does.
        UnknownTable
        """
        from ..connectors.files import is_data_file
        from ..connectors.registry import connector

        config = self._services.connections.get(connection).config
        if connector(config.type).dialect_of(config) != "duckdb":
            raise UsageError(
                f"{connection} cannot summarise a table.",
                hint="Fetch it with -o NAME, and profile the DataFrame NAME.",
            )
        self.columns(connection, name, frames)  # an unknown name is said as such
        quote = "'" if is_data_file(name) and name not in frames else '"'
        parts = [name] if quote == "'" else name.split(".")
        target = ".".join(quote + part.replace(quote, 2 * quote) + quote for part in parts)
        query = Query(f"SUMMARIZE FROM {target}", connection=connection)
        return self._services.queries.run(query, frames)

    def _ask(self, connection: Connection, work: Callable[[Session, Connector], T]) -> T:
        """Open a session in a worker, ask, close: no driver is called in the kernel's main thread."""
        from ..connectors.registry import connector

        kind = connector(connection.type)
        run = Run(uuid.uuid4().hex, timeout=30.0)

        def ask() -> T:
            session: Session = kind.open(connection.config, read_only=kind.capabilities.read_only)
            try:
                with run.on_cancel(session.cancel):
                    return work(session, kind)
            finally:
                session.close()

        executor = self._services.executor
        return executor.wait(executor.submit(run, ask), run)
