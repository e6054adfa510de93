"""Rows on the wire: JSON or an Arrow stream, made piece by piece: no answer is built in memory twice.

A cell value keeps its meaning: what JSON numbers or JavaScript would change (integers past 2**53, decimals,
NaN, dates, binary) is text, and the column's type says what it stands for.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .answers import analysis_json, handle_json, notice_json, route_json, timings_json
from .cells import rows_text

if TYPE_CHECKING:
    import pyarrow as pa

    from ..result import QueryResult

__all__ = ["ARROW", "arrow_chunks", "head_json", "json_chunks"]

ARROW = "application/vnd.apache.arrow.stream"
PIECE = 256 * 1024
"""Bytes of Arrow that are turned into text at once."""


def head_json(
    result: QueryResult,
    start: int = 0,
    *,
    statement: Any,
    query_id: str | None = None,
    kept: Any = None,
) -> dict[str, Any]:
    """Return what is said of a result besides its rows.

    ``row_count`` counts the whole result, not the page; ``columns`` is a list, because names may repeat.

    Parameters
    ----------
    start : int
        Number of the first row shown.
    statement : Statement
        What was understood of the query.
    query_id : str, optional
        The client's own id.
    kept : KeptResult, optional
        Where the rows can be read again.
    """
    return {
        "success": True,
        "id": result.id,
        "query_id": query_id,
        "columns": [{"name": field.name, "type": str(field.type)} for field in result.table.schema],
        "row_count": result.row_count,
        "start": start,
        "connection": result.connection,
        "engine": result.engine,
        "execution_time": result.timings.total,
        "query_analysis": analysis_json(statement, result.route),
        "route": route_json(result.route),
        "timings": timings_json(result.timings),
        "cached": result.cached,
        "truncated": bool(result.truncated),
        "truncated_reason": result.truncated,
        "notices": [notice_json(notice) for notice in result.notices],
        "result": kept and handle_json(kept),
    }


def json_chunks(head: Mapping[str, Any], page: pa.Table) -> Iterator[bytes]:
    """Give the text of a JSON object: the fields of ``head``, then ``data`` with the rows of ``page``.

    A row is a list in the order of the columns.
    """
    yield json.dumps(head, allow_nan=False)[:-1].encode() + b', "data": ['
    lead = b""
    for piece in _pieces(page):
        rows = rows_text(piece)
        if rows:
            yield lead + rows
            lead = b", "
    yield b"]}"


def arrow_chunks(head: Mapping[str, Any], page: pa.Table) -> Iterator[bytes]:
    """Give an Arrow IPC stream of ``page``; the schema's metadata ``aiser`` is ``head`` as JSON."""
    import pyarrow as pa

    said = json.dumps(head, allow_nan=False).encode()
    page = page.replace_schema_metadata({**(page.schema.metadata or {}), b"aiser": said})
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), page.schema) as writer:
        for piece in _pieces(page, 4 * PIECE):
            for batch in piece.to_batches():
                writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is emptied while it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _pieces(page: pa.Table, size: int = PIECE) -> Iterator[pa.Table]:
    """Cut a table into slices of about ``size`` bytes; none where it has no rows."""
    rows = page.num_rows
    step = max(1, min(rows, rows * size // max(1, page.nbytes), 20_000))
    for start in range(0, rows, step):
        yield page.slice(start, step)
