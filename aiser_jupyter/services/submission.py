"""``Submission``: one query between its plan and its result, as a front door holds it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..run import Run, Stopwatch

if TYPE_CHECKING:
    import pyarrow as pa

    from ..models import Route
    from ..result import QueryResult
    from ..sql import Statement
    from . import Services
    from .record import Record

__all__ = ["Submission"]


class Submission:
    """One query on its way: wait for it, cancel it, and turn its rows into a DataFrame.

    ``future`` is what `wait` waits for, for a caller that must not block.
    """

    def __init__(
        self,
        services: Services,
        run: Run,
        statement: Statement,
        route: Route,
        future: Future[QueryResult],
        record: Record,
    ) -> None:
        self._services = services
        self.future = future
        self.statement = statement
        self._record = record
        self.run = run
        self.route = route
        self.id = run.id
        self.result: QueryResult | None = None

    def wait(self, tick: Callable[[], None] | None = None) -> QueryResult:
        """Block until the query ended; ``tick`` is called a few times a second meanwhile.

        Raises
        ------
        QueryCancelled
            Also for an interrupt of this thread, after the database was asked to stop.
        AiserError
        """
        self.result = self._services.executor.wait(self.future, self.run, tick)
        return self.result

    def cancel(self) -> None:
        """Ask the query to stop. `wait` then raises `QueryCancelled`."""
        self.run.cancel()

    def convert(self, kind: str) -> Any:
        """Return the rows as ``pandas``, ``polars`` or ``arrow``; the time counts as ``convert``."""
        from ..frames import to_pandas, to_polars

        result = self.result or self.wait()
        conversions: dict[str, Callable[[pa.Table], Any]]
        conversions = {"pandas": to_pandas, "polars": to_polars, "arrow": lambda table: table}
        if kind not in conversions:
            raise UsageError(f"There is no output type {kind!r}.", hint="Use pandas, polars or arrow.")
        watch = Stopwatch("convert")
        data = conversions[kind](result.table)
        spent = watch.stop()["convert"]
        timings = replace(result.timings, convert=result.timings.convert + spent)
        self.result = result.with_timings(timings)
        self._record.retime(self.result)
        self._services.queries.remember(self.result)
        return data
