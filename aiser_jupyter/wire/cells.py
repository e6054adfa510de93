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
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["rows_text"]

SAFE_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript number holds exactly."""
_FAR_DAYS = 11_000_000
"""Arrow's calendar ends with the year 32767, a little later."""
_IN_A_DAY = {"D": 1, **{unit: 86_400 * 1000**power for power, unit in enumerate(("s", "ms", "us", "ns"))}}
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
        escaped = _escaped(values.cast(text)) if _is_text(values) else None
        if escaped is not None:
            return _quoted(escaped)
    # One by one: between two of them others may have the lock.
    held = _is_held(kind)
    return pa.array([json.dumps(_cell(each, held)) if each.is_valid else None for each in values], text)


def _are_safe(values: Any) -> bool:
    """Say whether JavaScript holds every integer exactly."""
    import pyarrow.compute as pc

    least, most = pc.min_max(values).values()
    return (least.as_py() or 0) >= -SAFE_INTEGER and (most.as_py() or 0) <= SAFE_INTEGER


def _instants(values: Any) -> Any:
    """Return instants, dates and times in ISO 8601, with all their digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        values = values.cast(pa.timestamp(kind.unit, "UTC"))
    if not pa.types.is_time(kind):
        count = values.view(pa.int32() if pa.types.is_date32(kind) else pa.int64())
        least, most = (abs(each.as_py() or 0) for each in pc.min_max(count).values())
        unit = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date64(kind) else kind.unit
        if max(least, most) >= _FAR_DAYS * _IN_A_DAY[unit]:
            return _far_instants(count, unit, values.type)
    words: Any = values.cast(pa.large_string())
    return pc.replace_substring(words, " ", "T")


def _far_instants(count: Any, unit: Any, kind: Any) -> Any:
    """Return instants of which some are too far away for Arrow's calendar, which then has a wrong year."""
    import numpy as np
    import pyarrow as pa

    instants = count.fill_null(0).to_numpy(zero_copy_only=False).astype(f"datetime64[{unit}]")
    words = np.datetime_as_string(instants, unit="D" if pa.types.is_date(kind) else unit)
    zone = "Z" if pa.types.is_timestamp(kind) and kind.tz is not None else ""
    nulls = count.is_null().to_numpy(zero_copy_only=False)
    return pa.array([f"{word}{zone}" for word in words], pa.large_string(), mask=nulls)


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


def _is_text(words: Any) -> bool:
    """Say whether all of it is UTF-8: Arrow takes a database's word for that."""
    import pyarrow as pa

    try:
        words.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _quoted(words: Any) -> Any:
    return _joined(_scalar('"'), words, _scalar('"'))


def _joined(*parts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, _scalar(""))


def _scalar(text: str) -> Any:
    import pyarrow as pa

    return pa.scalar(text, pa.large_string())


def _is_held(kind: Any) -> bool:
    """Say whether Python has all digits of a type's values; its own time ends at the microsecond."""
    return "time64[ns]" not in str(kind)


def _cell(value: Any, held: bool) -> Any:
    """Return what stands for a value of Arrow; what Python has no value for is gone into."""
    if held:
        with suppress(OverflowError, ValueError):  # a year past 9999, no UTF-8, two fields of one name
            return _value(value.as_py())
    return _gone_into(value)


def _gone_into(value: Any) -> Any:
    import pyarrow as pa

    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        cells = [_inner(value[position]) for position in range(kind.num_fields)]
        return cells if len(set(names)) < len(names) else dict(zip(names, cells, strict=True))
    if pa.types.is_map(kind):
        return [[_inner(entry["key"]), _inner(entry["value"])] for entry in value.values]
    if pa.types.is_union(kind) or pa.types.is_dictionary(kind):
        return _inner(value.value)
    if pa.types.is_nested(kind):
        return [_inner(each) for each in value.values]
    if pa.types.is_duration(kind):
        return f"{value.value} {kind.unit}"
    if pa.types.is_temporal(kind):
        return _instants(pa.array([value], kind))[0].as_py()
    return value.as_buffer().to_pybytes().decode(errors="replace")


def _inner(value: Any) -> Any:
    return _cell(value, _is_held(value.type))


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
