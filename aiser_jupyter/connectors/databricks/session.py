"""A session at a Databricks warehouse: a statement is sent, asked for its state, and its rows are fetched.

- The statement is sent without waiting for it, so that its name is known at once: whoever wants to stop it
  does so on a client of its own, for the session's waits for the answer in progress.
- A warehouse that is not up yet refuses what it is sent: that is tried again until the deadline.
- It is given a limit at the warehouse too, a little after our own.
- The rows come as the driver has them, in pieces of bounded size, and the next ones are on their way by then
  (see `answers`).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import DeadlineExceeded, NotPermitted, QueryCancelled, RunError
from ...models import ConnectionConfig
from ...run import Progress, Run
from ..base import Parameters
from ..driver_thread import DriverThread
from ..network import STOP_SECONDS
from ..warehouse import WarehouseSession
from .answers import ROWS, Answers
from .driver import REQUEST_SECONDS, beside, handle_of, limit, operation
from .errors import asleep, unknown_tags
from .http import origin, warehouse_id
from .parameters import bound
from .types import ExactTypes

if TYPE_CHECKING:
    import pyarrow as pa

    from . import DatabricksConnector

__all__ = ["DatabricksSession"]

_FIRST_ROWS = 4_096
_BATCH_BYTES = 16 << 20
_ANSWER_BYTES = 32 << 20
_POLL_SECONDS = (0.005, 0.25)
_QUESTIONS = 3
_ASLEEP_SECONDS = 1.0
_GRACE_SECONDS = 5
"""The warehouse's own limit comes so long after ours: ours says who stopped it."""
_TAG_CHARACTERS = 120
_STOPPED = "The query was stopped at the warehouse."


