"""Query jobs: made, run in DuckDB on a thread, polled, cancelled, timed out."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pyarrow as pa
import sql
from errors import Refused
from recorded import recorded
from sqlglot import exp
from values import Result, result_of

SIZES = {"BIGINT": 8, "INTEGER": 8, "DOUBLE": 8, "BOOLEAN": 1, "DATE": 8, "TIMESTAMP": 8}
DATABASE = duckdb.connect()
DATABASE.execute("SET TimeZone = 'UTC'")
JOBS: dict[str, Job] = {}
BEHAVIOUR: dict[str, Any] = {}
"""How the endpoint is to behave: ``error`` is what the next job fails with, ``wait`` seconds in the queue."""
_LOCK = threading.Lock()
_POOL = ThreadPoolExecutor(8)


class Job:
    """One job, as ``jobs.insert`` makes it."""

    def __init__(self, project: str, body: dict[str, Any]) -> None:
        self.project, self.conf = project, body["configuration"]
        reference = body.get("jobReference") or {}
        self.id = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
        self.location = reference.get("location") or "US"
        self.query = self.conf["query"]
        self.dry = bool(self.conf.get("dryRun"))
        self.state, self.created, self.ended = "PENDING", time.time(), 0.0
        self.error: Refused | None = None
        self.result: Result | None = None
        self.changed: int | None = None
        self.done = threading.Event()
        self.why = ""
        self.cursor = DATABASE.cursor()
        self.recorded = recorded(self.query["query"])
        self.statement, self.bytes = "SELECT", 0
        if self.recorded is None:
            self._prepare()

    def _prepare(self) -> None:
        dataset = (self.query.get("defaultDataset") or {}).get("datasetId")
        self.tree, self.statement = sql.parse(self.query["query"], self.project, dataset)
        if self.statement == "SCRIPT":
            return
        sql.bind(self.tree, self.query.get("queryParameters") or [])
        self.bytes = _bytes_read(self.tree)
        self.duck = self.tree.sql(dialect="duckdb")
        if self.dry and self.statement == "SELECT":
            with self._translated():
                self.cursor.execute(f"EXPLAIN {self.duck}")

    def start(self) -> None:
        """Run the job, unless it is a dry one, or would read too much."""
        most = int(self.query.get("maximumBytesBilled") or 0)
        if self.dry:
            self.state = "DONE"
            return
        with _LOCK:
            if self.id in JOBS:
                raise Refused("duplicate", f"Already Exists: Job {self.project}:{self.location}.{self.id}")
            JOBS[self.id] = self
        if most and self.bytes > most:
            message = f"Query exceeded limit for bytes billed: {most}. {self.bytes} or higher required."
            self._end(Refused("bytesBilledLimitExceeded", message))
        elif error := BEHAVIOUR.pop("error", None):
            self._end(Refused(*error))
        else:
            _POOL.submit(self._run)
            if milliseconds := int(self.conf.get("jobTimeoutMs") or 0):
                timer = threading.Timer(milliseconds / 1000, self.stop, args=("timeout",))
                timer.daemon = True
                timer.start()

    def stop(self, why: str) -> None:
        """End the job from outside; a job that is done stays as it is."""
        if not self.done.is_set():
            self.why = why
            self.cursor.interrupt()

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except duckdb.Error as exc:
            raise sql.refused(exc, self.query["query"], self.project) from exc

    def _run(self) -> None:
        try:
            self._wait()
            self.state = "RUNNING"
            with self._translated():
                self.result = self.recorded or self._execute()
            self._end(None)
        except Refused as exc:
            late = Refused("stopped", "Job execution was cancelled: Job timed out after its limit.")
            self._end(late if self.why == "timeout" else exc)
        except Exception as exc:  # a gap of the endpoint; it has to be seen
            self._end(Refused("internalError", repr(exc)))

    def _wait(self) -> None:
        """Stay in the queue as long as the tests want."""
        end = time.time() + float(BEHAVIOUR.get("wait", 0))
        while time.time() < end:
            if self.why:
                raise Refused("stopped", "Job execution was cancelled: User requested cancellation")
            time.sleep(0.02)

    def _execute(self) -> Result:
        found = self.cursor.execute(self.duck)
        if self.statement == "SELECT":
            types = [str(each[1]) for each in found.description]
            return result_of(found.to_arrow_table(), types)
        if self.statement in ("INSERT", "UPDATE", "DELETE"):
            self.changed = int(found.fetchone()[0])
        return Result([], pa.table({}))

    def _end(self, error: Refused | None) -> None:
        self.error, self.state, self.ended = error, "DONE", time.time()
        self.done.set()

    # -- how it is shown --------------------------------------------------------------------------------

    @property
    def destination(self) -> dict[str, str]:
        """The anonymous table that holds the result."""
        return {"projectId": self.project, "datasetId": "_anon", "tableId": f"anon_{self.id}"}

    def resource(self) -> dict[str, Any]:
        """Return the job as ``jobs.get`` does."""
        status: dict[str, Any] = {"state": self.state}
        if self.error is not None:
            status |= {"errorResult": self.error.result, "errors": [self.error.result]}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.id}",
            "jobReference": {"projectId": self.project, "jobId": self.id, "location": self.location},
            "configuration": {
                **self.conf,
                "jobType": "QUERY",
                "query": {
                    **self.query,
                    **({"destinationTable": self.destination} if self.state == "DONE" else {}),
                },
            },
            "status": status,
            "statistics": self._statistics(),
        }

    def _statistics(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "statementType": self.statement,
            "totalBytesProcessed": str(self.bytes),
            "totalBytesProcessedAccuracy": "PRECISE" if self.dry else None,
            "timeline": [{"elapsedMs": "10", "completedUnits": "3", "pendingUnits": "1", "activeUnits": "0"}],
            "queryPlan": [
                {"name": "S00", "id": "0", "status": "COMPLETE"},
                {"name": "S01", "id": "1", "status": "RUNNING"},
            ],
        }
        if self.changed is not None:
            found["numDmlAffectedRows"] = str(self.changed)
        begun = {} if self.state == "PENDING" else {"startTime": str(int(self.created * 1000))}
        return {"creationTime": str(int(self.created * 1000)), **begun, "query": found}

    def answer(self, params: dict[str, str]) -> dict[str, Any]:
        """Return what ``jobs.getQueryResults`` does: it waits a little, and gives a page."""
        self.done.wait(min(float(params.get("timeoutMs") or 10_000), 20_000) / 1000)
        found: dict[str, Any] = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": {"projectId": self.project, "jobId": self.id, "location": self.location},
            "jobComplete": self.done.is_set(),
        }
        if not self.done.is_set():
            return found
        if self.error is not None:
            raise self.error
        assert self.result is not None
        start, count = int(params.get("pageToken") or 0), int(params.get("maxResults") or 100_000)
        found |= {
            "schema": {"fields": self.result.fields},
            "totalRows": str(self.result.count),
            "totalBytesProcessed": str(self.bytes),
            "cacheHit": False,
            "rows": self.result.rows(start, count),
        }
        if start + count < self.result.count:
            found["pageToken"] = str(start + count)
        if self.changed is not None:
            found["numDmlAffectedRows"] = str(self.changed)
        return found


def _bytes_read(tree: Any) -> int:
    """Estimate what a statement reads: the bytes of the columns that it names."""
    total = 0
    used = {column.name.casefold() for column in tree.find_all(exp.Column)}
    star = any(not isinstance(each.parent, exp.Count) for each in tree.find_all(exp.Star))
    for table in tree.find_all(exp.Table):
        found = DATABASE.cursor().execute(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = ? and table_name = ?",
            [table.db, table.name],
        )
        types = [(name, type_) for name, type_ in found.fetchall() if star or name.casefold() in used]
        if not types:
            continue
        sums = [
            f"count(*) * {SIZES[type_]}"
            if type_ in SIZES
            else f'coalesce(sum(2 + length("{name}"::varchar)), 0)'
            for name, type_ in types
        ]
        row = (
            DATABASE.cursor()
            .execute(f'select {" + ".join(sums)} from "{table.db}"."{table.name}"')
            .fetchone()
        )
        total += int(row[0]) if row else 0
    return total
