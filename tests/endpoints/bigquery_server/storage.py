"""The Storage Read API over gRPC: a session of a job's result, and its stream of Arrow batches."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from auth import Issuer
from google.cloud.bigquery_storage_v1 import types
from jobs import BEHAVIOUR, JOBS

ROWS = 20_000
"""Rows of one message."""
_STREAMS: dict[str, Any] = {}
SEEN: list[str] = []


class Storage(grpc.GenericRpcHandler):
    """Serves the two calls that reading takes."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def service(self, details: Any) -> Any:
        if details.method.endswith("/CreateReadSession"):
            return grpc.unary_unary_rpc_method_handler(
                self._create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
            )
        if details.method.endswith("/ReadRows"):
            return grpc.unary_stream_rpc_method_handler(
                self._read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            )
        return None

    def _check(self, context: Any) -> None:
        header = dict(context.invocation_metadata()).get("authorization")
        if not self._issuer.accepts(header):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")

    def _create(self, request: Any, context: Any) -> Any:
        self._check(context)
        SEEN.append("CreateReadSession")
        if BEHAVIOUR.get("deny_storage"):
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                "request failed: the user does not have 'bigquery.readsessions.create' permission",
            )
        id = request.read_session.table.rpartition("/anon_")[2]
        job = JOBS.get(id)
        if job is None or job.result is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {request.read_session.table}")
        table = job.result.table
        name = f"projects/p/locations/us/sessions/{uuid.uuid4().hex}/streams/0"
        _STREAMS[name] = table
        return types.ReadSession(
            name=name.rpartition("/streams/")[0],
            data_format=types.DataFormat.ARROW,
            table=request.read_session.table,
            arrow_schema=_schema(table),
            streams=[types.ReadStream(name=name)],
            estimated_row_count=table.num_rows,
        )

    def _read(self, request: Any, context: Any) -> Iterator[Any]:
        self._check(context)
        table = _STREAMS[request.read_stream].slice(request.offset)
        left = BEHAVIOUR.get("stream_rows")
        first = {"arrow_schema": _schema(table)}
        for batch in table.to_batches(max_chunksize=ROWS):
            if left is not None and left <= 0:
                return  # the stream ends before its rows do
            left = None if left is None else left - batch.num_rows
            yield types.ReadRowsResponse(
                arrow_record_batch=types.ArrowRecordBatch(
                    serialized_record_batch=batch.serialize().to_pybytes(), row_count=batch.num_rows
                ),
                row_count=batch.num_rows,
                **first,
            )
            first = {}


def _schema(table: Any) -> Any:
    return types.ArrowSchema(serialized_schema=table.schema.serialize().to_pybytes())


def serve(port: int, certificate: str, key: str, issuer: Issuer) -> Any:
    """Start the API on a port of its own, with TLS."""
    options = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(16), options=options)
    server.add_generic_rpc_handlers((Storage(issuer),))
    pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
    server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([pair]))
    server.start()
    return server