class DatabricksSession(WarehouseSession):
    """See the module.

    Parameters
    ----------
    connection : databricks.sql.client.Connection
        Open, and used in ``thread`` alone.
    """

    def __init__(
        self,
        connector: DatabricksConnector,
        config: ConnectionConfig,
        thread: DriverThread,
        connection: Any,
    ) -> None:
        super().__init__(connector, config, thread)
        self._connection = connection
        self._backend = connection.session.backend
        self._cursor = connection.cursor(arraysize=ROWS, buffer_size_bytes=_ANSWER_BYTES)
        self._on_warehouse = bool(warehouse_id(config.values))
        self._tags_known = self._on_warehouse
        self._limit: int | None = None
        self._beside = ExitStack()
        self._beside_lock = threading.Lock()
        self._stopper: Any = None

    # -- a statement ----------------------------------------------------------------------------------

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        values = bound(parameters)
        self._set_limit(run)
        self._send(sql, values, run)
        command = self._cursor.active_command_id
        self.running(handle_of(command), run)
        run.emit(Progress(message=f"query {command.to_hex_guid()} · {self._console(command)}"))
        try:
            self._wait(run)
            result = self._thread.call(lambda: self._backend.get_execution_result(command, self._cursor))
        except Exception as exc:
            if _said_by_warehouse(exc):
                self._forget(command)
                _raise_stopped(exc, run)
            raise
        if result.is_staging_operation:
            self._thread.call(result.close)
            raise NotPermitted(
                "PUT, GET and REMOVE move files, and are not available here.",
                hint="Use Databricks' own client.",
            )
        exact = ExactTypes(_schema(result), result.description)
        for notice in exact.notices():
            run.emit(notice)
        return exact.schema, self._batches(result, exact, run)

    def _send(self, sql: str, values: list[Any] | None, run: Run) -> None:
        """Send a statement, once more where it was refused before it ran."""
        began = time.monotonic()
        while True:
            run.check()
            tags = _tags(run) if self._tags_known else None
            self._give(run)
            try:
                send = partial(self._cursor.execute_async, sql, values, query_tags=tags)
                self._thread.call(send)
                return
            except Exception as exc:
                if tags and unknown_tags(exc):
                    self._tags_known = False
                elif asleep(exc) and self._patient(began, run):
                    self._pause(_ASLEEP_SECONDS, run)
                else:
                    raise

    def _patient(self, began: float, run: Run) -> bool:
        """Say whether to wait for a warehouse that starts: until the deadline, or as long as for a login."""
        if run.remaining is not None:
            return run.remaining > _ASLEEP_SECONDS
        return time.monotonic() - began < float(self._config.values.get("timeout", 30))

    def _wait(self, run: Run, *, ours: bool = False) -> None:
        """Ask for the state until the statement has ended. Raises what the driver raises.

        A statement of the user's is waited for when it was told to stop, too: that confirms it. One of
        ``ours`` is left.
        """
        pause, last = _POLL_SECONDS[0], ""
        while True:
            if ours:
                run.check()
            asked = time.monotonic()
            state = self._ask_state(run)
            if state == "SUCCEEDED":
                return
            if state == "CANCELLED":
                raise QueryCancelled(_STOPPED)
            if state == "FAILED":  # without a message: it is the limit at the warehouse
                raise DeadlineExceeded(
                    "The warehouse stopped the query: it ran longer than a statement may.",
                    hint="Give it longer: --timeout, or the warehouse's STATEMENT_TIMEOUT.",
                )
            if state != last:
                run.emit(Progress(message="waits at the warehouse" if state == "PENDING" else state.lower()))
            last = state
            if time.monotonic() - asked < pause:
                self._pause(pause, run)
            pause = min(2 * pause, _POLL_SECONDS[1])

    def _ask_state(self, run: Run) -> str:
        """Return the statement's state; a question that broke off on the way is asked again."""
        for failures in range(_QUESTIONS):
            self._give(run)
            try:
                return str(self._thread.call(self._cursor.get_query_state).name)
            except Exception as exc:
                if run.cancelled or failures + 1 == _QUESTIONS or not _broke_off(exc):
                    raise
                self._pause(0.5, run)
        raise AssertionError("unreachable")

    def _batches(self, result: Any, exact: ExactTypes, run: Run) -> Generator[pa.RecordBatch]:
        answers, size, complete = Answers(result), _FIRST_ROWS, False
        try:
            while True:
                run.check()  # a warehouse may go on giving the rows of what it was told to stop
                self._give(run)
                table = self._thread.call(lambda: answers.take(size))  # noqa: B023 - called at once
                if table is None:
                    break
                for batch in table.to_batches():
                    if batch.num_rows:
                        yield exact.convert(batch)
                size = max(1_000, min(ROWS, int(_BATCH_BYTES * table.num_rows / max(1, table.nbytes))))
            complete = True
        except Exception as exc:
            if _said_by_warehouse(exc):
                _raise_stopped(exc, run)
            raise
        finally:
            if complete:
                self._forget(result.command_id)
            else:
                _quietly(answers.leave)  # what is still being fetched from storage

    def _forget(self, command: Any) -> None:
        """Have the warehouse forget a statement that is over; nobody waits for it, nor does the next one."""
        self._thread.post(lambda: self._backend.close_command(command))

    # -- limits ---------------------------------------------------------------------------------------

    def _give(self, run: Run) -> None:
        """Give the next request no longer than the run has: what is left to itself ends soon after."""
        remaining = REQUEST_SECONDS if run.remaining is None else run.remaining + STOP_SECONDS
        limit(self._backend, min(REQUEST_SECONDS, remaining))

    def _pause(self, seconds: float, run: Run) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not run.cancelled:
            time.sleep(min(left, 0.05))

    def _set_limit(self, run: Run) -> None:
        """Have the warehouse stop the statement too, should nobody be left to ask it."""
        wanted = None if run.timeout is None else math.ceil(run.timeout) + _GRACE_SECONDS
        if not self._on_warehouse or wanted == self._limit:
            return
        text = "RESET STATEMENT_TIMEOUT" if wanted is None else f"SET STATEMENT_TIMEOUT = {wanted}"
        self._send(text, None, run)
        self._wait(run, ours=True)
        self._forget(self._cursor.active_command_id)
        self._limit = wanted

    # -- around it ------------------------------------------------------------------------------------

    def _console(self, command: Any) -> str:
        return f"{origin(self._config.values)}/sql/history?queryId={command.to_hex_guid()}"

    def request_stop(self, id: str) -> None:
        with self._beside_lock:
            if self._stopper is None:
                self._stopper = self._beside.enter_context(beside(self._config.values, STOP_SECONDS))
            self._stopper.cancel_command(operation(id))

    def listing(self, ask: Any) -> list[dict[str, Any]]:
        """Return the rows of one of the driver's own listings: ``ask(cursor)`` makes it."""
        limit(self._backend, REQUEST_SECONDS)

        def rows() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = ask(self._cursor).fetchall_arrow().to_pylist()
            return found

        try:
            return self._thread.call(rows)
        except Exception as exc:
            raise self._ended(exc, Run("catalog"), "listing", "") from exc

    def freshen(self) -> None:
        self._backend._transport.open()  # it has no cheap question, and a request is not repeated

    def disconnect(self) -> None:
        limit(self._backend, STOP_SECONDS)
        self._beside.close()
        super().disconnect()


def _quietly(work: Any) -> Any:
    """Run what may fail without a consequence, and return None where it did."""
    try:
        return work()
    except Exception:
        return None


def _broke_off(exc: Exception) -> bool:
    """Say whether a question for the state broke off on the way; it may be asked again."""
    from databricks.sql.exc import RequestError

    return isinstance(exc, RequestError) and exc.context.get("http-code") in (None, 200, 502, 503, 504)


def _said_by_warehouse(exc: Exception) -> bool:
    """Say whether the warehouse answered, and so can be told to forget the statement."""
    from databricks.sql.exc import DatabaseError, RequestError

    return isinstance(exc, DatabaseError | RunError) and not isinstance(exc, RequestError)


def _raise_stopped(exc: Exception, run: Run) -> None:
    """Raise why the run stopped, where the warehouse's words only follow from that: it knows it no more."""
    if run.cancelled:
        raise QueryCancelled(_STOPPED) from exc


def _schema(result: Any) -> pa.Schema:
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(result._arrow_schema_bytes))


def _tags(run: Run) -> dict[str, str | None]:
    """Say who runs it, for the query history; within what a tag may be."""
    return {"aiser": run.tag[:_TAG_CHARACTERS] or None}
