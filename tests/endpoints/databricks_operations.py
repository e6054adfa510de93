"""An operation of the Databricks endpoint: it computes in a thread, and its rows are fetched in pieces.

A result of many rows is given as links to files, as a warehouse does, where the client can download. The
forms are the protocol's own, made by the connector's generated classes.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import lz4.frame
import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from tests.endpoints.databricks_sql import CATALOG, SQL_NAME, Answer, Refused

if TYPE_CHECKING:
    from tests.endpoints.databricks_thrift import Service

OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
MOST_ROWS = 100_000
"""Of one answer, whatever the client asks for."""


@dataclass
class Session:
    """What belongs to one session."""

    configuration: dict[str, str]
    schema: str = "default"
    operations: list[bytes] = field(default_factory=list)


def error(message: str, state: str = "42000") -> ttypes.TStatus:
    return ttypes.TStatus(
        statusCode=ttypes.TStatusCode.ERROR_STATUS, errorMessage=message, sqlState=state, errorCode=0
    )


class Operation:
    """One statement on its way."""

    def __init__(self, service: Service, session: Session, kind: int) -> None:
        self.service, self.session, self.kind = service, session, kind
        self.id = ttypes.THandleIdentifier(guid=uuid.uuid4().bytes, secret=uuid.uuid4().bytes)
        self.cursor = service.database.cursor()
        self.cursor.execute(f'USE {CATALOG}."{session.schema}"')
        self.done = threading.Event()
        self.running = False
        self.stopped = ""
        self.failure: tuple[str, str] | None = None
        self.answer: Answer | None = None
        self.cloud = self.lz4 = False
        self.by_links = False
        self.sent = 0
        self.waiting: list[pa.RecordBatch] = []
        self.over = False
        self.lock = threading.Lock()

    def handle(self) -> ttypes.TOperationHandle:
        return ttypes.TOperationHandle(operationId=self.id, operationType=self.kind, hasResultSet=True)

    def run(self, compute: Callable[[], Answer]) -> None:
        """Compute, and read ahead far enough to know how the result is given."""
        try:
            self.service.pause(self)
            if self.stopped:
                raise duckdb.InterruptException
            self.running = True
            self.answer = compute()
            self._read_ahead(self.service.behaviour.files_from if self.cloud else 1)
            self.by_links = self.cloud and self._rows() >= self.service.behaviour.files_from
        except Refused as exc:
            self.failure = exc.state, exc.message
        except duckdb.InterruptException:
            cancelled = self.stopped == "cancel"
            self.failure = ("HY008", "Operation cancelled") if cancelled else self._timed_out()
        except Exception as exc:
            self.failure = "XX000", f"{type(exc).__name__}: {exc}"
        finally:
            self.done.set()

    @staticmethod
    def _timed_out() -> tuple[str, str]:
        return "57KD0", "Statement timed out: the query was cancelled as STATEMENT_TIMEOUT was exceeded."

    def stop(self, why: str = "cancel") -> None:
        self.stopped = self.stopped or why
        self.cursor.interrupt()

    def _rows(self) -> int:
        return sum(batch.num_rows for batch in self.waiting)

    def _read_ahead(self, rows: int) -> None:
        assert self.answer is not None
        while not self.over and self._rows() < rows:
            if self.stopped:
                raise duckdb.InterruptException
            batch = next(self.answer.batches, None)
            if batch is None:
                self.over = True
            elif batch.num_rows:
                self.waiting.append(self.service.shaped(batch))

    def take(self, rows: int) -> list[pa.RecordBatch]:
        """Return the next ``rows``, or what is left."""
        self._read_ahead(rows + 1)
        taken: list[pa.RecordBatch] = []
        while self.waiting and rows:
            batch = self.waiting.pop(0)
            if batch.num_rows > rows:
                self.waiting.insert(0, batch.slice(rows))
                batch = batch.slice(0, rows)
            taken.append(batch)
            rows -= batch.num_rows
        return taken

    @property
    def schema(self) -> pa.Schema:
        assert self.answer is not None
        return self.service.shaped_schema(self.answer.schema)

    def status(self) -> ttypes.TGetOperationStatusResp:
        states = ttypes.TOperationState
        if self.done.is_set() and self.failure is None:
            return self._status(states.FINISHED_STATE)
        if not self.done.is_set():
            return self._status(states.RUNNING_STATE if self.running else states.PENDING_STATE)
        if self.stopped:
            cancelled = self.stopped == "cancel"
            return self._status(states.CANCELED_STATE if cancelled else states.TIMEDOUT_STATE)
        return self._status(states.ERROR_STATE)

    def _status(self, state: int) -> ttypes.TGetOperationStatusResp:
        code, text = self.failure if self.failure and self.done.is_set() else (None, None)
        changed = self.answer.changed if self.answer else None
        return ttypes.TGetOperationStatusResp(
            status=OK,
            operationState=state,
            sqlState=code,
            errorMessage=text,
            displayMessage=text,
            hasResultSet=True,
            numModifiedRows=changed,
        )

    def metadata(self) -> ttypes.TGetResultSetMetadataResp:
        sets = ttypes.TSparkRowSetType
        return ttypes.TGetResultSetMetadataResp(
            status=OK,
            schema=table_schema(self.schema),
            resultFormat=sets.URL_BASED_SET if self.by_links else sets.ARROW_BASED_SET,
            lz4Compressed=self.lz4,
            arrowSchema=self.schema.serialize().to_pybytes(),
            isStagingOperation=False,
        )

    def fetch(self, rows: int | None) -> ttypes.TFetchResultsResp:
        with self.lock:
            start = self.sent
            try:
                batches = self.take(min(rows or MOST_ROWS, MOST_ROWS) * (4 if self.by_links else 1))
            except duckdb.InterruptException:
                return ttypes.TFetchResultsResp(status=error("Operation cancelled", "HY008"))
            except duckdb.Error as exc:
                return ttypes.TFetchResultsResp(status=error(str(exc), "XX000"))
            self.sent += sum(batch.num_rows for batch in batches)
            more = bool(self.waiting) or not self.over
        made = self._links(batches, start) if self.by_links else self._inline(batches, start)
        return ttypes.TFetchResultsResp(
            status=OK,
            hasMoreRows=more and not self.service.behaviour.stops_short,
            results=made,
            resultSetMetadata=self.metadata(),
        )

    def _pack(self, data: bytes) -> bytes:
        return lz4.frame.compress(data) if self.lz4 else data

    def _inline(self, batches: list[pa.RecordBatch], start: int) -> ttypes.TRowSet:
        packed = [
            ttypes.TSparkArrowBatch(batch=self._pack(each.serialize().to_pybytes()), rowCount=each.num_rows)
            for each in batches
        ]
        return ttypes.TRowSet(startRowOffset=start, rows=[], arrowBatches=packed)

    def _links(self, batches: list[pa.RecordBatch], start: int) -> ttypes.TRowSet:
        links = []
        for group in (batches[at : at + 5] for at in range(0, len(batches), 5)):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, group[0].schema) as writer:
                for batch in group:
                    writer.write_batch(batch)
            data = self._pack(sink.getvalue().to_pybytes())
            rows = sum(batch.num_rows for batch in group)
            links.append(
                ttypes.TSparkArrowResultLink(
                    fileLink=self.service.keep_file(data),
                    expiryTime=int(time.time()) + 900,
                    startRowOffset=start,
                    rowCount=rows,
                    bytesNum=len(data),
                )
            )
            start += rows
        return ttypes.TRowSet(
            startRowOffset=links[0].startRowOffset if links else start, rows=[], resultLinks=links
        )

    def direct(self, wanted: Any) -> ttypes.TSparkDirectResults | None:
        """The result in the first answer, where the client asks for it."""
        if wanted is None:
            return None
        self.done.wait(0.5)
        status = self.status()
        if status.operationState != ttypes.TOperationState.FINISHED_STATE:
            return ttypes.TSparkDirectResults(operationStatus=status)
        found = self.fetch(wanted.maxRows)
        return ttypes.TSparkDirectResults(
            operationStatus=status,
            resultSetMetadata=self.metadata(),
            resultSet=found,
            closeOperation=None if found.hasMoreRows else ttypes.TCloseOperationResp(status=OK),
        )


def json_text(column: Any) -> Any:
    def plain(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            return {key: plain(each) for key, each in value}
        return value

    texts = [
        None if v is None else json.dumps(plain(v), default=str, separators=(",", ":"))
        for v in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


# -- types --------------------------------------------------------------------------------------------------

_TYPES: tuple[tuple[Callable[[Any], bool], int], ...] = (
    (pa.types.is_boolean, ttypes.TTypeId.BOOLEAN_TYPE),
    (pa.types.is_int8, ttypes.TTypeId.TINYINT_TYPE),
    (pa.types.is_int16, ttypes.TTypeId.SMALLINT_TYPE),
    (pa.types.is_int32, ttypes.TTypeId.INT_TYPE),
    (pa.types.is_integer, ttypes.TTypeId.BIGINT_TYPE),
    (pa.types.is_float32, ttypes.TTypeId.FLOAT_TYPE),
    (pa.types.is_floating, ttypes.TTypeId.DOUBLE_TYPE),
    (pa.types.is_date, ttypes.TTypeId.DATE_TYPE),
    (pa.types.is_timestamp, ttypes.TTypeId.TIMESTAMP_TYPE),
    (pa.types.is_binary, ttypes.TTypeId.BINARY_TYPE),
    (pa.types.is_null, ttypes.TTypeId.NULL_TYPE),
    (pa.types.is_list, ttypes.TTypeId.ARRAY_TYPE),
    (pa.types.is_map, ttypes.TTypeId.MAP_TYPE),
    (pa.types.is_struct, ttypes.TTypeId.STRUCT_TYPE),
)
_NAMED = {
    b"INTERVAL": ttypes.TTypeId.INTERVAL_DAY_TIME_TYPE,
    b"ARRAY": ttypes.TTypeId.ARRAY_TYPE,
    b"MAP": ttypes.TTypeId.MAP_TYPE,
    b"STRUCT": ttypes.TTypeId.STRUCT_TYPE,
}


def table_schema(schema: pa.Schema) -> ttypes.TTableSchema:
    """Declare the columns of ``schema`` as the protocol does."""
    columns = []
    for position, each in enumerate(schema, start=1):
        id, qualifiers = _type_id(each)
        entry = ttypes.TTypeEntry(
            primitiveEntry=ttypes.TPrimitiveTypeEntry(type=id, typeQualifiers=qualifiers)
        )
        columns.append(
            ttypes.TColumnDesc(
                columnName=each.name, position=position, typeDesc=ttypes.TTypeDesc(types=[entry])
            )
        )
    return ttypes.TTableSchema(columns=columns)


def _type_id(each: Any) -> tuple[int, Any]:
    if pa.types.is_decimal(each.type):
        parts = {"precision": each.type.precision, "scale": each.type.scale}
        values = {name: ttypes.TTypeQualifierValue(i32Value=value) for name, value in parts.items()}
        return ttypes.TTypeId.DECIMAL_TYPE, ttypes.TTypeQualifiers(qualifiers=values)
    word = (each.metadata or {}).get(SQL_NAME, b"").split(b" ")[0].split(b"<")[0]
    if pa.types.is_string(each.type) and word in _NAMED:
        return _NAMED[word], None
    return next((id for holds, id in _TYPES if holds(each.type)), ttypes.TTypeId.STRING_TYPE), None
