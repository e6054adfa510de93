"""``QueryResult``: Arrow data with its route, timings, truncation and notices."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .models import Notice, Route, StatementKind, Timings

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["QueryResult", "TruncatedResultWarning"]


class TruncatedResultWarning(UserWarning):
    """A cut result was turned into a DataFrame."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryResult:
    """The answer to one query.

    Parameters
    ----------
    id : str
        The run's id, as in the history.
    table : pyarrow.Table
        The rows, with the source's types as far as Arrow has them; what it has not is in ``notices``.
    route : Route
        The engine that ran it, why, and what the others were expected to cost.
    timings : Timings
        Seconds of the run's parts.
    truncated : str
        Why rows are missing, in plain words; "" where the result is whole.
    kind : StatementKind
        What the statement did.
    cached : bool
        True where the rows come from the cache; ``timings`` are then of the look-up.

    Examples
    --------
    >>> import pyarrow as pa
    >>> result = QueryResult("1", pa.table({"n": [1, None]}), Route("duckdb", "files are read here"))
    >>> result.df()["n"].dtype
    Int64Dtype()
    """

    id: str
    table: pa.Table
    route: Route
    timings: Timings = Timings()
    connection: str = "local"
    sql: str = ""
    kind: StatementKind = StatementKind.READ
    truncated: str = ""
    cached: bool = False
    notices: tuple[Notice, ...] = ()
    quiet: bool = field(default=False, repr=False)

    @property
    def engine(self) -> str:
        return self.route.engine

    @property
    def affected(self) -> int | None:
        """How many rows a write changed, where the database said; None for anything else."""
        writes = self.kind in (StatementKind.WRITE, StatementKind.DDL)
        counted = self.columns == ["Count"] and self.row_count == 1
        return int(self.table.column(0)[0].as_py()) if writes and counted else None

    @property
    def row_count(self) -> int:
        return int(self.table.num_rows)

    @property
    def columns(self) -> list[str]:
        return list(self.table.column_names)

    def __len__(self) -> int:
        return self.row_count

    def arrow(self) -> pa.Table:
        """Return the rows as a pyarrow Table, types and duplicate names as the source gave them."""
        return self.table

    def df(self) -> pd.DataFrame:
        """Return the rows as a pandas DataFrame: integers stay integers beside NULLs, decimals exact."""
        from .frames import to_pandas

        self._warn_if_cut()
        return to_pandas(self.table)

    def polars(self) -> pl.DataFrame:
        """Return the rows as a Polars DataFrame."""
        from .frames import to_polars

        self._warn_if_cut()
        return to_polars(self.table)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]

    def with_timings(self, timings: Timings) -> QueryResult:
        """Return the same result with other timings."""
        return replace(self, timings=timings)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from .render import mimebundle

        return {} if self.quiet else mimebundle(self)

    def __repr__(self) -> str:
        from .render import result_text

        return result_text(self)

    def _warn_if_cut(self) -> None:
        if self.truncated:
            warnings.warn(self.truncated, TruncatedResultWarning, stacklevel=3)
