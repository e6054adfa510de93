"""An SQLAlchemy ``Engine`` or ``Connection`` of the notebook as a `Session`.

Statements go to the driver as they are (``exec_driver_sql``): SQLAlchemy's own ``:x`` and types stay out of
it. A connection that is opened here, from an ``Engine``, is committed when its statement succeeded and given
back to the pool. A ``Connection`` that somebody handed over keeps its transaction, as in `dbapi`.

SQLAlchemy is not a dependency: this file imports it only where the object shows that it is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, ConnectError, QueryCancelled, UnknownTable
from ..models import Column, Notice, Table, TableRef
from .base import Parameters
from .dbapi import ObjectSession, bind, can_cancel, declaration, driver_module, no_rows, stop, translate
from .rows import read_rows
from .turn import turn_of

if TYPE_CHECKING:
    import pyarrow as pa

    from ..run import Run

__all__ = ["SQLAlchemySession"]


class SQLAlchemySession(ObjectSession):
    """One statement at a time on an ``Engine``, or on a ``Connection`` that stays its maker's."""

    def __init__(self, obj: Any, dialect: str = "") -> None:
        self._dialect = dialect
        self._ours = not hasattr(obj, "exec_driver_sql")
        self._secret = str(obj.engine.url.password or "")
        self._turn = turn_of(obj)
        self._result: Any = None
        if self._ours and type(obj.pool).__name__ == "SingletonThreadPool":
            raise ConnectError(
                "This engine gives every thread a database of its own, and queries run in another thread.",
                hint="create_engine(..., poolclass=StaticPool, connect_args={'check_same_thread': False})",
            )
        try:
            self._connection = obj.connect() if self._ours else obj
            self._driver = self._connection.connection.driver_connection
        except Exception as exc:
            text, cause = self._scrubbed(exc)
            raise ConnectError(
                f"SQLAlchemy could not connect: {text}", hint="Try engine.connect() in a cell of its own."
            ) from cause

    def execute(self, sql: str, parameters: Parameters, run: Run) -> pa.RecordBatchReader:
        if not self._ours:
            self._turn.take(self, run)
        connection = self._connection
        text, values = bind(sql, parameters, connection.dialect.paramstyle, self._dialect)
        values = tuple(values) if isinstance(values, list) else values
        began = connection.in_transaction()
        with self._translated(run):
            self._result = connection.exec_driver_sql(text, values, {"stream_results": True})
        if not self._result.returns_rows:
            count = self._result.rowcount
            self._end()
            if not self._ours and not began and connection.in_transaction():
                run.emit(Notice("open_transaction", "The change is not committed: commit() keeps it."))
            return no_rows(count, run)
        description = self._result.cursor.description
        known = declaration(driver_module(self._driver))
        return read_rows(description, self._fetcher(run), run, known)

    def _fetcher(self, run: Run) -> Callable[[int], Sequence[Sequence[Any]]]:
        result = self._result

        def fetch(size: int) -> Sequence[Sequence[Any]]:
            if run.cancelled and not can_cancel(self._driver, None):
                raise QueryCancelled(
                    "The query was cancelled; its driver has no way to tell the database.", confirmed=False
                )
            with self._translated(run):
                rows: Sequence[Sequence[Any]] = result.fetchmany(size)
            if not rows:
                self._end()
            return rows

        return fetch

    def _end(self) -> None:
        """The statement succeeded: keep what it did, where the transaction is ours."""
        if self._ours:
            with self._translated():
                self._connection.commit()

    def cancel(self) -> None:
        stop(self._driver, None)

    def close(self) -> None:
        result, self._result = self._result, None
        try:
            if result is not None:
                with contextlib.suppress(Exception):  # the connection may be gone
                    result.close()
            if self._ours:
                self._connection.close()  # rolls back what did not succeed
        finally:
            self._turn.give_back(self)

    def tables(self, schema: str | None) -> list[Table]:
        with self._inspector() as inspector:
            tables = [Table(name, "table", schema) for name in inspector.get_table_names(schema)]
            views = [Table(name, "view", schema) for name in inspector.get_view_names(schema)]
        return [*tables, *views]

    def columns(self, table: TableRef) -> Table:
        from sqlalchemy.exc import NoSuchTableError

        try:
            with self._inspector() as inspector:
                found = inspector.get_columns(table.name, table.schema)
                views = inspector.get_view_names(table.schema)
        except NoSuchTableError as exc:
            raise UnknownTable(f"There is no table {table}.") from exc
        columns = tuple(
            Column(column["name"], str(column["type"]), column.get("nullable"), column.get("comment"))
            for column in found
        )
        return Table(table.name, "view" if table.name in views else "table", table.schema, columns)

    @contextlib.contextmanager
    def _inspector(self) -> Iterator[Any]:
        import sqlalchemy

        if not self._ours:
            self._turn.take(self)
        with self._translated():
            yield sqlalchemy.inspect(self._connection)

    @contextlib.contextmanager
    def _translated(self, run: Run | None = None) -> Iterator[None]:
        from sqlalchemy.exc import NoSuchTableError

        try:
            yield
        except (AiserError, NoSuchTableError):
            raise
        except Exception as exc:
            if run is not None and run.cancelled:
                raise run.stopped() from exc
            text, cause = self._scrubbed(exc)
            original = getattr(exc, "orig", None) or exc
            raise translate(original, type(original).__module__.partition(".")[0], text) from cause

    def _scrubbed(self, exc: Exception) -> tuple[str, Exception | None]:
        """Return the driver's message, and what to chain: nothing, where it shows the password."""
        text = str(getattr(exc, "orig", None) or exc)
        if self._secret and self._secret in text:
            return text.replace(self._secret, "***"), None
        return text, exc
