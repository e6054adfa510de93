"""What a statement is expected to cost, asked of the database itself: before a run, and only when asked.

A dry run or an EXPLAIN is a round trip, so `QueryService.route` asks and `QueryService.submit` does not.
Where the database cannot say, what is known of the tables' sizes stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import AiserError
from ..models import LOCAL, Candidate, Estimate, Route, Scope, StatementKind

if TYPE_CHECKING:
    from ..sql import Statement

__all__ = ["expected"]

_ENGINE = "direct_sql"


def expected(statement: Statement, scope: Scope, route: Route) -> Route:
    """Return ``route`` with the database's own expectation, where the statement may run there.

    A database that refuses to say, or is not reached, says so among what is not known; nothing is raised.
    """
    from ..connectors.registry import connector

    direct = next((c for c in route.candidates if c.engine == _ENGINE and c.feasible), None)
    if direct is None or scope.connection.id == LOCAL or statement.kind is not StatementKind.READ:
        return route
    kind = connector(scope.connection.type)
    try:
        found = kind.expected(scope.connection.config, statement.text, statement.parameters)
    except AiserError as exc:
        found = Estimate(unknown=(f"what {scope.connection.name} expects: {exc.message}",))
    if found is None:
        return route
    wanted = replace(direct, estimate=_merged(direct.estimate or Estimate(), found))
    candidates: tuple[Candidate, ...] = tuple(wanted if c is direct else c for c in route.candidates)
    return replace(route, candidates=candidates)


def _merged(known: Estimate, found: Estimate) -> Estimate:
    """Return what the database says, and what was known before where it says nothing."""
    said_size = found.bytes is not None or found.rows is not None
    guessed = () if said_size else known.unknown
    return replace(
        found,
        seconds=known.seconds if found.seconds is None else found.seconds,
        rows=known.rows if found.rows is None else found.rows,
        bytes=known.bytes if found.bytes is None else found.bytes,
        terms={**known.terms, **found.terms},
        unknown=(*found.unknown, *guessed),
    )
