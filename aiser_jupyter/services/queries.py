"""Queries: understand, route, look in the cache, run, keep the record.

A query is planned in the caller's thread and runs in the executor's; the caller waits on a `Submission`, so
that an interrupt reaches it at once.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from ..errors import AiserError
from ..models import (
    Availability,
    HistoryEntry,
    Notice,
    Query,
    Route,
    RunState,
    Scope,
    StatementKind,
    Timings,
)
from ..result import QueryResult
from ..run import Event, Run, Stopwatch
from ..words import short_id
from .once import once
from .record import Record
from .saved import SavedQueries
from .submission import Submission

if TYPE_CHECKING:
    from ..engines.base import Engine
    from ..execution.cache import ResultCache
    from ..router import Router
    from ..sql import Statement
    from ..store.history import History
    from . import Services
    from .reuse import Reuse

__all__ = ["QueryService", "Submission"]

NO_FRAMES: Mapping[str, object] = {}


class QueryService:
    """Runs queries for one identity, and remembers what ran."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._saved = SavedQueries()
        self._last: QueryResult | None = None
        self._told: Notice | None = None

    @once
    def router(self) -> Router:
        from ..router import Router

        return Router(self._services.engines, self._services.settings.router.margin)

    @once
    def _history(self) -> History:
        from ..store.history import History

        history = History(self._services.store, self._services.settings.store.history_rows)
        history.on_stop = self._services.executor.cancel
        return history

    @once
    def _cache(self) -> ResultCache:
        from ..execution.cache import ResultCache

        settings = self._services.settings.cache
        return ResultCache(settings.max_bytes, settings.max_result_bytes)

    @once
    def _reuse(self) -> Reuse:
        from .reuse import Reuse

        return Reuse(self._cache, self._services.identity)

    # -- running --------------------------------------------------------------------------------------

    def submit(
        self,
        query: Query,
        frames: Mapping[str, object] = NO_FRAMES,
        emit: Callable[[Event], None] | None = None,
        id: str | None = None,
    ) -> Submission:
        """Plan ``query`` here and start it in a worker.

        Parameters
        ----------
        query : Query
        frames : mapping
            The caller's DataFrames by name; those that the statement names are read.
        emit : callable, optional
            Receives phases, progress and notices, from any thread.
        id : str, optional
            The run's id, 128 random bits like the one that is made here otherwise.

        Raises
        ------
        AiserError
            For whatever is known to be wrong before running; such a query is in the history too.
        """
        from ..sql import redact

        watch = Stopwatch("plan")
        preferences = self._services.settings.preferences
        timeout = preferences.timeout if query.timeout is None else query.timeout
        entry = HistoryEntry(
            id=id or uuid.uuid4().hex,
            started_at=datetime.now(UTC),
            user=self._services.identity.name,
            connection=query.connection,
            state=RunState.QUEUED,
            sql=redact(query.text),
            cell=query.cell,
            pid=os.getpid(),
        )
        record = Record(self._history, entry, emit, self._ended)
        tag = f"user={entry.user} cell={query.cell or '-'} run={short_id(entry.id)}"
        run = Run(entry.id, timeout=timeout or None, emit=record.hear, watch=watch, tag=tag)
        try:
            statement, scope, route = self._plan(query, frames, run)
        except AiserError as exc:
            record.failed(run, exc)
            raise
        record.learn(
            engine=route.engine,
            reason=route.reason,
            pinned=route.pinned,
            kind=statement.kind,
            fingerprint=statement.fingerprint,
            estimated_seconds=route.estimate.seconds if route.estimate else None,
            connection_id=scope.connection.id,
        )
        return self._start(query, statement, scope, route, run, record)

    def run(self, query: Query, frames: Mapping[str, object] = NO_FRAMES) -> QueryResult:
        """Run ``query`` and wait for its result."""
        return self.submit(query, frames).wait()

    def route(self, query: Query, frames: Mapping[str, object] = NO_FRAMES) -> tuple[Statement, Route]:
        """Say where ``query`` would run, and why; a database may say what it expects. Nothing is run."""
        from .expectation import expected

        statement, scope, route = self._plan(query, frames, Run("route"))
        return statement, expected(statement, scope, route)

    def cancel(self, run_id: str | None = None) -> int:
        """Cancel one run of this process, or all of them; return how many were asked to stop."""
        executor = self._services.executor
        ids = [run.id for run in executor.running()] if run_id is None else [run_id]
        return sum(executor.cancel(id) for id in ids)

    def cancel_anywhere(self, run_id: str) -> bool:
        """Ask a run of this person to stop, whichever of their processes it is in.

        Returns
        -------
        bool
            False where no such run goes on or waits.

        Raises
        ------
        StoreError
            It is not in this process, and the store does not take the request.
        """
        if self._services.executor.cancel(run_id):
            return True
        return self._history.ask_to_stop(run_id, self._services.identity.name)

    def engines(self) -> list[tuple[Engine, Availability]]:
        """Return every installed engine and whether it can be used now."""
        return [(engine, engine.available()) for engine in self._services.engines.values()]

    # -- remembering ----------------------------------------------------------------------------------

    def history(self, limit: int = 50, search: str = "") -> list[HistoryEntry]:
        """Return the newest runs of every process of this identity, newest first."""
        self.reap()
        return self._history.list(limit=limit, search=search, user=self._services.identity.name)

    def reap(self) -> int:
        """Mark what dead processes left running as lost, stop it at its database, and return how many.

        The database of a dead kernel's statement may not notice that nobody waits for it any more.
        """
        user = self._services.identity.name
        lost = [entry for entry in self._history.reap(user) if entry.user == user]
        for entry in lost:
            if entry.handle:
                self._services.executor.submit(
                    Run(f"stop {entry.id}", timeout=30.0), partial(self._stop, entry)
                )
        return len(lost)

    def _stop(self, entry: HistoryEntry) -> None:
        """Run in a worker: stop what a lost run left at its databases, and write down how that went."""
        from ..connectors.registry import connector

        notes = []
        for line in entry.handle.splitlines():
            name, _, handle = line.partition(" ")
            try:
                connection = self._services.connections.get(name)
                stopped = connector(connection.type).stop(connection.config, handle)
                notes.append(f"stopped at {name}" if stopped else f"nothing of it runs at {name} any more")
            except AiserError as exc:
                notes.append(f"{name} was not reached, where it may still run: {exc.message}")
        ended = replace(entry, state=RunState.LOST, error_code="lost")
        self._history.finish(replace(ended, error=f"Its process died; {', '.join(notes)}."))

    def flush(self) -> None:
        """Wait until what ran so far is in the store, for other processes to see."""
        self._history.flush()

    def last(self) -> QueryResult | None:
        """Return the newest result of this process."""
        return self._last

    def save(self, name: str, text: str) -> None:
        """Keep ``text`` under ``name``: later queries may name it like a table, for this process.

        Raises
        ------
        UsageError
            The name is not one, or the saved queries would use each other in a circle; nothing is replaced.
        """
        self._saved.keep(name, text)

    def saved(self) -> Mapping[str, str]:
        """Return the saved queries by name."""
        return self._saved.all()

    def remember(self, result: QueryResult) -> None:
        """Make ``result`` the last one."""
        self._last = result

    def close(self) -> None:
        """Write the pending history."""
        history = once.taken(self, "_history")
        if history is not None:
            history.close()

    # -- steps ----------------------------------------------------------------------------------------

    def _plan(self, query: Query, frames: Mapping[str, object], run: Run) -> tuple[Statement, Scope, Route]:
        from ..connectors.registry import connector
        from ..sql import parse

        connection = self._services.connections.get(query.connection)
        kind = connector(connection.type)
        limits = self._services.settings.limits
        chained = self._saved.chained(query, kind.dialect_of(connection.config))
        statement = parse(
            query.text,
            dialect=kind.dialect_of(connection.config),
            variables=query.variables,
            paramstyle=kind.paramstyle_of(connection.config),
            with_=chained,
            max_bytes=limits.statement_bytes,
            max_depth=limits.statement_depth,
        )
        for name in chained:
            run.emit(Notice("chained", f"{name} is the saved query, put in front."))
        scope = self._scope(query, statement, Scope(connection, frames), run)
        statistics = self._services.catalog.statistics(statement, scope)
        route = self.router.route(statement, scope, statistics, pin=query.engine)
        return statement, scope, route

    def _scope(self, query: Query, statement: Statement, scope: Scope, run: Run) -> Scope:
        """Add what the names of the statement mean in other connections, where there are such names."""
        if not statement.tables:
            return scope
        from .names import resolve

        names = resolve(self._services, statement, scope, run, query.engine)
        for notice in names.notices:
            run.emit(notice)
        cap = max(query.max_bytes or 0, self._services.settings.connections.transfer_bytes)
        return replace(scope, remotes=names.remotes, tables=names.tables, transfer_bytes=cap)

    def _start(
        self,
        query: Query,
        statement: Statement,
        scope: Scope,
        route: Route,
        run: Run,
        record: Record,
    ) -> Submission:
        key = self._reuse.key(query, statement, scope)
        reused = self._reuse.look_up(key, query, run, route)
        future: Future[QueryResult]
        if reused is not None:
            record.done(reused, cached=True)
            self._keep(reused, query)
            future = Future()
            future.set_result(reused)
            return Submission(self._services, run, statement, route, future, record)

        def work() -> QueryResult:
            try:
                result = self._execute(query, statement, scope, route, run)
            finally:
                if statement.kind is not StatementKind.READ:  # also where it failed half-way
                    self._services.catalog.changed(scope.connection)
            if record.done(result):  # else the run was given up, and said so, before it ended
                self._keep(result, query)
                self._reuse.keep(key, result, statement, scope)
            return result

        record.start()
        try:
            future = self._services.executor.submit(run, work, partial(record.failed, run))
        except AiserError as exc:
            record.failed(run, exc)
            raise
        return Submission(self._services, run, statement, route, future, record)

    def _execute(
        self, query: Query, statement: Statement, scope: Scope, route: Route, run: Run
    ) -> QueryResult:
        """Run in a worker: execute, and collect under the caps."""
        from ..execution.collect import collect

        limits, preferences = self._services.settings.limits, self._services.settings.preferences
        limit = query.limit if query.limit is not None else 0 if query.whole else preferences.row_limit
        cap = query.max_bytes or (limits.result_cap() if query.whole else limits.display_bytes)
        reader = self._services.engines[route.engine].execute(statement, scope, run)
        found = collect(reader, run, limit=limit, max_bytes=cap, whole=query.whole)
        return QueryResult(
            id=run.id,
            table=found.table,
            route=route,
            timings=Timings(**run.watch.stop()),
            connection=scope.connection.name,
            sql=query.text,
            kind=statement.kind,
            truncated=found.truncated,
            notices=(*run.notices, *self._new_problem()),
        )

    def _ended(self, entry: HistoryEntry, error: BaseException | None) -> None:
        """Called once a run, from any thread: keep a failure, and tell who watches."""
        if error is not None:
            self._services.failures.write(entry, error)
        for hear in self._services.on_end:
            hear(entry, error)

    def _new_problem(self) -> tuple[Notice, ...]:
        """Return what the history has to complain of, once: a query goes on without it."""
        problem = self._history.problem
        if problem is None or problem == self._told:
            return ()
        self._told = problem
        return (problem,)

    def _keep(self, result: QueryResult, query: Query) -> None:
        if query.save:
            self._saved.keep(query.save, query.text)
        self.remember(result)
