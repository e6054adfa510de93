"""Rows of several databases, fetched at the same time as Arrow and handed over as they arrive.

Each table is one SELECT in a session and a thread of its own; a few run at a time, and no more of one
connection than it can have open. Rules:

- What was fetched and not yet taken is bounded in bytes: a thread that is ahead waits.
- The first error is raised to whoever takes rows, and its message begins with the table; `close` stops the
  others.
- Cancelling reaches every database at once. `Transfers.close` leaves no session open and no statement
  running, read to the end or not; of a database that does not say so itself, `Transfers.unconfirmed` tells.
- Bytes are counted as they arrive; past the cap everything stops.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..connectors.registry import connector
from ..errors import (
    AiserError,
    ConnectionLost,
    DataError,
    DeadlineExceeded,
    QueryCancelled,
    QuerySyntaxError,
    ResultTooLarge,
)
from ..models import Notice
from ..run import Handle, Run
from .stream import release, stream

if TYPE_CHECKING:
    import pyarrow as pa

    from ..connectors.base import Parameters
    from ..models import Connection
    from ..run import Event

__all__ = ["AHEAD_BYTES", "AT_ONCE", "Part", "Source", "Transfers"]

AT_ONCE = 4
"""Tables fetched at the same time."""
AHEAD_BYTES = 64 * 1024**2
PATIENCE = 5.0
"""Seconds that `Transfers.close` waits for a thread: a session cuts itself off sooner."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One SELECT on one connection; ``name`` is what the table is called in the statement."""

    name: str
    connection: Connection
    sql: str
    parameters: Parameters = ()

    @property
    def lane(self) -> int:
        """How many sessions the connection can have open at a time."""
        if self.connection.type == "object":
            return 1  # one object, which its users take in turns
        return int(self.connection.config.values.get("max_connections", AT_ONCE))


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table, in the order they were fetched; ``last`` where no more come."""

    source: Source
    rows: pa.Table | None
    last: bool


@dataclass(slots=True)
class _Queue:
    """What was fetched of one table and not yet taken."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    bytes: int = 0
    schema: pa.Schema | None = None
    ended: bool = False


