"""What there is to query in a connection: tables, files, DataFrames, their columns and their sizes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import AiserError, DeadlineExceeded, UnknownTable, UsageError, nearest
from ..models import LOCAL, Connection, Query, Scope, StatementKind, Statistics, Table, TableRef
from ..run import Event, Progress, Run
from .once import once

if TYPE_CHECKING:
    from ..catalog.cache import CatalogCache
    from ..catalog.search import Hit
    from ..catalog.statistics import StatisticsCache
    from ..catalog.tree import Tree
    from ..connectors.base import Connector, Session
    from ..result import QueryResult
    from ..sql import Statement
    from . import Services

__all__ = ["CatalogService"]

T = TypeVar("T")
SECONDS = 30.0
"""For one question to a database."""


class CatalogService:
    """Answers from the cheapest source: a frame's own attributes, a file's footer, the database's catalog."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @once
    def _statistics(self) -> StatisticsCache:
        from ..catalog.statistics import StatisticsCache

        return StatisticsCache()

    @once
    def _cache(self) -> CatalogCache:
        from ..catalog.cache import CatalogCache

        return CatalogCache(self._services.settings.connections.catalog_seconds)

    # -- looking ----------------------------------------------------------------------------------------

    def databases(self, connection: str, refresh: bool = False) -> list[str]:
        """List the databases that the user may look into; empty where there is only this one."""
        return self._tree(self._found(connection, refresh)).databases()

    def schemas(self, connection: str, refresh: bool = False) -> list[str]:
        """List the schemas, those of the database itself left out."""
        return self._tree(self._found(connection, refresh)).schemas()

    def tables(
        self,
        connection: str,
        frames: Mapping[str, object],
        schema: str | None = None,
        refresh: bool = False,
    ) -> list[Table]:
        """List what can stand in FROM: DataFrames, then tables and views, then files; without columns.

        Parameters
        ----------
        connection : str
        frames : mapping
            The caller's DataFrames by name; only ``local`` has them.
        schema : str, optional
            Only the tables and views of this one.
        refresh : bool
            Ask the database, whatever is known.
        """
        found = self._found(connection, refresh)
        listed = self._tree(found).tables(schema)
        if found.id != LOCAL or schema is not None:
            return listed
        from ..connectors.files import list_files
        from ..connectors.folder import folder_of
        from ..frames import frame_statistics

        named = [
            Table(name, kind="frame", statistics=frame_statistics(frame))
            for name, frame in sorted(frames.items())
        ]
        return [*named, *listed, *list_files(folder_of(found.config))]

    def columns(
        self, connection: str, name: str, frames: Mapping[str, object], refresh: bool = False
    ) -> Table:
        """Describe one table, file or DataFrame, with its size where that is cheap to know.

        Parameters
        ----------
        name : str
            ``table``, ``schema.table``, or with quotes around a part that has dots: ``sales."odd.name"``.

        Raises
        ------
        UnknownTable
            With the nearest name.
        """
        from ..connectors.files import is_data_file
        from ..frames import frame_columns, frame_statistics

        found = self._found(connection, refresh)
        if found.id == LOCAL and name in frames:
            frame = frames[name]
            return Table(name, "frame", None, frame_columns(frame), frame_statistics(frame))
        if found.id == LOCAL and is_data_file(name):
            table = self._ask(found, lambda s, kind: kind.columns(s, TableRef(name, is_file=True)))
            sizes = self._statistics.of((TableRef(name, is_file=True),), Scope(found))
            return replace(table, statistics=sizes.get(name, Statistics()))
        try:
            return self._tree(found).table(name)
        except UnknownTable as exc:
            if found.id != LOCAL:
                raise
            known = [table.name for table in self.tables(connection, frames)]
            hint = nearest(name, known, noun="tables")
            raise UnknownTable(f"There is no table {name!r} in {connection}.", hint=hint) from exc

    def search(self, connection: str, word: str, limit: int = 50, refresh: bool = False) -> list[Hit]:
        """Find tables and columns by a part of their name or comment, case aside, best first.

        The first search reads the columns of every table, in one call to the database.
        """
        return self._tree(self._found(connection, refresh)).search(word, limit)

    # -- for queries ------------------------------------------------------------------------------------

    def statistics(self, statement: Statement, scope: Scope) -> Mapping[str, Statistics]:
        """Return the known sizes of the tables that ``statement`` names; no database is asked.

        A statement on a database is planned with what was heard of it before: from a listing, a search or a
        description, however old, for a database's own sizes are estimates anyway. Until then they are
        unknown. To ask for them would add a round trip to each query, and the router has nothing to choose:
        the tables of a database are read there. Where tables are read from afar, `describe_tables` asks.
        """
        if not statement.tables:
            return {}
        if scope.connection.id == LOCAL:
            return self._statistics.of(statement.tables, scope)
        if statement.kind is not StatementKind.READ:
            return {}
        tree = self._tree(scope.connection)
        sizes = {str(table): tree.size(table) for table in statement.tables}
        return {name: size for name, size in sizes.items() if size is not None}

    def describe_tables(
        self, connection: Connection, refs: Sequence[TableRef], run: Run, refresh: bool = False
    ) -> dict[str, Table]:
        """Return columns with their declared types, and sizes, keyed by ``str(TableRef)``.

        For a worker that runs a query: what is not known is asked in this thread, in one session.

        Parameters
        ----------
        connection : Connection
        refs : sequence of TableRef
        run : Run
            The query's; its deadline and its cancel signal hold.

        Raises
        ------
        UnknownTable
            With the nearest name.
        AiserError
            The database could not be asked, or the run was stopped.
        """
        if refresh:
            self.changed(connection)
        return self._tree(connection, run).describe(refs)

    def changed(self, connection: Connection) -> None:
        """Forget what is known of a connection: a statement that may have changed it has run."""
        self._cache.forget(connection.id)

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

    # -- inside -----------------------------------------------------------------------------------------

    def _found(self, connection: str, refresh: bool) -> Connection:
        found = self._services.connections.get(connection)
        if refresh:
            self.changed(found)
        return found

    def _tree(self, connection: Connection, run: Run | None = None) -> Tree:
        """Return the tree of a connection, asked for ``run`` in this thread, or else in a worker."""
        from ..catalog.cache import stamp_of
        from ..catalog.tree import Tree
        from ..connectors.registry import connector

        kind = connector(connection.type)

        def ask(work: Callable[[Session], T]) -> T:
            if run is not None:
                return _within(connection, run, lambda session, _: work(session))
            return self._ask(connection, lambda session, _: work(session))

        check = None if run is None else run.check
        return Tree(connection, kind, self._cache, stamp_of(connection), ask, check)

    def _ask(self, connection: Connection, work: Callable[[Session, Connector], T]) -> T:
        """Open a session in a worker, ask, close: no driver is called in the kernel's main thread."""
        told = [""]

        def emit(event: Event) -> None:
            if isinstance(event, Progress) and event.message:
                told.append(f"{event.message}. Ask again when it is ready.")

        run = Run(uuid.uuid4().hex, timeout=SECONDS, emit=emit)
        executor = self._services.executor
        try:
            return executor.wait(executor.submit(run, lambda: _within(connection, run, work)), run)
        except DeadlineExceeded as exc:
            raise DeadlineExceeded(
                f"{connection.name} did not answer a question about its tables within {SECONDS:g} s.",
                hint=told[-1] or "It may be overloaded, or hold very many tables; try again later.",
            ) from exc


def _within(connection: Connection, run: Run, work: Callable[[Session, Connector], T]) -> T:
    """Open a session, ask, close. What the driver raises is translated here, as the run's end or its own."""
    from ..connectors.registry import connector

    kind = connector(connection.type)
    run.check()
    with kind.waiting(connection.config, run):
        session = kind.open_for(run, connection.config, read_only=kind.capabilities.read_only)
        try:
            with run.on_cancel(session.cancel):
                return work(session, kind)
        except AiserError as exc:
            if not run.cancelled or type(exc) is type(stopped := run.stopped()):
                raise
            raise stopped from exc
        finally:
            session.close()
