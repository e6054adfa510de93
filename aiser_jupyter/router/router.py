"""``Router``: legality first, then expected cost; every candidate and its reason is kept.

- A statement that is not provably one read goes verbatim to the connection it names.
- The default (``duckdb`` for ``local``, ``direct_sql`` for a database) is left only where another engine is
  expected to be faster by the configured margin. Without an estimate of both there is nothing to compare,
  and the default stays.
- A pinned engine wins wherever it can run the statement at all; where it only doubts that its answer is the
  same (``overridable``), it runs and the reason says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import EngineUnavailable, UnknownEngine, nearest
from ..models import LOCAL, Candidate, Route, Scope, StatementKind, Statistics

if TYPE_CHECKING:
    from ..engines.base import Engine
    from ..sql import Statement

__all__ = ["Router"]


class Router:
    """Chooses among ``engines``.

    Parameters
    ----------
    engines : mapping of str to Engine
    margin : float
        How many times faster another engine must be expected to be; at least 1.
    """

    def __init__(self, engines: Mapping[str, Engine], margin: float = 1.5) -> None:
        self._engines = engines
        self._margin = margin

    def route(
        self,
        statement: Statement,
        scope: Scope,
        statistics: Mapping[str, Statistics] | None = None,
        *,
        pin: str | None = None,
    ) -> Route:
        """Return the route of ``statement``; nothing is run.

        Raises
        ------
        UnknownEngine
            ``pin`` names no engine.
        EngineUnavailable
            The pinned engine, or every engine, cannot run the statement; the hint says why.
        """
        if pin is not None and pin not in self._engines:
            known = nearest(pin, self._engines, noun="engines")
            raise UnknownEngine(f"There is no engine {pin!r}.", hint=known)
        candidates = tuple(
            self._candidate(name, statement, scope, statistics or {}) for name in self._engines
        )
        if pin is not None:
            return self._pinned(pin, candidates)
        if statement.kind is not StatementKind.READ:
            return self._verbatim(statement, scope, candidates)
        return self._cheapest(scope, candidates)

    def _candidate(
        self, name: str, statement: Statement, scope: Scope, statistics: Mapping[str, Statistics]
    ) -> Candidate:
        engine = self._engines[name]
        available = engine.available()
        if not available.ok:
            return Candidate(name, False, f"{available.reason} {available.hint}".strip())
        support = engine.supports(statement, scope)
        estimate = None
        if support.ok or support.overridable:
            estimate = engine.estimate(statement, scope, statistics)
        return Candidate(name, support.ok, support.reason, estimate, support.overridable, support.plan)

    def _pinned(self, pin: str, candidates: tuple[Candidate, ...]) -> Route:
        chosen = _find(pin, candidates)
        if chosen.overridable and not chosen.feasible:
            reason = f"asked for with --engine, though it may answer differently: {chosen.reason}"
            return Route(pin, reason, candidates, pinned=True)
        if not chosen.feasible:
            others = [c.engine for c in candidates if c.feasible]
            hint = f"Leave --engine out to run it on {others[0]}." if others else ""
            raise EngineUnavailable(f"{pin} cannot run this: {chosen.reason}.", hint=hint)
        return Route(pin, "asked for with --engine", candidates, pinned=True)

    def _verbatim(self, statement: Statement, scope: Scope, candidates: tuple[Candidate, ...]) -> Route:
        home = default_engine(scope)
        kept = tuple(
            c
            if c.engine == home or not c.feasible
            else replace(c, feasible=False, reason="only reads are routed", estimate=None)
            for c in candidates
        )
        chosen = _find(home, kept)
        if not chosen.feasible:
            raise EngineUnavailable(f"Nothing can run this: {chosen.reason}.")
        unclear = statement.kind is StatementKind.UNKNOWN
        what = "not provably one read" if unclear else f"it is a {statement.kind} statement"
        if chosen.plan:
            return Route(home, f"{what}: {chosen.reason}", kept)
        return Route(home, f"{what}: sent as written to {scope.connection.name}", kept)

    def _cheapest(self, scope: Scope, candidates: tuple[Candidate, ...]) -> Route:
        feasible = [c for c in candidates if c.feasible]
        if not feasible:
            why = "; ".join(f"{c.engine}: {c.reason}" for c in candidates)
            raise EngineUnavailable("No engine can run this statement.", hint=why)
        home = default_engine(scope)
        base = next((c for c in feasible if c.engine == home), None)
        if base is None:
            best = min(feasible, key=_seconds)
            return Route(best.engine, best.reason, candidates)
        best = min(feasible, key=_seconds)
        if best is not base and _seconds(best) * self._margin < _known(base):
            reason = f"expected {_seconds(best):.2g} s here, {_seconds(base):.2g} s on {home}"
            return Route(best.engine, reason, candidates)
        return Route(home, base.reason, candidates)


def default_engine(scope: Scope) -> str:
    """Return the engine of a connection that nothing speaks against."""
    return "duckdb" if scope.connection.id == LOCAL else "direct_sql"


def _find(name: str, candidates: tuple[Candidate, ...]) -> Candidate:
    for candidate in candidates:
        if candidate.engine == name:
            return candidate
    raise EngineUnavailable(
        f"The engine {name} is not installed.", hint="Install aiser-jupyter again; see `aiser doctor`."
    )


def _seconds(candidate: Candidate) -> float:
    """Expected seconds; endless where unknown, so that it is never chosen for its cost."""
    estimate = candidate.estimate
    return float("inf") if estimate is None or estimate.seconds is None else estimate.seconds


def _known(candidate: Candidate) -> float:
    """Expected seconds; zero where unknown, so that it is never left for its cost."""
    seconds = _seconds(candidate)
    return 0.0 if seconds == float("inf") else seconds
