"""Columns as JSON text, made by Arrow: no object for each cell, and Python's lock is free meanwhile.

A server's event loop needs that lock for every step of every answer: whoever holds it while a page is made
into text keeps everybody waiting. What Arrow cannot write (nested values, binary, what JavaScript would
change) is written by Python, value by value.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["rows_text"]

SAFE_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript number holds exactly."""
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))


def rows_text(page: pa.Table) -> bytes:
    """Return the rows as JSON lists with commas between them; empty where there is no row or no column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not page.num_rows or not page.num_columns:
        return b""
    cells = [_texts(column.combine_chunks()) for column in page.columns]
    lines: Any = pc.binary_join_element_wise(
        *cells, _scalar(", "), null_handling="replace", null_replacement="null"
    )
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(lines)], pa.int64()), lines)
    text: Any = pc.binary_join(whole, _scalar("], ["))
    return b"".join((b"[", text[0].as_buffer(), b"]"))


def _texts(values: Any) -> Any:
    """Return the JSON text of each value of an array, as large strings; NULL stays NULL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, text = values.type, pa.large_string()
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and _are_safe(values)):
        return values.cast(text)
    if pa.types.is_floating(kind) and pc.all(pc.is_finite(values)).as_py() is not False:
        words: Any = values.cast(pa.float64()).cast(text)
        whole = pc.match_substring_regex(words, "^-?[0-9]+$")  # 5.0 stays what no reader takes for an integer
        return pc.if_else(whole, _joined(words, _scalar(".0")), words)
    if pa.types.is_decimal(kind):  # the words of Python's Decimal
        return _quoted(values.cast(text))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _quoted(_instants(values))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        escaped = _escaped(values.cast(text))
        if escaped is not None:
            return _quoted(escaped)
    found = (value.as_py() for value in values)  # one by one: between two of them others may have the lock
    return pa.array([None if value is None else json.dumps(_value(value)) for value in found], text)


def _are_safe(values: Any) -> bool:
    """Say whether JavaScript holds every integer exactly."""
    import pyarrow.compute as pc

    least, most = pc.min_max(values).values()
    return (least.as_py() or 0) >= -SAFE_INTEGER and (most.as_py() or 0) <= SAFE_INTEGER


def _instants(values: Any) -> Any:
    """Return instants and dates in ISO 8601, with all their digits; Arrow says which it cannot write."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        values = values.cast(pa.timestamp(values.type.unit, "UTC"))
    words: Any = values.cast(pa.large_string())
    return pc.if_else(pc.starts_with(words, "<"), words, pc.replace_substring(words, " ", "T"))


def _escaped(words: Any) -> Any:
    """Return texts as they stand between JSON's quotes; None where Python has to write them."""
    import pyarrow.compute as pc

    if not _holds(words, lambda octets: (octets < 0x20) | (octets == 0x22) | (octets == 0x5C)):
        return words
    for before, after in _ESCAPES:
        words = pc.replace_substring(words, before, after)
    return None if _holds(words, lambda octets: octets < 0x20) else words


def _holds(words: Any, sought: Any) -> bool:
    """Say whether a byte is in an array of large strings; those behind a NULL count too."""
    import numpy as np

    _, offsets, data = words.buffers()
    if data is None or not len(words):
        return False
    edges = np.frombuffer(offsets, np.int64)
    first, last = edges[words.offset], edges[words.offset + len(words)]
    return bool(sought(np.frombuffer(data, np.uint8)[first:last]).any())


def _quoted(words: Any) -> Any:
    return _joined(_scalar('"'), words, _scalar('"'))


def _joined(*parts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, _scalar(""))


def _scalar(text: str) -> Any:
    import pyarrow as pa

    return pa.scalar(text, pa.large_string())


def _value(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal() | timedelta():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return {str(key): _value(item) for key, item in value.items()}
        case list() | tuple():
            return [_value(item) for item in value]
    return str(value)
