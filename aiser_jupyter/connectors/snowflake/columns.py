"""Snowflake's encodings of one column turned into the Arrow that its declaration gives.

Each function takes the declaration, the array as it was sent, and a counter of what is lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

__all__ = ["DIGITS", "FINE", "Declared", "as_it_is", "days", "digits", "moment", "months", "number", "offset"]

DIGITS = 38
FINE = "FINE"
"""What is counted: values that had digits beyond the microsecond."""
_INT64_DIGITS = 19
_NANOSECONDS_A_DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Declared:
    """A type as Snowflake declares it, of a column or inside one.

    ``kind`` is its word on the wire, ``word`` the one people write. ``fields`` are the declared ones of a
    structured type: of an OBJECT each, of an ARRAY or a VECTOR the element, of a MAP the key and the value.
    ``size`` is a VECTOR's.
    """

    name: str
    kind: str
    word: str
    precision: int = DIGITS
    scale: int = 0
    fields: tuple[Declared, ...] = ()
    size: int = 0


def as_it_is(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Leave it: the cast to the declared type is all there is to do."""
    return array


def number(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Widen to decimals: a whole number of any width stands for so many units of the last digit.

    Arrow's own cast looks at each value, and takes four times as long.
    """
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_integer(array.type) or not len(array):
        return array
    whole = array.cast(pa.int64())
    if column.precision < _INT64_DIGITS:
        _require_within(whole, 10**column.precision)
    validity, data = whole.buffers()
    rows = whole.offset + len(whole)
    units = np.frombuffer(data, "<i8", count=rows)
    buffer = pa.allocate_buffer(16 * rows)
    wide = np.frombuffer(memoryview(buffer), "<i8").reshape(rows, 2)
    wide[:, 0] = units
    np.right_shift(units, 63, out=wide[:, 1])
    target = pa.decimal128(column.precision, column.scale)
    return pa.Array.from_buffers(target, len(whole), [validity, buffer], whole.null_count, whole.offset)


def _require_within(whole: Any, limit: int) -> None:
    import pyarrow.compute as pc

    ends: Any = pc.min_max(whole).as_py()
    if ends["min"] is not None and not -limit < ends["min"] <= ends["max"] < limit:
        raise OverflowError("it has more digits")


def moment(target: Any, column: Declared, array: Any, count: Counter[str]) -> Any:
    """Assemble a TIME or a TIMESTAMP, which comes as units of its scale, or as seconds and nanoseconds."""
    values, null = _microseconds(column, array, count)
    return _int64(values, null).view(target)


def offset(target: Any, column: Declared, array: Any, count: Counter[str]) -> Any:
    """Keep what each value has of its own: Snowflake sends the offset in minutes, and 1440 on top of it."""
    import pyarrow as pa

    values, null = _microseconds(column, array, count)
    zone = _integers(array.field("timezone"))
    utc = _int64(values, null).view(pa.timestamp("us", "UTC"))
    minutes = _int64(zone - 1440, null).cast(pa.int16())
    return pa.StructArray.from_arrays([utc, minutes], fields=list(target), mask=pa.array(null))


def _int64(values: Any, null: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.int64(), mask=null if null.any() else None)


def _integers(array: Any) -> Any:
    """Return the values as numpy's 64 bits; 0 where they are NULL."""
    import pyarrow as pa

    whole = array.cast(pa.int64())
    return (whole.fill_null(0) if whole.null_count else whole).to_numpy(zero_copy_only=False)


def _microseconds(column: Declared, array: Any, count: Counter[str]) -> tuple[Any, Any]:
    """Return microseconds, and which of them are NULL."""
    import pyarrow as pa

    null = array.is_null().to_numpy(zero_copy_only=False)
    parts = array.type.names if pa.types.is_struct(array.type) else ()
    if "fraction" in parts:
        nanoseconds = _integers(array.field("fraction"))
        count[FINE] += int(((nanoseconds % 1000 != 0) & ~null).sum())
        return _integers(array.field("epoch")) * 1_000_000 + nanoseconds // 1000, null
    values = _integers(array.field("epoch") if parts else array)
    if column.scale <= 6:
        return values * 10 ** (6 - column.scale), null
    unit = 10 ** (column.scale - 6)
    count[FINE] += int(((values % unit != 0) & ~null).sum())
    return values // unit, null


def digits(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Write a DECFLOAT out: its exponent, and its digits as a big-endian number of so many bytes."""
    import pyarrow as pa

    def written(value: Any) -> str | None:
        if value is None:
            return None
        significand = int.from_bytes(value["significand"], "big", signed=True)
        # Decimal.scaleb would round to the 28 digits of Python's own context.
        sign, each, _ = Decimal(significand).as_tuple()
        return str(Decimal((sign, each, value["exponent"])))

    if not pa.types.is_struct(array.type):
        return array.cast(pa.string())
    return pa.array([written(value) for value in array.to_pylist()], pa.string())


def _interval(*parts: int) -> Any:
    import pyarrow as pa

    made: Any = pa.MonthDayNano
    return made(parts)


def months(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Make an interval of months, which is all that comes, whatever it was declared from and to."""
    import pyarrow as pa

    values = [None if value is None else _interval(value, 0, 0) for value in array.to_pylist()]
    return pa.array(values, pa.month_day_nano_interval())


def days(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Split nanoseconds, in 64 bits or in 128, into days and a rest of the same sign."""
    import pyarrow as pa

    def split(value: Any) -> Any:
        if value is None:
            return None
        whole = int(value)
        days, rest = divmod(abs(whole), _NANOSECONDS_A_DAY)
        return _interval(0, days, rest) if whole >= 0 else _interval(0, -days, -rest)

    return pa.array([split(value) for value in array.to_pylist()], pa.month_day_nano_interval())
