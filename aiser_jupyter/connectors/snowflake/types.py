"""Snowflake's Arrow made exact: one schema from the declared types, whatever width the values arrive in.

Snowflake picks the width of a NUMBER by the values of each part of a result, and packs times as numbers and
structs of its own. Every part is turned into the type that the declaration gives:

- NUMBER(p, 0) up to 18 digits: ``int64``; every other NUMBER(p, s): ``decimal128(p, s)``;
- DATE, TIME, TIMESTAMP: ``date32``, ``time64[us]``, ``timestamp[us]``, with UTC for TIMESTAMP_LTZ. Snowflake
  keeps nanoseconds for the years 1 to 9999, which Arrow cannot: what is finer than a microsecond is cut off,
  and a `Notice` counts it;
- TIMESTAMP_TZ: a struct of the instant in UTC and the offset in minutes, which each value has of its own;
- INTERVAL: ``month_day_nano_interval``; DECFLOAT, which has no fixed scale: text of its digits;
- VARIANT, OBJECT, ARRAY, MAP, GEOGRAPHY, GEOMETRY: the text, or the bytes, that Snowflake gives for them.

Each field carries Snowflake's own word for its type as ``aiser.source_type``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...models import Notice
from ..arrow_types import SOURCE_TYPE

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WORDS", "Declared", "SnowflakeTypes", "declared"]

_DIGITS = 38
_INT64_DIGITS = 18
_FINE = "FINE"
WORDS = {"FIXED": "NUMBER", "REAL": "FLOAT", "TEXT": "VARCHAR"}
"""What people write for Snowflake's own words."""
_TEXTS = frozenset({"VARIANT", "OBJECT", "ARRAY", "MAP", "GEOGRAPHY", "GEOMETRY", "FILE", "UUID", "XML"})
_NANOSECONDS_A_DAY = 86_400_000_000_000

