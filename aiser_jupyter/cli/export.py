"""Rows as CSV, JSON or Arrow for other programs.

- Nothing is cut, and values keep every digit: 64-bit integers stay numbers, decimals and times are text.
- CSV tells NULL (nothing) from the empty text (``""``).
- A spreadsheet runs a cell that begins like a formula. Such a cell gets an apostrophe in front, unless
  ``raw``; a plain negative number is none.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, cast

from ..errors import UsageError

if TYPE_CHECKING:
    import io

    import pyarrow as pa

__all__ = ["harmless", "write_arrow", "write_csv", "write_json"]

_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@|%＝＋－＠]")  # some spreadsheets take the wide ones too
_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(text: str) -> str:
    """Return ``text`` so that no spreadsheet runs it.

    Examples
    --------
    >>> [harmless(text) for text in ("=1+1", "  @SUM(A1)", "-1.5", "-1+1", "plain")]
    ["'=1+1", "'  @SUM(A1)", '-1.5', "'-1+1", 'plain']
    """
    return "'" + text if _FORMULA.match(text) and not _NEGATIVE.fullmatch(text) else text


def write_csv(table: pa.Table, sink: IO[bytes], *, raw: bool = False) -> None:
    """Write UTF-8 with a header line, fields as RFC 4180 has them, lines ended by a line feed."""

    def field(text: str | None) -> str:
        if text is None:
            return ""
        text = text if raw else harmless(text)
        quoted = not text or text != text.strip() or any(char in text for char in ',"\r\n')
        return '"' + text.replace('"', '""') + '"' if quoted else text

    sink.write((",".join(map(field, table.column_names)) + "\n").encode())
    for batch in table.to_batches(10_000):
        columns = [_texts(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            sink.write((",".join(map(field, row)) + "\n").encode())


def write_json(table: pa.Table, sink: IO[bytes]) -> None:
    """Write an array of objects, one a line.

    Raises
    ------
    UsageError
        Two columns have one name: an object cannot hold both.
    """
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"JSON cannot hold two columns called {twice[0]!r}.", hint="Name them apart with AS, or use csv."
        )
    sink.write(b"[")
    first = True
    for batch in table.to_batches(10_000):
        columns = [_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False)
            sink.write((("\n" if first else ",\n") + line).encode())
            first = False
    sink.write(b"\n]\n")


def write_arrow(table: pa.Table, sink: IO[bytes]) -> None:
    """Write an Arrow IPC stream: types, NULLs and duplicate names as they are."""
    import pyarrow as pa

    with pa.ipc.new_stream(cast("io.IOBase", sink), table.schema) as writer:
        writer.write_table(table)


def _texts(column: pa.Array[Any]) -> Iterator[str | None]:
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return iter(column.to_pylist())
    if pa.types.is_floating(column.type):
        return (None if value is None else repr(value) for value in column.to_pylist())
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return (None if value is None else str(value).lower() for value in column.to_pylist())
    if pa.types.is_decimal(column.type):
        return (None if value is None else f"{value:f}" for value in column.to_pylist())
    from ..render import format_column

    return iter(format_column(pa.chunked_array([column]), None))


def _values(column: pa.Array[Any]) -> Iterator[Any]:
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        return iter(column.to_pylist())
    if pa.types.is_floating(column.type):
        values = column.to_pylist()
        return (value if value is None or math.isfinite(value) else str(value) for value in values)
    return _texts(column)
