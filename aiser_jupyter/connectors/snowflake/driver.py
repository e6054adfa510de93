"""What is used of Snowflake's driver beyond its public calls, in one place.

The public ways to a result are not for us, for three reasons that the tests keep:

- they follow whatever the answer says, also "upload this file of yours" in answer to a SELECT;
- they read every part of a result with the widths of the first, and where Snowflake chose wider ones for a
  later part, other numbers come out;
- they turn Arrow into Arrow of their own, which drops the offset of a TIMESTAMP_TZ.

So the end of a statement is taken by the call that the driver uses for the parts of a script, which hands
over rows and nothing else, and each part of the rows is fetched (see `storage`) and read as it was sent. Only
rows of text, as some answers to SHOW come, are fetched and made into Arrow by the driver.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionLost
from .storage import Broken, Storage

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Part", "Result", "abort", "heartbeat", "result_of", "running_state", "submit"]

_ARROW = 1
_GZIP = b"\x1f\x8b"
_GZIP_BITS = 31
"""The largest window, and gzip's own header and checksum around it."""
_MOST_TIMES = 16
"""Of its own length is set aside for what is packed: one that broke off may say anything."""
_RUNNING = frozenset(
    {"RUNNING", "QUEUED", "RESUMING_WAREHOUSE", "QUEUED_REPARING_WAREHOUSE", "BLOCKED", "NO_DATA", "ABORTING"}
)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one statement, before its rows are read.

    ``columns`` are the declared ones, as the driver's own messages have them. ``kind`` is Snowflake's number
    for the kind of the statement. ``changed`` counts rows; None where the statement changes none.
    ``pending`` is a result that is none yet: Snowflake answered that the statement still runs.
    """

    columns: Sequence[Any]
    kind: int
    changed: int | None
    pending: bool
    _handle: Any

    def parts(self) -> list[Part]:
        """Return the parts that the rows come in; their reading is what waits for the network."""
        found = _core().result_set_get_chunks(result_set_handle=self._handle)
        return [Part(chunk, found.columns) for chunk in found.chunks]

    def schema(self) -> pa.Schema:
        """Return the schema of a result that has no part to read it from."""
        import pyarrow as pa
        from snowflake.connector._internal.statement_utils import get_stream_ptr

        found = _core().result_set_get_stream(result_set_handle=self._handle)
        with pa.RecordBatchReader._import_from_c(get_stream_ptr(found)) as reader:
            return reader.schema

    def release(self) -> None:
        """Give it back to the driver."""
        _core().result_set_release(result_set_handle=self._handle)


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows of a result, with the widths that Snowflake chose for them."""

    _chunk: Any
    _columns: Any

    @property
    def size(self) -> int:
        """Bytes that were announced, unpacked; 0 for what stands in the answer itself."""
        return int(self._chunk.remote.uncompressed_size)

    def read(self, connection: Any, storage: Storage) -> tuple[pa.Schema, list[pa.RecordBatch]]:
        """Return the rows as Snowflake encodes them. Safe in any thread.

        Raises
        ------
        ConnectionLost
            They did not come whole, twice.
        """
        if self._chunk.format != _ARROW:
            return self._by_the_driver(connection)
        try:
            return self._decoded(self._fetched(storage))
        except Broken:
            try:
                return self._decoded(self._fetched(storage, anew=True))
            except Broken as exc:
                raise ConnectionLost("A part of the result broke off.", hint="Run it again.") from exc

    def _fetched(self, storage: Storage, *, anew: bool = False) -> bytes:
        if not self._chunk.HasField("remote"):
            return b64decode(self._chunk.inline)
        remote = self._chunk.remote
        return storage.fetch(remote.url, remote.headers, anew=anew)

    def _decoded(self, found: bytes) -> tuple[pa.Schema, list[pa.RecordBatch]]:
        """Read Arrow, and count what was fetched: a stream that ends too early looks like a whole one."""
        import pyarrow as pa

        try:
            if found.startswith(_GZIP):
                found = _unpacked(found)
            with pa.ipc.open_stream(found) as reader:
                schema, batches = reader.schema, list(reader)
            for batch in batches:
                batch.validate(full=True)  # it is taken by its word from here on
        except (pa.ArrowException, OSError, zlib.error) as exc:
            raise Broken("it is no Arrow") from exc
        remote = self._chunk.HasField("remote")  # what stands in the answer itself is not always counted
        if remote and sum(batch.num_rows for batch in batches) != self._chunk.row_count:
            raise Broken("rows are missing")
        return schema, batches

    def _by_the_driver(self, connection: Any) -> tuple[pa.Schema, list[pa.RecordBatch]]:
        """Have rows of text fetched, and made into Arrow."""
        import pyarrow as pa
        from snowflake.connector._internal.statement_utils import get_stream_ptr

        handle = connection.conn_handle
        found = _core().database_fetch_chunk(conn_handle=handle, chunk=self._chunk, columns=self._columns)
        with pa.RecordBatchReader._import_from_c(get_stream_ptr(found)) as reader:
            return reader.schema, list(reader)


def _unpacked(found: bytes) -> bytes:
    """Unpack into one piece of memory, as long as the last four bytes say: Arrow goes by way of a buffer."""
    said = int.from_bytes(found[-4:], "little")
    return zlib.decompress(found, _GZIP_BITS, min(said, _MOST_TIMES * len(found)))


def submit(connection: Any, sql: str, values: Sequence[Any], parameters: Mapping[str, Any]) -> str:
    """Send one statement, and return Snowflake's name for it; nobody waits for its end.

    ``parameters`` are the session's for this statement alone.
    """
    with connection.cursor() as cursor:
        sent = cursor.execute_async(sql, list(values) or None, _statement_params=dict(parameters))
    return str(sent["queryId"])


def running_state(connection: Any, id: str) -> str:
    """Return the state of a statement that has not ended; "" once it has."""
    state = str(connection.get_query_status(id).name)
    return state if state in _RUNNING else ""


def result_of(connection: Any, id: str) -> Result:
    """Wait for the end of a statement, for less than a minute, and return its result.

    Raises what the statement failed with.
    """
    found = _core().connection_get_result_set(conn_handle=connection.conn_handle, query_id=id)
    about = found.result_descriptor
    changed = about.rows_affected if about.HasField("rows_affected") else None
    pending = not (about.columns or about.HasField("statement_type_id"))
    return Result(tuple(about.columns), about.statement_type_id, changed, pending, found.result_set_handle)


def abort(connection: Any, id: str) -> None:
    """Ask Snowflake to stop a statement; harmless where it has ended."""
    with connection.cursor() as cursor:
        cursor.abort_query(id)


def heartbeat(connection: Any) -> None:
    """Ask whether the session is still there; no warehouse is started."""
    _core().connection_heartbeat(conn_handle=connection.conn_handle)


def _core() -> Any:
    from snowflake.connector._internal.api_client.client_api import core_driver

    return core_driver
