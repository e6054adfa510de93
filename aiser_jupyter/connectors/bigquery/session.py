"""One login to BigQuery, and one job at a time.

A job has a name of ours before it is sent, so that it can be cancelled from the first moment on, and sent
again without being run twice. It is waited for in short polls, which tell how far it is. Its rows come with
the answer to the last poll where there are few; otherwise as Arrow by the Storage API, in one stream and so
in their order; and as pages of JSON where the user may not, or the API is one's own and has no other.

BigQuery has no session: nothing of a statement is left for the next one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import AiserError, MultipleStatements, NotPermitted, QuerySyntaxError
from ...models import ConnectionConfig, Estimate, Notice
from ...run import Progress, Run
from ...sql.scan import survey
from ..base import Parameters
from ..causes import bare
from ..driver_thread import DriverThread
from ..network import STOP_SECONDS
from ..warehouse import WarehouseSession
from .errors import translate
from .jobs import (
    GRACE,
    console_link,
    estimate_of,
    get,
    handle_of,
    labels,
    limits,
    progress_of,
    report,
    stop,
)
from .login import Clients
from .parameters import bound
from .rows import ResultRows
from .types import Column, column_of, schema_of

if TYPE_CHECKING:
    import pyarrow as pa


__all__ = ["BigQuerySession"]

T = TypeVar("T")
FIRST_ROWS = 2_000
"""Rows that come with the answer to a poll."""
POLL_SECONDS = 1.0
"""How long BigQuery keeps a poll while the job is not done."""
_LATE_POLLS = 4
_QUERIES = frozenset({"SELECT"})


class BigQuerySession(WarehouseSession):
    """One login; see `NetworkSession`.

    Parameters
    ----------
    clients : Clients
        The driver's clients; used in ``thread``, and to stop from any other.
    read_only : bool
        Whether BigQuery is asked what a statement is before it is run.
    """

    def __init__(
        self,
        connector: Any,
        config: ConnectionConfig,
        thread: DriverThread,
        clients: Clients,
        *,
        read_only: bool,
    ) -> None:
        super().__init__(connector, config, thread)
        self.clients = clients
        self._read_only = read_only
        self._rows: ResultRows | None = None

    # -- one statement --------------------------------------------------------------------------------

    def start(
        self, sql: str, parameters: Parameters, run: Run
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
        import pyarrow as pa

        self._rows = None
        config = self._job_config(sql, parameters, run)
        if self._read_only:
            self._require_query(sql, config, run)
        job = self._insert(sql, config, run)
        answer = self._wait(job, run)
        first = survey(sql, "bigquery").words[:1]
        if first not in (("SELECT",), ("WITH",)):
            self._call(lambda: job.reload(**self._limits(run)))
            if job.statement_type not in _QUERIES:
                return pa.schema([]), self._nothing(job, answer, run)
        columns = [column_of(each) for each in answer.get("schema", {}).get("fields", ())]
        for column in columns:
            for notice in column.losses():
                run.emit(notice)
        report(answer, run)
        return schema_of(columns), self._batches(job, columns, answer, run)

    def _batches(
        self, job: Any, columns: list[Column], answer: dict[str, Any], run: Run
    ) -> Generator[pa.RecordBatch]:
        rows = ResultRows(self.clients, job, columns, answer, lambda: self._limits(run))
        self._rows = rows
        try:
            while (batch := self._call(rows.read)) is not None:
                run.check()
                yield batch
        except GeneratorExit:
            self._finish()  # the job is done, and its rows are on no line of this session
            raise
        except Exception:
            run.check()  # a stream that ends because it was told to is no failure
            raise
        finally:
            rows.stop()
        if rows.refused:
            run.emit(Notice("slow_read", f"Rows came as JSON, which is slow: {rows.refused}"))
        run.check()

    def _nothing(self, job: Any, answer: dict[str, Any], run: Run) -> Generator[pa.RecordBatch]:
        if (count := answer.get("numDmlAffectedRows")) is not None:
            text = f"{int(count):,} rows changed." if int(count) != 1 else "1 row changed."
            run.emit(Notice("rows_changed", text))
        yield from ()

    def _job_config(self, sql: str, parameters: Parameters, run: Run) -> Any:
        from google.cloud import bigquery

        parts = survey(sql, "bigquery").parts
        if not parts:
            raise QuerySyntaxError("There is no statement to run.")
        if len(parts) > 1:
            raise MultipleStatements(
                f"There are {len(parts)} statements; one runs at a time.", hint="Give each its own cell."
            )
        values = self._config.values
        made = bigquery.QueryJobConfig(
            use_legacy_sql=False, query_parameters=bound(parameters), labels=labels(run)
        )
        if values.get("dataset"):
            made.default_dataset = bigquery.DatasetReference(str(values["project"]), str(values["dataset"]))
        if values.get("maximum_bytes_billed"):
            made.maximum_bytes_billed = int(values["maximum_bytes_billed"])
        if run.remaining is not None:
            made.job_timeout_ms = int((run.remaining + GRACE) * 1000)
        return made

    def _insert(self, sql: str, config: Any, run: Run) -> Any:
        """Send the job under a name of ours."""
        from google.api_core.exceptions import Conflict

        rest, id = self.clients.rest, f"aiser_{uuid.uuid4().hex}"
        self._id = handle_of(rest.project, rest.location, id)
        self._known.set()  # from here on a request to stop has something to name

        def insert() -> Any:
            try:
                return rest.query(sql, config, id, job_retry=None, **self._limits(run))
            except Conflict:  # the answer to the first try was lost
                return rest.get_job(id, **self._limits(run))

        job = self._call(insert)
        self.running(handle_of(job.project, job.location, job.job_id), run)
        run.emit(Progress(message=f"Job {job.job_id}: {console_link(job)}"))
        return job

    def _wait(self, job: Any, run: Run) -> dict[str, Any]:
        """Return the answer of the first poll that finds the job done, with the first rows.

        A run that is stopped is waited for too, until BigQuery says that the job is: that confirms it.
        """
        late = 0
        while True:
            answer = self._call(lambda: self._poll(job, run))
            if answer.get("jobComplete"):
                return answer
            late += run.cancelled
            if late > _LATE_POLLS:
                run.check()
            self._call(lambda: job.reload(**self._limits(run)))
            if (progress := progress_of(job)) is not None:
                run.emit(progress)

    def _poll(self, job: Any, run: Run) -> dict[str, Any]:
        params = {
            "maxResults": FIRST_ROWS,
            "timeoutMs": int(min(POLL_SECONDS, run.remaining or POLL_SECONDS) * 1000),
            "location": job.location,
            "formatOptions.useInt64Timestamp": True,
        }
        path = f"/projects/{job.project}/queries/{job.job_id}"
        return get(self.clients, path, params, **self._limits(run))

    def _limits(self, run: Run | None = None) -> dict[str, Any]:
        return limits(None if run is None else run.remaining)

    def _call(self, work: Callable[[], T]) -> T:
        try:
            return self._thread.call(work)
        except Exception as exc:
            raise bare(exc) from exc.__cause__

    def greet(self, seconds: float) -> None:
        """Show that the token, the project and the right to run a query are there; it costs nothing."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(dry_run=True, use_legacy_sql=False)
        kept = {"retry": None, "timeout": seconds + 1}  # whoever waits is sent away before that
        self._call(lambda: self.clients.rest.query("SELECT 1", config, job_retry=None, **kept))

    # -- before a statement -----------------------------------------------------------------------------

    def _dry_run(self, sql: str, config: Any, run: Run | None = None) -> Any:
        """Return the job of a dry run: nothing runs, and nothing is paid."""
        from google.cloud import bigquery

        dry = bigquery.QueryJobConfig.from_api_repr(config.to_api_repr())
        dry.dry_run, dry.use_query_cache = True, False
        return self._call(lambda: self.clients.rest.query(sql, dry, job_retry=None, **self._limits(run)))

    def _require_query(self, sql: str, config: Any, run: Run) -> None:
        """Have BigQuery itself say what the statement is, and refuse what writes."""
        kind = self._dry_run(sql, config, run).statement_type
        if kind not in _QUERIES:
            raise NotPermitted(
                f"This session only reads, and BigQuery calls the statement {kind}.",
                hint="A statement that writes runs as a cell of its own.",
            )

    def expect(self, sql: str, parameters: Parameters) -> Estimate:
        """Return what BigQuery expects to read. Raises `AiserError`."""
        run = Run("estimate", tag="estimate")
        job = self.ask(lambda: self._dry_run(sql, self._job_config(sql, parameters, run)))
        stated = job._properties.get("statistics", {}).get("query", {})
        accuracy = stated.get("totalBytesProcessedAccuracy")
        return estimate_of(int(job.total_bytes_processed or 0), accuracy, self._config)

    # -- the rest ---------------------------------------------------------------------------------------

    @property
    def config(self) -> ConnectionConfig:
        return self._config

    def ask(self, work: Callable[[], T]) -> T:
        """Make calls of the driver that belong to no statement, within the connection's timeout.

        Raises
        ------
        AiserError
        """
        with self.limited(float(self._config.values.get("timeout", 30))):
            try:
                return work()
            except AiserError:
                raise
            except Exception as exc:
                raise translate(exc) from exc

    def call(self, work: Callable[[], T]) -> T:
        """Make one call of the driver in the session's thread. Raises what the driver raises."""
        return self._call(work)

    def request_stop(self, id: str) -> None:
        rows = self._rows
        if rows is not None and id.endswith(f".{rows.job_id}"):
            rows.stop()  # the job is done
        else:
            stop(self.clients, id, STOP_SECONDS)

    def abort(self) -> None:
        super().abort()
        if self._rows is not None:
            self._rows.stop()
        self.clients.wire.cut()

    def freshen(self) -> None:
        self.clients.rest._http.close()  # its lines: the next request takes another

    def reset(self) -> None:
        """Nothing: a job leaves nothing to the next one."""

    def disconnect(self) -> None:
        super().disconnect()
        self.clients.wire.cut()  # whatever a thread that was left behind still waits for
