"""Databricks' Thrift service on `databricks_sql`: sessions, statements, and what there is.

The protocol is the connector's own generated TCLIService: its processor calls a method of `Service` for each
request.
"""
# ruff: noqa: N802 - the protocol names the methods

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from tests.endpoints.databricks_operations import OK, Operation, Session, error, json_text
from tests.endpoints.databricks_sql import CATALOG, Answer, Statement, database

PROTOCOL = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8


@dataclass
class Behaviour:
    """How the endpoint is to behave; the tests change it."""

    files_from: int = 200_000
    """Rows from which a result is given as links."""
    poll_seconds: float = 0.1
    """A question for the state waits so long for the end of the operation."""
    pending_seconds: float = 0.0
    """An operation waits so long before it runs."""
    execute_seconds: float = 0.0
    """A statement's own answer takes so long; it runs meanwhile."""
    forgets_cancelled: bool = False
    """A cancelled operation is not known any more."""
    stops_short: bool = False
    """Say after each answer that there are no more rows, as an open Spark server does."""
    query_tags: bool = True
    names: bool = True
    """Give Databricks' own words for types in the Arrow schema; a warehouse sometimes leaves them out."""
    complex_as_text: bool = False
    link_host: str = ""
    fails_at_fetch: int = 0
    """Answer such a request for rows with an error."""