_Convert = Callable[["Declared", Any, Counter[str]], Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """A column as Snowflake declares it. ``kind`` is its word on the wire, ``word`` the one people write."""

    name: str
    kind: str
    word: str
    precision: int = _DIGITS
    scale: int = 0


def declared(column: Any) -> Declared:
    """Read a column of the driver's own description of a result."""
    kind = str(column.type).upper()
    external = str(getattr(column, "ext_col_type_name", "") or "").upper()
    precision = column.precision if column.HasField("precision") and column.precision else _DIGITS
    scale = column.scale if column.HasField("scale") else 0
    length = column.length if column.HasField("length") else 0
    word = external or WORDS.get(kind, kind)
    if kind == "FIXED" and not external:
        word += f"({precision},{scale})"
    elif kind.startswith("TIME") and column.HasField("scale"):
        word += f"({scale})"
    elif kind in ("TEXT", "BINARY") and length and not external:
        word += f"({length})"
    elif kind == "VECTOR" and column.HasField("dimension"):
        word += f"({column.dimension})"
    return Declared(column.name, kind, word, min(precision, _DIGITS), scale)


class SnowflakeTypes:
    """Turns the batches of one result.

    Parameters
    ----------
    raw : pyarrow.Schema
        As Snowflake sends it; of the types that have no fixed Arrow type it decides what they land as.
    columns : sequence of Declared

    Attributes
    ----------
    schema : pyarrow.Schema
        Of every batch that `convert` returns.

    Raises
    ------
    DataError
        A column has a type that has no exact form in Arrow.
    """

    def __init__(self, raw: pa.Schema, columns: Sequence[Declared]) -> None:
        import pyarrow as pa

        self._columns = columns
        plans = [_plan(column, field.type) for column, field in zip(columns, raw, strict=True)]
        self._converters = [convert for _, convert in plans]
        self.schema = pa.schema(
            [
                pa.field(column.name, target, metadata={SOURCE_TYPE: column.word})
                for column, (target, _) in zip(columns, plans, strict=True)
            ]
        )
        self._counts: list[Counter[str]] = [Counter() for _ in columns]

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return ``batch`` with the types of ``schema``. Raises `DataError`."""
        import pyarrow as pa

        arrays = []
        for column, field, convert, count, array in zip(
            self._columns, self.schema, self._converters, self._counts, batch.columns, strict=True
        ):
            try:
                arrays.append(convert(column, array, count).cast(field.type))
            except (pa.ArrowException, ValueError, OverflowError) as exc:
                raise DataError(
                    f"Column {column.name!r} is {column.word}, and holds a value that is none: {exc}.",
                    hint=f'TO_VARCHAR("{column.name}") gives it as text.',
                ) from exc
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def notices(self) -> list[Notice]:
        """Say what was lost in the batches converted so far, and how to keep it."""
        found = []
        for column, count in zip(self._columns, self._counts, strict=True):
            if number := count[_FINE]:
                values = f"{number:,} value{'s' if number > 1 else ''}"
                message = (
                    f"Column {column.name!r} is {column.word}: {values} cut to microseconds. "
                    f"TO_VARCHAR(\"{column.name}\", 'YYYY-MM-DD HH24:MI:SS.FF9') keeps them whole."
                )
                found.append(Notice("lossy_type", message))
            if column.kind == "DECFLOAT":
                message = f"Column {column.name!r} is DECFLOAT: its values are given as text of their digits."
                found.append(Notice("lossy_type", message))
        return found


def _plan(column: Declared, raw: Any) -> tuple[Any, _Convert]:
    """Return the Arrow type that a column lands as, and how its arrays become it."""
    import pyarrow as pa

    kind = column.kind
    offset = pa.struct([("utc", pa.timestamp("us", "UTC")), ("offset_minutes", pa.int16())])
    plans: dict[str, tuple[Any, _Convert]] = {
        "FIXED": (_number_type(column), _number),
        "REAL": (pa.float64(), _as_it_is),
        "TEXT": (pa.string(), _as_it_is),
        "BOOLEAN": (pa.bool_(), _as_it_is),
        "BINARY": (pa.binary(), _as_it_is),
        "DATE": (pa.date32(), _as_it_is),
        "TIME": (pa.time64("us"), partial(_moment, pa.time64("us"))),
        "TIMESTAMP_NTZ": (pa.timestamp("us"), partial(_moment, pa.timestamp("us"))),
        "TIMESTAMP_LTZ": (pa.timestamp("us", "UTC"), partial(_moment, pa.timestamp("us", "UTC"))),
        "TIMESTAMP_TZ": (offset, partial(_with_offset, offset)),
        "DECFLOAT": (pa.string(), _digits),
        "INTERVAL_YEAR_MONTH": (pa.month_day_nano_interval(), _months),
        "INTERVAL_DAY_TIME": (pa.month_day_nano_interval(), _days),
    }
    plans["TIMESTAMP"] = plans["DATETIME"] = plans["TIMESTAMP_NTZ"]
    if kind in plans:
        return plans[kind]
    if kind == "VECTOR" and pa.types.is_fixed_size_list(raw):
        return raw, _as_it_is
    if pa.types.is_string(raw) or pa.types.is_binary(raw):
        return raw, _as_it_is
    if kind in _TEXTS and pa.types.is_null(raw):
        return pa.string(), _as_it_is
    raise DataError(
        f"Column {column.name!r} is {column.word} in a form that is not known here.",
        hint=f'TO_VARIANT("{column.name}") gives it as text of JSON.',
    )


def _number_type(column: Declared) -> Any:
    import pyarrow as pa

    if not column.scale and column.precision <= _INT64_DIGITS:
        return pa.int64()
    return pa.decimal128(column.precision, column.scale)


def _as_it_is(column: Declared, array: Any, count: Counter[str]) -> Any:
    return array


def _number(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Place the point: a whole number of any width stands for so many units of the last digit."""
    import pyarrow as pa

    if not column.scale or not pa.types.is_integer(array.type):
        return array
    whole = array.cast(pa.decimal128(_DIGITS, 0))
    wide = pa.decimal128(_DIGITS, column.scale)
    return pa.Array.from_buffers(wide, len(whole), whole.buffers(), whole.null_count, whole.offset)


def _integers(array: Any) -> tuple[Any, Any]:
    """Return the values as numpy's 64 bits, and which of them are NULL."""
    import pyarrow as pa

    values = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return values, array.is_null().to_numpy(zero_copy_only=False)


def _microseconds(column: Declared, array: Any, count: Counter[str]) -> tuple[Any, Any]:
    """Return microseconds, and which are NULL, of units of the scale, or of seconds and nanoseconds."""
    import pyarrow as pa

    if pa.types.is_struct(array.type) and array.type.get_field_index("fraction") >= 0:
        seconds, _ = _integers(array.field("epoch"))
        nanoseconds, _ = _integers(array.field("fraction"))
        null = array.is_null().to_numpy(zero_copy_only=False)
        count[_FINE] += int(((nanoseconds % 1000 != 0) & ~null).sum())
        return seconds * 1_000_000 + nanoseconds // 1000, null
    if pa.types.is_struct(array.type):
        values, _ = _integers(array.field("epoch"))
        null = array.is_null().to_numpy(zero_copy_only=False)
    else:
        values, null = _integers(array)
    if column.scale <= 6:
        return values * 10 ** (6 - column.scale), null
    unit = 10 ** (column.scale - 6)
    count[_FINE] += int(((values % unit != 0) & ~null).sum())
    return values // unit, null


def _moment(target: Any, column: Declared, array: Any, count: Counter[str]) -> Any:
    import pyarrow as pa

    values, null = _microseconds(column, array, count)
    return pa.array(values, pa.int64(), mask=null).view(target)


def _with_offset(target: Any, column: Declared, array: Any, count: Counter[str]) -> Any:
    """Keep what each value has of its own: Snowflake sends the offset in minutes, and 1440 on top of it."""
    import pyarrow as pa

    values, null = _microseconds(column, array, count)
    zone, _ = _integers(array.field("timezone"))
    utc = pa.array(values, pa.int64(), mask=null).view(pa.timestamp("us", "UTC"))
    minutes = pa.array(zone - 1440, pa.int64(), mask=null).cast(pa.int16())
    return pa.StructArray.from_arrays([utc, minutes], fields=list(target), mask=pa.array(null))


def _digits(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Write a DECFLOAT out: its exponent, and its digits as a big-endian number of so many bytes."""
    import pyarrow as pa

    def written(value: Any) -> str | None:
        if value is None:
            return None
        return str(
            Decimal(int.from_bytes(value["significand"], "big", signed=True)).scaleb(value["exponent"])
        )

    if not pa.types.is_struct(array.type):
        return array.cast(pa.string())
    return pa.array([written(value) for value in array.to_pylist()], pa.string())


def _interval(*parts: int) -> Any:
    import pyarrow as pa

    made: Any = pa.MonthDayNano
    return made(parts)


def _months(column: Declared, array: Any, count: Counter[str]) -> Any:
    import pyarrow as pa

    values = [None if value is None else _interval(value, 0, 0) for value in array.to_pylist()]
    return pa.array(values, pa.month_day_nano_interval())


def _days(column: Declared, array: Any, count: Counter[str]) -> Any:
    """Split nanoseconds, in 64 bits or in 128, into days and a rest of the same sign."""
    import pyarrow as pa

    def split(value: Any) -> Any:
        if value is None:
            return None
        whole = int(value)
        days, rest = divmod(abs(whole), _NANOSECONDS_A_DAY)
        return _interval(0, days, rest) if whole >= 0 else _interval(0, -days, -rest)

    return pa.array([split(value) for value in array.to_pylist()], pa.month_day_nano_interval())
