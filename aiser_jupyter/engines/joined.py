"""The session in which a statement over several databases runs: it fetches first, and then computes.

What is fetched is kept in temporary tables, which DuckDB may write to disk, and whose size it knows when it
plans. The rows of a statement that reads one table once are handed to it as they arrive. They can be read
once: a second scan of them is refused, for it would see nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..connectors.base import Parameters, Session
from ..errors import AiserError, DeadlineExceeded, QueryCancelled, QueryFailed
from ..models import Notice
from ..run import Progress
from ..sql.conditions import bindable
from .federation import MOST_KEYS, Fetch, Keys, Plan
from .transfer import Part, Source, Transfers

if TYPE_CHECKING:
    import pyarrow as pa

    from ..connectors.duckdb import AnySession
    from ..run import Run

__all__ = ["JoinedSession"]

_SAID_EVERY = 50_000


class JoinedSession(Session):
    """A session of DuckDB for one statement of a `Plan`.

    Parameters
    ----------
    session : AnySession
        With everything of ``local`` registered. It is closed with this one.
    plan : Plan
    cap : int, optional
        Bytes to fetch at most.
    run : Run
    """

    def __init__(self, session: AnySession, plan: Plan, cap: int | None, run: Run) -> None:
        self._session = session
        self._plan = plan
        self._run = run
        self._transfers = Transfers(run, cap, strict=plan.strict)
        self._said = 0
        self._closed = False

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        import pyarrow as pa

        arriving: _Once | None = None
        with self._confirmed():
            if self._plan.once and len(self._plan.fetches) == 1:
                arriving = self._arriving(self._plan.fetches[0])
            else:
                self._keep_all()
            with _reported(arriving):
                reader = self._session.execute(sql, parameters, run)
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, arriving))

    def _batches(self, reader: pa.RecordBatchReader, arriving: _Once | None) -> Iterator[pa.RecordBatch]:
        with self._confirmed(), _reported(arriving):
            yield from reader

    @contextmanager
    def _confirmed(self) -> Iterator[None]:
        """Say of a stop which sources have not confirmed it, once all of them had their time to."""
        try:
            yield
        except (QueryCancelled, DeadlineExceeded) as exc:
            self._transfers.close()
            stopped = self._run.stopped() if self._run.cancelled and exc.confirmed else exc
            _not_confirmed(stopped, self._transfers.unconfirmed())
            raise stopped from exc

    def cancel(self) -> None:
        self._transfers.cancel()
        self._session.cancel()

    def close(self) -> None:
        self._transfers.close()
        if not self._closed and (fetched := self._transfers.summary()):
            self._run.emit(Notice("fetched", f"Fetched {fetched}."))
        self._closed = True
        self._session.close()

    # -- kept before the statement runs ---------------------------------------------------------------------

    def _keep_all(self) -> None:
        """Fetch every table into a temporary one; a table that waits for another's keys begins after it."""
        later: dict[str, list[Fetch]] = {}
        for fetch in self._plan.fetches:
            if fetch.keys is not None and fetch.keys.first:
                later.setdefault(fetch.keys.other, []).append(fetch)
            elif fetch.keys is None:
                self._transfers.add(fetch.source())
        for fetch in self._plan.fetches:
            if fetch.keys is not None and not fetch.keys.first:
                self._transfers.add(fetch.source(self._values(fetch, fetch.keys)))
        for part in self._transfers.parts():
            if part.rows is not None:
                self._session.keep(part.source.name, part.rows)
            self._say()
            for fetch in later.pop(part.source.name, []) if part.last else []:
                assert fetch.keys is not None
                self._transfers.add(fetch.source(self._values(fetch, fetch.keys)))

    def _values(self, fetch: Fetch, keys: Keys) -> tuple[Any, ...] | None:
        """Return the values that rows of a table must have; None for too many, or those of another kind."""
        found = [
            value for (value,) in self._session.rows(keys.sql, dict(keys.parameters)) if value is not None
        ]
        values = tuple(bindable(value, keys.family, fetch.query.dialect) for value in found)
        if len(values) > MOST_KEYS or None in values:
            return None
        self._run.emit(
            Notice(
                "keys", f"{fetch.name}: only rows with one of {len(values):,} values of {keys.other} came."
            )
        )
        return tuple(sorted(values))

    def _say(self) -> None:
        rows = self._transfers.rows
        if rows >= self._said + _SAID_EVERY:
            self._said = rows
            self._run.emit(Progress(message=f"{rows:,} rows fetched"))

    # -- handed over while they arrive ----------------------------------------------------------------------

    def _arriving(self, fetch: Fetch) -> _Once:
        source = fetch.source()
        self._transfers.add(source)
        arriving = _Once(self._transfers, source)
        self._session.register_stream(fetch.name, arriving)
        return arriving


@contextmanager
def _reported(arriving: _Once | None) -> Iterator[None]:
    """Raise what stopped a stream, instead of what DuckDB says of it."""
    try:
        yield
    except AiserError as exc:
        if arriving is not None and arriving.error is not None:
            raise arriving.error from exc
        raise


def _not_confirmed(stopped: QueryCancelled | DeadlineExceeded, names: Collection[str]) -> None:
    """Add to why a run stopped who has not confirmed that it did; nothing where everybody has."""
    if names:
        hint = f"Asked to stop, not confirmed by {' and '.join(names)}: it may go on there for a while."
        stopped.hint = f"{hint} {stopped.hint}".strip()
        stopped.args = (stopped.message,)
        stopped.confirmed = False


class _Once:
    """Rows of one source as an Arrow stream that can be read once; ``error`` is what stopped it."""

    def __init__(self, transfers: Transfers, source: Source) -> None:
        self._parts = transfers.parts(source)
        self._first: Part = next(self._parts)
        assert self._first.rows is not None
        self.schema: pa.Schema = self._first.rows.schema
        self.error: AiserError | None = None
        self._read = False

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        import pyarrow as pa

        if self._read:
            self.error = QueryFailed(
                "The statement reads a table of another connection twice, and its rows arrive once.",
                hint="Read it in a CTE that is MATERIALIZED.",
            )
            raise self.error
        self._read = True
        reader: Any = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        part: Part | None = self._first
        while part is not None:
            if part.rows is not None:
                yield from part.rows.to_batches()
            try:
                part = next(self._parts, None)
            except AiserError as exc:
                self.error = exc  # through Arrow's C interface only its text would arrive
                raise