class Transfers:
    """Fetches tables for one run.

    Parameters
    ----------
    run : Run
        Its deadline holds for every fetch; whoever owns it calls `cancel` when it is cancelled.
    cap : int, optional
        Bytes fetched at most, of all tables together; None is no limit.
    ahead : int
        Bytes fetched of one table and not yet taken, at most; one batch may be larger.
    strict : bool
        Give up where a value has no equal in Arrow, instead of saying how many are NULL now.
    """

    def __init__(self, run: Run, cap: int | None, *, ahead: int = AHEAD_BYTES, strict: bool = False) -> None:
        self._run = run
        self._ahead = ahead
        self._strict = strict
        self._lost: dict[Source, str] = {}
        self._cap = cap
        self._change = threading.Condition()
        self._waiting: deque[Source] = deque()
        self._queues: dict[Source, _Queue] = {}
        self._open: Counter[str] = Counter()
        self._runs: dict[Source, Run] = {}
        self._begun: set[Source] = set()  # whose statement was sent, and has not ended as far as is known
        self._threads: list[threading.Thread] = []
        self._opening: set[threading.Thread] = set()  # those that log in
        self._workers = 0
        self._error: BaseException | None = None
        self._late = False
        self._stopped = False
        self._closing = False
        self._close_by = 0.0
        self._fetched: dict[str, tuple[int, int]] = {}
        self.bytes = 0
        self.rows = 0

    def add(self, source: Source) -> None:
        """Fetch one more table, at once if not too many are being fetched."""
        with self._change:
            self._queues[source] = _Queue()
            self._waiting.append(source)
            if self._workers < AT_ONCE:
                self._workers += 1
                thread = threading.Thread(target=self._work, name="aiser-fetch", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._change.notify_all()

    def parts(self, source: Source | None = None) -> Iterator[Part]:
        """Yield rows as they arrive, of all tables or of one, until every fetch has ended.

        Raises
        ------
        AiserError
            Of the first fetch that failed, or because the run was stopped.
        """
        while (part := self._next(source)) is not None:
            yield part

    def summary(self) -> str:
        """Say how much was fetched from each connection so far; "" for nothing."""
        from ..render.text import bytes_text

        parts = [
            f"{rows:,} row{'' if rows == 1 else 's'} ({bytes_text(size)}) from {name}"
            for name, (rows, size) in sorted(self._fetched.items())
        ]
        return ", ".join(parts)

    def cancel(self) -> None:
        """Ask every database to stop, all at the same time; returns soon."""
        with self._change:
            self._stopped = True
            runs = list(self._runs.values())
            self._change.notify_all()
        stops = [threading.Thread(target=run.cancel, name="aiser-stop", daemon=True) for run in runs]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join(PATIENCE)

    def close(self) -> None:
        """Stop what still runs, and wait until every session is given back. Safe to call twice.

        A login that is still going on is not waited for: its session is given back unused.
        """
        if not self._closing:
            self._closing = True
            self._close_by = time.monotonic() + PATIENCE
        self.cancel()
        for thread in self._threads:
            if thread is not threading.current_thread() and thread not in self._opening:
                thread.join(max(0.0, self._close_by - time.monotonic()))

    def unconfirmed(self) -> list[str]:
        """Return the connections at which a statement began, and is not known to have ended."""
        with self._change:
            return sorted({source.connection.name for source in self._begun})

    # -- taking -------------------------------------------------------------------------------------------

    def _next(self, source: Source | None) -> Part | None:
        with self._change:
            while True:
                self._run.check()
                if self._error is not None:
                    raise self._failure(self._error)
                wanted = self._queues if source is None else {source: self._queues.get(source)}
                for one, queue in wanted.items():
                    if queue is not None and (queue.batches or queue.ended):
                        return self._take(one, queue)
                if not any(wanted.values()):
                    return None
                self._change.wait(0.1)

    def _take(self, source: Source, queue: _Queue) -> Part:
        import pyarrow as pa

        batches, queue.batches, queue.bytes = queue.batches, [], 0
        if queue.ended:
            del self._queues[source]
        self._change.notify_all()
        rows = None if queue.schema is None else pa.Table.from_batches(batches, queue.schema)
        return Part(source, rows, queue.ended)

    def _failure(self, error: BaseException) -> BaseException:
        """Return what to raise: why the run stopped, or what went wrong with a table."""
        if self._late and not self._closing:
            self._run.cancel(timed_out=isinstance(error, DeadlineExceeded))
            return self._run.stopped()
        return error

    # -- fetching: one of these threads for each table that is on its way -----------------------------------

    def _work(self) -> None:
        while (source := self._claim()) is not None:
            try:
                self._fetch(source)
                self._ended(source, None)
            except BaseException as exc:  # it belongs to whoever waits for the rows
                self._ended(source, exc)

    def _claim(self) -> Source | None:
        """Return the first table that its connection has room for; None where nothing is left to do."""
        with self._change:
            while not self._stopped and self._waiting:
                for source in self._waiting:
                    if self._open[source.connection.id] < source.lane:
                        self._waiting.remove(source)
                        self._open[source.connection.id] += 1
                        self._runs[source] = self._child(source)
                        return source
                self._change.wait(0.1)
            self._workers -= 1
            return None

    def _child(self, source: Source) -> Run:
        """Return the run of one fetch: its notices and handles are the query's, its phases are not."""

        def emit(event: Event) -> None:
            if isinstance(event, Notice):
                if event.code == "lossy_type":
                    self._lost[source] = event.message
                self._run.emit(Notice(event.code, f"{source.name}: {event.message}"))
            elif isinstance(event, Handle):
                self._run.emit(event)

        run = self._run
        return Run(f"{run.id} {source.name}", timeout=run.remaining, emit=emit, tag=run.tag)

    def _fetch(self, source: Source) -> None:
        run, kind = self._runs[source], connector(source.connection.type)
        run.check()
        config = source.connection.config
        with kind.waiting(config, self._run):
            self._opening.add(threading.current_thread())
            try:
                session = kind.open_for(run, config, read_only=kind.capabilities.read_only)
            finally:
                self._opening.remove(threading.current_thread())
            with self._change:
                self._begun.add(source)
            try:
                reader = stream(session, source.sql, source.parameters, run)
            except BaseException as exc:
                self._note(source, exc)
                raise
        try:
            storable = _Storable(reader.schema)
            with self._change:
                self._queues[source].schema = storable.schema
            for batch in self._rows(source, reader):
                self._put(source, storable.convert(batch))
            if self._strict and source in self._lost:
                raise DataError(
                    f"{self._lost[source]} The answer would be another one.",
                    hint="Leave --engine out: the database itself knows these values.",
                )
        finally:
            release(reader)

    def _rows(self, source: Source, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Yield the batches of a statement, and take note when it has ended."""
        try:
            yield from reader
        except GeneratorExit:  # left before its end
            raise
        except BaseException as exc:
            self._note(source, exc)
            raise
        self._note(source, None)

    def _note(self, source: Source, error: BaseException | None) -> None:
        """Take note that the statement has ended at its database, unless ``error`` leaves that open."""
        if getattr(error, "confirmed", not isinstance(error, ConnectionLost)):
            with self._change:
                self._begun.discard(source)

    def _put(self, source: Source, batch: pa.RecordBatch) -> None:
        """Hand a batch over, once there is room for it; after a stop it is dropped, and the next one read.

        So the session reads on until its database says that the statement has ended.
        """
        with self._change:
            self.bytes += batch.nbytes
            self.rows += batch.num_rows
            rows, size = self._fetched.get(source.connection.name, (0, 0))
            self._fetched[source.connection.name] = rows + batch.num_rows, size + batch.nbytes
            if self._cap is not None and self.bytes > self._cap:
                raise self._too_large()
            queue = self._queues[source]
            while queue.bytes and queue.bytes + batch.nbytes > self._ahead and not self._stopped:
                self._change.wait(0.1)
            if self._stopped:
                return
            queue.batches.append(batch)
            queue.bytes += batch.nbytes
            self._change.notify_all()

    def _too_large(self) -> ResultTooLarge:
        from ..render.text import bytes_text

        return ResultTooLarge(
            f"more than {bytes_text(self._cap or 0)} would be fetched; it was stopped at {self.rows:,} rows "
            f"and {bytes_text(self.bytes)}.",
            hint="Filter the table, name fewer columns, or allow more with --max-bytes.",
            rows=self.rows,
            bytes=self.bytes,
        )

    def _ended(self, source: Source, error: BaseException | None) -> None:
        with self._change:
            self._open[source.connection.id] -= 1
            run = self._runs.pop(source)
            if queue := self._queues.get(source):
                queue.ended = error is None
            if error is not None and self._error is None:
                # By its run's deadline, which is the query's; a database may have a limit of its own.
                self._late = run.cancelled and isinstance(error, DeadlineExceeded | QueryCancelled)
                self._error = error if self._late else _named(error, source)
            self._change.notify_all()


def _named(error: BaseException, source: Source) -> BaseException:
    """Say which table an error is of; a place in a text that nobody wrote is left out."""
    if isinstance(error, AiserError):
        error.message = f"{source.name}: {error.message}"
        error.args = (error.message,)
        if isinstance(error, QuerySyntaxError):
            error.line = error.column = None
    return error


class _Storable:
    """Turns batches into types that DuckDB has: decimals of more than 38 digits are none."""

    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        self._changed = {
            index: pa.decimal128(38, max(0, min(field.type.scale, 38)))
            for index, field in enumerate(schema)
            if pa.types.is_decimal256(field.type)
        }
        fields = [field.with_type(self._changed.get(index, field.type)) for index, field in enumerate(schema)]
        self.schema = pa.schema(fields)

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return ``batch`` in `schema`; raise `DataError` for a number that has too many digits."""
        if not self._changed:
            return batch
        import pyarrow as pa

        columns: list[Any] = list(batch.columns)
        for index, type_ in self._changed.items():
            try:
                columns[index] = columns[index].cast(type_)
            except pa.ArrowInvalid as exc:
                raise DataError(
                    f"column {self.schema.field(index).name!r} holds a number of more than 38 digits, and "
                    "DuckDB has none.",
                    hint="Leave the column out, or run the statement on its own connection.",
                ) from exc
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)
