"""When a result may be used again, and for what it is then the answer.

- A statement that may answer differently the second time, a write, and one that could not be parsed: never.
- DataFrames: never; they change without a trace.
- Files: until the path, size, times or identity of one of them changes.
- A statement of ``local`` over other connections: never; a write to one of them would not be noticed.
- Everything else is live: only within the ``--max-age`` that the caller asks for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..connectors import files
from ..connectors.folder import expand
from ..errors import AiserError
from ..models import LOCAL, Identity, Notice, Query, Route, Scope, StatementKind, Timings
from ..result import QueryResult

if TYPE_CHECKING:
    from ..execution.cache import CacheKey, ResultCache
    from ..run import Run
    from ..sql import Statement

__all__ = ["Reuse"]


class Reuse:
    """Asks and fills the result cache by the rules above."""

    def __init__(self, cache: ResultCache, identity: Identity) -> None:
        self._cache = cache
        self._identity = identity

    def key(self, query: Query, statement: Statement, scope: Scope) -> CacheKey | None:
        """Return what identifies the answer, or None where it must not be used again."""
        from ..execution.cache import CacheKey

        if not query.use_cache or statement.kind is not StatementKind.READ or not statement.parsed:
            return None
        if scope.remotes and scope.connection.id == LOCAL:
            return None
        names = {name.casefold() for name in statement.identifiers}
        if statement.features.volatile or any(name.casefold() in names for name in scope.frames):
            return None
        stamps = self._stamps(statement, scope)
        if stamps is None and query.max_age <= 0:
            return None
        return CacheKey.of(
            identity=self._identity.name,
            connection=scope.connection.id,
            text=statement.text,
            parameters=statement.parameters,
            files=stamps or (),
            limit=query.limit,
            whole=query.whole,
            max_bytes=query.max_bytes,
        )

    def look_up(self, key: CacheKey | None, query: Query, run: Run, route: Route) -> QueryResult | None:
        """Return the kept answer, or None."""
        if key is None:
            return None
        max_age = None if key.files else query.max_age
        kept = self._cache.get(key, max_age)
        if kept is None:
            return None
        age = max(0.0, time.time() - kept.stored_at)
        notices = (*kept.notices, Notice("cached", f"From the cache, {age:.0f} s old."))
        return QueryResult(
            id=run.id,
            table=kept.table,
            route=route,
            timings=Timings(**run.watch.stop()),
            connection=query.connection,
            sql=query.text,
            truncated=kept.truncated,
            cached=True,
            notices=notices,
        )

    def keep(self, key: CacheKey | None, result: QueryResult, statement: Statement, scope: Scope) -> None:
        """Keep the answer, unless a file changed since the key was made; a write forgets the connection's."""
        if statement.kind is not StatementKind.READ:
            self._cache.invalidate(scope.connection.id)
        if key is None or (key.files and self._stamps(statement, scope) != key.files):
            return
        self._cache.put(key, result)

    def _stamps(self, statement: Statement, scope: Scope) -> tuple[object, ...] | None:
        """Return the stamps of every file read, or None where anything else is read."""
        if scope.connection.id != LOCAL or not statement.tables:
            return None
        found: list[object] = []
        for table in statement.tables:
            if not table.is_file:
                return None
            try:
                found.extend(files.stamps(expand(scope.connection.config, table.name)))
            except (AiserError, OSError):
                return None  # not there: the engine says so, with a hint
        return tuple(found)
