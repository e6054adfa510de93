"""The rows of one job: those that came with the answer, then a stream of Arrow, or pages of JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionLost
from .jobs import get
from .login import Clients
from .types import Column, schema_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ResultRows"]

PAGE_ROWS = 20_000
"""Rows of a page of JSON at most; BigQuery also keeps it under some 10 MB."""


class ResultRows:
    """Reads the rows of one job in their order.

    Parameters
    ----------
    answer : dict
        Of the poll that found the job done, with the first rows.
    limits : callable
        Returns ``retry`` and ``timeout`` of a request that is made now.

    Attributes
    ----------
    refused : str
        Why the Storage API was not used, where it might have been; "" otherwise.
    """

    def __init__(
        self,
        clients: Clients,
        job: Any,
        columns: Sequence[Column],
        answer: dict[str, Any],
        limits: Callable[[], dict[str, Any]],
    ) -> None:
        self._clients = clients
        self._job = job
        self._columns = columns
        self._schema = schema_of(columns)
        self._limits = limits
        self._stream: Any = None
        self._stopped = False
        self.refused = ""
        self._total, self._count = int(answer.get("totalRows") or 0), 0
        self._batches = self._all(answer)

    @property
    def job_id(self) -> str:
        return str(self._job.job_id)

    def read(self) -> pa.RecordBatch | None:
        """Return the next batch; None at the end of a whole result.

        Raises
        ------
        ConnectionLost
            Fewer rows came than there are, or `stop` ended it. Beside it, what the driver raises.
        """
        batch = next(self._batches, None)
        if batch is not None:
            self._count += batch.num_rows
        elif self._stopped or self._count != self._total:
            raise ConnectionLost(
                f"The result ended after {self._count:,} of {self._total:,} rows.", hint="Run it again."
            )
        return batch

    def stop(self) -> None:
        """End the stream; from any thread, and whoever reads it is sent away."""
        self._stopped = True
        if (stream := self._stream) is not None:
            stream.cancel()

    def _all(self, answer: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        if len(answer.get("rows", ())) < self._total and (session := self._session()) is not None:
            yield from self._arrow(session)
        else:
            yield from self._json(answer)

    # -- pages of JSON ----------------------------------------------------------------------------------

    def _json(self, answer: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        job = self._job
        while True:
            if answer.get("rows"):
                yield self._page(answer["rows"])
            if self._stopped or not answer.get("pageToken"):
                return
            params = {
                "pageToken": answer["pageToken"],
                "maxResults": PAGE_ROWS,
                "location": job.location,
                "formatOptions.useInt64Timestamp": True,
            }
            path = f"/projects/{job.project}/queries/{job.job_id}"
            answer = get(self._clients, path, params, **self._limits())

    def _page(self, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        import pyarrow as pa

        cells = zip(*([cell["v"] for cell in row["f"]] for row in rows), strict=True)
        arrays = [column.from_json(part) for column, part in zip(self._columns, cells, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    # -- Arrow ------------------------------------------------------------------------------------------

    def _session(self) -> Any:
        """Return a read session of the result with one stream; None where rows have to come as JSON."""
        from google.api_core.exceptions import Forbidden, MethodNotImplemented
        from google.cloud.bigquery_storage_v1 import types

        if self._clients.storage is None:
            return None
        if self._job.destination is None:  # BigQuery names it when the job is done
            self._job.reload(**self._limits())
        table = self._job.destination
        if table is None:
            return None
        wanted = types.ReadSession(
            table=f"projects/{table.project}/datasets/{table.dataset_id}/tables/{table.table_id}",
            data_format=types.DataFormat.ARROW,
        )
        try:
            return self._clients.storage.create_read_session(
                parent=f"projects/{self._job.project}",
                read_session=wanted,
                max_stream_count=1,
                retry=None,
                timeout=self._limits()["timeout"],
                metadata=self._clients.headers(),
            )
        except (Forbidden, MethodNotImplemented) as exc:
            self.refused = str(exc.message)
            return None

    def _arrow(self, session: Any) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        for stream in session.streams:
            self._stream = self._clients.storage.read_rows(
                stream.name, retry=None, timeout=None, metadata=self._clients.headers()
            )
            if self._stopped:
                self._stream.cancel()
            for message in self._stream:
                data = message.arrow_record_batch.serialized_record_batch
                yield self._exact(pa.ipc.read_record_batch(pa.py_buffer(data), schema))

    def _exact(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        arrays = [
            column.from_arrow(array) for column, array in zip(self._columns, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)
