"""A DuckDB connection as a `Session`: streams Arrow, reports progress, and stops when it is told.

One thread watches the running statements of the process. It reports progress, keeps deadlines, and repeats an
interrupt until its statement has stopped: one that arrives between binding and execution is otherwise lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AiserError, DataError, MultipleStatements, QuerySyntaxError, UsageError
from ...models import Notice
from ...run import Progress, Run
from .. import excel, files
from ..arrow_types import ExactTypes
from ..base import Parameters, Session
from .errors import translate
from .frames import mixed_columns, readable

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["BATCH_ROWS", "DuckDBSession", "bound"]

BATCH_ROWS = 65_536
_WATCH_SECONDS = 0.1
_IDLE_LOOKS = 100


class DuckDBSession(Session):
    """One connection of its own; what is registered on it is seen by nobody else.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Closed with the session.
    give_back : callable, optional
        Takes the connection instead, where the session has left nothing behind on it.

    Attributes
    ----------
    wrote : bool
        Whether a statement ran that may have left something in the database.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        give_back: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
    ) -> None:
        self._connection = connection
        self._give_back = give_back
        self._guard = threading.Lock()  # interrupt() on a closed connection raises
        self._closed = False
        self._reported = 0.0
        self._exact: ExactTypes | None = None
        self._run: Run | None = None
        self._offered: tuple[str, ...] = ()
        self._clean = True
        self._defined: frozenset[str] | None = None
        self._kept: set[str] = set()
        self.wrote = False

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        import pyarrow as pa

        self._finish()
        self._run = run
        self._clean = False  # until its last row was read
        _watcher.add(self, run)
        try:
            with self.translated(sql, run):
                self._require_one(sql)
                relation = self._connection.sql(sql, params=bound(parameters))
                if relation is None or self._is_empty_answer(sql, relation):
                    self._finish()
                    return pa.RecordBatchReader.from_batches(pa.schema([]), [])
                sources = [str(type_).strip('"') for type_ in relation.types]
                reader = relation.to_arrow_reader(BATCH_ROWS)
        except BaseException:
            self._finish()
            raise
        self._exact = exact = ExactTypes(reader.schema, sources, self._texts)
        return pa.RecordBatchReader.from_batches(exact.schema, self._batches(reader, exact, sql, run))

    def cancel(self) -> None:
        with self._guard:
            if not self._closed:
                self._connection.interrupt()

    def close(self) -> None:
        self._finish()
        if not self._clean:
            self.cancel()  # a result that is still being computed would hold the close up
        with self._guard:
            if not self._closed:
                self._closed = True
                if self._clean and self._give_back is not None:
                    self._give_back(self._connection)
                else:
                    self._connection.close()

    def register(self, name: str, frame: object) -> list[Notice]:
        """Let ``name`` in FROM mean ``frame``, in this session only.

        Parameters
        ----------
        frame : object
            A pandas or Polars DataFrame, a LazyFrame, an Arrow table, dataset or reader, or anything with
            ``__arrow_c_stream__``. It is not copied where DuckDB can scan it in place.

        Returns
        -------
        list of Notice
            What is read otherwise than it stands in the frame.

        Raises
        ------
        DataError
            The object is not a table, or holds a type that DuckDB does not read.
        """
        table = readable(name, frame)
        self._give_back = None
        try:
            self._connection.register(name, table)
            return mixed_columns(self._connection, name, table)
        except Exception as exc:  # the frame's own library may raise anything
            error = translate(exc, "", tuple, lambda file: "")
            hint = "Convert that column to a type Arrow has, or to text."
            raise DataError(f"{name!r} cannot be read: {error.message}", hint=hint) from exc

    def register_stream(self, name: str, stream: object) -> None:
        """Let ``name`` in FROM mean ``stream``, whose ``__arrow_c_stream__`` DuckDB calls for each scan."""
        self._give_back = None
        with self.translated("", None):
            self._connection.register(name, stream)

    def keep(self, name: str, rows: pa.Table) -> None:
        """Append ``rows`` to the temporary table ``name``, and make it where it is not there yet.

        Raises
        ------
        DataError
            A type that DuckDB does not have.
        """
        self._give_back = None
        quoted = name.replace('"', '""')
        with self.translated("", None):
            self._connection.register("aiser_rows", rows)
            if name in self._kept:
                self._connection.execute(f'INSERT INTO temp."{quoted}" FROM aiser_rows')
            else:
                self._connection.execute(f'CREATE TEMP TABLE "{quoted}" AS FROM aiser_rows')
                self._kept.add(name)
            self._connection.unregister("aiser_rows")

    def expand(self, name: str) -> list[Path]:
        """Return the files that a name in FROM stands for; raises as `files.expand`."""
        return files.expand(name, Path.cwd())

    def register_file(self, name: str) -> list[Notice]:
        """Let ``FROM 'name'`` mean a workbook or a folder, which DuckDB does not read by itself.

        Any other file is left to DuckDB. Raises `UnknownTable`, `DataError`.
        """
        if excel.is_workbook(name):
            table, notices = excel.read(name)
            return notices + self.register(name, table)
        if reader := files.folder_reader(name):
            quoted = name.replace('"', '""')
            self._give_back = None
            with self.translated("", None):
                self._connection.execute(
                    f'CREATE TEMP VIEW "{quoted}" AS SELECT * FROM {reader}'  # noqa: S608 - both quoted
                )
        return []

    def offer(self, names: Iterable[str]) -> None:
        """Name what else could stand in FROM, for the hint of an unknown table."""
        self._offered = tuple(names)

    def defines(self, name: str) -> bool:
        """Whether the database itself had a table or view of this name when it was first asked."""
        if self._defined is None:
            found = self.rows(
                "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
                " AND schema_name = current_schema() AND database_name = current_database() UNION ALL "
                "SELECT view_name FROM duckdb_views() WHERE NOT temporary"
                " AND schema_name = current_schema() AND database_name = current_database()"
            )
            self._defined = frozenset(known.casefold() for (known,) in found)
        return name.casefold() in self._defined

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Ask DuckDB's own catalog; for small answers of plain types."""
        with self.translated(sql, None):
            found: list[tuple[Any, ...]] = self._connection.execute(sql, parameters or {}).fetchall()
        return found

    @contextmanager
    def translated(self, sql: str, run: Run | None) -> Iterator[None]:
        """Raise what DuckDB raises inside the block as one of our errors."""
        import duckdb

        try:
            yield
        except AiserError:
            raise
        except (duckdb.Error, OSError, RuntimeError, MemoryError) as exc:
            if run is not None and run.cancelled:
                raise run.stopped() from exc
            raise translate(exc, sql, self._known, files.nearest_file) from exc

    def report(self, run: Run) -> None:
        """Emit how far the statement is, where DuckDB knows and it is further than last time."""
        with self._guard:
            fraction = -1.0 if self._closed else self._connection.query_progress() / 100
        if fraction >= self._reported + 0.01:
            self._reported = fraction
            run.emit(Progress(min(fraction, 1.0)))

    def _batches(
        self, reader: pa.RecordBatchReader, exact: ExactTypes, sql: str, run: Run
    ) -> Iterator[pa.RecordBatch]:
        while True:
            run.check()
            with self.translated(sql, run):
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    break
                exactly = exact.convert(batch)
            yield exactly
        self._clean = not run.cancelled  # an interrupt on its way would stop the next statement
        self._finish()

    def _finish(self) -> None:
        """End the watch, and say what was lost in the rows read so far."""
        _watcher.remove(self)
        exact, self._exact = self._exact, None
        if exact is not None and self._run is not None:
            for notice in exact.notices():
                self._run.emit(notice)

    def _require_one(self, sql: str) -> None:
        statements = self._connection.extract_statements(sql)
        if not statements:
            raise QuerySyntaxError("There is no statement to run.")
        if len(statements) > 1:
            raise MultipleStatements(
                f"There are {len(statements)} statements; one runs at a time.",
                hint="Give each its own cell.",
            )
        reads = statements[0].type.name in ("SELECT", "EXPLAIN")
        self.wrote = self.wrote or not reads
        if statements[0].type.name != "SELECT" or "setseed" in sql.casefold():
            self._give_back = None

    def _is_empty_answer(self, sql: str, relation: Any) -> bool:
        """Whether the statement has no result: DuckDB shows a column without rows for it.

        Such a statement has run by now; a count of changed rows is a row, and is kept.
        """
        if relation.columns not in (["Success"], ["Count"]):
            return False
        import duckdb

        expected = self._connection.extract_statements(sql)[0].expected_result_type
        return duckdb.ExpectedResultType.NOTHING in expected and not relation.fetchall()

    def _texts(self, array: Any, field: pa.Field[Any], expression: str) -> Any:
        import pyarrow as pa

        values = pa.Table.from_arrays([array], schema=pa.schema([field.with_name("x")]))
        with self._connection.cursor() as cursor:
            cursor.register("aiser_values", values)
            relation = cursor.sql(f"SELECT {expression} FROM aiser_values")  # noqa: S608 - our own constants
            return pa.concat_arrays(relation.to_arrow_table().column(0).chunks).cast(pa.string())

    def _known(self) -> list[str]:
        """Names that could have been meant in FROM."""
        rows = self._connection.execute(
            "SELECT table_name FROM duckdb_tables() UNION ALL "
            "SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        near = [table.name for table in files.list_files(Path.cwd(), depth=1)]
        return [*(name for (name,) in rows), *self._offered, *near]


class _Watcher:
    """The one thread that stands beside every running statement of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[DuckDBSession, Run] = {}
        self._thread: threading.Thread | None = None

    def add(self, session: DuckDBSession, run: Run) -> None:
        with self._lock:
            self._running[session] = run
            if self._thread is None or not self._thread.is_alive():  # a forked child has none
                self._thread = threading.Thread(target=self._look, name="aiser-duckdb-watch", daemon=True)
                self._thread.start()

    def remove(self, session: DuckDBSession) -> None:
        with self._lock:
            self._running.pop(session, None)

    def _look(self) -> None:
        idle = 0
        while True:
            time.sleep(_WATCH_SECONDS)
            idle = 0 if self._look_once() else idle + 1
            with self._lock:
                if idle > _IDLE_LOOKS and not self._running:
                    self._thread = None
                    return

    def _look_once(self) -> bool:
        """Look at what runs, if anything does. Nothing of it is held while the thread sleeps."""
        with self._lock:
            running = list(self._running.items())
        for session, run in running:
            if run.remaining == 0.0:
                run.cancel(timed_out=True)
            if run.cancelled:
                session.cancel()
            else:
                session.report(run)
        return bool(running)


_watcher = _Watcher()


def bound(parameters: Parameters) -> Any:
    """Return ``parameters`` in types that DuckDB binds without a change."""
    if not parameters:
        return None
    if isinstance(parameters, Mapping):
        return {name: _value(value, name) for name, value in parameters.items()}
    return [_value(value, str(place)) for place, value in enumerate(parameters, 1)]


def _value(value: Any, name: str) -> Any:
    inexact = UsageError(
        f"Parameter {name!r} cannot be bound exactly.", hint="Pass it as text and CAST it in the statement."
    )
    if isinstance(value, Decimal) and value.is_finite():
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        if len(digits) + max(exponent, 0) > 38 or -exponent > 38:
            raise inexact
    if getattr(value, "nanosecond", 0):  # pandas.Timestamp; DuckDB binds microseconds
        raise inexact
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        if value.dtype.kind in "mM":
            micro = value.astype(f"{value.dtype.kind}8[us]")
            if micro != value:
                raise inexact
            return micro.item()
        return value.item() if not value.shape else value.tolist()
    return value