class Service:
    """What the generated processor calls: a method a request."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.behaviour = Behaviour()
        self.database = database()
        self.sessions: dict[bytes, Session] = {}
        self.operations: dict[bytes, Operation] = {}
        self.files: dict[str, bytes] = {}
        self.statements: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.fetches = 0
        self._threads = ThreadPoolExecutor(16)

    def keep_file(self, data: bytes) -> str:
        name = uuid.uuid4().hex
        self.files[name] = data
        return f"{self.behaviour.link_host or self.base}/files/{name}?signature={uuid.uuid4().hex}"

    def pause(self, operation: Operation) -> None:
        end = time.monotonic() + self.behaviour.pending_seconds
        while time.monotonic() < end and not operation.stopped:
            time.sleep(0.02)

    def shaped_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema as this warehouse gives it, by its version and its moods."""
        fields = []
        for each in schema:
            if self.behaviour.complex_as_text and pa.types.is_nested(each.type):
                each = each.with_type(pa.string())
            fields.append(each if self.behaviour.names else each.remove_metadata())
        return pa.schema(fields)

    def shaped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        schema = self.shaped_schema(batch.schema)
        columns = [
            column if target.type == column.type else json_text(column)
            for column, target in zip(batch.columns, schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    # -- sessions -------------------------------------------------------------------------------------

    def OpenSession(self, request: Any) -> ttypes.TOpenSessionResp:
        key, namespace = uuid.uuid4().bytes, request.initialNamespace
        if namespace and namespace.catalogName not in (None, CATALOG):
            name = namespace.catalogName
            text = f"[NO_SUCH_CATALOG_EXCEPTION] Catalog '{name}' was not found. SQLSTATE: 42704"
            return ttypes.TOpenSessionResp(status=error(text, "42704"), serverProtocolVersion=PROTOCOL)
        configuration = {k.upper(): v for k, v in (request.configuration or {}).items()}
        self.sessions[key] = Session(configuration, (namespace and namespace.schemaName) or "default")
        id = ttypes.THandleIdentifier(guid=key, secret=uuid.uuid4().bytes)
        return ttypes.TOpenSessionResp(
            status=OK,
            serverProtocolVersion=PROTOCOL,
            sessionHandle=ttypes.TSessionHandle(sessionId=id, serverProtocolVersion=PROTOCOL),
            configuration={},
            initialNamespace=namespace,
            canUseMultipleCatalogs=True,
        )

    def CloseSession(self, request: Any) -> ttypes.TCloseSessionResp:
        session = self.sessions.pop(request.sessionHandle.sessionId.guid, None)
        for id in session.operations if session else ():
            if operation := self.operations.pop(id, None):
                operation.stop()
        return ttypes.TCloseSessionResp(status=OK)

    # -- statements -----------------------------------------------------------------------------------

    def _new(self, request: Any, kind: int) -> Operation | None:
        session = self.sessions.get(request.sessionHandle.sessionId.guid)
        if session is None:
            return None
        operation = Operation(self, session, kind)
        self.operations[operation.id.guid] = operation
        session.operations.append(operation.id.guid)
        return operation

    def ExecuteStatement(self, request: Any) -> ttypes.TExecuteStatementResp:
        overlay = request.confOverlay or {}
        seen = {"sql": request.statement, "query_tags": overlay.get("query_tags")}
        if "query_tags" in overlay and not self.behaviour.query_tags:
            text = (
                "[CONFIG_NOT_AVAILABLE.WITHOUT_SUGGESTION] Configuration query_tags is not available."
                " SQLSTATE: 42K0I"
            )
            return ttypes.TExecuteStatementResp(status=error(text, "42K0I"))
        operation = self._new(request, ttypes.TOperationType.EXECUTE_STATEMENT)
        if operation is None:
            text = "requirement failed: Session handle has not been initialized or had already closed."
            return ttypes.TExecuteStatementResp(status=error(text, "HY000"))
        seen["timeout"] = operation.session.configuration.get("STATEMENT_TIMEOUT")
        self.statements.append(seen)
        operation.cloud = bool(request.canDownloadResult)
        operation.lz4 = bool(request.canDecompressLZ4Result)
        statement = Statement(operation.cursor, operation.session, request.parameters)
        self._threads.submit(operation.run, lambda: statement.run(request.statement))
        if limit := float(seen["timeout"] or 0):
            timer = threading.Timer(limit, operation.stop, ["timeout"])
            timer.daemon = True
            timer.start()
        time.sleep(self.behaviour.execute_seconds)
        direct = operation.direct(request.getDirectResults)
        return ttypes.TExecuteStatementResp(
            status=OK, operationHandle=operation.handle(), directResults=direct
        )

    def _found(self, request: Any) -> Operation | None:
        """The operation that a handle names; its secret must be right too."""
        wanted = request.operationHandle.operationId
        operation = self.operations.get(wanted.guid)
        return operation if operation and operation.id.secret == wanted.secret else None

    def GetOperationStatus(self, request: Any) -> ttypes.TGetOperationStatusResp:
        operation = self._found(request)
        if operation is None:
            return ttypes.TGetOperationStatusResp(status=_no_handle())
        operation.done.wait(self.behaviour.poll_seconds)
        return operation.status()

    def CancelOperation(self, request: Any) -> ttypes.TCancelOperationResp:
        operation = self._found(request)
        if operation is None:
            return ttypes.TCancelOperationResp(status=_no_handle())
        self.cancelled.append(operation.id.guid.hex())
        operation.stop()
        if self.behaviour.forgets_cancelled:
            del self.operations[operation.id.guid]
        return ttypes.TCancelOperationResp(status=OK)

    def CloseOperation(self, request: Any) -> ttypes.TCloseOperationResp:
        operation = self.operations.pop(request.operationHandle.operationId.guid, None)
        if operation is not None:
            operation.stop()
        return ttypes.TCloseOperationResp(status=OK)

    def GetResultSetMetadata(self, request: Any) -> ttypes.TGetResultSetMetadataResp:
        operation = self._found(request)
        if operation is None:
            return ttypes.TGetResultSetMetadataResp(status=_no_handle())
        if operation.failure:
            return ttypes.TGetResultSetMetadataResp(status=error(operation.failure[1], operation.failure[0]))
        return operation.metadata()

    def FetchResults(self, request: Any) -> ttypes.TFetchResultsResp:
        self.fetches += 1
        operation = self._found(request)
        if operation is None:
            return ttypes.TFetchResultsResp(status=_no_handle())
        operation.done.wait()
        if self.fetches == self.behaviour.fails_at_fetch:
            return ttypes.TFetchResultsResp(status=error("The disk is gone.", "XX000"))
        if operation.failure:
            return ttypes.TFetchResultsResp(status=error(operation.failure[1], operation.failure[0]))
        return operation.fetch(request.maxRows)

    # -- what there is --------------------------------------------------------------------------------

    def _listed(self, request: Any, answer: Any, sql: str, values: list[str]) -> Any:
        operation = self._new(request, ttypes.TOperationType.GET_TABLES)
        if operation is None:
            return answer(status=error("Invalid SessionHandle", "HY000"))
        table = operation.cursor.sql(sql, params=values or None).to_arrow_table()
        operation.run(lambda: Answer.of(table))
        return answer(
            status=OK,
            operationHandle=operation.handle(),
            directResults=operation.direct(request.getDirectResults),
        )

    def GetCatalogs(self, request: Any) -> Any:
        sql = f"SELECT * FROM (VALUES ('{CATALOG}'), ('samples')) AS t (TABLE_CAT)"
        return self._listed(request, ttypes.TGetCatalogsResp, sql, [])

    def GetSchemas(self, request: Any) -> Any:
        sql = f"""SELECT schema_name AS TABLE_SCHEM, catalog_name AS TABLE_CATALOG
            FROM information_schema.schemata
            WHERE catalog_name = '{CATALOG}' AND schema_name NOT IN ('main', 'pg_catalog')
            AND schema_name LIKE ? ESCAPE '\\' ORDER BY 1"""
        return self._listed(request, ttypes.TGetSchemasResp, sql, [request.schemaName or "%"])

    def GetTables(self, request: Any) -> Any:
        sql = f"""SELECT table_catalog AS TABLE_CAT, table_schema AS TABLE_SCHEM, table_name AS TABLE_NAME,
            CASE table_type WHEN 'BASE TABLE' THEN 'TABLE' ELSE table_type END AS TABLE_TYPE,
            coalesce(TABLE_COMMENT, '') AS REMARKS, NULL::VARCHAR AS TYPE_CAT, NULL::VARCHAR AS TYPE_SCHEM,
            NULL::VARCHAR AS TYPE_NAME, NULL::VARCHAR AS SELF_REFERENCING_COL_NAME,
            NULL::VARCHAR AS REF_GENERATION
            FROM information_schema.tables
            WHERE table_catalog = '{CATALOG}' AND table_schema LIKE ? ESCAPE '\\'
            AND table_name LIKE ? ESCAPE '\\' ORDER BY 2, 3"""
        return self._listed(
            request, ttypes.TGetTablesResp, sql, [request.schemaName or "%", request.tableName or "%"]
        )

    def GetColumns(self, request: Any) -> Any:
        sql = f"""SELECT table_catalog AS TABLE_CAT, table_schema AS TABLE_SCHEM, table_name AS TABLE_NAME,
            column_name AS COLUMN_NAME, 12 AS DATA_TYPE, replace(replace(replace(data_type,
            'VARCHAR', 'STRING'), 'INTEGER', 'INT'), 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMP') AS TYPE_NAME,
            numeric_precision::INT AS COLUMN_SIZE, numeric_scale::INT AS DECIMAL_DIGITS,
            (is_nullable = 'YES')::INT AS NULLABLE, coalesce(COLUMN_COMMENT, '') AS REMARKS,
            ordinal_position::INT - 1 AS ORDINAL_POSITION, is_nullable AS IS_NULLABLE
            FROM information_schema.columns
            WHERE table_catalog = '{CATALOG}' AND table_schema LIKE ? ESCAPE '\\'
            AND table_name LIKE ? ESCAPE '\\' AND column_name LIKE ? ESCAPE '\\' ORDER BY 2, 3, 11"""
        values = [request.schemaName or "%", request.tableName or "%", request.columnName or "%"]
        return self._listed(request, ttypes.TGetColumnsResp, sql, values)


def _no_handle() -> ttypes.TStatus:
    return ttypes.TStatus(
        statusCode=ttypes.TStatusCode.INVALID_HANDLE_STATUS,
        errorMessage="Invalid OperationHandle",
        sqlState="HY000",
    )
