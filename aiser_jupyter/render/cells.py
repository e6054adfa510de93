"""One value as one line of harmless text.

A value comes from a database and is trusted with nothing: control characters, ANSI escapes, marks that
reverse the reading direction, and invisible characters are spelled out, so that what is shown is what is
there. Everything that displays data goes through `visible` or `format_cell`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CELL_CHARS", "NULL", "format_cell", "format_column", "is_number", "type_name", "visible"]

NULL = "NULL"
CELL_CHARS = 200
"""Characters of one value that are shown; longer ones end in an ellipsis."""

_BINARY_BYTES = 32
_MARKS = {"\n": "↵", "\r": "␍", "\t": "⇥", "\x7f": "␡"}
# Controls, soft hyphen, direction marks and overrides, zero-width space and joiner, line separators,
# invisible operators, byte order mark, lone surrogates, and the tag characters.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}

_TYPE_WORDS = {
    "float": "float32",
    "double": "float64",
    "halffloat": "float16",
    "date32[day]": "date",
    "date64[ms]": "date",
    "month_day_nano_interval": "interval",
}


def visible(text: str) -> str:
    """Return ``text`` with every control, direction and invisible character spelled out.

    Examples
    --------
    >>> visible("a\\x1b[31mb")
    'a␛[31mb'
    >>> visible("a\\u202eb")
    'a⟨U+202E⟩b'
    """
    return _HIDDEN.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    char = match.group()
    if char in _MARKS:
        return _MARKS[char]
    code = ord(char)
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def format_cell(value: object, limit: int | None = CELL_CHARS) -> str:
    """Return one value as one line of text.

    Parameters
    ----------
    value : object
        A Python value or a ``pyarrow.Scalar``. A scalar keeps what Python has no type for: nanoseconds,
        24:00:00, years beyond 9999, the digits of a 32-bit float.
    limit : int, optional
        Characters at most; None is no limit.

    Returns
    -------
    str
        ``NULL`` for None, "" for an empty text, the shortest digits that read back as the same float,
        every digit of a decimal, ISO 8601 with a space for times, hexadecimal with ``0x`` for bytes.

    Examples
    --------
    >>> format_cell(0.1), format_cell(None), format_cell(b"\\x00\\xff"), format_cell([1, None, "a"])
    ('0.1', 'NULL', '0x00ff', '[1, NULL, "a"]')
    """
    text = _plain(value, limit)
    return text if limit is None or len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def format_column(column: pa.ChunkedArray[Any], limit: int | None = CELL_CHARS) -> list[str | None]:
    """Return a column's values as text, None for NULL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if limit is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = pc.utf8_slice_codeunits(column, 0, limit + 1)  # a megabyte is not copied to show a line
    is_exact_in_python = (
        pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_float64(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )
    values: Iterable[Any] = column.to_pylist() if is_exact_in_python else column
    return [None if _is_null(value) else format_cell(value, limit) for value in values]


def is_number(kind: pa.DataType) -> bool:
    """Say whether values of this type are shown right-aligned."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def type_name(kind: pa.DataType) -> str:
    """Return a short word for an Arrow type: ``uuid``, ``string dictionary``, ``decimal(10, 2)``."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return visible(kind.extension_name.removeprefix("arrow."))[:60]
    if pa.types.is_dictionary(kind):
        return f"{type_name(kind.value_type)} dictionary"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    text = visible(_TYPE_WORDS.get(str(kind), str(kind)))
    return text if len(text) <= 60 else text[:59] + "…"


def _is_null(value: Any) -> bool:
    return value is None or getattr(value, "is_valid", True) is False


def _plain(value: Any, limit: int | None) -> str:
    if _is_null(value):
        return NULL
    if hasattr(value, "as_py"):
        return _scalar(value, limit)
    if isinstance(value, str):
        return visible(value if limit is None else value[: limit + 1])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        return _binary(bytes(value), limit)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _span((value.days * 86_400 + value.seconds) * 10**6 + value.microseconds, "us")
    if isinstance(value, dict):
        return _joined("{}", (f"{_quoted(k, limit)}: {_quoted(v, limit)}" for k, v in value.items()), limit)
    if isinstance(value, list | tuple):
        return _joined("[]", (_quoted(item, limit) for item in value), limit)
    return visible(str(value))


def _scalar(value: Any, limit: int | None) -> str:
    import pyarrow as pa

    kind = value.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(value.as_py(), limit)
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return _narrow_float(value.as_py(), kind)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _moment(value)
    if pa.types.is_duration(kind):
        return _span(value.value, kind.unit)
    if pa.types.is_interval(kind):
        return _interval(value.as_py())
    if pa.types.is_dictionary(kind) or pa.types.is_union(kind):
        return _plain(value.value, limit)
    if pa.types.is_run_end_encoded(kind):
        return _plain(value.as_py(), limit)
    if pa.types.is_map(kind):
        pairs = ((entry["key"], entry["value"]) for entry in value.values or ())
        return _joined("{}", (f"{_quoted(k, limit)}: {_quoted(v, limit)}" for k, v in pairs), limit)
    if pa.types.is_nested(kind) and not pa.types.is_struct(kind):
        return _joined("[]", (_quoted(item, limit) for item in value.values), limit)
    if pa.types.is_struct(kind):  # by position: a struct may have two fields of one name
        fields = ((kind.field(i).name, value[i]) for i in range(kind.num_fields))
        return _joined("{}", (f"{visible(name)}: {_quoted(item, limit)}" for name, item in fields), limit)
    return _plain(value.as_py(), limit)


def _quoted(value: Any, limit: int | None) -> str:
    plain = value.as_py() if type(value).__name__ in ("StringScalar", "LargeStringScalar") else value
    if isinstance(plain, str):
        return visible(json.dumps(plain if limit is None else plain[: limit + 1], ensure_ascii=False))
    return _plain(value, limit)


def _joined(brackets: str, parts: Iterable[str], limit: int | None) -> str:
    shown, size = [], 0
    for part in parts:
        shown.append(part)
        size += len(part) + 2
        if limit is not None and size > limit:  # the rest would be cut: a list may be very long
            break
    return brackets[0] + ", ".join(shown) + brackets[1]


def _binary(value: bytes, limit: int | None) -> str:
    if limit is None or len(value) <= _BINARY_BYTES:
        return "0x" + value.hex()
    return f"0x{value[:_BINARY_BYTES].hex()}… ({len(value):,} bytes)"


def _narrow_float(value: float, kind: Any) -> str:
    import numpy as np

    if math.isnan(value) or math.isinf(value):
        return repr(value)
    narrow = np.float16 if kind.bit_width == 16 else np.float32
    return str(narrow(value))


def _moment(value: Any) -> str:
    """A date, time or timestamp from its count of units, because Python stops at the year 9999, at the
    microsecond and before 24:00:00."""
    import numpy as np
    import pyarrow as pa

    kind = value.type
    if pa.types.is_date32(kind):
        return str(np.datetime64(value.value, "D"))
    if pa.types.is_date64(kind):
        return str(np.datetime64(value.value, "ms").astype("datetime64[D]"))
    seconds, fraction = divmod(value.value, 10 ** _FRACTION_DIGITS[kind.unit])
    if pa.types.is_time(kind):
        return _clock(seconds) + _fraction(fraction, kind.unit)
    naive = str(np.datetime64(seconds, "s")).replace("T", " ")
    if kind.tz is None:
        return naive + _fraction(fraction, kind.unit)
    try:
        local = datetime.fromtimestamp(seconds, UTC).astimezone(pa.lib.string_to_tzinfo(kind.tz))
    except (OverflowError, ValueError):  # a year Python has not, or a zone this machine has not
        return naive + _fraction(fraction, kind.unit) + "+00:00"
    text = local.isoformat(" ")
    return text[:19] + _fraction(fraction, kind.unit) + text[19:]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _fraction(count: int, unit: str) -> str:
    if not count:
        return ""
    digits = f"{count:0{_FRACTION_DIGITS[unit]}d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return "." + digits


def _span(count: int, unit: str) -> str:
    seconds, fraction = divmod(abs(count), 10 ** _FRACTION_DIGITS[unit])
    days, seconds = divmod(seconds, 86_400)
    day_part = f"{days:,} day{'s' if days != 1 else ''} " if days else ""
    return ("-" if count < 0 else "") + day_part + _clock(seconds) + _fraction(fraction, unit)


def _interval(value: Any) -> str:
    years, months = divmod(abs(value.months), 12)
    sign = -1 if value.months < 0 else 1
    counts = ((years * sign, "year"), (months * sign, "month"), (value.days, "day"))
    parts = [f"{n} {word}{'s' if abs(n) != 1 else ''}" for n, word in counts if n]
    if value.nanoseconds or not parts:
        parts.append(_hours(value.nanoseconds))
    return " ".join(parts)


def _hours(nanoseconds: int) -> str:
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    return ("-" if nanoseconds < 0 else "") + _clock(seconds) + _fraction(fraction, "ns")
